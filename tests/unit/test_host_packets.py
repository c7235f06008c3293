"""ARP and NDP frames, byte by byte, and the reason for each one that is dropped."""

from ipaddress import IPv4Address, IPv6Address

import pytest

from openelb_bgp.host.ethernet import BROADCAST, NO_MAC
from openelb_bgp.host.ndp import multicast_mac
from openelb_bgp.host.packets import (
    Advertisement,
    Arp,
    Dropped,
    Operation,
    Solicitation,
    build,
    parse,
    parse_mac,
    who_has,
)

OURS = bytes.fromhex("02000000000a")
THEIRS = bytes.fromhex("02000000000b")
ONE, TWO = IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2")
ONE6, TWO6 = IPv6Address("2001:db8::1"), IPv6Address("2001:db8::2")
GROUP = IPv6Address("ff02::1:ff00:2")

# As two Linux hosts sent them, read off the wire.
ARP_REQUEST = bytes.fromhex(
    "ffffffffffff02000000000a08060001080006040001" + "02000000000ac0000201000000000000c0000202"
)
ARP_REPLY = bytes.fromhex(
    "02000000000a02000000000b08060001080006040002" + "02000000000bc000020202000000000ac0000201"
)
SOLICITATION = bytes.fromhex(
    "3333ff00000202000000000a86dd6000000000203aff"
    "20010db8000000000000000000000001ff0200000000000000000001ff000002"
    "87001c1e0000000020010db8000000000000000000000002010102000000000a"
)
ADVERTISEMENT = bytes.fromhex(
    "02000000000a02000000000b86dd6000000000203aff"
    "20010db800000000000000000000000220010db8000000000000000000000001"
    "88008a686000000020010db8000000000000000000000002020102000000000b"
)

REPLY = Arp(
    operation=Operation.REPLY,
    source=THEIRS,
    destination=OURS,
    sender_mac=THEIRS,
    sender=TWO,
    target_mac=OURS,
    target=ONE,
)
ANSWER = Advertisement(
    source=THEIRS,
    destination=OURS,
    sender=TWO6,
    to=ONE6,
    target=TWO6,
    mac=THEIRS,
    solicited=True,
    override=True,
)


def test_asks_for_an_ipv4_address_by_a_broadcast_with_our_own_as_sender() -> None:
    assert build(who_has(TWO, mac=OURS, source=ONE)) == ARP_REQUEST
    assert parse(ARP_REQUEST) == Arp(
        operation=Operation.REQUEST,
        source=OURS,
        destination=BROADCAST,
        sender_mac=OURS,
        sender=ONE,
        target_mac=NO_MAC,
        target=TWO,
    )


def test_asks_for_an_ipv6_address_in_its_solicited_node_group_with_our_mac() -> None:
    assert build(who_has(TWO6, mac=OURS, source=ONE6)) == SOLICITATION
    assert parse(SOLICITATION) == Solicitation(
        source=OURS,
        destination=bytes.fromhex("3333ff000002"),
        sender=ONE6,
        to=GROUP,
        target=TWO6,
        mac=OURS,
    )


def test_an_address_of_one_family_cannot_be_asked_for_from_one_of_the_other() -> None:
    with pytest.raises(ValueError, match="different families"):
        who_has(TWO, mac=OURS, source=ONE6)


def test_reads_and_writes_a_reply() -> None:
    assert build(REPLY) == ARP_REPLY
    assert parse(ARP_REPLY) == REPLY


def test_reads_and_writes_an_advertisement() -> None:
    assert build(ANSWER) == ADVERTISEMENT
    assert parse(ADVERTISEMENT) == ANSWER


def test_padding_up_to_the_shortest_frame_changes_nothing() -> None:
    assert parse(ARP_REPLY.ljust(60, b"\0")) == REPLY
    assert parse(ADVERTISEMENT + b"padding") == ANSWER


def test_an_advertisement_need_not_carry_a_mac() -> None:
    bare = Advertisement(source=THEIRS, destination=OURS, sender=TWO6, to=ONE6, target=TWO6, mac=None)
    assert parse(build(bare)) == bare


def test_a_duplicate_address_probe_is_a_solicitation_from_nobody() -> None:
    probe = duplicate_address_probe(mac=None)
    assert parse(build(probe)) == probe


def duplicate_address_probe(*, mac: bytes | None, to: IPv6Address = GROUP) -> Solicitation:
    return Solicitation(
        source=OURS, destination=multicast_mac(to), sender=IPv6Address("::"), to=to, target=TWO6, mac=mac
    )


def patched(frame: bytes, offset: int, value: bytes) -> bytes:
    return frame[:offset] + value + frame[offset + len(value) :]


