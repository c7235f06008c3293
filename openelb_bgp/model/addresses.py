"""IP addresses, families and ranges as arithmetic on integers.

A pool is never a list of addresses: a /8 or a /64 costs as much as a /32. What pools mean (exclusions,
allocation) lives in `ipam`; here are only the values and their algebra.
"""

import enum
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_address,
    ip_network,
)

import msgspec

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Interface = IPv4Interface | IPv6Interface


class Family(enum.Enum):
    """An address family; its value is the IP version."""

    IPV4 = 4
    IPV6 = 6

    # Members are equal to nothing else; Enum's own hash is that of the name, in Python.
    __hash__ = object.__hash__

    @classmethod
    def of(cls, address: Address | Network | Interface) -> "Family":
        """The family of an address or a network."""
        return cls.IPV4 if address.version == 4 else cls.IPV6

    @property
    def bits(self) -> int:
        """Length of an address, in bits."""
        return 32 if self is Family.IPV4 else 128

    def address(self, value: int) -> Address:
        """The address with that integer value."""
        return IPv4Address(value) if self is Family.IPV4 else IPv6Address(value)

    def network(self, value: int, length: int) -> Network:
        """The network of that prefix length which holds the address with that integer value."""
        masked = value >> (self.bits - length) << (self.bits - length)
        return IPv4Network((masked, length)) if self is Family.IPV4 else IPv6Network((masked, length))

    def __str__(self) -> str:
        return f"IPv{self.value}"


class AddressRange(msgspec.Struct, frozen=True, order=True):
    """All addresses from `first` to `last`, both included, as integers of one family."""

    version: int
    first: int
    last: int

    @property
    def family(self) -> Family:
        """The family of every address in it."""
        return Family(self.version)

    @property
    def size(self) -> int:
        """How many addresses it holds."""
        return self.last - self.first + 1

    def __contains__(self, address: object) -> bool:
        return (
            isinstance(address, IPv4Address | IPv6Address)
            and address.version == self.version
            and self.first <= int(address) <= self.last
        )

    def overlaps(self, other: "AddressRange") -> bool:
        """Whether the two have an address in common."""
        return self.version == other.version and self.first <= other.last and other.first <= self.last

    def covers(self, network: Network) -> bool:
        """Whether every address of the network lies in it."""
        return (
            network.version == self.version
            and self.first <= int(network.network_address)
            and int(network.broadcast_address) <= self.last
        )

    def __str__(self) -> str:
        first, last = self.family.address(self.first), self.family.address(self.last)
        return str(first) if first == last else f"{first}-{last}"


def network_number(network: Network) -> int:
    """A number that no other network has; dictionaries find it faster than the network."""
    return int(network.network_address) << 9 | network.prefixlen << 1 | (network.version == 6)


def number_of_holder(number: int, length: int, bits: int) -> int:
    """The `network_number` of the network of that length which holds the one with that number.

    `bits` are those of an address of the family. Nothing but arithmetic: ten thousand addresses of one
    aggregate need its network once.
    """
    below = 9 + bits - length
    return number >> below << below | length << 1 | number & 1


def range_of(network: Network) -> AddressRange:
    """The whole network, first and last address included."""
    return AddressRange(network.version, int(network.network_address), int(network.broadcast_address))


def parse_range(text: str) -> AddressRange:
    """One IP, `IP/length` (host bits are masked) or `IP1-IP2`.

    Raises ValueError with a sentence that says what is wrong.
    """
    if "-" in text:
        return _parse_bounds(text)
    if "/" in text:
        return range_of(ip_network(text.strip(), strict=False))
    address = parse_address(text)
    return AddressRange(address.version, int(address), int(address))


@lru_cache(maxsize=1 << 16)
def read_address(text: str) -> Address:
    """One IP address as it stands, maybe with a zone. Raises ValueError.

    The same text gives the same object: a Service's address stands in its status, in its annotation and in
    what is written, and is read by everybody who plans with it.
    """
    return ip_address(text)


def text_of(address: Address) -> str:
    """What `str` says; twice as quickly for IPv4, and a Service's address is written in many places."""
    if address.version == 6:
        return str(address)
    value = int(address)
    return f"{value >> 24}.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}"


def parse_address(text: str) -> Address:
    """One IP address without a zone. Raises ValueError."""
    address = read_address(text.strip())
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise ValueError(f"{text} carries a zone")
    return address


def total_size(ranges: Iterable[AddressRange]) -> int:
    """How many addresses disjoint ranges hold together."""
    return sum(one.size for one in ranges)


def _parse_bounds(text: str) -> AddressRange:
    first_text, _, last_text = text.partition("-")
    first, last = parse_address(first_text), parse_address(last_text)
    if first.version != last.version:
        raise ValueError(f"{first} and {last} are of different families")
    if int(first) > int(last):
        raise ValueError(f"{first} is above {last}; write {last}-{first}")
    return AddressRange(first.version, int(first), int(last))
