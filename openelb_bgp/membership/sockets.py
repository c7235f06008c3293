"""UDP sockets for heartbeats: one for each family of the node's own lane, one for each address of the others.

Those of an interface are bound to it and their datagrams live for one hop, so what they carry has crossed
that LAN and no other. The node's own go wherever the routes say. What datagrams mean is not here.
"""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Collection, Iterator, Mapping
from ipaddress import IPv6Address
from typing import NamedTuple

from openelb_bgp.model.addresses import Address, read_address

from .lanes import NODE_LANE, Route

_LONGEST = 2048
_AT_ONCE = 64
_MOST_WAYS = 4096
_RECEIVE_BUFFER = 1 << 20
"""Bytes: a flood of forged datagrams must not displace the few that count."""


class Arrived(NamedTuple):
    """A datagram: where it came from, and to which address of ours, and its bytes."""

    route: Route
    data: bytes


Heard = Callable[[list[Arrived]], None]
"""Takes the datagrams that had come together, at least one."""


class Place(NamedTuple):
    """Where a socket is. The node's own has no interface; an unspecified address is any of its family."""

    lane: str
    address: Address
    ifindex: int = 0


class Sockets:
    """The sockets of one speaker. Used on one event loop.

    `errors` says of each place why nothing can be heard there, with the remedy.
    """

    def __init__(self, port: int, heard: Heard) -> None:
        self._port = port
        self._heard = heard
        self._open: dict[Place, socket.socket] = {}
        self._ways: dict[Route, tuple[socket.socket, tuple[str | int, ...]] | None] = {}
        self._rest: asyncio.TimerHandle | None = None
        self._most = 1
        self.errors: dict[Place, str] = {}

    @property
    def is_complete(self) -> bool:
        """Whether all that were asked for are open."""
        return not self.errors

    def keep(self, places: Collection[Place]) -> None:
        """Have these open, as far as that can be done, and no others."""
        self._ways.clear()
        for place in self._open.keys() - set(places):
            self._close(place)
        self.errors = {}
        # The node's own first: they find out whether somebody else has the port.
        for place in sorted(
            set(places) - self._open.keys(), key=lambda one: (one.lane != NODE_LANE, str(one))
        ):
            try:
                self._listen(place)
            except OSError as error:
                self.errors[place] = _why(place, self._port, error)

    def close(self) -> None:
        """Close all."""
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None
        self.keep(())

    def send(self, route: Route, data: bytes) -> None:
        """Send, if it can be: what is not sent counts as lost on the way."""
        if route not in self._ways:
            if len(self._ways) >= _MOST_WAYS:
                self._ways.clear()
            self._ways[route] = self._way(route)
        way = self._ways[route]
        if way is not None:
            one, to = way
            with contextlib.suppress(OSError):
                one.sendto(data, to)

    def _way(self, route: Route) -> tuple[socket.socket, tuple[str | int, ...]] | None:
        for place, one in self._open.items():
            is_of_lane = place.lane == route.lane and place.address.version == route.address.version
            if is_of_lane and (route.lane == NODE_LANE or route.source in (None, place.address)):
                return one, _socket_address(route.address, self._port, place.ifindex)
        return None

    def rest(self, seconds: float) -> None:
        """Hear nothing for so long, and then all that has come meanwhile at once.

        The answers to what has just been asked arrive one by one, and to be woken for each costs more than
        to read it.
        """
        if self._rest is None and self._open:
            loop = asyncio.get_running_loop()
            for one in self._open.values():
                loop.remove_reader(one)
            self._rest = loop.call_later(seconds, self._rested)

    def _rested(self) -> None:
        self._rest = None
        arrived: list[Arrived] = []
        for place, one in self._open.items():
            asyncio.get_running_loop().add_reader(one, self._read, place)
            arrived += self._received(place, one, _AT_ONCE)
        self._tell(arrived)

    def _listen(self, place: Place) -> None:
        family = socket.AF_INET if place.address.version == 4 else socket.AF_INET6
        one = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            if family is socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            if place.lane != NODE_LANE:
                _bind_to_interface(one, place.lane)
            one.bind(_socket_address(place.address, self._port, place.ifindex))
            # From here on our own may share the port; anybody else was found out by the bind before.
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if self._rest is None:
                asyncio.get_running_loop().add_reader(one, self._read, place)
        except OSError:
            one.close()
            raise
        self._open[place] = one

    def _read(self, place: Place) -> None:
        # Mostly there is one, and to find that out by asking for another costs more than to read it.
        arrived = list(self._received(place, self._open[place], self._most))
        self._most = min(2 * self._most, _AT_ONCE) if len(arrived) == self._most else 1
        self._tell(arrived)

    def _tell(self, arrived: list[Arrived]) -> None:
        if arrived:
            self._heard(arrived)

    def _received(self, place: Place, one: socket.socket, most: int) -> Iterator[Arrived]:
        for _ in range(most):
            try:
                data, source = one.recvfrom(_LONGEST)
            except BlockingIOError:
                return
            except OSError:
                # An ICMP error to what was sent, or an interface that went: the silence speaks for itself.
                continue
            yield Arrived(Route(place.lane, read_address(source[0].partition("%")[0]), place.address), data)

    def _close(self, place: Place) -> None:
        one = self._open.pop(place)
        asyncio.get_running_loop().remove_reader(one)
        one.close()


def _bind_to_interface(one: socket.socket, name: str) -> None:
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name.encode() + b"\0")
    if one.family is socket.AF_INET:
        one.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
    else:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 1)


def _socket_address(address: Address, port: int, ifindex: int) -> tuple[str | int, ...]:
    if isinstance(address, IPv6Address):
        return (str(address), port, 0, ifindex if address.is_link_local else 0)
    return (str(address), port)


_REMEDIES: Mapping[int, str] = {
    errno.EADDRINUSE: "another process has it; end that, or give all speakers another --bind-port",
    errno.EADDRNOTAVAIL: "this node has no such address; correct --bind-addr",
    errno.EPERM: "the capability NET_RAW is missing; add it to securityContext.capabilities of the speaker",
    errno.EACCES: "the capability NET_BIND_SERVICE is missing; use a --bind-port above 1023",
}


def _why(place: Place, port: int, error: OSError) -> str:
    where = f"{place.address} on {place.lane}" if place.lane else str(place.address)
    remedy = _REMEDIES.get(error.errno or 0, error.strerror or str(error))
    return f"other speakers are not heard: UDP port {port} of {where} cannot be opened: {remedy}"
