"""The gobgpd beside a speaker: where the announcer's `Daemon` and the sidecar's orders meet.

Two inhabitants: one kept by `openelb-bgp sidecar gobgpd`, started here where none runs unless a container of
its own does that, and one that somebody else keeps (`--gobgp-target`), which can be talked to and no more.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import structlog

from openelb_bgp.bgp.announcer import BgpAnnouncer
from openelb_bgp.bgp.daemon import CannotRestart, Daemon, Others
from openelb_bgp.bgp.gobgp.client import Client
from openelb_bgp.bgp.gobgp.errors import SidecarUnavailable
from openelb_bgp.bgp.gobgp.features import parse_version
from openelb_bgp.bgp.memory import Memory
from openelb_bgp.bgp.planned import PlanOptions
from openelb_bgp.host import boot, busy
from openelb_bgp.host.busy import Connection, OthersBgp
from openelb_bgp.plugins import Workplace
from openelb_bgp.settings import SpeakerSettings
from openelb_bgp.sidecar import client as sidecar
from openelb_bgp.sidecar.kinds import KEEPALIVED

log = structlog.get_logger(__name__)

_SECOND_LOOK = 0.1
"""Seconds until a connection that seems another's is looked at again."""


def bgp_announcer(workplace: Workplace) -> BgpAnnouncer:
    """The entry point of protocol `bgp`."""
    settings, folder = workplace.settings, workplace.settings.runtime_dir
    folder.mkdir(parents=True, exist_ok=True)
    boot_id = boot.read_boot_id()
    return BgpAnnouncer(
        daemon_of(settings),
        options=PlanOptions(
            namespace=settings.source.namespace, ignore_exclude_label=settings.ignore_exclude_lb
        ),
        memory=Memory(folder),
        clock=workplace.clock,
        wake=workplace.wake,
        resync=settings.resync,
        boot_id=boot_id,
        new_boot=boot.is_new_boot(folder, boot_id=boot_id),
        booted=lambda: boot.remember_boot(folder, boot_id=boot_id),
    )


def daemon_of(settings: SpeakerSettings) -> Daemon:
    """The gobgpd that the settings mean."""
    if settings.gobgp_target is not None:
        return ForeignGobgpd(settings.gobgp_target)
    return KeptGobgpd(
        settings.runtime_dir,
        program=str(settings.gobgpd or "gobgpd"),
        api_hosts=() if settings.api_hosts is None else (settings.api_hosts,),
        starts=not settings.await_sidecar,
    )


async def end_gobgpd(settings: SpeakerSettings) -> None:
    """End the gobgpd that goes with a machine's `run`; without --withdraw-on-exit its routes stay awhile."""
    if settings.gobgp_target is not None:
        return
    try:
        await sidecar.stop(settings.runtime_dir, withdraw=settings.withdraw_on_exit)
    except sidecar.SidecarError as error:
        log.warning("gobgpd_not_ended", error=str(error))


async def end_keepalived(settings: SpeakerSettings) -> None:
    """End the keepalived that goes with a machine's `run`, if there is one: the next nodes take over."""
    if sidecar.find(settings.runtime_dir, KEEPALIVED) is None:
        return
    try:
        await sidecar.stop(settings.runtime_dir, withdraw=True, kind=KEEPALIVED)
    except sidecar.SidecarError as error:
        log.warning("keepalived_not_ended", error=str(error))


