"""For the speaker, `run` and the lab: find a sidecar, start one that outlives us, give it orders.

Finding is by the pid file and counts within one PID namespace. A speaker in a pod, whose sidecar is in a
container of its own, has only the control socket: `dump`, `restart` and `stop` work everywhere.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from openelb_bgp.lib import processes
from openelb_bgp.lib.processes import Identity

from . import protocol, record
from .errors import (
    BY_EXIT_CODE,
    DaemonFailed,
    OrderRefused,
    SidecarBusy,
    SidecarError,
    SidecarGone,
    SidecarSilent,
)
from .kinds import GOBGPD, KEEPALIVED, Kind
from .places import Places, lock, places
from .protocol import Command, Dump, Order

_POLL_SECONDS = 0.02
_LOG_TAIL_BYTES = 2_000
_KEEPALIVED_SECONDS = 15.0

__all__ = [
    "Command",
    "DaemonFailed",
    "Dump",
    "OrderRefused",
    "Running",
    "SidecarBusy",
    "SidecarError",
    "SidecarGone",
    "SidecarSilent",
    "api_target",
    "attend",
    "control",
    "dump",
    "ended",
    "ensure",
    "ensure_keepalived",
    "find",
    "hang_up",
    "restart",
    "spawn",
    "stop",
]


@dataclass(frozen=True)
class Running:
    """What runs over a folder. `sidecar` is None when it was killed and its daemon goes on: spawn adopts it.

    `daemon` is None between two lives. `api_target` is what gRPC dials.
    """

    api_target: str
    sidecar: Identity | None
    daemon: Identity | None


def api_target(directory: Path, kind: Kind = GOBGPD) -> str:
    """Where the daemon's API is, or will be, as gRPC names it."""
    return places(directory, kind).api_target


def find(directory: Path, kind: Kind = GOBGPD) -> Running | None:
    """What runs over this folder; None when neither a sidecar nor a daemon does."""
    place = places(directory, kind)
    left = record.read(place.record)
    if left is None:
        return None
    running = Running(place.api_target, _alive(left.sidecar), _alive(left.daemon))
    return running if running.sidecar or running.daemon else None


def _alive(identity: Identity | None) -> Identity | None:
    return identity if identity and processes.is_alive(identity) else None


async def ensure(
    directory: Path,
    *,
    gobgpd: str = "gobgpd",
    api_hosts: Sequence[str] = (),
    extra: Sequence[str] = (),
    within: float = 15.0,
) -> Running:
    """The sidecar that is there, or a new one; like `spawn` otherwise."""
    found = find(directory)
    if found and found.sidecar:
        return await _until_ready(places(directory, GOBGPD), within=within)
    try:
        return await spawn(directory, gobgpd=gobgpd, api_hosts=api_hosts, extra=extra, within=within)
    except SidecarBusy:
        # Somebody was faster, and has not written its pid file yet.
        return await _until_ready(places(directory, GOBGPD), within=within)


async def attend(directory: Path, *, within: float = 15.0) -> None:
    """Return when the daemon of a sidecar that somebody else started accepts connections.

    Raises SidecarGone at once where none answers, DaemonFailed where its daemon does not come up.
    """
    await dump(directory)
    await _until_ready(places(directory, GOBGPD), within=within)


async def spawn(
    directory: Path,
    *,
    gobgpd: str = "gobgpd",
    api_hosts: Sequence[str] = (),
    extra: Sequence[str] = (),
    within: float = 15.0,
) -> Running:
    """Start a sidecar that outlives this process; returns when the daemon's API accepts connections.

    `gobgpd` is a path or a name on PATH, `extra` further arguments for it, `within` in seconds. A gobgpd that
    a killed sidecar left is adopted. Raises SidecarBusy, FolderUnusable, DaemonMissing, or DaemonFailed
    with what gobgpd wrote (the sidecar then goes on trying).
    """
    argv = [*_starter(GOBGPD, directory), "--gobgpd", gobgpd]
    argv += [f"--api-hosts={host}" for host in api_hosts]
    argv += ["--", *extra] if extra else []
    await _start(argv)
    return await _until_ready(places(directory, GOBGPD), within=within)


async def ensure_keepalived(directory: Path, *, keepalived: str = "keepalived") -> Dump:
    """The sidecar of keepalived that is there, or a new one that outlives this process.

    keepalived itself is started once its configuration has an instance. Raises as `spawn`.
    """
    found = find(directory, KEEPALIVED)
    if found is None or found.sidecar is None:
        # Somebody may be faster: then theirs counts.
        with contextlib.suppress(SidecarBusy):
            await _start([*_starter(KEEPALIVED, directory), "--keepalived", keepalived])
    async with asyncio.timeout(_KEEPALIVED_SECONDS):
        while True:
            dumped = await _dump_if_there(places(directory, KEEPALIVED))
            if dumped is not None:
                return dumped
            await asyncio.sleep(_POLL_SECONDS)


def _starter(kind: Kind, directory: Path) -> list[str]:
    # -P: a module that lies in the current directory is none of ours.
    argv = [sys.executable, "-P", "-m", "openelb_bgp.sidecar", kind.name]
    return [*argv, "--detach", "--dir", str(directory)]


