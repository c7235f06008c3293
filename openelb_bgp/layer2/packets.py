"""What owners say on the wire and what they make of what they hear, as packets. Pure.

The bytes are `host.packets`'. Here: who asks for which address, who says that he has it, the answer, the
announcements that nobody asked for, and the questions by which an address is probed. Whether an address is
owned is not known here.
"""

import enum
from ipaddress import IPv4Address, IPv6Address

import msgspec

from openelb_bgp.host.arp import Arp, Operation
from openelb_bgp.host.ethernet import BROADCAST, NO_MAC
from openelb_bgp.host.ndp import UNSPECIFIED, Advertisement, Solicitation, multicast_mac, solicited_node
from openelb_bgp.host.packets import Packet
from openelb_bgp.model.addresses import Address

ALL_NODES = IPv6Address("ff02::1")
ALL_NODES_MAC = multicast_mac(ALL_NODES)
_NOBODY = IPv4Address(0)


class Form(enum.Enum):
    """The forms in which an owner announces an address that nobody has asked for.

    Hosts differ in what they heed. Linux takes a gratuitous reply as news only if its target MAC is the
    sender's, within a second of the last change (`locktime`); the request form it always takes.
    """

    ARP_REQUEST = "gratuitous ARP request"
    ARP_REPLY = "gratuitous ARP reply"
    ARP_TO_GATEWAY = "ARP request to the gateway"
    ADVERTISEMENT = "unsolicited neighbour advertisement"


def asked_for(packet: Packet) -> Address | None:
    """The address that somebody wants to know the holder of; None for what is no question.

    A probe (from 0.0.0.0, or from ::) is one: the holder answers it, and so defends the address (RFC 5227,
    2.4; RFC 4862, 5.4.3).
    """
    match packet:
        case Arp(operation=Operation.REQUEST) if packet.sender != packet.target:
            return packet.target
        case Solicitation() if packet.sender != packet.target:
            return packet.target
    return None


def claimed(packet: Packet) -> tuple[Address, bytes] | None:
    """The address that somebody says he has, and his MAC; None where he says of none that he has it."""
    match packet:
        case Arp() if packet.sender != _NOBODY:
            return packet.sender, packet.sender_mac
        case Solicitation() if packet.sender != UNSPECIFIED:
            return packet.sender, packet.mac or packet.source
        case Advertisement():
            return packet.target, packet.mac or packet.source
    return None


def comes_from(packet: Packet) -> tuple[bytes, ...]:
    """The MACs that a packet says it is from: the frame's, and those inside."""
    inside = packet.sender_mac if isinstance(packet, Arp) else packet.mac
    return (packet.source,) if inside is None else (packet.source, inside)


def is_answerable(packet: Packet) -> bool:
    """Whether an answer would go to one host, as it must: else one frame could make us flood a LAN."""
    if any(mac[0] & 1 or mac == NO_MAC for mac in comes_from(packet)):
        return False
    return isinstance(packet, Arp) or not packet.sender.is_multicast


def answer(question: Arp | Solicitation, *, mac: bytes) -> Packet:
    """The holder's answer, from that MAC.

    NDP (RFC 4861, 7.2.4): override set, router not; solicited where somebody asked, and to everybody without
    it where a duplicate was looked for. The address itself is the sender: an answer from another one is a
    proxy's.
    """
    if isinstance(question, Arp):
        return Arp(
            operation=Operation.REPLY,
            source=mac,
            destination=question.sender_mac,
            sender_mac=mac,
            sender=question.target,
            target_mac=question.sender_mac,
            target=question.sender,
        )
    if question.sender == UNSPECIFIED:
        return _unsolicited(question.target, mac)
    return Advertisement(
        source=mac,
        destination=question.mac or question.source,
        sender=question.target,
        to=question.sender,
        target=question.target,
        mac=mac,
        solicited=True,
        override=True,
    )


def announcement(
    address: Address, form: Form, *, mac: bytes, gateway: tuple[IPv4Address, bytes] | None = None
) -> Packet:
    """What the owner says without having been asked (RFC 5227, 3; RFC 4861, 7.2.6).

    `gateway` is the address and MAC that ARP_TO_GATEWAY goes to: any host merges the sender of a request to
    itself into its cache (RFC 826), also where it ignores what is gratuitous. Raises ValueError when form and
    family differ, or there is no gateway.
    """
    match address, form, gateway:
        case IPv4Address(), Form.ARP_REQUEST, _:
            return _arp(address, mac, Operation.REQUEST, target=address, target_mac=NO_MAC)
        case IPv4Address(), Form.ARP_REPLY, _:
            return _arp(address, mac, Operation.REPLY, target=address, target_mac=mac)
        case IPv4Address(), Form.ARP_TO_GATEWAY, (router, router_mac):
            return _arp(
                address, mac, Operation.REQUEST, target=router, target_mac=NO_MAC, destination=router_mac
            )
        case IPv6Address(), Form.ADVERTISEMENT, _:
            return _unsolicited(address, mac)
    raise ValueError(f"{address} cannot be announced by a {form.value}")


def reminder(address: Address, *, mac: bytes, to: bytes) -> Packet:
    """What a host says to one other, by its MAC, and to nobody else: that it has the address too."""
    form = Form.ARP_REPLY if isinstance(address, IPv4Address) else Form.ADVERTISEMENT
    return msgspec.structs.replace(announcement(address, form, mac=mac), destination=to)


def probe(address: Address, *, mac: bytes) -> Packet:
    """The question whether anybody has the address, which puts nothing into anybody's cache.

    ARP: the sender is 0.0.0.0 (RFC 5227, 2.1.1). NDP: it is ::, without a MAC (RFC 4862, 5.4.2).
    """
    if isinstance(address, IPv4Address):
        return _arp(_NOBODY, mac, Operation.REQUEST, target=address, target_mac=NO_MAC)
    group = solicited_node(address)
    return Solicitation(
        source=mac, destination=multicast_mac(group), sender=UNSPECIFIED, to=group, target=address, mac=None
    )


def _arp(
    sender: IPv4Address,
    mac: bytes,
    operation: Operation,
    *,
    target: IPv4Address,
    target_mac: bytes,
    destination: bytes = BROADCAST,
) -> Arp:
    return Arp(
        operation=operation,
        source=mac,
        destination=destination,
        sender_mac=mac,
        sender=sender,
        target_mac=target_mac,
        target=target,
    )


def _unsolicited(address: IPv6Address, mac: bytes) -> Advertisement:
    return Advertisement(
        source=mac,
        destination=ALL_NODES_MAC,
        sender=address,
        to=ALL_NODES,
        target=address,
        mac=mac,
        override=True,
    )
