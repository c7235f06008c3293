"""A ring of frames that the kernel shares with us (packet_mmap, TPACKET_V2).

A hot path: each frame comes with its arrival time and its kind, without a system call. Read by recvmsg the
same frame takes two, for Python's sockets ask the kernel for the interface's name each time. What a frame
says is not looked at here.
"""

import mmap
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

# linux/if_packet.h.
_SOL_PACKET = 263
_PACKET_RX_RING, _PACKET_STATISTICS, _PACKET_VERSION = 5, 6, 10
_TPACKET_V2 = 1
_REQUEST = struct.Struct("=IIII")
_HEADER = struct.Struct("=IIIHHII")
_KERNELS = b"\0\0\0\0"
_OURS, _VLAN = 0x1, 0x10
_KIND_OFFSET = 32 + 10
"""Of sll_pkttype in the sockaddr_ll behind the header."""

_FRAME_BYTES, _FRAMES, _BLOCKS = 256, 1024, 4
_SIZE = _FRAME_BYTES * _FRAMES


class Received(NamedTuple):
    """A frame, of a longer one its first 190 bytes; `length` is the whole one's.

    `kind` is the kernel's packet type (PACKET_HOST, …), `at` when it came, in seconds since the epoch.
    """

    frame: bytes
    length: int
    kind: int
    tagged: bool
    at: float


class Ring:
    """The frames that a packet socket takes from now on; the socket is the caller's."""

    def __init__(self, one: socket.socket) -> None:
        """Raises OSError where the kernel has no memory for it."""
        one.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V2)
        blocks = _REQUEST.pack(_SIZE // _BLOCKS, _BLOCKS, _FRAME_BYTES, _FRAMES)
        one.setsockopt(_SOL_PACKET, _PACKET_RX_RING, blocks)
        self._socket = one
        self._memory = mmap.mmap(one.fileno(), _SIZE)
        self._next = 0
        self._overrun = 0

    def read(self, most: int) -> Iterator[Received]:
        """What has come, in order, at most so many."""
        for _ in range(most):
            if self._memory.closed:
                return
            start = self._next * _FRAME_BYTES
            status, length, kept, mac_offset, _, seconds, nanoseconds = _HEADER.unpack_from(
                self._memory, start
            )
            if not status & _OURS:
                return
            first = start + mac_offset
            frame = self._memory[first : first + kept]
            kind = self._memory[start + _KIND_OFFSET]
            self._memory[start : start + 4] = _KERNELS
            self._next = (self._next + 1) % _FRAMES
            yield Received(frame, length, kind, bool(status & _VLAN), seconds + nanoseconds / 1e9)

    def overrun(self) -> int:
        """How many frames have found no room, since the ring is there."""
        # Reading resets the kernel's count.
        _, drops = struct.unpack("=II", self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
        self._overrun += drops
        return self._overrun

    def close(self) -> None:
        """Give the memory back; without this the closed socket would live on."""
        self._memory.close()
