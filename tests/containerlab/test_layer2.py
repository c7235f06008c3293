"""The LAN lab as containerlab deploys it: one node answers for an address, or another if it is cut off."""

import json
from collections.abc import Iterator, Mapping

import pytest

from lab.containers.client import Client
from lab.engine.engine import Engine
from lab.errors import LabError
from lab.steps.step import await_value
from tests.containerlab.deployment import Deployment, held_deployment
from tests.containers.kernels import PATIENCE

pytestmark = pytest.mark.timeout(900)

NODES = ("node1", "node2", "node3", "node4")
CLIENTS = ("client", "client2")


@pytest.fixture(scope="module")
def lab(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with held_deployment(engine, "layer2", tmp_path_factory.mktemp("clab")) as deployment:
        yield deployment


@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_requests_reach_all_pods_by_way_of_nodes(family: str, client: Client) -> None:
    # An address may still move while nodes join.
    ways = {row[0] for row in client.spread(family).rows}
    assert ways
    assert ways <= set(NODES)


def test_a_client_behind_each_switch_is_answered_by_the_same_node(lab: Deployment, client: Client) -> None:
    address = _address(client)
    await_value(
        lambda: {one: _answering(lab, one, address) for one in CLIENTS},
        lambda nodes: len(set(nodes.values()) & set(NODES)) == len(set(nodes.values())) == 1,
        expected=f"one node answers for {address}, whoever asks",
        within=PATIENCE,
    )


def test_another_node_answers_once_the_owner_is_cut_off(lab: Deployment, client: Client) -> None:
    address = _address(client)
    owner = _answering(lab, "client", address)
    lab.plug(owner, into_lan=False)
    try:
        await_value(
            lambda: {_answering(lab, one, address) for one in CLIENTS},
            lambda nodes: len(nodes) == 1 and nodes <= set(NODES) - {owner},
            expected=f"another node than {owner} answers for {address}",
            within=PATIENCE,
        )
    finally:
        lab.plug(owner, into_lan=True)


def test_nothing_is_left_of_a_lab_that_was_destroyed(lab: Deployment) -> None:
    before = lab.remains()
    assert {lab.container(node.name) for node in lab.topology.nodes} <= set(before)
    lab.destroy()
    assert lab.remains() == []


def _address(client: Client) -> str:
    return str(next(row[1] for row in client.comes_up().rows if row[0] == "IPv4"))


def _answering(lab: Deployment, client: str, address: str) -> str:
    """The node whose MAC the client has for an address that has just answered it; none if none has."""
    try:
        lab.run_in(client, "curl", "-fsm1", "-o", "/dev/null", f"http://{address}/")
        known = json.loads(lab.run_in(client, "ip", "-json", "neigh", "show", "to", address))
    except LabError:
        return ""
    return next((_nodes(lab).get(entry.get("lladdr", ""), "") for entry in known), "")


def _nodes(lab: Deployment) -> Mapping[str, str]:
    """The nodes by the MACs that they have on the LAN."""
    return {lab.run_in(node, "cat", "/sys/class/net/eth1/address").strip(): node for node in NODES}
