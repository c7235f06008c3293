"""Processes: who one is, so that it is found again and never mistaken; starting, signalling, reaping.

A pid alone says nothing: it is recycled, and means something else after a boot or in another PID namespace.
An Identity says all of it, and a pidfd (Linux 5.3) is held while a process is watched or signalled. Standard
library only, no asyncio; what to do with a process is for the callers to know.
"""

import os
import select
import signal
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

# proc(5), /proc/PID/stat: counted from the field after the command's closing parenthesis.
_STATE, _START_TIME = 0, 19
_DEAD_STATES = frozenset("ZXx")


@dataclass(frozen=True)
class Identity:
    """One process of one boot.

    `start_time` is in clock ticks since boot (field 22 of /proc/PID/stat), `namespace` the PID namespace
    in which `pid` counts, as the link /proc/self/ns/pid reads.
    """

    pid: int
    start_time: int
    boot_id: str
    namespace: str

    def to_json(self) -> dict[str, object]:
        """The fields by name."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, object]) -> "Identity":
        """Read back what `to_json` gave. Raises ValueError for anything else."""
        match fields:
            case {
                "pid": int(pid),
                "start_time": int(start_time),
                "boot_id": str(boot_id),
                "namespace": str(namespace),
            } if pid > 0:
                return cls(pid, start_time, boot_id, namespace)
        raise ValueError(f"not the identity of a process: {fields!r}")


def start_time_of(stat: str) -> int | None:
    """The start time in a /proc/PID/stat line, or None when that process is dead and only not yet reaped."""
    # The command may itself contain spaces and parentheses: only the last one closes it.
    fields = stat.rpartition(")")[2].split()
    return None if fields[_STATE] in _DEAD_STATES else int(fields[_START_TIME])


def identify(pid: int) -> Identity | None:
    """Who `pid` is now; None where there is no such process, or a dead one that nobody has reaped."""
    try:
        start_time = start_time_of(Path(f"/proc/{pid}/stat").read_text(errors="replace"))
        boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if start_time is None:
        return None
    return Identity(pid, start_time, boot_id, str(Path("/proc/self/ns/pid").readlink()))


def watch(identity: Identity) -> int | None:
    """A pidfd of exactly that process, for the caller to close; None when it is gone.

    The descriptor becomes readable when the process ends. Raises OSError where the kernel is older than 5.3
    or forbids pidfd_open.
    """
    try:
        pidfd = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return None
    # Asked after the descriptor is held: from here on the pid cannot pass to somebody else unnoticed.
    if identify(identity.pid) != identity:
        os.close(pidfd)
        return None
    return pidfd


def is_alive(identity: Identity) -> bool:
    """Whether exactly that process still runs."""
    return identify(identity.pid) == identity


def send(pidfd: int, signum: int) -> bool:
    """Signal the process behind a pidfd; False when it had ended already."""
    try:
        signal.pidfd_send_signal(pidfd, signum)
    except ProcessLookupError:
        return False
    return True


def wait_ended(pidfd: int, *, seconds: float) -> bool:
    """Block until the process behind a pidfd has ended, at most `seconds`; whether it has."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def start(argv: Sequence[str], *, output: int) -> int:
    """Start a program in a session of its own, both outputs to the descriptor `output`; returns its pid.

    `argv[0]` is a path. It inherits no other descriptor, and signals are as they are by default. Raises
    OSError where it cannot be executed.
    """
    return os.posix_spawn(
        argv[0],
        list(argv),
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, output, 1),
            (os.POSIX_SPAWN_DUP2, output, 2),
        ],
        setsid=True,
        setsigmask=(),
        # What Python ignores for itself; an ignored signal would stay ignored across exec.
        setsigdef=(signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP),
    )


def reap() -> dict[int, int]:
    """Take leave of every child that has ended: pid → wait status (see os.waitstatus_to_exitcode).

    For a process that is PID 1, or that owns all of its children: it takes them all.
    """
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended[pid] = status
