"""Ends a daemon's BGP connections to one neighbour without a word.

gobgpd sends a NOTIFICATION when a peer is edited or deleted, and the neighbour then forgets our routes. A
connection that just closes is a restart to it, and it keeps them for the restart time (RFC 4724, 4.2). So
the sidecar borrows the daemon's socket (pidfd_getfd(2), Linux 5.6) and shuts it down. That takes the right
to trace the daemon, which its parent of the same user has.
"""

import ctypes
import os
import re
import socket
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

BGP_PORT = 179
_ESTABLISHED = 1
_PIDFD_GETFD = 438
_SOCKET = re.compile(r"socket:\[(\d+)\]")

Address = IPv4Address | IPv6Address


def hang_up(pid: int, address: Address) -> int:
    """Shut down every established BGP connection of the process with that neighbour; returns how many.

    Raises OSError where the kernel or our rights do not allow it.
    """
    tables = (Path(f"/proc/{pid}/net/{name}").read_text() for name in ("tcp", "tcp6"))
    inodes = {inode for table in tables for inode in connections(table, address)}
    descriptors = list(_descriptors(pid, inodes))
    for descriptor in descriptors:
        _shut_down(pid, descriptor)
    return len(descriptors)


def connections(table: str, address: Address) -> Iterator[str]:
    """The inodes of established BGP connections with that neighbour in a text of /proc/PID/net/tcp[6]."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 10 or int(fields[3], 16) != _ESTABLISHED:
            continue
        _, local_port = _endpoint(fields[1])
        remote, remote_port = _endpoint(fields[2])
        if remote == address and BGP_PORT in (local_port, remote_port):
            yield fields[9]


def _endpoint(text: str) -> tuple[Address, int]:
    """`0100007F:00B3`: the address in 32-bit words of host byte order, and the port (proc(5))."""
    host, _, port = text.partition(":")
    words = [bytes.fromhex(host[start : start + 8])[::-1] for start in range(0, len(host), 8)]
    address = ip_address(b"".join(words))
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped, int(port, 16)
    return address, int(port, 16)


def _descriptors(pid: int, inodes: Iterable[str]) -> Iterator[int]:
    wanted = frozenset(inodes)
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            match = _SOCKET.match(str(entry.readlink()))
        except FileNotFoundError:
            continue
        if match and match[1] in wanted:
            yield int(entry.name)


def _shut_down(pid: int, descriptor: int) -> None:
    with socket.socket(fileno=_borrow(pid, descriptor)) as connection:
        connection.shutdown(socket.SHUT_RDWR)


def _borrow(pid: int, descriptor: int) -> int:
    """A duplicate of another process's descriptor (pidfd_getfd(2)). Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd = os.pidfd_open(pid)
    try:
        duplicate: int = libc.syscall(_PIDFD_GETFD, pidfd, descriptor, 0)
    finally:
        os.close(pidfd)
    if duplicate < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return duplicate
