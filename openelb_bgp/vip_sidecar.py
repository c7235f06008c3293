"""Joins the vip announcer to the keepalived under the sidecar beside it.

The configuration and the FIFO of state changes lie in the sidecar's folder, which both see; orders go over
its socket.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import structlog

from openelb_bgp.plugins import Workplace
from openelb_bgp.sidecar import client as sidecar
from openelb_bgp.sidecar.client import Command, Dump
from openelb_bgp.sidecar.keepalived import CANDIDATE, CONFIG, REPORT
from openelb_bgp.sidecar.kinds import KEEPALIVED
from openelb_bgp.sidecar.places import places
from openelb_bgp.vip.announcer import VipAnnouncer
from openelb_bgp.vip.port import ConfigRefused, KeeperUnavailable, Life

log = structlog.get_logger(__name__)

_REPORT_SECONDS = 2.0
_READ_BYTES = 65_536
_POLL_SECONDS = 0.02
_SEE = "; see the log of the container keepalived, which manifests/overlays/vip adds"


def vip_announcer(workplace: Workplace) -> VipAnnouncer:
    """The entry point of protocol `vip`."""
    settings = workplace.settings
    keeper = KeptKeepalived(
        settings.runtime_dir,
        program=str(settings.keepalived or KEEPALIVED.name),
        starts=not settings.await_sidecar,
    )
    return VipAnnouncer(
        keeper,
        clock=workplace.clock,
        wake=workplace.wake,
        ignore_exclude_label=settings.ignore_exclude_lb,
    )


class KeptKeepalived:
    """A keepalived under a sidecar over `directory`; both outlive the speaker.

    `starts` False: in another container, which this one's pids say nothing of.
    """

    def __init__(self, directory: Path, *, program: str = KEEPALIVED.name, starts: bool = True) -> None:
        self._directory = directory
        self._program = program
        self._starts = starts
        self._place = places(directory, KEEPALIVED)

    @property
    def fifo(self) -> str:
        """In the sidecar's folder."""
        return str(self._place.api_socket)

    async def connect(self) -> Life:
        """How it stands; its sidecar is started where that is ours to do."""
        try:
            return _life(await self._order(Command.DUMP))
        except KeeperUnavailable:
            if not self._starts:
                raise
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            dump = await sidecar.ensure_keepalived(self._directory, keepalived=self._program)
        except (sidecar.SidecarError, OSError, TimeoutError) as error:
            raise KeeperUnavailable(str(error) or "the sidecar of keepalived does not answer") from error
        return _life(dump)

    def config(self) -> str:
        """As it lies in the folder."""
        return _read(self._place.folder / CONFIG).decode()

    async def load(self, config: str) -> None:
        """Lay it ready, and have the sidecar check and take it."""
        try:
            (self._place.folder / CANDIDATE).write_text(config)
        except OSError as error:
            raise KeeperUnavailable(f"{self._place.folder} cannot be written: {error.strerror}") from error
        try:
            await self._order(Command.RELOAD)
        except sidecar.OrderRefused as refused:
            raise ConfigRefused(str(refused)) from refused

    async def remove(self, spot: str) -> None:
        """By the sidecar, which has the right."""
        try:
            await self._order(Command.REMOVE, spot)
        except sidecar.OrderRefused as refused:
            log.warning("address_not_removed", spot=spot, error=str(refused))

    async def report(self) -> bytes:
        """Ask for it, and wait until it is written whole: keepalived does not do so in one step."""
        try:
            await self._order(Command.REPORT)
        except sidecar.OrderRefused as refused:
            raise KeeperUnavailable(str(refused)) from refused
        path = self._place.folder / REPORT
        try:
            async with asyncio.timeout(_REPORT_SECONDS):
                while True:
                    if _is_whole(found := _read(path)):
                        return found
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError as error:
            raise KeeperUnavailable(f"keepalived wrote no report in {_REPORT_SECONDS:g} s") from error

    async def _order(self, command: Command, address: str = "") -> Dump:
        """Raises KeeperUnavailable where nobody answers, OrderRefused."""
        try:
            return await sidecar.control(
                self._directory, command, kind=KEEPALIVED, address=address, within=15.0
            )
        except sidecar.OrderRefused:
            raise
        except sidecar.SidecarError as error:
            raise KeeperUnavailable(f"{error}{'' if self._starts else _SEE}") from error

    @contextlib.contextmanager
    def listening(self, told: Callable[[str], None]) -> Iterator[Callable[[], None]]:
        """Read the FIFO; reminded, look whether another has taken its place."""
        ear = _Ear(self._place.api_socket, told)
        try:
            yield ear.look
        finally:
            ear.close()


class _Ear:
    """The reading end of a FIFO that comes and goes with the sidecar."""

    def __init__(self, path: Path, told: Callable[[str], None]) -> None:
        self._path = path
        self._told = told
        self._descriptor: int | None = None
        self._inode = 0
        self._rest = ""

    def look(self) -> None:
        """Open it where it is there, and another than before."""
        try:
            inode = self._path.stat().st_ino
        except OSError:
            return
        if self._descriptor is not None and inode == self._inode:
            return
        self.close()
        with contextlib.suppress(OSError):
            # Both ways: a FIFO whose last writer has gone would be readable all the time.
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_NONBLOCK)
            self._inode = inode
            asyncio.get_running_loop().add_reader(self._descriptor, self._hear)

    def _hear(self) -> None:
        if self._descriptor is None:
            return
        with contextlib.suppress(BlockingIOError):
            heard = self._rest + os.read(self._descriptor, _READ_BYTES).decode(errors="replace")
            *lines, self._rest = heard.split("\n")
            for line in lines:
                self._told(line)

    def close(self) -> None:
        """Let go of it."""
        if self._descriptor is not None:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None


def _life(dump: Dump) -> Life:
    return Life(
        pid=dump.pid,
        ready=dump.ready,
        version=dump.version,
        restarts=dump.restarts,
        crash_loop=dump.crash_loop,
        words=dump.last_output,
    )


def _is_whole(report: bytes) -> bool:
    """Whether it can be read to its end; what ends in a bracket may still be a part of it."""
    if not report.rstrip().endswith(b"]"):
        return False
    try:
        msgspec.json.decode(report, type=msgspec.Raw)
    except msgspec.DecodeError:
        return False
    return True


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
