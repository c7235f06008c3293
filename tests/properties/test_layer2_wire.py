"""Layer2 on the wire: the kernel's filter lets through what concerns owned addresses; no frame breaks us."""

from collections.abc import Collection, Mapping
from ipaddress import IPv4Address, IPv6Address
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openelb_bgp.host import bpf
from openelb_bgp.host.arp import Arp, Operation
from openelb_bgp.host.ndp import Advertisement, Solicitation
from openelb_bgp.host.packets import Dropped, Packet, build, parse
from openelb_bgp.layer2.filters import FEWER_BITS, MOST_BITS, answers, questions
from openelb_bgp.layer2.packets import answer, asked_for, claimed, comes_from, is_answerable
from openelb_bgp.model.addresses import Address, Family
from tests.properties.captured import CAPTURED
from tests.properties.classic_bpf import accepts

OURS, THEIRS = bytes.fromhex("02000000000a"), bytes.fromhex("02000000000b")
IFINDEX = 7
BROADCAST_KIND, OUTGOING_KIND = 1, 4
HERE: Mapping[int, int] = {bpf.IFINDEX: IFINDEX, bpf.PACKET_TYPE: BROADCAST_KIND}

# Near one another, so that blocks of the filter touch and fill, and far apart.
near = st.integers(0x0A000000, 0x0A000200)
words = st.one_of(near, st.integers(0, 0xFFFFFFFF), st.sampled_from([0, 0xFFFFFFFF]))
sets = st.sets(words, max_size=300)
v6_base = int(IPv6Address("2001:db8::"))


def asks(target: int, *, sender: int = 0) -> bytes:
    return build(
        Arp(
            operation=Operation.REQUEST,
            source=THEIRS,
            destination=b"\xff" * 6,
            sender_mac=THEIRS,
            sender=IPv4Address(sender),
            target_mac=bytes(6),
            target=IPv4Address(target),
        )
    )


def solicits(target: int) -> bytes:
    return build(
        Solicitation(
            source=THEIRS,
            destination=b"\x33\x33\xff\0\0\1",
            sender=IPv6Address("fe80::2"),
            to=IPv6Address("ff02::1:ff00:1"),
            target=IPv6Address(v6_base + target),
            mac=THEIRS,
        )
    )


def v4(owned: Collection[int]) -> list[Address]:
    return [IPv4Address(one) for one in owned]


def v6(owned: Collection[int]) -> list[Address]:
    return [IPv6Address(v6_base + one) for one in owned]


@given(sets, words)
def test_the_filter_lets_through_who_asks_for_an_owned_address_and_nobody_else(
    owned: set[int], target: int
) -> None:
    # Nobody asks (0.0.0.0): who has an address between owned ones may be let through as if it were one.
    owned = {one for one in owned if one >= 32}
    program = questions(Family.IPV4, v4(owned), ifindex=IFINDEX)
    for asked in (target, *list(owned)[:20]):
        assert accepts(program, asks(asked), HERE) == (asked in owned)


@given(sets, words)
def test_the_same_for_neighbour_solicitations(owned: set[int], target: int) -> None:
    program = questions(Family.IPV6, v6(owned), ifindex=IFINDEX)
    for asked in (target, *list(owned)[:20]):
        assert accepts(program, solicits(asked), HERE) == (asked in owned)


@given(st.sets(words, min_size=1, max_size=300))
def test_who_says_that_he_has_an_owned_address_is_let_through(owned: set[int]) -> None:
    program = questions(Family.IPV4, v4(owned), ifindex=IFINDEX)
    assert all(accepts(program, asks(0, sender=one), HERE) for one in owned)


@settings(max_examples=20)
@given(st.integers(1, 4000), st.randoms(use_true_random=False))
def test_a_set_too_scattered_for_the_kernel_loses_nothing_that_is_owned(number: int, chance: Random) -> None:
    owned = {chance.getrandbits(32) for _ in range(number)}
    for bits in (MOST_BITS, FEWER_BITS):
        four = questions(Family.IPV4, v4(owned), ifindex=IFINDEX, bits=bits)
        six = answers(Family.IPV6, v6(owned), ifindex=IFINDEX, bits=bits)
        assert max(len(four), len(six)) <= (bpf.MOST_INSTRUCTIONS if bits == MOST_BITS else 1200)
        for one in list(owned)[:20]:
            assert accepts(four, asks(one), HERE)
            assert accepts(six, advertises(one), HERE)


