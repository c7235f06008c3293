"""On which interface of a node an address is answered for, and the reason where it is on none."""

from ipaddress import ip_address, ip_interface
from typing import Any

import pytest

from openelb_bgp.decode.pool_text import interfaces, ranges
from openelb_bgp.interfaces import choose, own_addresses, targets
from openelb_bgp.model.cluster import Node
from openelb_bgp.model.facts import Facts, Gateway, Link
from openelb_bgp.model.meta import Meta
from openelb_bgp.model.pools import Eip, Layer2Settings, Protocol
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.snapshot import Snapshot

ADDRESS = ip_address("10.0.0.100")
ROUTER, STRANGE = ip_address("10.0.0.1"), ip_address("192.0.2.1")


def link(name: str, *addresses: str, up: bool = True) -> Link:
    index = sum(map(ord, name))
    return Link(name=name, index=index, up=up, addresses=tuple(map(ip_interface, addresses)))


LINKS = (
    link("lo", "127.0.0.1/8"),
    link("eth1", "10.0.0.12/24", "fe80::12/64", up=False),
    link("eth0", "10.0.0.11/24", "fd00:a::11/64", "fe80::11/64"),
    link("bond0", "172.16.0.11/16", "10.0.0.77/32"),
    link("kube-ipvs0", "10.0.0.100/32"),
)
FACTS = Facts(
    node="node1",
    now=0.0,
    links=LINKS,
    gateways=(Gateway(4, 0, "172.16.0.1", "bond0"),),
    routes={ROUTER: "eth0", STRANGE: "", ip_address("10.0.0.11"): "lo"},
)
SNAPSHOT = Snapshot(nodes={"node2": Node(meta=Meta(name="node2"), addresses=(ip_address("10.0.0.12"),))})


def pool(interface: str = "", *, any_subnet: bool = False, **changes: Any) -> Eip:
    return Eip(
        meta=Meta(name="lan"),
        ranges=ranges("10.0.0.100-10.0.0.110"),
        protocol=Protocol.LAYER2,
        interfaces=interfaces(interface),
        layer2=Layer2Settings(any_subnet=any_subnet),
        **changes,
    )


def chosen(interface: str = "", address: str = str(ADDRESS), **changes: Any) -> list[str] | Reason:
    """The names of the chosen links, or the Reason."""
    one = pool(interface, **changes)
    snapshot = Snapshot(nodes=SNAPSHOT.nodes, eips={"lan": one})
    found = choose(one, FACTS, snapshot).of(ip_address(address))
    return found.reason if isinstance(found, Refused) else [one.name for one in found]


@pytest.mark.parametrize("interface", ["", "auto", "eth0", "eth0,eth1", "eth*", "can_reach:10.0.0.1"])
def test_the_nic_that_is_named_or_has_the_subnet_is_chosen_where_it_is_up(interface: str) -> None:
    assert chosen(interface) == ["eth0"]
    if not interface.startswith("can_reach"):
        assert chosen(interface, "fd00:a::100") == ["eth0"]


@pytest.mark.parametrize(
    ("interface", "address", "reason"),
    [
        pytest.param("eth7", "10.0.0.100", Reason.NO_INTERFACE, id="no such interface"),
        pytest.param("lo", "127.0.0.5", Reason.NO_INTERFACE, id="lo is no NIC"),
        pytest.param("kube*", "10.0.0.100", Reason.NO_INTERFACE, id="kube-proxy's interface is no NIC"),
        pytest.param("eth1", "10.0.0.100", Reason.INTERFACE_DOWN, id="none is up"),
        pytest.param("bond0", "10.0.0.100", Reason.NO_SUBNET, id="outside the subnets of the one named"),
        pytest.param("", "192.0.2.7", Reason.NO_SUBNET, id="in no subnet of the node"),
        pytest.param("", "10.0.0.77", ["eth0"], id="a single address of a NIC is no subnet"),
        pytest.param("", "10.0.0.11", Reason.ADDRESS_OF_NODE, id="the node's own address"),
        pytest.param("can_reach:192.0.2.1", "10.0.0.100", Reason.NO_INTERFACE, id="a route to nowhere"),
        pytest.param("can_reach:10.0.0.11", "10.0.0.100", Reason.NO_INTERFACE, id="a route by lo"),
        pytest.param("can_reach:10.0.0.12", "10.0.0.100", Reason.NO_INTERFACE, id="an address of a node"),
        pytest.param("can_reach:10.0.0.105", "10.0.0.100", Reason.NO_INTERFACE, id="an address of a pool"),
        pytest.param("can_reach:10.0.0.9", "10.0.0.100", Reason.WAITING_FOR_SYNC, id="not looked for yet"),
    ],
)
def test_each_refusal_has_its_reason(interface: str, address: str, reason: Reason | list[str]) -> None:
    assert chosen(interface, address) == reason


def test_any_subnet_takes_the_nics_named_or_else_that_of_the_default_route() -> None:
    assert chosen("eth0,bond0", "192.0.2.7", any_subnet=True) == ["bond0", "eth0"]
    assert chosen("", "192.0.2.7", any_subnet=True) == ["bond0"]
    assert chosen("", "2001:db8::7", any_subnet=True) == Reason.NO_INTERFACE
    assert chosen("", any_subnet=True) == ["eth0"]


def test_an_address_outside_is_told_which_subnets_there_are() -> None:
    found = choose(pool("eth0"), FACTS, SNAPSHOT).of(ip_address("192.0.2.7"))
    assert found == Refused(
        Reason.NO_SUBNET,
        "192.0.2.7 lies in no subnet of node node1 (eth0 has 10.0.0.0/24, fd00:a::/64); choose addresses of "
        "the LAN, or set spec.layer2.anySubnet of Eip lan",
    )


def test_what_others_put_on_a_nic_singly_is_no_address_of_the_node() -> None:
    assert {str(one) for one in own_addresses(FACTS)} == {
        "10.0.0.11",
        "10.0.0.12",
        "172.16.0.11",
        "fd00:a::11",
        "fe80::11",
        "fe80::12",
    }


def test_the_routes_to_look_for_are_those_that_pools_name() -> None:
    assert targets([pool("can_reach:10.0.0.1"), pool("eth0"), pool("can_reach:fd00::1")]) == {
        ip_address("10.0.0.1"),
        ip_address("fd00::1"),
    }
