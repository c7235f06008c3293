"""Wakes the other processes of one state: a datagram to each one's socket, without a message in it.

A socket is named after its process's role (`controller`, `speaker-NODE`), so it also tells who is alive and
keeps a second process out of the role. Who misses a datagram finds out by its slow poll.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from .errors import AlreadyRunning, StateError

FOLDER = "wake"
_SUFFIX = ".sock"
_LONGEST_NAME = 60


class Doorbell:
    """Our socket, and the way to everybody else's."""

    def __init__(self, name: str, folder: int, own: socket.socket) -> None:
        self._file = _file_of(name)
        self._folder = folder
        self._own = own
        self._heard = False

    @classmethod
    def hang(cls, directory: Path, name: str) -> "Doorbell":
        """Take a role's socket. Raises AlreadyRunning when a living process has it."""
        path = directory / FOLDER
        try:
            path.mkdir(mode=0o700, exist_ok=True)
            folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise StateError(
                f"{path} cannot be made: {error.strerror}; make --state a folder that can be written"
            ) from error
        own = _socket()
        try:
            _bind(own, folder, name, directory)
        except BaseException:
            own.close()
            os.close(folder)
            raise
        return cls(name, folder, own)

    def listen(self, heard: Callable[[], None]) -> None:
        """Call this on the running event loop whenever somebody rings."""
        asyncio.get_running_loop().add_reader(self._own.fileno(), self._drain, heard)
        self._heard = True

    def ring(self) -> None:
        """Wake everybody else. Never blocks: whose queue is full will wake up anyway."""
        with _socket() as sender:
            for other in Path(f"/proc/self/fd/{self._folder}").iterdir():
                if other.suffix == _SUFFIX and other.name != self._file:
                    with contextlib.suppress(OSError):
                        sender.sendto(b"", str(other))

    def is_alive(self, name: str) -> bool:
        """Whether a process in that role runs. Ours does."""
        return _file_of(name) == self._file or _answers(self._folder, _file_of(name))

    def close(self) -> None:
        """Take the socket down; safe to call twice."""
        if self._own.fileno() < 0:
            return
        if self._heard:
            asyncio.get_running_loop().remove_reader(self._own.fileno())
        with contextlib.suppress(OSError):
            os.unlink(self._file, dir_fd=self._folder)
        self._own.close()
        os.close(self._folder)

    def _drain(self, heard: Callable[[], None]) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                self._own.recv(1)
        heard()


def _bind(own: socket.socket, folder: int, name: str, directory: Path) -> None:
    file = _file_of(name)
    with _alone(folder):
        if _answers(folder, file):
            raise AlreadyRunning(
                f"another {name} uses the state in {directory}; stop it, or name another folder with --state"
            )
        # What is left of a process that was killed.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(file, dir_fd=folder)
        own.bind(_address(folder, file))


@contextlib.contextmanager
def _alone(folder: int) -> Iterator[None]:
    """While nobody else takes a role: of two that start at once the second finds the first one's socket."""
    fcntl.flock(folder, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(folder, fcntl.LOCK_UN)


def _answers(folder: int, file: str) -> bool:
    with _socket() as caller:
        try:
            caller.connect(_address(folder, file))
        except OSError:
            return False
        return True


def _socket() -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.setblocking(False)
    return made


def _file_of(name: str) -> str:
    """The socket's file name; a node's name may be longer than an address allows (unix(7): 107 bytes)."""
    if len(name) > _LONGEST_NAME:
        name = f"{name[:_LONGEST_NAME]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    return name + _SUFFIX


def _address(folder: int, file: str) -> str:
    # By way of the open folder, so that a deep --state does not make the address too long either.
    return f"/proc/self/fd/{folder}/{file}"
