"""The addresses of this network namespace's interfaces: read, and taken away, by netlink and nothing else.

For what a dead keepalived leaves. Standard library only, so the few messages of rtnetlink(7) that it takes
are put together here.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr
_ADDRESS = struct.Struct("=BBBBI")  # struct ifaddrmsg
_ATTRIBUTE = struct.Struct("=HH")  # struct rtattr
_ERROR, _DONE = 2, 3
_NEW, _DELETE, _GET = 20, 21, 22
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
_RECEIVE_BYTES = 1 << 20
_SECONDS = 5.0


@dataclass(frozen=True, order=True)
class Held:
    """An address on an interface, with its prefix length."""

    interface: str
    address: str
    length: int

    @property
    def is_host(self) -> bool:
        """Whether it is a single address without a subnet, as keepalived's are."""
        return self.length == ip_address(self.address).max_prefixlen

    def __str__(self) -> str:
        return f"{self.interface} {self.address}/{self.length}"


def parse(text: str) -> Held:
    """`eth0 192.0.2.1/32`. Raises ValueError."""
    interface, _, network = text.strip().partition(" ")
    address, _, length = network.strip().partition("/")
    return Held(interface, str(ip_address(address)), int(length))


def held() -> set[Held]:
    """Every address of every interface. Raises OSError."""
    with _connected() as channel:
        channel.send(_message(_GET, _REQUEST | _DUMP, _ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, 0)))
        return {one for one in _dumped(channel) if one is not None}


def remove(one: Held) -> bool:
    """Take it away; False where it is gone already. Raises OSError: EPERM without CAP_NET_ADMIN."""
    try:
        index = socket.if_nametoindex(one.interface)
    except OSError:
        return False
    address = ip_address(one.address)
    payload = _ADDRESS.pack(_FAMILY[address.version], one.length, 0, 0, index)
    payload += _attribute(_IFA_LOCAL, address.packed) + _attribute(_IFA_ADDRESS, address.packed)
    with _connected() as channel:
        channel.send(_message(_DELETE, _REQUEST | _ACK, payload))
        _, _, code = next(_messages(channel.recv(_RECEIVE_BYTES)))
    if -code in (errno.EADDRNOTAVAIL, errno.ENODEV):
        return False
    if code:
        raise OSError(-code, f"{one} cannot be removed: {os.strerror(-code)}")
    return True


def _connected() -> socket.socket:
    channel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    channel.settimeout(_SECONDS)
    channel.bind((0, 0))
    return channel


def _message(kind: int, flags: int, payload: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(payload), kind, flags, 1, 0) + payload


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value


def _dumped(channel: socket.socket) -> Iterator[Held | None]:
    while True:
        for kind, payload, code in _messages(channel.recv(_RECEIVE_BYTES)):
            if kind == _DONE:
                return
            if code:
                raise OSError(-code, os.strerror(-code))
            if kind == _NEW:
                yield _read(payload)


def _messages(received: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Kind, payload, and the negative error number of an error."""
    while len(received) >= _HEADER.size:
        length, kind, *_ = _HEADER.unpack_from(received)
        payload = received[_HEADER.size : length]
        yield kind, payload, struct.unpack_from("=i", payload)[0] if kind == _ERROR else 0
        received = received[_aligned(length) :]


def _read(payload: bytes) -> Held | None:
    _, prefix, _, _, index = _ADDRESS.unpack_from(payload)
    found: dict[int, bytes] = {}
    rest = payload[_ADDRESS.size :]
    while len(rest) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(rest)
        found[kind] = rest[_ATTRIBUTE.size : length]
        rest = rest[_aligned(length) :]
    packed = found.get(_IFA_LOCAL) or found.get(_IFA_ADDRESS)
    try:
        return Held(socket.if_indextoname(index), str(ip_address(packed or b"")), prefix)
    except (OSError, ValueError):
        # The interface has just gone.
        return None


def _aligned(length: int) -> int:
    return (length + 3) & ~3
