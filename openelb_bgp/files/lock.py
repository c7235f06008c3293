"""Who may write: one controller per state, held by a lock that the kernel lets go when its process dies."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from .errors import AlreadyRunning, StateError

_OPENING_SECONDS = 10.0


class ControllerLock:
    """Held from `acquire` to `release`, or to the end of the process, however it ends."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, directory: Path) -> "ControllerLock":
        """Become the controller of a state. Raises AlreadyRunning, naming the pid, when there is one."""
        descriptor = _open(directory / "controller.lock")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            os.close(descriptor)
            who = f"pid {holder}" if holder else "its pid is not known"
            raise AlreadyRunning(
                f"another controller ({who}) uses the state in {directory}; "
                "stop it, or name another folder with --state"
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return cls(descriptor)

    def release(self) -> None:
        """Let another controller begin. The file stays: deleting it would let two locks exist."""
        os.close(self._descriptor)


@contextlib.contextmanager
def opening(directory: Path) -> Iterator[None]:
    """Only one process at a time creates, checks or copies the database of a state."""
    descriptor = _open(directory / "opening.lock")
    try:
        deadline = time.monotonic() + _OPENING_SECONDS
        while not _try(descriptor):
            if time.monotonic() > deadline:
                raise StateError(
                    f"another process has been opening the state in {directory} for too long; stop it"
                )
            time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateError(
            f"{path} cannot be opened: {error.strerror}; make --state a folder that can be written"
        ) from error
