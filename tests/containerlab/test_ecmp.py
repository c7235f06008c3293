"""The ECMP lab as containerlab deploys it: routes, spread, a lost node, and what is left at the end."""

from collections.abc import Iterator
from functools import partial

import pytest

from lab.containers.client import Client
from lab.engine.engine import Engine
from lab.steps.step import await_value
from tests.containerlab.deployment import Deployment, held_deployment
from tests.containers.kernels import PATIENCE

pytestmark = pytest.mark.timeout(900)

ROUTERS = ("leaf1", "leaf2")
NODES = ("node1", "node2", "node3")
PODS = {"pod1", "pod2", "pod3"}
V4, V6 = "198.51.100.1", "2001:db8:100::10"
BY_V4 = ("10.10.0.11", "10.10.0.12", "10.10.0.13")
BY_V6 = ("fd00:10::11", "fd00:10::12", "fd00:10::13")


@pytest.fixture(scope="module")
def lab(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with held_deployment(engine, "ecmp", tmp_path_factory.mktemp("clab")) as deployment:
        # Requests before that would be spread over the nodes that are there.
        deployment.await_next_hops(ROUTERS, V4, BY_V4)
        deployment.await_next_hops(ROUTERS, V6, BY_V6)
        yield deployment


@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_requests_spread_over_all_nodes_and_pods(family: str, client: Client) -> None:
    rows = client.spread(family).rows
    assert tuple(row[0] for row in rows) == NODES
    for _, total, *by_pod in rows:
        assert isinstance(total, int)
        assert total == sum(count for count in by_pod if isinstance(count, int)) >= 60
        assert all(by_pod)


def test_both_routers_kernels_have_a_next_hop_per_node(lab: Deployment) -> None:
    lab.await_next_hops(ROUTERS, V4, BY_V4)
    lab.await_next_hops(ROUTERS, V6, BY_V6)


def test_the_routers_configuration_is_the_one_that_is_bound(lab: Deployment) -> None:
    for router in ROUTERS:
        said = lab.run_in(router, "vtysh", "-c", "show running-config")
        assert f"hostname {router}" in said
        assert "neighbor 10.10.0.13 peer-group nodes" in said


def test_daemons_find_themselves_healthy(lab: Deployment) -> None:
    for node in (*NODES, "controller"):
        await_value(
            partial(_health, lab, node),
            lambda status: status == "healthy",
            expected=f"{node} is healthy",
            within=PATIENCE,
        )


def test_a_node_that_is_lost_is_out_of_both_routers_and_comes_back(lab: Deployment, client: Client) -> None:
    lab.plug("node3", into_lan=False)
    lab.await_next_hops(ROUTERS, V4, BY_V4[:2])
    lab.await_next_hops(ROUTERS, V6, BY_V6[:2])
    lab.plug("node3", into_lan=True)
    lab.await_next_hops(ROUTERS, V4, BY_V4)
    lab.await_next_hops(ROUTERS, V6, BY_V6)
    client.comes_up()


def test_nothing_is_left_of_a_lab_that_was_destroyed(lab: Deployment) -> None:
    before = lab.remains()
    assert {lab.container(node.name) for node in lab.topology.nodes} <= set(before)
    lab.destroy()
    assert lab.remains() == []


def _health(lab: Deployment, node: str) -> str:
    return lab.engine.docker("inspect", "--format", "{{.State.Health.Status}}", lab.container(node)).strip()
