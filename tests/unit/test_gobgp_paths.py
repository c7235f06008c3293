"""Paths on the wire of both APIs: what is written can be read, and what must never be sent is not made."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from hypothesis import given
from hypothesis import strategies as st

from openelb_bgp.bgp.gobgp._pb import gobgp3_pb2 as pb3
from openelb_bgp.bgp.gobgp._pb import gobgp4_pb2 as pb4
from openelb_bgp.bgp.gobgp.v3 import V3
from openelb_bgp.bgp.gobgp.v4 import V4
from openelb_bgp.bgp.model import LinkBandwidth, ObservedPath, Path, PathAttrs, PathKey

WIRES = [V3(), V4()]
both = pytest.mark.parametrize("wire", WIRES, ids=["3.x", "4.x"])
uint32 = st.integers(0, 2**32 - 1)


def networks() -> st.SearchStrategy[IPv4Network | IPv6Network]:
    v4 = st.builds(lambda n, length: IPv4Network((n, length), strict=False), uint32, st.integers(0, 32))
    v6 = st.builds(
        lambda n, length: IPv6Network((n, length), strict=False),
        st.integers(0, 2**128 - 1),
        st.integers(0, 128),
    )
    return v4 | v6


ATTRS = st.builds(
    PathAttrs,
    next_hop=st.none() | st.builds(IPv4Address, st.integers(1, 2**32 - 1)),
    communities=st.lists(uint32, max_size=3).map(tuple),
    large_communities=st.lists(st.tuples(uint32, uint32, uint32), max_size=3).map(tuple),
    local_pref=st.none() | uint32,
    med=st.none() | uint32,
    as_path_prepend=st.lists(uint32, max_size=3).map(tuple),
    link_bandwidth=st.none()
    | st.builds(LinkBandwidth, st.integers(0, 65535), st.floats(0, 1e12, allow_nan=False)),
)


@given(
    st.sampled_from(WIRES),
    st.lists(st.builds(Path, st.builds(PathKey, networks(), uint32), ATTRS), max_size=4),
)
def test_every_path_is_read_as_it_was_written(wire: V3 | V4, paths: list[Path]) -> None:
    message = wire.stream_message(paths, withdraw=False)
    sent = type(message).FromString(message.SerializeToString())
    reader = wire.path_reader()
    assert [reader.read(path) for path in sent.paths] == [
        ObservedPath(key=path.key, attrs=path.attrs, local=True) for path in paths
    ]


@both
def test_a_deletion_always_names_a_path(wire: V3 | V4) -> None:
    key = PathKey(IPv6Network("fd00::1/128"), 9)
    message = wire.delete_message(key)
    read = wire.path_reader().read(message.path)
    assert read is not None
    assert read.key == key
    assert (message.family.afi, message.family.safi) == (2, 1)


@both
def test_a_withdrawal_says_so_and_an_announcement_does_not(wire: V3 | V4) -> None:
    path = Path(PathKey(IPv4Network("192.0.2.1/32")))
    assert [p.is_withdraw for p in wire.stream_message([path], withdraw=True).paths] == [True]
    assert [p.is_withdraw for p in wire.stream_message([path], withdraw=False).paths] == [False]


def test_a_stream_of_4_x_names_the_global_table() -> None:
    assert V4().stream_message([], withdraw=False).table_type == pb4.TABLE_TYPE_GLOBAL


@both
@pytest.mark.parametrize(
    ("prefix", "next_hop"), [("192.0.2.1/32", "0.0.0.0"), ("fd00::1/128", "::")], ids=["IPv4", "IPv6"]
)
def test_no_next_hop_is_the_unspecified_address_of_its_family(
    wire: V3 | V4, prefix: str, next_hop: str
) -> None:
    network = IPv4Network(prefix) if "." in prefix else IPv6Network(prefix)
    (path,) = wire.stream_message([Path(PathKey(network))], withdraw=False).paths
    sent = dict(wire.unpack_attributes(path))
    assert sent["next_hop"].next_hop == next_hop
    assert sent["origin"].origin == 0


def learned(**fields: object) -> pb4.Path:
    path = pb4.Path(
        nlri=pb4.NLRI(prefix=pb4.IPAddressPrefix(prefix="192.0.2.1", prefix_len=32)),
        family=pb4.Family(afi=1, safi=1),
        **fields,  # type: ignore[arg-type]
    )
    path.pattrs.add().next_hop.next_hop = "10.0.0.1"
    return path


@pytest.mark.parametrize(
    ("neighbor", "local"), [("", True), ("<nil>", True), ("invalid IP", True), ("10.0.0.1", False)]
)
def test_a_path_without_a_neighbour_is_ours(neighbor: str, local: bool) -> None:
    read = V4().path_reader().read(learned(neighbor_ip=neighbor))
    assert read is not None
    assert (read.local, read.neighbor) == (local, "" if local else "10.0.0.1")


def test_attributes_that_we_have_no_word_for_are_named() -> None:
    path = learned()
    path.pattrs.add().origin.origin = 2
    path.pattrs.add()
    path.pattrs.add().as_path.segments.add(type=pb4.AsSegment.TYPE_AS_SET, numbers=[1, 2])
    path.pattrs.add().extended_communities.communities.add()
    read = V4().path_reader().read(path)
    assert read is not None
    assert read.foreign == ("as_path", "extended_communities", "origin", "unknown")
    assert read.attrs == PathAttrs(next_hop=IPv4Address("10.0.0.1"), as_path_prepend=(1, 2))


def test_attributes_that_3_x_packs_as_strangers_are_named() -> None:
    path = pb3.Path(family=pb3.Family(afi=1, safi=1))
    V3().pack_nlri(path, "192.0.2.1", 32)
    path.pattrs.append(AnyMessage(type_url="type.googleapis.com/apipb.AggregatorAttribute"))
    read = V3().path_reader().read(path)
    assert read is not None
    assert read.foreign == ("AggregatorAttribute",)


@both
def test_next_hops_are_read_from_mp_reach_path_by_path(wire: V3 | V4) -> None:
    """The reader remembers attributes by their bytes: prefixes inside must not matter, next hops must."""
    reader = wire.path_reader()
    seen = []
    for prefix, next_hop in (("fd00::1", "fd00:a::1"), ("fd00::2", "fd00:a::1"), ("fd00::3", "::")):
        path = wire.pb.Path(family=wire.pb.Family(afi=2, safi=1))
        wire.pack_nlri(path, prefix, 128)
        reach = wire.pb.MpReachNLRIAttribute(next_hops=[next_hop])
        reach.nlris.add()
        wire.pack_attribute(path, "mp_reach", reach)
        read = reader.read(path)
        assert read is not None
        seen.append(read.attrs.next_hop)
    assert seen == [IPv6Address("fd00:a::1"), IPv6Address("fd00:a::1"), None]


def test_families_that_we_do_not_speak_are_left_out() -> None:
    path = learned()
    path.family.safi = 128
    assert V4().path_reader().read(path) is None
