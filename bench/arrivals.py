"""The routes that BGP puts into a namespace's kernel, with the instant at which each arrived, by netlink.

Raw netlink, because at ten thousand routes a second the listener must not be what is measured. Sources:
netlink(7), rtnetlink(7), linux/rtnetlink.h.
"""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from lab.errors import LabError
from lab.namespaces import Namespace

_RTMGRP_IPV4_ROUTE = 0x40
_SO_RCVBUFFORCE = 33
_BUFFER = 256 * 1024 * 1024
_NEW_ROUTE, _DELETE_ROUTE = 24, 25
_PROTOCOL_BGP = 186
_RTA_DST, _RTA_GATEWAY, _RTA_MULTIPATH = 1, 5, 9
_HEADER = struct.Struct("=IHHII")
_ROUTE = struct.Struct("=BBBBBBBBI")
_ATTRIBUTE = struct.Struct("=HH")
_NEXT_HOP = struct.Struct("=HBBi")


class Arrivals:
    """Follows a namespace's IPv4 routes of protocol BGP while it is entered; thread-safe.

    Addresses are the routes' destinations as big-endian integers; instants are on the monotonic clock.
    """

    def __init__(self, space: Namespace) -> None:
        self._space = space
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._listen, name="arrivals", daemon=True)
        self._at: dict[int, float] = {}
        self._last: dict[int, tuple[float, bytes]] = {}
        self._gone, self._gone_at = 0, 0.0
        self._awaited: tuple[int, int] | None = None
        self._target: int | None = None
        self._reached = threading.Event()

    def __enter__(self) -> Self:
        self._socket = self._space.call(_open)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._socket is not None
        # The listener wakes up within its time-out and ends.
        closing, self._socket = self._socket, None
        self._thread.join()
        closing.close()

    def count(self) -> int:
        """How many routes there are, of those that came while this listened."""
        return len(self._at)

    def at(self, address: int) -> float | None:
        """When the route to that address arrived."""
        return self._at.get(address)

    def wait_for(self, count: int, *, within: float) -> float:
        """Wait until there are exactly `count` routes; returns when the newest arrived (0.0 for none).

        Raises LabError after `within` seconds.
        """
        self._reached.clear()
        self._target = count
        if len(self._at) != count and not self._reached.wait(within):
            raise LabError(f"the router has {len(self._at)} routes after {within:g} s, not {count}")
        self._target = None
        return max(self._at.values(), default=0.0)

    @property
    def gone(self) -> int:
        """How many routes have been deleted so far, those that came back counted too."""
        return self._gone

    @property
    def gone_at(self) -> float:
        """When the last of them was; 0.0 if none was."""
        return self._gone_at

    def wait_for_next_hop(self, address: int, next_hop: int, *, within: float) -> float:
        """Wait until the route to `address` leads to `next_hop` alone; returns since when it does.

        Raises LabError after `within` seconds.
        """
        self._reached.clear()
        self._awaited = address, next_hop
        if not self._is_met() and not self._reached.wait(within):
            raise LabError(f"the route leads elsewhere after {within:g} s")
        self._awaited = None
        return self._last[address][0]

    def _is_met(self) -> bool:
        if self._awaited is None:
            return False
        address, next_hop = self._awaited
        _, message = self._last.get(address, (0.0, b""))
        return bool(message) and _next_hops(message) == {next_hop}

    def newest(self) -> tuple[int, float]:
        """The route that arrived last, and when."""
        return max(self._at.items(), key=lambda item: item[1])

    def _listen(self) -> None:
        while (listening := self._socket) is not None:
            try:
                data = listening.recv(65536)
            except TimeoutError:
                continue
            self.take(data, now=time.monotonic())
            if len(self._at) == self._target or self._is_met():
                self._reached.set()

    def take(self, data: bytes, *, now: float) -> None:
        """Take in what netlink said at that instant."""
        position = 0
        while position < len(data):
            length, kind, *_ = _HEADER.unpack_from(data, position)
            if kind in (_NEW_ROUTE, _DELETE_ROUTE):
                address = _bgp_destination(data, position + _HEADER.size, position + length)
                if address is not None and kind == _NEW_ROUTE:
                    self._at.setdefault(address, now)
                    self._last[address] = now, data[position : position + length]
                elif address is not None:
                    self._at.pop(address, None)
                    self._last.pop(address, None)
                    self._gone, self._gone_at = self._gone + 1, now
            position += (length + 3) & ~3


def _open() -> socket.socket:
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
    made.bind((0, _RTMGRP_IPV4_ROUTE))
    made.settimeout(0.2)
    return made


def _bgp_destination(data: bytes, position: int, end: int) -> int | None:
    """The destination of a route message if it is BGP's."""
    if _ROUTE.unpack_from(data, position)[5] != _PROTOCOL_BGP:
        return None
    position += _ROUTE.size
    while position < end:
        length, kind = _ATTRIBUTE.unpack_from(data, position)
        if kind == _RTA_DST:
            return int.from_bytes(data[position + 4 : position + 8], "big")
        position += (length + 3) & ~3
    return None


def _next_hops(message: bytes) -> set[int]:
    """The gateways in a route message, of one next hop or of several."""
    found: set[int] = set()
    for kind, value in _attributes(message, _HEADER.size + _ROUTE.size, len(message)):
        if kind == _RTA_GATEWAY:
            found.add(int.from_bytes(value, "big"))
        elif kind == _RTA_MULTIPATH:
            start = 0
            while start < len(value):
                length, *_ = _NEXT_HOP.unpack_from(value, start)
                inner = _attributes(value, start + _NEXT_HOP.size, start + length)
                found.update(int.from_bytes(each, "big") for one, each in inner if one == _RTA_GATEWAY)
                start += (length + 3) & ~3
    return found


def _attributes(data: bytes, position: int, end: int) -> Iterator[tuple[int, bytes]]:
    while position < end:
        length, kind = _ATTRIBUTE.unpack_from(data, position)
        yield kind, data[position + _ATTRIBUTE.size : position + length]
        position += (length + 3) & ~3
