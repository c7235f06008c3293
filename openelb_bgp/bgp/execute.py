"""Carries out changes on one gobgpd, in the order that keeps routes, and keeps account of what has been done.

No decision is made here. One failing peer or path never holds up another; a daemon that does not answer, or
that has lost everything, ends the whole at once (its error passes through).
"""

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from openelb_bgp.model.keys import BGP_CONF_NAME
from openelb_bgp.model.meta import Kind, ref

from .diff import Changes, Configuration, PeerEdit, SessionEffect
from .gobgp.errors import NotStarted, Rejected, Stopped, Unsupported
from .model import GlobalConf, Path, PathKey, PeerConf
from .policy_edits import change_policies
from .port import Gobgp

HangUp = Callable[[str], Awaitable[None]]
"""Ends the TCP connection to a neighbour without a BGP word, where that can be done."""

_REFUSALS = (Rejected, Unsupported, ValueError)
_CONF = str(ref(Kind.BGP_CONF, BGP_CONF_NAME))


class Failure(msgspec.Struct, frozen=True):
    """One change that gobgpd refused: what it was about, and gobgpd's word.

    `key`: of which path. `general`: it concerns all that is announced, not one peer or path.
    """

    subject: str
    message: str
    key: PathKey | None = None
    general: bool = False


