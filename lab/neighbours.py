"""What a host of the lab believes: which MAC has an address on its LAN, as its kernel's neighbour table says,
and when it came to believe so.

Source: linux/neighbour.h.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Self

from lab.namespaces import Namespace
from lab.rtnetlink import Follower, Listener, attributes, messages

_RTMGRP_NEIGH = 0x4
_NEW_NEIGHBOUR = 28
_NDA_DST, _NDA_LLADDR = 1, 2
_NEIGHBOUR_BYTES = 12


@dataclass(frozen=True, slots=True)
class Learned:
    """From `at` on (monotonic clock, seconds) the kernel sends what is for this address to this MAC."""

    at: float
    address: str
    mac: str


def neighbours(space: Namespace, interface: str = "eth1") -> Mapping[str, str]:
    """The MACs in the neighbour table by address; entries that failed or are being asked for are left out."""
    entries = json.loads(space.run("ip", "-json", "neighbour", "show", "dev", interface) or "[]")
    return {entry["dst"]: entry["lladdr"] for entry in entries if "lladdr" in entry}


def forget(space: Namespace, interface: str = "eth1") -> None:
    """Empty the neighbour table, so that all is asked anew."""
    space.run("ip", "neighbour", "flush", "dev", interface)


class Learning(Follower):
    """Follows a namespace's neighbour table while it is entered."""

    def __init__(self, space: Namespace) -> None:
        self._space = space
        super().__init__(Listener(space, groups=_RTMGRP_NEIGH, take=self._note))
        self._known: dict[str, str] = {}
        self._learned: list[Learned] = []

    def __enter__(self) -> Self:
        self._known.update(neighbours(self._space))
        return super().__enter__()

    def learned(self) -> tuple[Learned, ...]:
        """Every change of a MAC so far, in their order."""
        return tuple(self._learned)

    def _note(self, data: bytes, now: float) -> None:
        for address, mac in said(data):
            if self._known.get(address) != mac:
                self._known[address] = mac
                self._learned.append(Learned(now, address, mac))


def said(data: bytes) -> Iterator[tuple[str, str]]:
    """The pairs of address and MAC in netlink messages about new or changed neighbours."""
    for kind, start, end in messages(data):
        if kind == _NEW_NEIGHBOUR:
            found = dict(attributes(data, start + _NEIGHBOUR_BYTES, end))
            if _NDA_DST in found and _NDA_LLADDR in found:
                yield str(ip_address(found[_NDA_DST])), found[_NDA_LLADDR].hex(":")
