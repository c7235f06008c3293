"""`openelb-bgp run` on one machine, and the walk-through of a router that peers with a single node."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import kernel
from lab.lab import Lab, held_lab
from lab.manifests import Object, edit, remove
from lab.steps.local import place_pods
from lab.steps.step import addresses, await_value, expect_none_lost
from lab.traffic import under_load
from tests.lab.changes import RouteChanges

WITHIN = 15.0
"""Seconds from the session to all next hops, as the contract has it."""


@pytest.fixture(scope="module")
def alone(ecmp: Path) -> Iterator[Lab]:
    """`run` on node1, and no speaker on any other node."""
    with held_lab(ecmp) as lab:
        lab.copy_manifests()
        lab.start_run("node1")
        lab.start_kubeproxy()
        yield lab


def _next_hops(lab: Lab, address: str, router: str) -> list[str]:
    hops = kernel.next_hops(lab.routers[router].namespace, address)
    return sorted(lab.node_by_address[hop.via] for hop in hops)


def _await_next_hops(
    lab: Lab, address: str, *nodes: str, router: str = "leaf1", within: float = 60.0
) -> None:
    await_value(
        lambda: _next_hops(lab, address, router),
        lambda seen: seen == list(nodes),
        expected=f"next hops of {address} in {router}: {nodes}",
        within=within,
    )


def _await_session(lab: Lab, peer: str, router: str = "leaf1") -> float:
    """Wait for the session; when it was first seen up."""
    await_value(
        lab.routers[router].established, lambda up: peer in up, expected=f"{router}'s session with {peer}"
    )
    return time.monotonic()


def test_run_announces_its_own_node_and_stands_in_for_those_without_a_speaker(alone: Lab) -> None:
    address, _ = addresses(alone, "web")
    for router in alone.routers:
        _await_session(alone, "10.10.0.11", router)
        _await_next_hops(alone, address, "node1", "node2", "node3", router=router)


def test_two_labs_with_the_same_addresses_do_not_know_of_each_other(alone: Lab, ecmp: Path) -> None:
    address, _ = addresses(alone, "web")
    with RouteChanges(alone, address) as changes, held_lab(ecmp) as other:
        other.copy_manifests()
        other.start_run("node2")
        _await_session(other, "10.10.0.12")
        _await_next_hops(other, address, "node1", "node2", "node3")
        assert other.find_gobgpd("node1") is None
    assert changes.all == ()


def test_run_that_gets_sigterm_leaves_its_routes_and_one_started_again_in_time_loses_nothing(
    alone: Lab,
) -> None:
    address, _ = addresses(alone, "web")
    for router in alone.routers:
        _await_next_hops(alone, address, "node1", "node2", "node3", router=router)
    with under_load(alone.client, address) as load, RouteChanges(alone, address) as changes:
        alone.processes.stop("node1-run", within=30.0)
        gobgpd = alone.find_gobgpd("node1")
        time.sleep(2.0)
        alone.start_run("node1")
        for router in alone.routers:
            _await_session(alone, "10.10.0.11", router)
        for router in alone.routers:
            _await_next_hops(alone, address, "node1", "node2", "node3", router=router)
    expect_none_lost(load.tally())
    assert gobgpd is None
    assert [change for change in changes.all if "node1" not in change.next_hops] == []


@pytest.fixture(scope="module")
def walked(ecmp: Path) -> Iterator[Lab]:
    """The walk-through of OpenELB's manual: AS 50000 on port 17900, and a router that knows node1 only."""
    with held_lab(ecmp) as lab:
        leaf1 = lab.routers["leaf1"]
        leaf1.configure(
            "no router bgp 65001",
            "router bgp 50001",
            *(
                "bgp router-id 10.10.0.1",
                "no bgp ebgp-requires-policy",
                "bgp bestpath as-path multipath-relax",
            ),
            *("neighbor 10.10.0.11 remote-as 50000", "neighbor 10.10.0.11 port 17900"),
            *("neighbor 10.10.0.11 timers connect 1", "address-family ipv4 unicast", "maximum-paths 16"),
        )
        lab.copy_manifests()
        manifests = lab.paths.manifests
        edit(manifests, "BgpConf", "default", _as_in_the_manual)
        edit(manifests, "BgpPeer", "leaf1", lambda peer: peer["spec"]["conf"].update(peerAs=50001))
        for peer in ("leaf1-v6", "leaf2", "leaf2-v6"):
            remove(manifests, "BgpPeer", peer)
        lab.start_daemons()
        yield lab


def _as_in_the_manual(conf: Object) -> None:
    conf["spec"] = {"as": 50000, "listenPort": 17900}


def test_a_router_with_one_neighbour_gets_a_next_hop_per_node_within_15_seconds(walked: Lab) -> None:
    up = _await_session(walked, "10.10.0.11")
    address, _ = addresses(walked, "web")
    _await_next_hops(walked, address, "node1", "node2", "node3")
    assert time.monotonic() - up < WITHIN


def test_a_local_service_gets_the_two_nodes_of_its_pods_though_the_neighbour_is_not_among_them(
    walked: Lab,
) -> None:
    _await_session(walked, "10.10.0.11")
    address, _ = addresses(walked, "web-local")
    place_pods(walked, ready=(2, 3))
    _await_next_hops(walked, address, "node2", "node3", within=WITHIN)