class Executor:
    """Applies Changes to one gobgpd.

    `restarting` says that peers may still hold our routes from before (RFC 4724): new sessions then open
    with the restart bit. Else, after a boot, peers are added before any path, so that helpers flush at once.
    """

    def __init__(self, gobgp: Gobgp, actual: Configuration, *, restarting: bool, hang_up: HangUp) -> None:
        self._gobgp = gobgp
        self._restarting = restarting
        self._hang_up = hang_up
        self._failures: list[Failure] = []
        self.actual = actual

    @property
    def failures(self) -> tuple[Failure, ...]:
        """What was refused."""
        return tuple(self._failures)

    async def apply(self, changes: Changes) -> None:
        """Carry out changes; `actual` follows what is done. Raises GobgpError when gobgpd does not answer."""
        if changes.global_conf is None:
            await self._change_routing(changes)
            await self._change_paths(changes)
            await self._change_peers(changes, restarting=False)
        elif await self._started(changes.global_conf):
            await self._change_routing(changes)
            if not self._restarting:
                # Empty first: a helper that kept routes over a fast reboot drops them when it hears us.
                await self._change_peers(changes, restarting=False)
            await self._change_paths(changes)
            if self._restarting:
                # Peers last: the first UPDATEs must precede End-of-RIB (RFC 4724, 4.1).
                await self._change_peers(changes, restarting=True)

    async def _started(self, conf: GlobalConf) -> bool:
        self.actual = Configuration()
        try:
            await self._gobgp.start(conf)
        except _REFUSALS as error:
            self._fail(_CONF, error, general=True)
            return False
        self.actual = Configuration(global_conf=conf)
        return True

    async def _change_routing(self, changes: Changes) -> None:
        if changes.routing is None:
            return
        old = self.actual.routing
        try:
            await change_policies(
                self._gobgp, changes.routing, old=old, peers=self.actual.peers, paths=self.actual.paths
            )
        except _REFUSALS as error:
            if _has_lost_everything(error) or not old.assignments:
                # Without a policy learned routes would go from peer to peer: no peer is added at all.
                raise
            self._fail(_CONF, error, general=True)
        else:
            self.actual = msgspec.structs.replace(self.actual, routing=changes.routing)

    async def _change_paths(self, changes: Changes) -> None:
        if not changes.add and not changes.delete:
            return
        paths = dict(self.actual.paths)
        try:
            for path in await self._added(changes.add):
                paths[path.key] = path.attrs
            if changes.delete:
                await self._gobgp.withdraw_paths(changes.delete)
                for key in changes.delete:
                    paths.pop(key, None)
        finally:
            self.actual = msgspec.structs.replace(self.actual, paths=paths)

    async def _added(self, paths: Sequence[Path]) -> Sequence[Path]:
        """Add paths; returns those that were taken. A bad one drops its batch and all that follow."""
        if not paths:
            return ()
        try:
            await self._gobgp.add_paths(paths)
        except _REFUSALS as error:
            if _has_lost_everything(error):
                raise
            if len(paths) == 1:
                self._fail(str(paths[0].key.prefix), error, key=paths[0].key)
                return ()
            half = len(paths) // 2
            return [*await self._added(paths[:half]), *await self._added(paths[half:])]
        return paths

    async def _change_peers(self, changes: Changes, *, restarting: bool) -> None:
        for gone in changes.peers_gone:
            if await self._deleted(gone):
                self._note_peer(gone, None)
        for edit in changes.peers_edited:
            await self._edit(edit)
        for new in changes.peers_new:
            if await self._taken(_subject(new), self._gobgp.add_peer(_opening(new, restarting=restarting))):
                self._note_peer(new, new)

    async def _edit(self, edit: PeerEdit) -> None:
        old, new = edit.old, edit.new
        match edit.effect:
            case SessionEffect.NONE:
                self._note_peer(old, new)
            case SessionEffect.STORED:
                if await self._taken(_subject(new), self._gobgp.update_peer(_told(new))):
                    self._note_peer(old, new)
            case SessionEffect.RESET:
                # A connection that just ends is a restart to the peer, and it keeps our routes; a
                # NOTIFICATION, which gobgpd sends for UpdatePeer and DeletePeer, would take them.
                await self._hang_up(old.neighbor_address)
                await self._replace(edit, restarting=True)
            case SessionEffect.GOODBYE:
                await self._replace(edit, restarting=False)

    async def _replace(self, edit: PeerEdit, *, restarting: bool) -> None:
        if not await self._deleted(edit.old):
            return
        self._note_peer(edit.old, None)
        # Where the new one is refused, the old one is better than none.
        for peer in (edit.new, edit.old):
            if await self._taken(_subject(peer), self._gobgp.add_peer(_opening(peer, restarting=restarting))):
                self._note_peer(edit.old, peer)
                return

    async def _deleted(self, peer: PeerConf) -> bool:
        return await self._taken(_subject(peer), self._gobgp.delete_peer(peer.neighbor_address))

    def _note_peer(self, old: PeerConf, new: PeerConf | None) -> None:
        peers = {address: peer for address, peer in self.actual.peers.items() if peer is not old}
        if new is not None:
            peers[new.neighbor_address] = new
        self.actual = msgspec.structs.replace(self.actual, peers=peers)

    async def _taken(self, subject: str, change: Awaitable[object]) -> bool:
        try:
            await change
        except _REFUSALS as error:
            if _has_lost_everything(error):
                raise
            self._fail(subject, error)
            return False
        return True

    def _fail(
        self, subject: str, error: Exception, *, key: PathKey | None = None, general: bool = False
    ) -> None:
        self._failures.append(Failure(subject, str(error), key, general))


def _has_lost_everything(error: Exception) -> bool:
    """Whether it is another gobgpd than the one we began with, or one that has been stopped."""
    return isinstance(error, NotStarted | Stopped)


def _subject(peer: PeerConf) -> str:
    return str(ref(Kind.BGP_PEER, peer.name)) if peer.name else f"peer {peer.neighbor_address}"


def _told(peer: PeerConf) -> PeerConf:
    """The peer as gobgpd is told: without a description, whose edits would reset the session."""
    return msgspec.structs.replace(peer, description="") if peer.description else peer


def _opening(peer: PeerConf, *, restarting: bool) -> PeerConf:
    """The peer with the restart bit of its first OPEN as it has to be (RFC 4724, 3)."""
    peer, restart = _told(peer), peer.graceful_restart
    if restart is None or not restart.enabled or restart.local_restarting == restarting:
        return peer
    opening = msgspec.structs.replace(restart, local_restarting=restarting)
    return msgspec.structs.replace(peer, graceful_restart=opening)
