"""Daemons that outlive the lab's own process: started detached, recorded on disk, found again, stopped by
pidfd.

A record is a file of its own per process. A pid is trusted only together with the start time that the kernel
gives it, and signals go through a pidfd that was opened before that was checked, so a recycled pid is never
hit. What runs in which namespace is not decided here.
"""

import contextlib
import json
import os
import select
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.errors import LabError
from lab.shell import program


@dataclass(frozen=True, slots=True)
class Process:
    """A process that was started once; it may have ended since."""

    name: str
    pid: int
    started: int
    """Start time in clock ticks since boot (proc(5), /proc/PID/stat, field 22)."""
    log: str

    def alive(self) -> bool:
        """Whether it still runs."""
        with _opened(self) as pidfd:
            return pidfd is not None

    def kill(self, signum: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal; nothing happens if it has ended."""
        with _opened(self) as pidfd:
            if pidfd is not None:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(pidfd, signum)

    def ended(self, *, within: float) -> bool:
        """Wait up to `within` seconds for its end; whether it has ended."""
        with _opened(self) as pidfd:
            return pidfd is None or _ended(pidfd, within=within)

    def tail(self, lines: int = 15) -> str:
        """The end of its log."""
        try:
            return "\n".join(Path(self.log).read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""


class Registry:
    """The processes of one lab, on disk in `folder`: records in `*.json`, output in `*.log`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def start(self, name: str, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> Process:
        """Start `argv` in a session of its own with its output appended to `NAME.log`.

        Raises LabError if a process of that name is still alive or the program is missing.
        """
        before = self.find(name)
        if before is not None and before.alive():
            raise LabError(f"{name} is running already (pid {before.pid})")
        log = self._folder / f"{name}.log"
        pid = _spawn(argv, log=log, env=os.environ if env is None else os.environ | env)
        process = Process(name=name, pid=pid, started=_start_time(pid) or 0, log=str(log))
        self._write(process)
        return process

    def find(self, name: str) -> Process | None:
        """The last process started under this name, alive or not."""
        return self._read(self._folder / f"{name}.json")

    def all(self) -> tuple[Process, ...]:
        """Every recorded process, by name."""
        found = (self._read(file) for file in sorted(self._folder.glob("*.json")))
        return tuple(process for process in found if process is not None)

    def stop(self, name: str, *, within: float = 5.0) -> None:
        """SIGTERM, then SIGKILL after `within` seconds; gone when this returns."""
        process = self.find(name)
        if process is not None:
            stop(process, within=within)

    def _write(self, process: Process) -> None:
        temporary = self._folder / f".{process.name}.tmp"
        temporary.write_text(json.dumps(asdict(process)))
        temporary.rename(self._folder / f"{process.name}.json")

    @staticmethod
    def _read(file: Path) -> Process | None:
        try:
            return Process(**json.loads(file.read_text()))
        except (OSError, ValueError, TypeError):
            return None


def stop(process: Process, *, within: float = 5.0) -> None:
    """SIGTERM, then SIGKILL after `within` seconds; gone when this returns."""
    process.kill(signal.SIGTERM)
    if not process.ended(within=within):
        process.kill(signal.SIGKILL)
        process.ended(within=within)


def observed(pid: int, *, name: str = "") -> Process | None:
    """A running process that nobody recorded, as a value that can be stopped; None if it has ended."""
    started = _start_time(pid)
    return None if started is None else Process(name=name or str(pid), pid=pid, started=started, log="")


def command_of(pid: int) -> str:
    """The name of the program that a process runs, empty once it has ended (proc(5), /proc/PID/comm)."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _spawn(argv: Sequence[str], *, log: Path, env: Mapping[str, str]) -> int:
    # posix_spawn, not Popen: nothing here waits for these processes, they belong to nobody.
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    return os.posix_spawn(
        program(argv[0]), list(argv), dict(env), file_actions=actions, setsid=True, setsigdef=[signal.SIGPIPE]
    )


@contextlib.contextmanager
def _opened(process: Process) -> Iterator[int | None]:
    """The pidfd of the process if it is alive and the one that was started, else None."""
    try:
        pidfd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        yield None
        return
    try:
        ours = _start_time(process.pid) == process.started
        yield pidfd if ours and not _ended(pidfd, within=0) else None
    finally:
        os.close(pidfd)
        if ours:
            _reap(process.pid)


def _reap(pid: int) -> None:
    # A child of this very process would stay a zombie when it ends; anybody else's is not ours to wait for.
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _ended(pidfd: int, *, within: float) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    deadline = time.monotonic() + within
    while True:
        left = max(0.0, deadline - time.monotonic())
        if poll.poll(left * 1000):
            return True
        if left == 0.0:
            return False


def _start_time(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The command's name may hold spaces and brackets: count from behind the last one.
    return int(stat.rpartition(")")[2].split()[19])
