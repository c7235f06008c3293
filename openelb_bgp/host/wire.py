"""Packet sockets for questions and their answers: one per interface and family, filtered in the kernel.

A busy link must cost nothing, so only unicast ARP replies or neighbour advertisements to this host ever wake
the process. Which questions to ask and what an answer means is not here.
"""

import asyncio
import ctypes
import socket
import struct
from collections.abc import Callable, Collection
from typing import NamedTuple
from typing import Protocol as Port

from openelb_bgp.model.addresses import Family

from . import bpf
from .ethernet import ETHERTYPE_ARP, ETHERTYPE_IPV6

Heard = Callable[[str, bytes], None]
"""Takes the interface's name and the frame that came in on it."""

_ETHERTYPES = {Family.IPV4: ETHERTYPE_ARP, Family.IPV6: ETHERTYPE_IPV6}
_SO_ATTACH_FILTER = 26
_LONGEST_FRAME = 2048
_FRAMES_AT_ONCE = 64

_ANSWERS = {
    Family.IPV4: ((bpf.LOAD_HALF, 20, 2),),
    Family.IPV6: ((bpf.LOAD_BYTE, 20, 58), (bpf.LOAD_BYTE, 54, 136)),
}
"""Loads and what they must give: ARP's operation; IPv6's next header and ICMPv6's type (an advertisement)."""


class Place(NamedTuple):
    """Where a socket is: one interface, by name and index so that a new one of that name is another."""

    interface: str
    ifindex: int
    family: Family


class Wire(Port):
    """What a prober needs of the network."""

    def send(self, place: Place, frame: bytes) -> None:
        """Send a frame there and listen for answers from now on.

        Raises PermissionError without CAP_NET_RAW, OSError where the interface is gone or down; the next
        call tries anew.
        """
        ...

    def keep(self, places: Collection[Place]) -> None:
        """Stop listening anywhere else."""
        ...


class PacketSockets:
    """The Wire of this network namespace. Used on one event loop."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self._open: dict[Place, socket.socket] = {}

    def send(self, place: Place, frame: bytes) -> None:
        """As Wire promises."""
        one = self._open.get(place) or self._listen(place)
        try:
            one.send(frame)
        except OSError:
            self._drop(place)
            raise

    def keep(self, places: Collection[Place]) -> None:
        """As Wire promises."""
        for place in self._open.keys() - set(places):
            self._drop(place)

    def _listen(self, place: Place) -> socket.socket:
        # Protocol 0 receives nothing: the filter is in force before the first frame.
        one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        try:
            attach_filter(one, filter_program(place))
            one.bind((place.interface, _ETHERTYPES[place.family]))
            asyncio.get_running_loop().add_reader(one, self._read, place)
        except OSError:
            one.close()
            raise
        self._open[place] = one
        return one

    def _read(self, place: Place) -> None:
        for _ in range(_FRAMES_AT_ONCE):
            one = self._open.get(place)
            if one is None:
                return
            try:
                frame = one.recv(_LONGEST_FRAME)
            except BlockingIOError:
                return
            except OSError:
                # The interface went down or away.
                self._drop(place)
                return
            self._heard(place.interface, frame)

    def _drop(self, place: Place) -> None:
        one = self._open.pop(place, None)
        if one is not None:
            asyncio.get_running_loop().remove_reader(one)
            one.close()


def attach_filter(to: socket.socket, program: bpf.Program) -> None:
    """Make it the socket's filter, in place of the one before.

    Raises OSError with ENOMEM where it exceeds the socket's `net.core.optmem_max`; the one before stays.
    """
    code = bpf.encode(program)
    buffer = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog: how many instructions, and where they are.
    fprog = struct.pack("HP", len(program), ctypes.addressof(buffer))
    to.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, fprog)


def filter_program(place: Place) -> bpf.Program:
    """The kernel's filter for answers: a chain of tests, each of which may end it.

    Frames of a VLAN or a macvlan pass by on the interface beneath it too, untagged and as if to this host;
    but they belong to another interface by then.
    """
    tests = (
        (bpf.LOAD_WORD, bpf.PACKET_TYPE, socket.PACKET_HOST),
        (bpf.LOAD_WORD, bpf.IFINDEX, place.ifindex),
        *_ANSWERS[place.family],
    )
    program: list[bpf.Instruction] = []
    for position, (load, offset, wanted) in enumerate(tests):
        to_the_end = 2 * (len(tests) - position) - 1
        program.append(bpf.Instruction(load, offset))
        program.append(bpf.Instruction(bpf.JUMP_IF_EQUAL, wanted, 0, to_the_end))
    return (*program, bpf.ACCEPT, bpf.DROP)
