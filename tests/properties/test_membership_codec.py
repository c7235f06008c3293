"""What is written is read again; what anybody else writes is dropped, with a reason."""

from ipaddress import IPv4Interface, IPv6Interface

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openelb_bgp.membership.codec import MAX_DATAGRAM, PARTS, SIGNATURE, Codec, Dropped, packed, record_bytes
from openelb_bgp.membership.messages import Ack, Datagram, News, OwnInterface, Ping, Record, Summary

KEY, OTHER = b"k" * 32, b"o" * 32
NODES = ("a", "b", "c")

_u64 = st.integers(0, 2**64 - 1)
_u32 = st.integers(0, 2**32 - 1)
_addresses = st.one_of(
    st.builds(IPv4Interface, st.tuples(_u32, st.integers(0, 32))),
    st.builds(IPv6Interface, st.tuples(st.integers(0, 2**128 - 1), st.integers(0, 128))),
)
_interfaces = st.builds(
    OwnInterface,
    name=st.text("eth0.159-", min_size=1, max_size=15),
    mac=st.sampled_from(("", "02:00:00:00:00:01", "de:ad:be:ef:00:ff")),
    addresses=st.lists(_addresses, max_size=4).map(tuple),
    stable_age=st.one_of(st.none(), st.integers(0, 2**31).map(lambda ms: ms / 1000)),
    opinions=st.lists(st.tuples(_u64, st.just(True)), max_size=4).map(tuple),
)
_records = st.builds(
    Record,
    node=st.sampled_from(NODES),
    boot=_u64,
    generation=_u64,
    version=_u32,
    leaving=st.booleans(),
    void=st.booleans(),
    interfaces=st.lists(_interfaces, max_size=2).map(tuple),
)
_bodies = st.one_of(
    st.builds(Ping, _u64),
    st.builds(Ack, _u64, _u64, st.booleans()),
    st.builds(Summary, st.lists(_u32, min_size=PARTS, max_size=PARTS).map(tuple)),
    st.builds(News, st.lists(_records, max_size=3).map(tuple)),
)
_datagrams = st.builds(
    Datagram, sender=st.just("a"), boot=_u64, to=st.just("b"), to_boot=_u64, sequence=_u64, body=_bodies
)


def _codec(node: str, *keys: bytes) -> Codec:
    codec = Codec(node)
    codec.use(keys=keys, nodes=[one for one in NODES if one != node])
    return codec


def _reason(codec: Codec, data: bytes) -> str:
    with pytest.raises(Dropped) as caught:
        codec.decode(data)
    return caught.value.reason


@given(_datagrams)
def test_what_is_sent_is_what_arrives(datagram: Datagram) -> None:
    assert _codec("b", KEY).decode(_codec("a", KEY).encode(datagram)) == datagram


@given(_datagrams)
def test_both_keys_are_accepted_while_one_replaces_the_other(datagram: Datagram) -> None:
    """In each of the stages: all know the old, all know both, all sign with the new."""
    for signs, accepts in (
        ((KEY,), (KEY, OTHER)),
        ((KEY, OTHER), (OTHER, KEY)),
        ((OTHER, KEY), (KEY, OTHER)),
    ):
        assert _codec("b", *accepts).decode(_codec("a", *signs).encode(datagram)) == datagram


@given(_datagrams, st.data())
def test_no_bit_can_be_changed_on_the_way(datagram: Datagram, data: st.DataObject) -> None:
    sent = bytearray(_codec("a", KEY).encode(datagram))
    position = data.draw(st.integers(0, 8 * len(sent) - 1))
    sent[position // 8] ^= 1 << position % 8
    assert _reason(_codec("b", KEY), bytes(sent)) in (
        "signature",
        "malformed",
        "version",
        "unknown-sender",
        "not-for-us",
    )


@given(_datagrams)
def test_another_clusters_key_is_told_with_who_claims_to_have_sent_it(datagram: Datagram) -> None:
    with pytest.raises(Dropped) as caught:
        _codec("b", KEY).decode(_codec("a", OTHER).encode(datagram))
    assert (caught.value.reason, caught.value.claimed) == ("signature", "a")


@given(_datagrams)
def test_without_a_key_nothing_is_accepted(datagram: Datagram) -> None:
    assert _reason(_codec("b"), _codec("a", KEY).encode(datagram)) == "no-key"


@given(_datagrams)
def test_nobody_takes_what_is_for_another_or_its_own(datagram: Datagram) -> None:
    sent = _codec("a", KEY).encode(datagram)
    assert (_reason(_codec("c", KEY), sent), _reason(_codec("a", KEY), sent)) == (
        "not-for-us",
        "unknown-sender",
    )


@given(st.binary(max_size=1500))
def test_noise_is_dropped(noise: bytes) -> None:
    assert _reason(_codec("b", KEY), noise) in ("malformed", "version")


@given(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=200))
def test_what_is_signed_but_makes_no_sense_is_malformed(kind: int, flags: int, body: bytes) -> None:
    """A speaker of another version, or one with a defect, brings nobody down."""
    codec = _codec("b", KEY)
    sent = _codec("a", KEY).encode(Datagram(sender="a", boot=1, to="b", to_boot=2, sequence=3, body=Ping(4)))
    signed = sent[:2] + bytes([kind, flags]) + sent[4 : -SIGNATURE - 8] + body
    forged = signed + _signed(signed)
    try:
        codec.decode(forged)
    except Dropped as dropped:
        assert dropped.reason == "malformed"


def _signed(data: bytes) -> bytes:
    import hmac

    return hmac.digest(KEY, data, "sha256")[:SIGNATURE]


@given(st.lists(_records, max_size=40))
def test_records_are_packed_into_datagrams_that_fit(records: list[Record]) -> None:
    codec = _codec("a", KEY)
    portions = list(packed(records))
    assert [record for portion in portions for record in portion] == records
    for portion in portions:
        datagram = Datagram(sender="a", boot=1, to="b", to_boot=2, sequence=3, body=News(portion))
        assert len(codec.encode(datagram)) <= MAX_DATAGRAM


def test_of_a_record_that_would_not_fit_the_living_are_told_first() -> None:
    opinions = tuple((subject, subject % 2 == 0) for subject in range(400))
    record = Record(node="a", boot=1, interfaces=(OwnInterface(name="eth0", opinions=opinions),))
    datagram = Datagram(sender="a", boot=1, to="b", to_boot=2, sequence=3, body=News((record,)))
    heard = _codec("b", KEY).decode(_codec("a", KEY).encode(datagram)).body
    assert isinstance(heard, News)
    told = heard.records[0].interfaces[0].opinions
    assert len(record_bytes(record)) < MAX_DATAGRAM and len(told) >= 32 and all(alive for _, alive in told)
