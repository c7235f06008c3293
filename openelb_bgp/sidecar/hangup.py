"""A daemon's sockets: which they are, and how to end its BGP connections to one neighbour without a word.

gobgpd sends a NOTIFICATION when a peer is edited or deleted, and the neighbour then forgets our routes. A
connection that just closes is a restart to it, and it keeps them for the restart time (RFC 4724, 4.2). So
the sidecar borrows the daemon's socket (pidfd_getfd(2), Linux 5.6) and shuts it down. That takes the right
to trace the daemon, which its parent of the same user has.
"""

import ctypes
import errno
import os
import re
import socket
import sys
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

_ESTABLISHED = 1
_PIDFD_GETFD = 438
_SOCKET = re.compile(r"socket:\[(\d+)\]")

Address = IPv4Address | IPv6Address


def hang_up(pid: int, neighbour: str) -> int:
    """Shut down every established TCP connection of the process with that neighbour; returns how many.

    A link-local neighbour may have a zone (`fe80::1%eth0`): routers like to be fe80::1 on every link. Raises
    ValueError for what is no address, OSError where the kernel or our rights do not allow it.
    """
    text, _, zone = neighbour.partition("%")
    address, scope = ip_address(text), socket.if_nametoindex(zone) if zone else None
    tables = (Path(f"/proc/{pid}/net/{name}").read_text() for name in ("tcp", "tcp6"))
    inodes = {inode for table in tables for inode in connections(table, address)}
    return sum(_shut_down(pid, descriptor, scope=scope) for descriptor in _descriptors(pid, inodes))


def sockets(pid: int) -> tuple[int, ...]:
    """The inodes of the process's sockets, sorted; none where its descriptors cannot be read."""
    try:
        return tuple(sorted(int(inode) for _, inode in _held(pid)))
    except OSError:
        return ()


def connections(table: str, address: Address) -> Iterator[str]:
    """The inodes of established connections with that neighbour in a text of /proc/PID/net/tcp[6].

    Ports tell nothing: both `listenPort` and a peer's `remotePort` may be any. The table is of the whole
    network namespace, so that the caller has to pick what the daemon holds.
    """
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 10 or int(fields[3], 16) != _ESTABLISHED:
            continue
        if _host(fields[2]) == address:
            yield fields[9]


def _host(endpoint: str) -> Address:
    """Of `0100007F:00B3` the address, which stands there in 32-bit words of host byte order (proc(5))."""
    text = endpoint.partition(":")[0]
    words = [int(text[start : start + 8], 16).to_bytes(4, sys.byteorder) for start in range(0, len(text), 8)]
    address = ip_address(b"".join(words))
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _descriptors(pid: int, inodes: Iterable[str]) -> Iterator[int]:
    wanted = frozenset(inodes)
    return (descriptor for descriptor, inode in _held(pid) if inode in wanted)


def _held(pid: int) -> Iterator[tuple[int, str]]:
    """Each descriptor of the process that is a socket, with its inode. Raises OSError."""
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            match = _SOCKET.match(str(entry.readlink()))
        except FileNotFoundError:
            continue
        if match:
            yield int(entry.name), match[1]


def _shut_down(pid: int, descriptor: int, *, scope: int | None) -> bool:
    with socket.socket(fileno=_borrow(pid, descriptor)) as connection:
        try:
            # Only the socket itself knows on which link a link-local neighbour is: (host, port, flow, scope).
            if scope is not None and connection.getpeername()[3] != scope:
                return False
            connection.shutdown(socket.SHUT_RDWR)
        except OSError as exc:
            if exc.errno != errno.ENOTCONN:
                raise
            return False
    return True


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
