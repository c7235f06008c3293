"""The ECMP lab as docker compose brings it up: routes, spread, and what becomes of them when nodes fail."""

import re
from collections.abc import Iterator

import pytest

from lab.engine.engine import Engine
from lab.steps.step import await_value
from tests.containers.kernels import PATIENCE
from tests.containers.site import Site, held_site

pytestmark = pytest.mark.timeout(900)

ROUTERS = ("leaf1", "leaf2")
NODES = ("node1", "node2", "node3")
V4, V6 = "198.51.100.1", "2001:db8:100::10"
BY_V4 = ("10.10.0.11", "10.10.0.12", "10.10.0.13")
BY_V6 = ("fd00:10::11", "fd00:10::12", "fd00:10::13")


@pytest.fixture(scope="module")
def site(engine: Engine) -> Iterator[Site]:
    with held_site(engine, "docker-compose.yml") as site:
        yield site


def _spread(log: str) -> dict[str, list[int]]:
    """By node of the last table that the client printed: how many requests, in all and by pod."""
    rows = re.findall(r"^\s+(node\d)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s*$", log, flags=re.MULTILINE)
    return {node: [int(count) for count in counts] for node, *counts in rows}


def test_the_clients_log_ends_with_the_tours_table(site: Site) -> None:
    code, log = site.await_end("client"), site.log("client")
    assert code == 0, log
    summary = log[log.index("What it cost") :]
    counts = re.findall(r"(IPv[46]): .*?(\d+) +\d+ +(\d+)", summary)
    assert counts == [("IPv4", "300", "0"), ("IPv6", "300", "0")]
    assert "Every step of the tour held." in summary


def test_requests_spread_over_all_nodes_and_pods(site: Site) -> None:
    spread = _spread(site.log("client"))
    assert tuple(spread) == NODES
    for total, *by_pod in spread.values():
        assert total == sum(by_pod) >= 60
        assert all(by_pod)


def test_both_routers_kernels_have_a_next_hop_per_node(site: Site) -> None:
    site.await_next_hops(ROUTERS, V4, BY_V4)
    site.await_next_hops(ROUTERS, V6, BY_V6)


def test_another_client_shows_the_spread_again(site: Site) -> None:
    site.await_end("client")
    said = site.compose("run", "--rm", "client")
    assert tuple(_spread(said)) == NODES
    assert "Every step of the tour held." in said


def test_every_container_is_healthy(site: Site) -> None:
    daemons = [f"{node}-{daemon}" for node in NODES for daemon in ("gobgpd", "speaker")]
    for service in (*NODES, *daemons, "controller"):
        await_value(
            lambda service=service: site.state(service)["Health"]["Status"],  # type: ignore[misc,index]
            lambda status: status == "healthy",
            expected=f"{service} is healthy",
            within=PATIENCE,
        )


def test_daemons_run_with_no_more_rights_than_the_manifests_give(site: Site) -> None:
    status = site.run_in("node1-speaker", "cat", "/proc/1/status")
    rights = dict(re.findall(r"^(CapEff|NoNewPrivs):\s+(\S+)$", status, flags=re.MULTILINE))
    # CAP_NET_RAW is number 13 of capabilities(7).
    assert rights == {"CapEff": f"{1 << 13:016x}", "NoNewPrivs": "1"}


def test_a_gobgpd_that_is_killed_costs_no_route(site: Site) -> None:
    before = site.next_hops("leaf1", V4)
    site.compose("kill", "node1-gobgpd")
    site.compose("up", "--detach", "--no-build", "--no-deps", "node1-gobgpd")
    assert site.next_hops("leaf1", V4) == before == BY_V4
    _await_established(site, "10.10.0.11")
    assert site.next_hops("leaf1", V4) == BY_V4


def test_a_node_that_fails_is_out_of_both_routers_and_comes_back(site: Site) -> None:
    site.run_in("node3", "ip", "link", "set", "eth1", "down")
    site.await_next_hops(ROUTERS, V4, BY_V4[:2])
    site.await_next_hops(ROUTERS, V6, BY_V6[:2])
    site.run_in("node3", "python", "-m", "lab.containers", "wired", "node3", "--wire")
    site.await_next_hops(ROUTERS, V4, BY_V4)
    site.await_next_hops(ROUTERS, V6, BY_V6)
    assert "Every step of the tour held." in site.compose("run", "--rm", "client")


def test_speakers_that_are_stopped_leave_the_routes(site: Site) -> None:
    site.compose("stop", "node2-speaker")
    assert site.next_hops("leaf2", V4) == BY_V4
    site.compose("start", "node2-speaker")


def _await_established(site: Site, peer: str) -> None:
    await_value(
        lambda: site.run_in("leaf1", "vtysh", "-c", f"show bgp neighbors {peer}"),
        lambda said: "BGP state = Established" in said,
        expected=f"leaf1's session with {peer} is up",
        within=PATIENCE,
    )
