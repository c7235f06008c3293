"""The routes that BGP puts into a namespace's kernel, with the instant at which each arrived, by netlink.

Sources: rtnetlink(7), linux/rtnetlink.h.
"""

import struct
import threading

from lab.errors import LabError
from lab.namespaces import Namespace
from lab.rtnetlink import Follower, Listener, attributes, messages

_RTMGRP_IPV4_ROUTE = 0x40
_BUFFER = 256 * 1024 * 1024
_NEW_ROUTE, _DELETE_ROUTE = 24, 25
_PROTOCOL_BGP = 186
_RTA_DST, _RTA_GATEWAY, _RTA_MULTIPATH = 1, 5, 9
_ROUTE = struct.Struct("=BBBBBBBBI")
_NEXT_HOP = struct.Struct("=HBBi")


class Arrivals(Follower):
    """Follows a namespace's IPv4 routes of protocol BGP while it is entered; thread-safe.

    Addresses are the routes' destinations as big-endian integers; instants are on the monotonic clock.
    """

    def __init__(self, space: Namespace) -> None:
        super().__init__(Listener(space, groups=_RTMGRP_IPV4_ROUTE, take=self._note, buffer=_BUFFER))
        self._at: dict[int, float] = {}
        self._last: dict[int, tuple[float, bytes]] = {}
        self._gone, self._gone_at = 0, 0.0
        self._awaited: tuple[int, int] | None = None
        self._target: int | None = None
        self._reached = threading.Event()

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

    def _note(self, data: bytes, now: float) -> None:
        self.take(data, now=now)
        if len(self._at) == self._target or self._is_met():
            self._reached.set()

    def take(self, data: bytes, *, now: float) -> None:
        """Take in what netlink said at that instant."""
        for kind, start, end in messages(data):
            if kind in (_NEW_ROUTE, _DELETE_ROUTE):
                address = _bgp_destination(data, start, end)
                if address is not None and kind == _NEW_ROUTE:
                    self._at.setdefault(address, now)
                    self._last[address] = now, data[start:end]
                elif address is not None:
                    self._at.pop(address, None)
                    self._last.pop(address, None)
                    self._gone, self._gone_at = self._gone + 1, now


def _bgp_destination(data: bytes, position: int, end: int) -> int | None:
    """The destination of a route message if it is BGP's."""
    if _ROUTE.unpack_from(data, position)[5] != _PROTOCOL_BGP:
        return None
    for kind, value in attributes(data, position + _ROUTE.size, end):
        if kind == _RTA_DST:
            return int.from_bytes(value, "big")
    return None


def _next_hops(message: bytes) -> set[int]:
    """The gateways in a route message, of one next hop or of several."""
    found: set[int] = set()
    for kind, value in attributes(message, _ROUTE.size, len(message)):
        if kind == _RTA_GATEWAY:
            found.add(int.from_bytes(value, "big"))
        elif kind == _RTA_MULTIPATH:
            start = 0
            while start < len(value):
                length, *_ = _NEXT_HOP.unpack_from(value, start)
                inner = attributes(value, start + _NEXT_HOP.size, start + length)
                found.update(int.from_bytes(each, "big") for one, each in inner if one == _RTA_GATEWAY)
                start += (length + 3) & ~3
    return found
