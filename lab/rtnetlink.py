"""What a namespace's kernel says by itself about routes and neighbours: netlink messages, read in a thread.

Raw, because at ten thousand routes a second the listener must not be what is measured. What they mean is
known to those who listen. Sources: netlink(7), rtnetlink(7).
"""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import NamedTuple, Self

from lab.namespaces import Namespace

_SO_RCVBUFFORCE = 33
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")


class Message(NamedTuple):
    """One message within what was read: its kind, and where its body starts and ends."""

    kind: int
    start: int
    end: int


def messages(data: bytes) -> Iterator[Message]:
    """The messages in what one read returned."""
    position = 0
    while position < len(data):
        length, kind, *_ = _HEADER.unpack_from(data, position)
        yield Message(kind, position + _HEADER.size, position + length)
        position += (length + 3) & ~3


def attributes(data: bytes, position: int, end: int) -> Iterator[tuple[int, bytes]]:
    """The attributes between two positions: kind and value."""
    while position < end:
        length, kind = _ATTRIBUTE.unpack_from(data, position)
        yield kind, data[position + _ATTRIBUTE.size : position + length]
        position += (length + 3) & ~3


class Listener:
    """Reads what belongs to some multicast groups while it is entered, and gives it to `take`, with the
    instant at which it came (monotonic clock, seconds), in a thread of its own.
    """

    def __init__(
        self, space: Namespace, *, groups: int, take: Callable[[bytes, float], None], buffer: int = 0
    ) -> None:
        """`buffer` is for how many bytes the kernel keeps what has not been read; 0 for as it is."""
        self._space, self._groups, self._take, self._buffer = space, groups, take, buffer
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._listen, name="rtnetlink", daemon=True)

    def __enter__(self) -> Self:
        self._socket = self._space.call(self._open)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._socket is not None
        # The thread wakes up within its time-out and ends.
        closing, self._socket = self._socket, None
        self._thread.join()
        closing.close()

    def _open(self) -> socket.socket:
        made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        if self._buffer:
            made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, self._buffer)
        made.bind((0, self._groups))
        made.settimeout(0.2)
        return made

    def _listen(self) -> None:
        while (listening := self._socket) is not None:
            try:
                data = listening.recv(65536)
            except TimeoutError:
                continue
            self._take(data, time.monotonic())


class Follower:
    """Whoever notes what a listener hears, while it is entered."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def __enter__(self) -> Self:
        self._listener.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.__exit__(kind, error, trace)
