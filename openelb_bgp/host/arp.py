"""ARP for IPv4 over Ethernet (RFC 826), as bytes. Pure; `packets` is the way in."""

import enum
import struct
from ipaddress import IPv4Address

import msgspec

from .ethernet import ETHERTYPE_ARP, ETHERTYPE_IPV4, HEADER, Dropped

_ARP = struct.Struct("!HHBBH6s4s6s4s")
_HARDWARE_ETHERNET = 1


class Operation(enum.IntEnum):
    """What an ARP packet is (RFC 826)."""

    REQUEST = 1
    REPLY = 2


class Arp(msgspec.Struct, frozen=True, kw_only=True):
    """An ARP packet for IPv4 over Ethernet (RFC 826). MACs are 6 bytes.

    `source` and `destination` are those of the Ethernet frame, `sender` and `target` those inside, which
    may differ.
    """

    operation: Operation
    source: bytes
    destination: bytes
    sender_mac: bytes
    sender: IPv4Address
    target_mac: bytes
    target: IPv4Address


def build_arp(packet: Arp) -> bytes:
    """The whole frame."""
    return HEADER.pack(packet.destination, packet.source, ETHERTYPE_ARP) + _ARP.pack(
        _HARDWARE_ETHERNET,
        ETHERTYPE_IPV4,
        6,
        4,
        packet.operation,
        packet.sender_mac,
        packet.sender.packed,
        packet.target_mac,
        packet.target.packed,
    )


def parse_arp(frame: bytes, *, source: bytes, destination: bytes) -> Arp | Dropped:
    """The packet in a frame of that type whose Ethernet addresses have been read."""
    if len(frame) < HEADER.size + _ARP.size:
        return Dropped.TRUNCATED
    hardware, protocol, hlen, plen, operation, *ends = _ARP.unpack_from(frame, HEADER.size)
    if (hardware, protocol, hlen, plen) != (_HARDWARE_ETHERNET, ETHERTYPE_IPV4, 6, 4):
        return Dropped.NOT_ETHERNET_IPV4
    if operation not in (Operation.REQUEST, Operation.REPLY):
        return Dropped.UNKNOWN_OPERATION
    sender_mac, sender, target_mac, target = ends
    return Arp(
        operation=Operation(operation),
        source=source,
        destination=destination,
        sender_mac=sender_mac,
        sender=IPv4Address(sender),
        target_mac=target_mac,
        target=IPv4Address(target),
    )
