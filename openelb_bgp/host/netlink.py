"""The node's links, addresses, default gateways, and the routes that somebody asks for, followed by netlink.

A notification carries nothing for us but "look again": the kernel's groups wake us, a dump by pyroute2
says how things are, and what did not change makes no new value. Bursts of notifications become one dump.
Sockets belong to the network namespace in which they are made.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from ipaddress import ip_interface
from typing import Any

import msgspec
from pyroute2 import AsyncIPRoute, NetlinkError

from openelb_bgp.model.addresses import Address
from openelb_bgp.model.facts import Gateway, Link
from openelb_bgp.model.meta import EMPTY

_RTMGRP_LINK = 0x1
_RTMGRP_IPV4_IFADDR = 0x10
_RTMGRP_IPV4_ROUTE = 0x40
_RTMGRP_IPV4_RULE = 0x80
_RTMGRP_IPV6_IFADDR = 0x100
_RTMGRP_IPV6_ROUTE = 0x400
_RTMGRP_IPV6_RULE = 0x40000
_ADDRESSES = _RTMGRP_IPV4_IFADDR | _RTMGRP_IPV6_IFADDR
_ROUTES = _RTMGRP_IPV4_ROUTE | _RTMGRP_IPV6_ROUTE | _RTMGRP_IPV4_RULE | _RTMGRP_IPV6_RULE
_GROUPS = _RTMGRP_LINK | _ADDRESSES | _ROUTES
_IFF_UP, _IFF_LOWER_UP = 0x1, 0x10000
_MAIN_TABLE, _UNICAST, _LOCAL = 254, 1, 2
_IFA_F_TENTATIVE = 0x40
_SETTLE_SECONDS = 0.02
_RECEIVE_BYTES = 65536


class HostState(msgspec.Struct, frozen=True):
    """Links by index and the gateways of all default routes, both sorted.

    `routes` says of each address asked for by which interface this node reaches it, empty for by none.
    """

    links: tuple[Link, ...] = ()
    gateways: tuple[Gateway, ...] = ()
    routes: Mapping[Address, str] = EMPTY


async def read_host(targets: Collection[Address] = ()) -> HostState:
    """The state at this moment, with the routes to `targets`. Raises OSError when netlink does not answer."""
    async with AsyncIPRoute() as ipr:
        addresses = await _addresses(ipr)
        links = [_link(message, addresses) async for message in await ipr.link("dump")]
        names = {link.index: link.name for link in links}
        routes = [
            message
            async for message in await ipr.route("dump", table=_MAIN_TABLE, type=_UNICAST)
            if message["dst_len"] == 0
        ]
        reached = {target: await _interface_to(target, ipr, names) for target in targets}
    gateways = [gateway for message in routes for gateway in _gateways(message, names)]
    return HostState(tuple(sorted(links, key=lambda link: link.index)), tuple(sorted(gateways)), reached)


class HostFollower:
    """Follows this node's state, and the routes to the addresses that it is aimed at."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self._targets: frozenset[Address] = frozenset()

    def aim(self, targets: frozenset[Address]) -> None:
        """Look from now on for the routes to these; the state shows them as soon as they are known."""
        if targets != self._targets:
            self._targets = targets
            self._changed.set()

    async def states(self) -> AsyncIterator[HostState]:
        """The state now and after each change, for ever."""
        with _notifications(self._changed.set):
            seen: HostState | None = None
            while True:
                self._changed.clear()
                state = await read_host(self._targets)
                if state != seen:
                    seen = state
                    yield state
                await self._changed.wait()
                await asyncio.sleep(_SETTLE_SECONDS)


@contextlib.contextmanager
def _notifications(wake: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as events:
        events.setblocking(False)
        events.bind((0, _GROUPS))
        loop.add_reader(events, _drain, events, wake)
        try:
            yield
        finally:
            loop.remove_reader(events)


def _drain(events: socket.socket, wake: Callable[[], None]) -> None:
    # ENOBUFS says that notifications were lost; the dump that follows sees everything all the same.
    with contextlib.suppress(OSError):
        while events.recv(_RECEIVE_BYTES):
            pass
    wake()


async def _interface_to(target: Address, ipr: AsyncIPRoute, names: Mapping[int, str]) -> str:
    """By which interface the kernel would send to it (RTM_GETROUTE); empty for by none."""
    try:
        routes = await ipr.route("get", dst=str(target))
    except NetlinkError:
        # No route, or one that says so: unreachable, prohibit, blackhole.
        return ""
    found = (names.get(one.get("oif"), "") for one in routes if one["type"] in (_UNICAST, _LOCAL))
    return next(found, "")


async def _addresses(ipr: AsyncIPRoute) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    async for message in await ipr.addr("dump"):
        if message["flags"] & _IFA_F_TENTATIVE:
            continue
        text = message.get("local") or message.get("address")
        found.setdefault(message["index"], []).append(f"{text}/{message['prefixlen']}")
    return found


def _link(message: Any, addresses: dict[int, list[str]]) -> Link:
    flags, index = message["flags"], message["index"]
    return Link(
        name=message.get("ifname"),
        index=index,
        mac=message.get("address") or "",
        up=bool(flags & _IFF_UP and flags & _IFF_LOWER_UP),
        addresses=tuple(ip_interface(text) for text in addresses.get(index, ())),
    )


def _gateways(route: Any, names: dict[int, str]) -> list[Gateway]:
    version = 4 if route["family"] == socket.AF_INET else 6
    metric = route.get("priority") or 0
    hops = route.get("multipath") or [route]
    return [
        Gateway(version, metric, address, names[oif])
        for hop in hops
        if (address := hop.get("gateway")) and (oif := hop.get("oif")) in names
    ]