def resummed(frame: bytes) -> bytes:
    """The frame with the ICMPv6 checksum that its bytes ask for."""
    frame = patched(frame, 56, b"\0\0")
    length = int.from_bytes(frame[18:20])
    data = frame[22:54] + length.to_bytes(4) + bytes(3) + bytes([58]) + frame[54 : 54 + length]
    data += b"\0" * (len(data) % 2)
    total = sum(int.from_bytes(data[i : i + 2]) for i in range(0, len(data), 2))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return patched(frame, 56, (0xFFFF - total).to_bytes(2))


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        pytest.param(b"", Dropped.TRUNCATED, id="nothing"),
        pytest.param(ARP_REPLY[:13], Dropped.TRUNCATED, id="half an Ethernet header"),
        pytest.param(ARP_REPLY[:41], Dropped.TRUNCATED, id="ARP without its last byte"),
        pytest.param(ADVERTISEMENT[:53], Dropped.TRUNCATED, id="half an IPv6 header"),
        pytest.param(ADVERTISEMENT[:-1], Dropped.TRUNCATED, id="an advertisement without its last byte"),
        pytest.param(patched(ADVERTISEMENT, 18, b"\0\0"), Dropped.TRUNCATED, id="an empty payload"),
        pytest.param(patched(ADVERTISEMENT, 18, b"\0\x10"), Dropped.TRUNCATED, id="a payload without target"),
        pytest.param(ARP_REPLY[:12] + b"\x81\0\0\x64" + ARP_REPLY[12:], Dropped.VLAN_TAGGED, id="802.1Q"),
        pytest.param(ARP_REPLY[:12] + b"\x88\xa8\0\x64" + ARP_REPLY[12:], Dropped.VLAN_TAGGED, id="802.1ad"),
        pytest.param(patched(ARP_REPLY, 12, b"\x08\0"), Dropped.OTHER_PROTOCOL, id="IPv4"),
        pytest.param(patched(ARP_REPLY, 14, b"\0\x20"), Dropped.NOT_ETHERNET_IPV4, id="InfiniBand"),
        pytest.param(patched(ARP_REPLY, 16, b"\x86\xdd"), Dropped.NOT_ETHERNET_IPV4, id="ARP for IPv6"),
        pytest.param(patched(ARP_REPLY, 18, b"\x08"), Dropped.NOT_ETHERNET_IPV4, id="a MAC of 8 bytes"),
        pytest.param(patched(ARP_REPLY, 19, b"\x06"), Dropped.NOT_ETHERNET_IPV4, id="an address of 6 bytes"),
        pytest.param(patched(ARP_REPLY, 20, b"\0\x03"), Dropped.UNKNOWN_OPERATION, id="reverse ARP"),
        pytest.param(patched(ADVERTISEMENT, 14, b"\x45"), Dropped.NOT_IPV6, id="IPv4 in an IPv6 frame"),
        pytest.param(patched(ADVERTISEMENT, 20, b"\x2c"), Dropped.NOT_NEIGHBOUR_DISCOVERY, id="a fragment"),
        pytest.param(patched(ADVERTISEMENT, 54, b"\x80"), Dropped.NOT_NEIGHBOUR_DISCOVERY, id="a ping"),
        pytest.param(patched(ADVERTISEMENT, 21, b"\xfe"), Dropped.HOP_LIMIT, id="hop limit 254"),
        pytest.param(patched(ADVERTISEMENT, 85, b"\0"), Dropped.CHECKSUM, id="a changed byte"),
        pytest.param(resummed(patched(ADVERTISEMENT, 55, b"\x01")), Dropped.CODE, id="code 1"),
        pytest.param(
            resummed(patched(ADVERTISEMENT, 79, b"\0")), Dropped.BAD_OPTIONS, id="option of length 0"
        ),
        pytest.param(
            resummed(patched(ADVERTISEMENT, 79, b"\x02")), Dropped.BAD_OPTIONS, id="option too long"
        ),
        pytest.param(
            resummed(patched(ADVERTISEMENT, 62, b"\xff")), Dropped.BAD_TARGET, id="multicast target"
        ),
        pytest.param(
            resummed(patched(ADVERTISEMENT, 38, b"\xff")), Dropped.BAD_ANSWER, id="answer to a group"
        ),
        pytest.param(
            build(duplicate_address_probe(mac=OURS)), Dropped.BAD_PROBE, id="a probe with a source MAC"
        ),
        pytest.param(
            build(duplicate_address_probe(mac=None, to=IPv6Address("ff02::1"))),
            Dropped.BAD_PROBE,
            id="a probe to everybody",
        ),
    ],
)
def test_drops_with_a_reason(frame: bytes, reason: Dropped) -> None:
    assert parse(frame) is reason


def test_other_options_are_passed_over() -> None:
    nonce = bytes.fromhex("0e01000000000001")
    with_nonce = patched(SOLICITATION, 18, b"\0\x28") + nonce
    assert parse(resummed(with_nonce)) == parse(SOLICITATION)


@pytest.mark.parametrize(
    ("text", "mac"),
    [
        ("02:00:00:00:00:0a", OURS),
        ("", None),
        ("00:00:00:00:00:00", None),
        ("not a mac", None),
        ("80:00:02:08:fe:80:00:00:00:00:00:00:00:02:c9:03:00:0a:1c:81", None),
    ],
)
def test_only_an_ethernet_mac_is_one(text: str, mac: bytes | None) -> None:
    assert parse_mac(text) == mac
