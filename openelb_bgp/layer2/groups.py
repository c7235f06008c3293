"""Membership in the solicited-node groups of owned IPv6 addresses: real joins, so that switches that snoop
MLD let solicitations through, and network cards too.

One socket takes as many joins as `net.core.optmem_max` has room for (2,340 at 131,072; 365 at 20,480), so
they are spread over sockets. Addresses that share a group share its membership. Which addresses are owned is
decided elsewhere.
"""

import contextlib
import errno
import socket
import struct
from collections.abc import Iterable
from ipaddress import IPv6Address
from typing import NamedTuple

from openelb_bgp.host.ndp import solicited_node

_FULL = frozenset({errno.ENOMEM, errno.ENOBUFS})


class Group(NamedTuple):
    """A multicast group on an interface."""

    ifindex: int
    address: IPv6Address


def groups_of(addresses: Iterable[tuple[int, IPv6Address]]) -> frozenset[Group]:
    """The groups of addresses, each with its interface's index."""
    return frozenset(Group(ifindex, solicited_node(address)) for ifindex, address in addresses)


class Groups:
    """The groups that this node has joined for owned addresses."""

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []
        self._joined: dict[Group, socket.socket] = {}

    @property
    def joined(self) -> frozenset[Group]:
        """Those that the kernel has taken."""
        return frozenset(self._joined)

    def keep(self, wanted: frozenset[Group]) -> dict[Group, OSError]:
        """Be in these and no others. Returns those that the kernel refused, to be tried again."""
        for group in sorted(self._joined.keys() - wanted):
            self._leave(group)
        return {
            group: refused
            for group in sorted(wanted - self._joined.keys())
            if (refused := self._join(group)) is not None
        }

    def close(self) -> None:
        """Leave all of them."""
        self._joined.clear()
        while self._sockets:
            self._sockets.pop().close()

    def _join(self, group: Group) -> OSError | None:
        # The last one first: those before were full when it was opened.
        for one in reversed(self._sockets):
            refused = self._join_by(one, group)
            if refused is None or refused.errno not in _FULL:
                return refused
        one = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        refused = self._join_by(one, group)
        if refused is None:
            self._sockets.append(one)
        else:
            one.close()
        return refused

    def _join_by(self, one: socket.socket, group: Group) -> OSError | None:
        try:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, _request(group))
        except OSError as exc:
            return exc
        self._joined[group] = one
        return None

    def _leave(self, group: Group) -> None:
        one = self._joined.pop(group)
        # An interface that is gone took its memberships along.
        with contextlib.suppress(OSError):
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_LEAVE_GROUP, _request(group))


def _request(group: Group) -> bytes:
    """struct ipv6_mreq."""
    return group.address.packed + struct.pack("=I", group.ifindex)
