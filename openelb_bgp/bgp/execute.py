"""Carries out changes on one gobgpd, in the order that keeps routes, and says what came of each.

No decision is made here. One failing peer or path never holds up another; a daemon that does not answer
ends the whole at once (its error passes through).
"""

from collections.abc import Awaitable, Callable

import msgspec

from .diff import Changes, Configuration, PeerEdit, SessionEffect
from .gobgp.errors import Rejected, Unsupported
from .model import (
    GlobalConf,
    GracefulRestart,
    Path,
    PeerConf,
)
from .port import Gobgp

HangUp = Callable[[str], Awaitable[None]]
"""Ends the TCP connection to a neighbour without a BGP word, where that can be done."""


class Failure(msgspec.Struct, frozen=True):
    """One change that gobgpd refused: what it was about, and gobgpd's word."""

    subject: str
    message: str


class Outcome(msgspec.Struct, frozen=True):
    """The configuration after the changes, as far as they succeeded, and what did not."""

    actual: Configuration
    failures: tuple[Failure, ...] = ()


class Executor:
    """Applies Changes to one gobgpd.

    `restarting` says that peers may still hold our routes from before (RFC 4724): new sessions then open
    with the restart bit. Else, after a boot, peers are added before any path, so that helpers flush at once.
    """

    def __init__(self, gobgp: Gobgp, *, restarting: bool, hang_up: HangUp) -> None:
        self._gobgp = gobgp
        self._restarting = restarting
        self._hang_up = hang_up
        self._failures: list[Failure] = []

    async def apply(self, changes: Changes, actual: Configuration) -> Outcome:
        """Carry out changes on what is there. Raises GobgpError when gobgpd does not answer."""
        self._failures = []
        if changes.global_conf is not None:
            actual = await self._start(changes.global_conf)
            if not self._restarting:
                # Empty first: a helper that kept routes over a fast reboot drops them when it hears us.
                actual = await self._change_routing(changes, actual)
                actual = await self._change_peers(changes, actual, restarting=False)
                return Outcome(await self._change_paths(changes, actual), tuple(self._failures))
        fresh = changes.global_conf is not None
        actual = await self._change_routing(changes, actual)
        actual = await self._change_paths(changes, actual)
        # Peers last: the first UPDATEs must precede End-of-RIB (RFC 4724, 4.1).
        actual = await self._change_peers(changes, actual, restarting=fresh)
        return Outcome(actual, tuple(self._failures))

    async def _start(self, conf: GlobalConf) -> Configuration:
        await self._gobgp.start(conf)
        return Configuration(global_conf=conf)

    async def _change_routing(self, changes: Changes, actual: Configuration) -> Configuration:
        if changes.routing is None:
            return actual
        try:
            await self._gobgp.set_policies(changes.routing)
        except (Rejected, Unsupported) as error:
            if not actual.routing.assignments:
                # Without a policy learned routes would go from peer to peer: no peer is added at all.
                raise
            self._fail("policy", error)
            return actual
        return msgspec.structs.replace(actual, routing=changes.routing)

    async def _change_paths(self, changes: Changes, actual: Configuration) -> Configuration:
        if not changes.add and not changes.delete:
            return actual
        paths = dict(actual.paths)
        for path in await self._add(changes.add):
            paths[path.key] = path.attrs
        if changes.delete:
            await self._gobgp.withdraw_paths(changes.delete)
            for key in changes.delete:
                paths.pop(key, None)
        return msgspec.structs.replace(actual, paths=paths)

    async def _add(self, paths: tuple[Path, ...]) -> tuple[Path, ...]:
        if not paths:
            return ()
        try:
            await self._gobgp.add_paths(paths)
        except Rejected:
            # A bad path drops its batch and all that follow: find it, and let the others go.
            return tuple([path for path in paths if await self._add_one(path)])
        return paths

    async def _add_one(self, path: Path) -> bool:
        try:
            await self._gobgp.add_paths((path,))
        except Rejected as error:
            self._fail(str(path.key.prefix), error)
            return False
        return True

    async def _change_peers(
        self, changes: Changes, actual: Configuration, *, restarting: bool
    ) -> Configuration:
        peers = dict(actual.peers)
        for gone in changes.peers_gone:
            await self._gobgp.delete_peer(gone.neighbor_address)
            del peers[gone.neighbor_address]
        for edit in changes.peers_edited:
            if await self._tried(edit.new, self._edit(edit)):
                peers[edit.new.neighbor_address] = edit.new
        for new in changes.peers_new:
            if await self._tried(new, self._gobgp.add_peer(_opening(new, restarting=restarting))):
                peers[new.neighbor_address] = new
        return msgspec.structs.replace(actual, peers=peers)

    async def _edit(self, edit: PeerEdit) -> None:
        match edit.effect:
            case SessionEffect.NONE:
                return
            case SessionEffect.STORED:
                await self._gobgp.update_peer(edit.new)
            case SessionEffect.RESET:
                # A connection that just ends is a restart to the peer, and it keeps our routes; a
                # NOTIFICATION, which gobgpd sends for UpdatePeer and DeletePeer, would take them.
                await self._hang_up(edit.old.neighbor_address)
                await self._gobgp.delete_peer(edit.old.neighbor_address)
                await self._gobgp.add_peer(_opening(edit.new, restarting=True))

    async def _tried(self, peer: PeerConf, change: Awaitable[object]) -> bool:
        try:
            await change
        except (Rejected, Unsupported) as error:
            self._fail(f"BgpPeer {peer.name}", error)
            return False
        return True

    def _fail(self, subject: str, error: Exception) -> None:
        self._failures.append(Failure(subject, str(error)))


def _opening(peer: PeerConf, *, restarting: bool) -> PeerConf:
    """The peer with the restart bit of its first OPEN as it has to be (RFC 4724, 3)."""
    restart = peer.graceful_restart
    if restart is None or not restart.enabled or restart.local_restarting == restarting:
        return peer
    changed: GracefulRestart = msgspec.structs.replace(restart, local_restarting=restarting)
    return msgspec.structs.replace(peer, graceful_restart=changed)
