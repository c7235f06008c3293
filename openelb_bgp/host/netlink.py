"""The node's links, addresses and default gateways, followed by netlink.

A notification carries nothing for us but "look again": the kernel's groups wake us, a dump by pyroute2
says how things are, and what did not change makes no new value. Bursts of notifications become one dump.
Sockets belong to the network namespace in which they are made.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from ipaddress import ip_interface
from typing import Any

import msgspec
from pyroute2 import AsyncIPRoute

from openelb_bgp.model.facts import Gateway, Link

_RTMGRP_LINK = 0x1
_RTMGRP_IPV4_IFADDR = 0x10
_RTMGRP_IPV4_ROUTE = 0x40
_RTMGRP_IPV6_IFADDR = 0x100
_RTMGRP_IPV6_ROUTE = 0x400
_GROUPS = _RTMGRP_LINK | _RTMGRP_IPV4_IFADDR | _RTMGRP_IPV4_ROUTE | _RTMGRP_IPV6_IFADDR | _RTMGRP_IPV6_ROUTE
_IFF_UP, _IFF_LOWER_UP = 0x1, 0x10000
_MAIN_TABLE, _UNICAST = 254, 1
_IFA_F_TENTATIVE = 0x40
_SETTLE_SECONDS = 0.02
_RECEIVE_BYTES = 65536


class HostState(msgspec.Struct, frozen=True):
    """Links by index and the gateways of all default routes, both sorted."""

    links: tuple[Link, ...] = ()
    gateways: tuple[Gateway, ...] = ()


async def read_host() -> HostState:
    """The state at this moment. Raises OSError when netlink does not answer."""
    async with AsyncIPRoute() as ipr:
        addresses = await _addresses(ipr)
        links = [_link(message, addresses) async for message in await ipr.link("dump")]
        names = {link.index: link.name for link in links}
        routes = [
            message
            async for message in await ipr.route("dump", table=_MAIN_TABLE, type=_UNICAST)
            if message["dst_len"] == 0
        ]
    gateways = [gateway for message in routes for gateway in _gateways(message, names)]
    return HostState(tuple(sorted(links, key=lambda link: link.index)), tuple(sorted(gateways)))


async def follow_host() -> AsyncIterator[HostState]:
    """The state now and after each change, for ever."""
    changed = asyncio.Event()
    with _notifications(changed.set):
        seen: HostState | None = None
        while True:
            changed.clear()
            state = await read_host()
            if state != seen:
                seen = state
                yield state
            await changed.wait()
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
