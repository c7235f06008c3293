"""ARP and NDP as one: the frames that ask who has an address and those that answer.

Pure. `parse` is total: any bytes give a packet or the reason for dropping them, and whatever it accepts is
wholly checked. Who asks, who answers and what follows from an answer are not here.
"""

from ipaddress import IPv4Address, IPv6Address

from openelb_bgp.model.addresses import Address

from .arp import Arp, Operation, build_arp, parse_arp
from .ethernet import (
    BROADCAST,
    ETHERTYPE_ARP,
    ETHERTYPE_IPV6,
    ETHERTYPES_OF_TAGS,
    HEADER,
    NO_MAC,
    Dropped,
    parse_mac,
)
from .ndp import Advertisement, Solicitation, build_ndp, multicast_mac, parse_ndp, solicited_node

__all__ = [
    "Advertisement",
    "Arp",
    "Dropped",
    "Operation",
    "Packet",
    "Solicitation",
    "build",
    "parse",
    "parse_mac",
    "who_has",
]

Packet = Arp | Solicitation | Advertisement


def who_has(address: Address, *, mac: bytes, source: Address) -> Arp | Solicitation:
    """The question to everybody on the link, answered to us alone.

    `source` is our address. ARP: broadcast, target MAC zero (RFC 826). NDP: to the solicited-node group,
    with our MAC in it (RFC 4861, 7.2.2). Raises ValueError when the families differ.
    """
    match address, source:
        case IPv4Address(), IPv4Address():
            return Arp(
                operation=Operation.REQUEST,
                source=mac,
                destination=BROADCAST,
                sender_mac=mac,
                sender=source,
                target_mac=NO_MAC,
                target=address,
            )
        case IPv6Address(), IPv6Address():
            group = solicited_node(address)
            return Solicitation(
                source=mac,
                destination=multicast_mac(group),
                sender=source,
                to=group,
                target=address,
                mac=mac,
            )
    raise ValueError(f"{source} cannot ask for {address}: they are of different families")


def build(packet: Packet) -> bytes:
    """The Ethernet frame, without padding and checksum, which the driver adds."""
    return build_arp(packet) if isinstance(packet, Arp) else build_ndp(packet)


def parse(frame: bytes) -> Packet | Dropped:
    """What an Ethernet frame is. Trailing padding is ignored."""
    if len(frame) < HEADER.size:
        return Dropped.TRUNCATED
    destination, source, ethertype = HEADER.unpack_from(frame)
    if ethertype in ETHERTYPES_OF_TAGS:
        return Dropped.VLAN_TAGGED
    if ethertype == ETHERTYPE_ARP:
        return parse_arp(frame, source=source, destination=destination)
    if ethertype == ETHERTYPE_IPV6:
        return parse_ndp(frame, source=source, destination=destination)
    return Dropped.OTHER_PROTOCOL
