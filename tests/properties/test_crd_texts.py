"""The CRDs' rules for texts refuse nothing that decoding takes."""

import re
from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from openelb_bgp.decode.communities import WELL_KNOWN, community
from openelb_bgp.decode.numbers import virtual_router_ids
from openelb_bgp.decode.pool_text import ranges
from openelb_bgp.kube import texts

_ADDRESSES = st.ip_addresses().map(str) | st.ip_addresses(v=6).map(lambda one: one.exploded)
_PARTS = st.one_of(
    _ADDRESSES,
    st.tuples(_ADDRESSES, st.integers(0, 140)).map(lambda pair: f"{pair[0]}/{pair[1]}"),
    st.tuples(_ADDRESSES, _ADDRESSES).map(lambda pair: f"{pair[0]} - {pair[1]}"),
    st.text("0123456789abcdef:./- ,", max_size=30),
)


@given(st.lists(_PARTS, max_size=4).map(", ".join))
def test_the_rule_takes_every_address_that_decoding_takes(text: str) -> None:
    try:
        ranges(text)
    except ValueError:
        return
    assert re.search(texts.RANGES, text)
    assert not re.search(texts.NEVER_A_SERVICES, text)


@given(st.text("0123456789abcdef:. %eth", max_size=40) | _ADDRESSES)
def test_the_rule_takes_every_neighbour_that_decoding_takes(text: str) -> None:
    try:
        ip_address(text.strip())
    except ValueError:
        return
    assert re.search(texts.NEIGHBOR_OR_BLANK, text)


@given(st.text("0123456789:", max_size=20) | st.sampled_from(sorted(WELL_KNOWN)).map(str.upper))
def test_the_rule_takes_every_community_that_decoding_takes(text: str) -> None:
    try:
        community(text)
    except ValueError:
        return
    assert re.search(texts.COMMUNITY, text)


@given(st.text("0123456789-, ", max_size=20))
def test_the_rule_takes_all_virtual_router_ids_that_decoding_takes(text: str) -> None:
    try:
        virtual_router_ids(text)
    except ValueError:
        return
    assert re.search(texts.VIRTUAL_ROUTER_IDS, text)
