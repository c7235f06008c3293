"""Stand-ins, seen in the routers' tables and kernels: who is advertised by whom, and when no longer."""

import time
from collections.abc import Iterable, Iterator

import pytest

from lab import kernel
from lab.frr import Router
from lab.lab import Lab
from lab.steps.step import addresses, await_hops, await_sessions, await_value
from openelb_bgp.model.meta import Kind
from tests.lab.changes import Change, RouteChanges
from tests.lab.conftest import STAND_IN_AFTER

NODES = {"node1": "10.10.0.11", "node2": "10.10.0.12", "node3": "10.10.0.13"}
ALL = frozenset(NODES)
SURE = STAND_IN_AFTER + 4.0
"""Seconds after which a stand-in that is wrong would have been advertised: the delay, and three probes."""


@pytest.fixture
def address(hasty: Lab) -> str:
    """The Cluster Service's IPv4 address, advertised by every node for itself."""
    ip, _ = addresses(hasty, "web")
    await_sessions(hasty)
    await_advertised(hasty, ip, {(node, node) for node in NODES})
    await_hops(hasty, ip, NODES)
    return ip


@pytest.fixture
def firewalled(hasty: Lab, address: str) -> Iterator[str]:
    """A node whose BGP is dropped while its data plane works."""
    kernel.firewall(hasty.space("node3"), tcp_port=179)
    yield "node3"
    kernel.unfirewall(hasty.space("node3"))


def advertised(router: Router, address: str) -> frozenset[tuple[str, str]]:
    """Which node's next hop was sent by which node's speaker."""
    names = {ip: node for node, ip in NODES.items()}
    return frozenset((names[hop], names[peer]) for hop, peer in router.paths(f"{address}/32"))


def await_advertised(lab: Lab, address: str, pairs: Iterable[tuple[str, str]]) -> None:
    wanted = dict.fromkeys(lab.routers, frozenset(pairs))
    await_value(
        lambda: {name: advertised(router, address) for name, router in lab.routers.items()},
        lambda seen: seen == wanted,
        expected=f"(next hop, speaker) are {sorted(wanted['leaf1'])} in both routers",
    )


def standing_in(lab: Lab) -> dict[str, list[str]]:
    """Whom each speaker says that it stands in for."""
    return {
        item["metadata"]["name"]: item["status"].get("standingInFor", [])
        for item in lab.desk.objects(Kind.SPEAKER)
    }


def test_a_node_without_sessions_is_advertised_by_two_others_and_by_none_after_its_return(
    hasty: Lab, address: str, firewalled: str
) -> None:
    own = {(node, node) for node in ("node1", "node2")}
    await_advertised(hasty, address, own | {(firewalled, "node1"), (firewalled, "node2")})
    await_hops(hasty, address, NODES)
    await_value(
        lambda: standing_in(hasty),
        lambda seen: seen == {"node1": ["node3"], "node2": ["node3"], "node3": []},
        expected="the speakers say so",
    )
    with RouteChanges(hasty, address) as changes:
        kernel.unfirewall(hasty.space(firewalled))
        await_advertised(hasty, address, own | {(firewalled, firewalled)})
        await_value(
            lambda: standing_in(hasty),
            lambda seen: seen == {"node1": [], "node2": [], "node3": []},
            expected="no speaker stands in",
        )
    assert {change.next_hops for change in changes.all} <= {ALL}


def test_nobody_stands_in_for_a_node_whose_data_interface_is_dead_though_it_is_ready(
    hasty: Lab, address: str
) -> None:
    fabric = hasty.space("fabric")
    try:
        kernel.set_link(fabric, "eth5", up=False)
        await_hops(hasty, address, ("node1", "node2"))
        with RouteChanges(hasty, address) as changes:
            # There is no event to wait for: this is the time in which a stand-in would have begun.
            time.sleep(SURE)
        seen = [advertised(router, address) for router in hasty.routers.values()]
    finally:
        kernel.set_link(fabric, "eth5", up=True)
    assert (seen, changes.all) == ([frozenset({("node1", "node1"), ("node2", "node2")})] * 2, ())


def test_a_router_that_restarts_makes_nobody_stand_in_and_the_other_router_sees_nothing(
    hasty: Lab, address: str
) -> None:
    leaf1 = hasty.routers["leaf1"]
    with RouteChanges(hasty, address) as changes:
        leaf1.process("bgpd").kill()
        assert leaf1.process("bgpd").ended(within=30.0)
        # Away for longer than it takes to stand in.
        time.sleep(STAND_IN_AFTER + 1.0)
        leaf1.restart_bgpd()
        seen = _advertised_until_settled(hasty, leaf1, address)
    assert seen <= {(node, node) for node in NODES}
    assert [change for change in changes.all if change.router == "leaf2"] == []
    assert changes.all[-1] == Change("leaf1", ALL)


def test_speakers_that_all_restart_make_no_route_flap(hasty: Lab, address: str) -> None:
    with RouteChanges(hasty, address) as changes:
        for node in NODES:
            hasty.speaker(node).kill()
        for node in NODES:
            assert hasty.speaker(node).ended(within=30.0)
            hasty.start_speaker(node)
        seen = {
            pair
            for router in hasty.routers.values()
            for pair in _advertised_until_settled(hasty, router, address)
        }
    assert (seen, changes.all) == ({(node, node) for node in NODES}, ())


def _advertised_until_settled(lab: Lab, router: Router, address: str) -> set[tuple[str, str]]:
    """All that was ever advertised until sessions are up and a stand-in would have begun."""
    seen: set[tuple[str, str]] = set()
    settled = None
    while settled is None or time.monotonic() < settled + SURE:
        seen |= advertised(router, address)
        if settled is None and len(router.established()) == 2 * len(NODES):
            settled = time.monotonic()
        time.sleep(0.1)
    await_advertised(lab, address, {(node, node) for node in NODES})
    return seen
