"""Shortcuts say what the long way says."""

from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st

from openelb_bgp.model.addresses import (
    Address,
    Family,
    Network,
    network_number,
    number_of_holder,
    text_of,
)

addresses = st.one_of(st.integers(0, 2**32 - 1).map(IPv4Address), st.integers(0, 2**128 - 1).map(IPv6Address))
networks = st.builds(
    lambda address, length: Family.of(address).network(int(address), min(length, address.max_prefixlen)),
    addresses,
    st.integers(0, 128),
)


@given(addresses)
def test_the_text_of_an_address_is_its_text(address: Address) -> None:
    assert text_of(address) == str(address)


@given(networks, networks)
def test_networks_have_the_same_number_if_they_are_the_same(one: Network, other: Network) -> None:
    assert (network_number(one) == network_number(other)) == (one == other)


@given(addresses, st.integers(0, 128))
def test_the_network_around_an_address_is_known_by_its_number_alone(address: Address, length: int) -> None:
    family, shorter = Family.of(address), min(length, address.max_prefixlen)
    host = network_number(family.network(int(address), family.bits))
    holder = family.network(int(address), shorter)
    assert number_of_holder(host, shorter, family.bits) == network_number(holder)


@given(st.integers(0, 31), st.sampled_from([1, 96]))
def test_networks_of_one_address_differ_in_number_by_length_and_family(length: int, longer: int) -> None:
    nets = [Family.IPV4.network(0, length), Family.IPV4.network(0, length + 1)]
    nets += [Family.IPV6.network(0, length), Family.IPV6.network(0, length + longer)]
    assert len({network_number(net) for net in nets}) == 4
