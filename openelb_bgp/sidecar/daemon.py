"""One life of the daemon: started or adopted, watched by pidfd, signalled, and asked whether it is up.

When there shall be a next life is the supervisor's to decide.
"""

import os
import socket
import struct
import time
from pathlib import Path

from openelb_bgp.lib import processes
from openelb_bgp.lib.processes import Identity

from .errors import SidecarBusy
from .output import now
from .protocol import Exit
from .record import Record


class NotOurs(SidecarBusy):
    """Something serves the API socket that this process cannot watch or signal."""


class Daemon:
    """A running daemon. `pidfd` becomes readable when it ends.

    The supervisor notes in `ready` that the API has answered, in `told_to_end` that its end is no surprise,
    in `given_up` that it was killed because its API never answered.
    """

    def __init__(
        self, identity: Identity, pidfd: int, *, version: str, started_at: str, adopted: bool
    ) -> None:
        self.identity = identity
        self.pidfd = pidfd
        self.version = version
        self.started_at = started_at
        self.adopted = adopted
        self.ready = False
        self.told_to_end = False
        self.given_up = False
        self._since = time.monotonic()
        self._wait_status: int | None = None

    @property
    def age(self) -> float:
        """Seconds since this sidecar started or adopted it."""
        return time.monotonic() - self._since

    def send(self, signum: int) -> None:
        """Signal it; one that has ended already is none the worse."""
        processes.send(self.pidfd, signum)

    def reaped(self, ended: dict[int, int]) -> None:
        """Note the wait status, if it is among these."""
        self._wait_status = ended.get(self.identity.pid, self._wait_status)

    def close(self) -> Exit:
        """Let go of a daemon that has ended, and say how it did."""
        os.close(self.pidfd)
        if self._wait_status is None:
            return Exit(now())
        code = os.waitstatus_to_exitcode(self._wait_status)
        return Exit(now(), code, None) if code >= 0 else Exit(now(), None, -code)


def start(argv: list[str], *, output: int, version: str) -> Daemon:
    """Begin a life. Raises OSError where the program cannot be executed."""
    pid = processes.start(argv, output=output)
    # A child that nobody has reaped keeps its pid, so both lines speak of the same process.
    pidfd = os.pidfd_open(pid)
    identity = processes.identify(pid) or Identity(pid, 0, "", "")
    return Daemon(identity, pidfd, version=version, started_at=now(), adopted=False)


def left_over(left: Record | None, api_socket: Path, *, version: str) -> Daemon | None:
    """The daemon that a former, killed sidecar left: by its record, else by who serves the API socket.

    `version` is taken for the running one where no record says. Raises NotOurs.
    """
    if left and left.daemon:
        found = adopt(left.daemon, left.version, started_at=left.started_at)
        if found:
            return found
    server = server_of(api_socket)
    return adopt(server, version, started_at="") if server else None


def adopt(identity: Identity, version: str, *, started_at: str) -> Daemon | None:
    """That process, if it still runs."""
    pidfd = processes.watch(identity)
    if pidfd is None:
        return None
    return Daemon(identity, pidfd, version=version, started_at=started_at, adopted=True)


def accepts(api_socket: Path) -> bool:
    """Whether somebody accepts connections there. Never blocks."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        return probe.connect_ex(os.fspath(api_socket)) == 0


def server_of(api_socket: Path) -> Identity | None:
    """Who listens on the socket; None when nobody does. Raises NotOurs for one of another PID namespace."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        if probe.connect_ex(os.fspath(api_socket)) != 0:
            return None
        # struct ucred (unix(7)) begins with the pid of the process that called listen().
        (pid,) = struct.unpack("i", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 4))
    identity = processes.identify(pid) if pid > 0 else None
    if identity is None:
        raise NotOurs(f"{api_socket} is served by a process that cannot be seen from here")
    return identity
