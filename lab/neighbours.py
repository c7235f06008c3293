"""What a host of the lab believes: which MAC has an address on its LAN, as its kernel's neighbour table says,
and when it came to believe so.

Sources: netlink(7), rtnetlink(7), linux/neighbour.h.
"""

import json
import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from types import TracebackType
from typing import Self

from lab.namespaces import Namespace

_RTMGRP_NEIGH = 0x4
_NEW_NEIGHBOUR = 28
_NDA_DST, _NDA_LLADDR = 1, 2
_HEADER = struct.Struct("=IHHII")
_NEIGHBOUR = struct.Struct("=BxxxiHBB")
_ATTRIBUTE = struct.Struct("=HH")


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


class Learning:
    """Follows a namespace's neighbour table while it is entered."""

    def __init__(self, space: Namespace) -> None:
        self._space = space
        self._socket: socket.socket | None = None
        self._known: dict[str, str] = {}
        self._learned: list[Learned] = []
        self._thread = threading.Thread(target=self._listen, name="learning", daemon=True)

    def __enter__(self) -> Self:
        self._socket = self._space.call(_open)
        self._known.update(neighbours(self._space))
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

    def learned(self) -> tuple[Learned, ...]:
        """Every change of a MAC so far, in their order."""
        return tuple(self._learned)

    def _listen(self) -> None:
        while (listening := self._socket) is not None:
            try:
                data = listening.recv(65536)
            except TimeoutError:
                continue
            now = time.monotonic()
            for address, mac in said(data):
                if self._known.get(address) != mac:
                    self._known[address] = mac
                    self._learned.append(Learned(now, address, mac))


def _open() -> socket.socket:
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    made.bind((0, _RTMGRP_NEIGH))
    made.settimeout(0.2)
    return made


def said(data: bytes) -> Iterator[tuple[str, str]]:
    """The pairs of address and MAC in netlink messages about new or changed neighbours."""
    position = 0
    while position < len(data):
        length, kind, *_ = _HEADER.unpack_from(data, position)
        if kind == _NEW_NEIGHBOUR:
            found = dict(_attributes(data, position + _HEADER.size + _NEIGHBOUR.size, position + length))
            if _NDA_DST in found and _NDA_LLADDR in found:
                yield str(ip_address(found[_NDA_DST])), found[_NDA_LLADDR].hex(":")
        position += (length + 3) & ~3


def _attributes(data: bytes, position: int, end: int) -> Iterator[tuple[int, bytes]]:
    while position < end:
        length, kind = _ATTRIBUTE.unpack_from(data, position)
        yield kind, data[position + _ATTRIBUTE.size : position + length]
        position += (length + 3) & ~3