def advertises(target: int) -> bytes:
    address = IPv6Address(v6_base + target)
    return build(
        Advertisement(
            source=THEIRS,
            destination=OURS,
            sender=address,
            to=IPv6Address("fe80::1"),
            target=address,
            mac=THEIRS,
        )
    )


@given(sets)
def test_of_another_interface_and_of_our_own_nothing_is_let_through(owned: set[int]) -> None:
    for program, frames in (
        (questions(Family.IPV4, v4(owned), ifindex=IFINDEX), map(asks, owned)),
        (questions(Family.IPV6, v6(owned), ifindex=IFINDEX), map(solicits, owned)),
    ):
        for frame in list(frames)[:10]:
            assert not accepts(program, frame, {**HERE, bpf.IFINDEX: IFINDEX + 1})
            assert not accepts(program, frame, {**HERE, bpf.PACKET_TYPE: OUTGOING_KIND})


@given(sets, st.data())
def test_a_question_cut_short_is_let_through_to_be_counted(owned: set[int], data: st.DataObject) -> None:
    program = questions(Family.IPV4, v4(owned), ifindex=IFINDEX)
    assert accepts(program, asks(5)[: data.draw(st.integers(0, 41))], HERE)
    program = questions(Family.IPV6, v6(owned), ifindex=IFINDEX)
    assert accepts(program, solicits(5)[: data.draw(st.integers(55, 77))], HERE)


@given(sets, st.binary(max_size=120))
def test_the_filter_for_answers_lets_through_neither_questions_nor_noise(
    owned: set[int], noise: bytes
) -> None:
    for family, program in (
        (Family.IPV4, answers(Family.IPV4, v4(owned), ifindex=IFINDEX)),
        (Family.IPV6, answers(Family.IPV6, v6(owned), ifindex=IFINDEX)),
    ):
        ask = asks if family is Family.IPV4 else solicits
        assert not any(accepts(program, ask(one), HERE) for one in list(owned)[:10])
        if accepts(program, noise, HERE):
            assert int.from_bytes(noise[20:22]) == 2 if family is Family.IPV4 else noise[54] == 136


@given(st.binary(max_size=120))
def test_whatever_comes_is_handled(frame: bytes) -> None:
    handle(frame)


@pytest.mark.parametrize("which", CAPTURED)
def test_what_real_hosts_send_is_understood(which: str) -> None:
    frame, meaning = CAPTURED[which]
    packet = parse(frame)
    understood = packet if isinstance(packet, Dropped) else (asked_for(packet), claimed(packet))
    assert understood == meaning


@given(
    st.sampled_from([frame for frame, _ in CAPTURED.values()]),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=6),
    st.integers(0, 180),
)
def test_real_frames_with_changed_bytes_are_handled(
    frame: bytes, changes: list[tuple[int, int]], length: int
) -> None:
    changed = bytearray(frame)
    for offset, value in changes:
        changed[offset % len(changed)] = value
    handle(bytes(changed[:length]))


def handle(frame: bytes) -> None:
    """What the responder does with a frame; what it would say is a packet, to one host or to all nodes."""
    packet = parse(frame)
    if isinstance(packet, Dropped):
        return
    claimed(packet)
    assert comes_from(packet)
    if isinstance(packet, Arp | Solicitation) and asked_for(packet) is not None and is_answerable(packet):
        said = answer(packet, mac=OURS)
        assert parse(build(said)) == said
        assert is_to_one_host_or_all_nodes(said)


def is_to_one_host_or_all_nodes(packet: Packet) -> bool:
    return not packet.destination[0] & 1 or packet.destination == b"\x33\x33\0\0\0\1"
