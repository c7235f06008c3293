"""ARP and NDP frames: whatever is built is read back, and no bytes break the parser."""

from ipaddress import IPv6Address

from hypothesis import given
from hypothesis import strategies as st

from openelb_bgp.host.packets import (
    Advertisement,
    Arp,
    Dropped,
    Operation,
    Packet,
    Solicitation,
    build,
    parse,
)
from openelb_bgp.host.probe import answer_in

macs = st.binary(min_size=6, max_size=6)
v4 = st.ip_addresses(v=4)
v6 = st.ip_addresses(v=6).filter(lambda one: not one.is_multicast and not one.is_unspecified)
groups = st.integers(0, 0xFFFFFF).map(lambda low: IPv6Address((0xFF02 << 112) | (0x1FF << 24) | low))
optional_macs = st.none() | macs
packets = st.one_of(
    st.builds(
        Arp,
        operation=st.sampled_from(Operation),
        source=macs,
        destination=macs,
        sender_mac=macs,
        sender=v4,
        target_mac=macs,
        target=v4,
    ),
    st.builds(
        Solicitation,
        source=macs,
        destination=macs,
        sender=v6,
        to=groups,
        target=v6,
        mac=optional_macs,
    ),
    st.builds(
        Advertisement,
        source=macs,
        destination=macs,
        sender=v6,
        to=v6,
        target=v6,
        mac=optional_macs,
        router=st.booleans(),
        solicited=st.booleans(),
        override=st.booleans(),
    ),
)


@given(packets, st.binary(max_size=20))
def test_what_is_built_is_read_back_whatever_padding_follows(packet: Packet, padding: bytes) -> None:
    assert parse(build(packet) + padding) == packet


@given(packets, st.data())
def test_a_frame_cut_short_is_dropped(packet: Packet, data: st.DataObject) -> None:
    frame = build(packet)
    assert parse(frame[: data.draw(st.integers(0, len(frame) - 1))]) is Dropped.TRUNCATED


@given(packets, st.data())
def test_a_frame_with_changed_bytes_gives_a_packet_or_a_reason(packet: Packet, data: st.DataObject) -> None:
    frame = bytearray(build(packet))
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    assert isinstance(parse(bytes(frame)), Packet | Dropped)


@given(packets, st.integers(min_value=14 * 8, max_value=58 * 8))
def test_no_flipped_bit_of_neighbour_discovery_goes_unnoticed(packet: Packet, bit: int) -> None:
    frame = bytearray(build(packet))
    if isinstance(packet, Arp) or bit // 8 in range(14, 18):
        # ARP has no checksum; IPv6's traffic class and flow label mean nothing here.
        return
    frame[bit // 8] ^= 1 << bit % 8
    assert isinstance(parse(bytes(frame)), Dropped)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_parser(frame: bytes) -> None:
    assert isinstance(parse(frame), Packet | Dropped)
    answer_in(frame, ours=frozenset())


@given(
    st.sampled_from([b"\x08\x06", b"\x86\xdd"]), st.binary(min_size=12, max_size=12), st.binary(max_size=120)
)
def test_no_body_of_a_known_type_breaks_the_parser(kind: bytes, macs: bytes, body: bytes) -> None:
    assert isinstance(parse(macs + kind + body), Packet | Dropped)