class KeptGobgpd:
    """A gobgpd under a sidecar over `directory`; both outlive the speaker.

    `starts` False: in another container, which this one's pids say nothing of.
    """

    def __init__(
        self, directory: Path, *, program: str = "gobgpd", api_hosts: Sequence[str] = (), starts: bool = True
    ) -> None:
        self._directory = directory
        self._program = program
        self._api_hosts = tuple(api_hosts)
        self._starts = starts
        self._rivals: frozenset[Connection] = frozenset()

    async def connect(self) -> Client:
        """Find it, or start it, and ask which API it speaks."""
        target = sidecar.api_target(self._directory)
        try:
            if self._starts:
                await sidecar.ensure(self._directory, gobgpd=self._program, api_hosts=self._api_hosts)
            else:
                await sidecar.attend(self._directory)
            version = (await sidecar.dump(self._directory)).version
        except sidecar.SidecarError as error:
            raise SidecarUnavailable(target, self._explained(error)) from error
        return await Client.connect(target, version=parse_version(version))

    def _explained(self, error: sidecar.SidecarError) -> str:
        return str(error) if self._starts else f"{error}; see the log of the container gobgpd"

    async def restart(self) -> None:
        """SIGKILL and a new start: peers that do graceful restart keep the routes."""
        try:
            await sidecar.restart(self._directory)
        except sidecar.SidecarError as error:
            raise SidecarUnavailable(sidecar.api_target(self._directory), str(error)) from error

    async def hang_up(self, address: str) -> None:
        """End its TCP connection to a neighbour without a NOTIFICATION."""
        try:
            await sidecar.hang_up(self._directory, address)
        except sidecar.SidecarError as error:
            # What follows resets the session anyway, and then costs that peer its routes for seconds.
            log.warning("session_not_hung_up", address=address, error=str(error))

    async def last_words(self) -> Sequence[str]:
        """The newest lines of its log; none where the sidecar does not answer."""
        try:
            return (await sidecar.dump(self._directory)).last_output
        except sidecar.SidecarError:
            return ()

    async def others(self) -> Others:
        """Who else of this node speaks BGP, and to whom."""
        found = await self._strangers()
        connections = frozenset(found.connections)
        if connections - self._rivals:
            # gobgpd's own comes and goes, too: one that it has just refused is gone by now.
            await asyncio.sleep(_SECOND_LOOK)
            found = await self._strangers()
            connections &= frozenset(found.connections)
        self._rivals = connections
        speak_to = {str(one.peer): str(one.owner) for one in connections}
        return Others(speak_to, exist=found.listens or bool(connections))

    async def _strangers(self) -> OthersBgp:
        """The connections that gobgpd held neither before nor after they were seen."""
        try:
            before = await sidecar.dump(self._directory)
            if not before.sockets:
                # Not to be told from others: then its own connections would pass for theirs.
                return OthersBgp()
            found = await asyncio.to_thread(busy.others_bgp, before.sockets)
            after = await sidecar.dump(self._directory) if found.connections else before
        except sidecar.SidecarError:
            return OthersBgp()
        foreign = tuple(one for one in found.connections if one.inode not in after.sockets)
        return OthersBgp(foreign, listens=found.listens)

    async def holder(self, port: int) -> str:
        """Who else of this node listens on that port."""
        found = await asyncio.to_thread(busy.listener_on, port, exclude_pids=await self._pids())
        return "" if found is None else str(found)

    async def _pids(self) -> tuple[int, ...]:
        """gobgpd itself, where it can be seen."""
        try:
            pid = (await sidecar.dump(self._directory)).pid
        except sidecar.SidecarError:
            return ()
        return () if pid is None else (pid,)


class ForeignGobgpd:
    """A gobgpd that somebody else keeps."""

    def __init__(self, target: str) -> None:
        self._target = target

    async def connect(self) -> Client:
        """Ask which API it speaks; its exact version cannot be known."""
        return await Client.connect(self._target)

    async def restart(self) -> None:
        """Not ours to do. Raises CannotRestart."""
        raise CannotRestart(
            "BgpConf says something else than what gobgpd was started with: restart the gobgpd at "
            f"{self._target}"
        )

    async def hang_up(self, address: str) -> None:
        """Its sockets are out of reach: the reset that follows costs that peer its routes for seconds."""

    async def last_words(self) -> Sequence[str]:
        """Its log is out of reach."""
        return ()

    async def others(self) -> Others:
        """Which connections are its own cannot be told, so none is another's."""
        return Others()

    async def holder(self, port: int) -> str:
        """It may be on another machine."""
        return ""