async def _start(argv: Sequence[str]) -> None:
    """Returns as soon as everything is checked and the sidecar is in the background."""
    starter = await asyncio.create_subprocess_exec(
        *argv, stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    try:
        _, said = await starter.communicate()
    except asyncio.CancelledError:
        # It may have its child in the background already: whoever stops us must find that one.
        await starter.wait()
        raise
    if starter.returncode:
        error = BY_EXIT_CODE.get(starter.returncode, SidecarError)
        raise error(said.decode(errors="replace").strip().removeprefix("openelb-bgp sidecar: "))


async def _until_ready(place: Places, *, within: float) -> Running:
    """Ask until the daemon is up. Raises DaemonFailed in a crash loop, or when `within` seconds are over."""
    last: Dump | None = None
    try:
        async with asyncio.timeout(within):
            while True:
                last = await _dump_if_there(place)
                if last and last.ready and last.pid:
                    sidecar = processes.identify(last.sidecar_pid)
                    return Running(place.api_target, sidecar, processes.identify(last.pid))
                if last and last.crash_loop:
                    raise DaemonFailed(_obituary(place, last))
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError as exc:
        raise DaemonFailed(_obituary(place, last)) from exc


async def _dump_if_there(place: Places) -> Dump | None:
    try:
        return await _carry_out(place, Order(Command.DUMP), within=5.0)
    except SidecarGone:
        return None


def _obituary(place: Places, last: Dump | None) -> str:
    """Why the daemon is not up, by its last words, or by the log when no sidecar answers."""
    if last:
        said = "; ".join(last.last_output[-3:]) or str(last.last_exit or "no output")
        return f"{place.folder.name} does not come up: {said}"
    try:
        said = place.log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace").strip()
    except OSError:
        said = "no log"
    return f"the sidecar over {place.folder} does not answer: {said}"


async def control(
    directory: Path,
    command: Command | str,
    *,
    withdraw: bool = False,
    within: float = 15.0,
    kind: Kind = GOBGPD,
    address: str = "",
) -> Dump:
    """Give an order and wait until it is carried out; returns how things stand then.

    `restart` is done when the new daemon's API accepts connections, `stop` when the daemon has ended and
    the folder is free. Raises SidecarGone, SidecarSilent after `within` seconds, OrderRefused.
    """
    return await _carry_out(
        places(directory, kind), Order(Command(command), withdraw, address), within=within
    )


async def dump(directory: Path) -> Dump:
    """How sidecar and daemon stand. Raises SidecarGone, SidecarSilent."""
    return await control(directory, Command.DUMP, within=5.0)


async def restart(directory: Path) -> Dump:
    """Kill the daemon (its routes stay at graceful-restart helpers) and start it anew; see `control`."""
    return await control(directory, Command.RESTART)


async def hang_up(directory: Path, address: str) -> None:
    """End the daemon's BGP connections to a neighbour without a NOTIFICATION: to it that is a restart.

    Raises OrderRefused where the kernel or the sidecar's rights do not allow it.
    """
    await _carry_out(places(directory, GOBGPD), Order(Command.HANG_UP, address=address), within=5.0)


async def stop(directory: Path, *, withdraw: bool, kind: Kind = GOBGPD) -> None:
    """End daemon and sidecar; with `withdraw` the routes go at once, without they stay for the restart time.

    One that has only just been started is waited for. A sidecar that was killed has nobody to take the order:
    raises SidecarGone (spawn one first, it adopts).
    """
    async with asyncio.timeout(15.0):
        while True:
            try:
                await control(directory, Command.STOP, withdraw=withdraw, kind=kind)
            except SidecarGone:
                if not _is_held(places(directory, kind)):
                    raise
                await asyncio.sleep(_POLL_SECONDS)
            else:
                return


def _is_held(place: Places) -> bool:
    """Whether a sidecar has the folder, be it one that does not listen yet."""
    try:
        os.close(lock(place))
    except SidecarBusy:
        return True
    except SidecarError:
        # There is no such folder.
        return False
    return False


async def _carry_out(place: Places, order: Order, *, within: float) -> Dump:
    try:
        async with asyncio.timeout(within):
            line = await _exchange(place, protocol.render_order(order))
    except TimeoutError as exc:
        raise SidecarSilent(f"{place.control_socket}: no answer to {order.command} in {within:g} s") from exc
    except OSError as exc:
        raise SidecarGone(f"no sidecar answers on {place.control_socket}: {exc.strerror or exc}") from exc
    if not line.endswith(b"\n"):
        raise SidecarGone(f"the sidecar behind {place.control_socket} ended without an answer")
    return protocol.parse_reply(line)


async def _exchange(place: Places, order: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(place.control_socket, limit=2**20)
    try:
        writer.write(order)
        await writer.drain()
        return await reader.readline()
    finally:
        writer.close()


async def ended(identity: Identity) -> None:
    """Return when exactly that process has ended, be it a child or not."""
    pidfd = processes.watch(identity)
    if pidfd is None:
        return
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(pidfd, over.set)
    try:
        await over.wait()
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)
