"""What other processes of this node do with TCP: who listens on a port, who has a BGP connection to whom.

The kernel's tables in /proc/net tell of every socket in the network namespace; whose it is shows only where
/proc shows that process (one in another container is not seen). What follows from it is the announcer's
matter. Reading scans /proc: call it off the event loop where many processes run.
"""

import contextlib
import enum
import struct
import sys
from collections.abc import Collection, Iterator
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import msgspec

from openelb_bgp.model.addresses import Address

BGP_PORT = 179
_BGP_PORT_TEXT = ":00B3 "

# /proc/net is that of the main thread, whose namespace may be another one.
_TABLES = (Path("/proc/thread-self/net/tcp"), Path("/proc/thread-self/net/tcp6"))
_PROC = Path("/proc")


class TcpState(enum.IntEnum):
    """The states that matter here (Linux, include/net/tcp_states.h)."""

    OTHER = 0
    ESTABLISHED = 1
    LISTEN = 10


class TcpSocket(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the kernel's table; an IPv4 connection of an IPv6 socket shows as IPv4."""

    state: TcpState
    local: Address
    local_port: int
    remote: Address
    remote_port: int
    inode: int


class Owner(msgspec.Struct, frozen=True):
    """A process, as far as it can be seen: `pid` None and `command` empty where it cannot."""

    pid: int | None = None
    command: str = ""

    def __str__(self) -> str:
        return (
            "a process that cannot be seen from here" if self.pid is None else f"{self.command} ({self.pid})"
        )


class Listener(msgspec.Struct, frozen=True):
    """Who listens on a port, and on which address (0.0.0.0 and :: for all)."""

    address: Address
    port: int
    owner: Owner

    def __str__(self) -> str:
        address = f"[{self.address}]" if self.address.version == 6 else str(self.address)
        return f"{self.owner} on {address}:{self.port}"


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """An established BGP connection to `peer`, whichever side opened it; addresses carry no zone."""

    peer: Address
    peer_port: int
    local: Address
    local_port: int
    inode: int
    owner: Owner


class OthersBgp(msgspec.Struct, frozen=True):
    """Other BGP speakers of this node: their established connections, sorted, and whether one listens."""

    connections: tuple[Connection, ...] = ()
    listens: bool = False


def listener_on(port: int, *, exclude_pids: Collection[int] = ()) -> Listener | None:
    """Who of this network namespace listens on that TCP port, the processes named left out.

    None when nobody does, or when the tables cannot be read.
    """
    rows = [one for one in _read_tables() if one.state is TcpState.LISTEN and one.local_port == port]
    for row, owner in _owned(rows, exclude_pids):
        return Listener(row.local, row.local_port, owner)
    return None


def others_bgp(exclude: Collection[int]) -> OthersBgp:
    """Who of this network namespace speaks BGP, but for the sockets of these inodes.

    An inode is the same for every process, in whichever container it runs. A connection that nobody has
    accepted yet is nobody's, and left out. Nothing when the tables cannot be read.
    """
    rows = [one for one in _read_tables(_BGP_PORT_TEXT) if one.inode not in (0, *exclude)]
    ports = [
        one
        for one in rows
        if one.state is TcpState.ESTABLISHED and BGP_PORT in (one.local_port, one.remote_port)
    ]
    found = [
        Connection(
            peer=row.remote,
            peer_port=row.remote_port,
            local=row.local,
            local_port=row.local_port,
            inode=row.inode,
            owner=owner,
        )
        for row, owner in _owned(ports, ())
    ]
    found.sort(key=lambda one: (str(one.peer), one.peer_port, str(one.local), one.local_port))
    listens = any(one.state is TcpState.LISTEN and one.local_port == BGP_PORT for one in rows)
    return OthersBgp(tuple(found), listens=listens)


def parse_tcp(table: str, *, byteorder: str = sys.byteorder) -> Iterator[TcpSocket]:
    """The rows of /proc/net/tcp or tcp6 (proc(5)); what is no row is passed over.

    `byteorder` is the machine's: the kernel prints an address as 32-bit words of its own order.
    """
    for line in table.splitlines():
        fields = line.split()
        if len(fields) > 9 and fields[0].endswith(":"):
            with contextlib.suppress(ValueError):
                yield _row(fields, byteorder)


def _row(fields: list[str], byteorder: str) -> TcpSocket:
    local, local_port = _endpoint(fields[1], byteorder)
    remote, remote_port = _endpoint(fields[2], byteorder)
    number = int(fields[3], 16)
    return TcpSocket(
        state=TcpState(number) if number in set(TcpState) else TcpState.OTHER,
        local=local,
        local_port=local_port,
        remote=remote,
        remote_port=remote_port,
        inode=int(fields[9]),
    )


def _endpoint(text: str, byteorder: str) -> tuple[Address, int]:
    address, _, port = text.partition(":")
    raw = bytes.fromhex(address)
    if len(raw) not in (4, 16):
        raise ValueError(f"{text} is not an address")
    if byteorder == "little":
        words = struct.unpack(f"<{len(raw) // 4}I", raw)
        raw = struct.pack(f">{len(words)}I", *words)
    return _address(raw), int(port, 16)


def _address(raw: bytes) -> Address:
    if len(raw) == 4:
        return IPv4Address(raw)
    return IPv6Address(raw).ipv4_mapped or IPv6Address(raw)


def _read_tables(having: str = "") -> Iterator[TcpSocket]:
    """The rows of all tables that have this text in them: a busy node has tens of thousands of others."""
    for path in _TABLES:
        # Without IPv6 there is no tcp6.
        with contextlib.suppress(OSError), path.open() as table:
            yield from parse_tcp("".join(line for line in table if having in line))


def _owned(rows: Collection[TcpSocket], exclude: Collection[int]) -> Iterator[tuple[TcpSocket, Owner]]:
    holders = _holders({row.inode for row in rows}) if rows else {}
    for row in rows:
        pids = holders.get(row.inode, [])
        # A socket may be in several hands: that of a process and of the child that it forked.
        if not set(pids) & set(exclude):
            yield row, _owner(min(pids)) if pids else Owner()


def _holders(inodes: Collection[int]) -> dict[int, list[int]]:
    """The pids that hold each socket open, as far as their descriptors may be read."""
    names = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[int, list[int]] = {}
    for process in _PROC.iterdir():
        if process.name.isdigit():
            for name in _descriptors(process):
                if name in names:
                    found.setdefault(names[name], []).append(int(process.name))
    return found


def _descriptors(process: Path) -> Iterator[str]:
    # Ended meanwhile, or of somebody whose descriptors are not ours to read.
    with contextlib.suppress(OSError):
        for descriptor in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                yield str(descriptor.readlink())


def _owner(pid: int) -> Owner:
    try:
        return Owner(pid, (_PROC / str(pid) / "comm").read_text().strip())
    except OSError:
        return Owner(pid)
