"""The reader of containerlab files: what it understands, and how it refuses."""

from pathlib import Path

import pytest

from lab.errors import TopologyError
from lab.lab import TOPOLOGIES
from lab.topology import Bind, Endpoint, Link, Node, Topology, load, parse

FILE = Path("/labs/some.clab.yml")


def test_reads_nodes_with_what_they_inherit_and_links_in_order() -> None:
    text = """
    name: small
    topology:
      defaults: {kind: linux, sysctls: {a.b: 1, a.c: 1}}
      groups:
        router: {image: frr, binds: ["conf/daemons:/etc/frr/daemons:ro"], sysctls: {a.c: 2}, exec: [first]}
      nodes:
        r1: {group: router, exec: [second], sysctls: {a.d: 3}}
        c1: {image: alpine, env: {NAME: x}, network-mode: "container:r1"}
      links:
        - endpoints: ["r1:eth1", "c1:eth2"]
    """
    assert parse(text, file=FILE) == Topology(
        name="small",
        nodes=(
            Node(
                name="r1",
                group="router",
                image="frr",
                binds=(Bind(source=Path("/labs/conf/daemons"), target=Path("/etc/frr/daemons")),),
                exec=("first", "second"),
                sysctls={"a.b": "1", "a.c": "2", "a.d": "3"},
                env={},
                shares_network_of=None,
            ),
            Node(
                name="c1",
                group="",
                image="alpine",
                binds=(),
                exec=(),
                sysctls={"a.b": "1", "a.c": "1"},
                env={"NAME": "x"},
                shares_network_of="r1",
            ),
        ),
        links=(Link(a=Endpoint("r1", "eth1"), b=Endpoint("c1", "eth2")),),
    )


def _with(node: str = "{image: x}", links: str = "[]") -> str:
    return f"{{name: n, topology: {{defaults: {{kind: linux}}, nodes: {{a: {node}}}, links: {links}}}}}"


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("name: [", "file"),
        ("- a list", "file"),
        ("{name: 1, topology: {nodes: {}}}", "name"),
        ("{name: n}", "topology"),
        ("{name: n, topology: {nodes: []}}", "topology.nodes"),
        ("{name: n, topology: {nodes: {A_b: {}}}}", "topology.nodes.A_b"),
        (_with("{image: x, kind: bridge}"), "topology.nodes.a.kind"),
        (_with("{}"), "topology.nodes.a.image"),
        (_with("{image: x, exec: [ok, 7]}"), "topology.nodes.a.exec[1]"),
        (_with("{image: x, exec: once}"), "topology.nodes.a.exec"),
        (_with("{image: x, binds: [nowhere]}"), "topology.nodes.a.binds[0]"),
        (_with("{image: x, network-mode: host}"), "topology.nodes.a.network-mode"),
        (_with("{image: x, network-mode: 'container:b'}"), "topology.nodes.a.network-mode"),
        (_with(links="[{endpoints: ['a:eth1']}]"), "topology.links[0].endpoints"),
        (_with(links="[{endpoints: ['a:eth1', 'b:eth1']}]"), "topology.links[0].endpoints[1]"),
        (_with(links="[{endpoints: ['a:eth1', 'a:lo']}]"), "topology.links[0].endpoints[1]"),
        (_with(links="[{endpoints: ['a:eth1', 'a:eth1']}]"), "topology.links[0]"),
    ],
)
def test_refuses_naming_the_file_and_the_field(text: str, field: str) -> None:
    with pytest.raises(TopologyError) as caught:
        parse(text, file=FILE)
    assert (caught.value.field, str(caught.value).startswith(f"{FILE}: {field}: ")) == (field, True)


def test_the_ecmp_lab_has_a_leaf_pair_three_nodes_and_a_client(ecmp: Path) -> None:
    topology = load(ecmp)
    roles = {
        group: [node.name for node in topology.in_group(group)] for group in ("router", "node", "client")
    }
    assert roles == {
        "router": ["leaf1", "leaf2"],
        "node": ["node1", "node2", "node3"],
        "client": ["client"],
    }


def test_the_layer2_lab_has_a_client_and_two_nodes_behind_each_of_its_switches() -> None:
    topology = load(TOPOLOGIES / "layer2.clab.yml")
    behind = {
        switch.name: {
            far.node
            for link in topology.links
            for near, far in ((link.a, link.b), (link.b, link.a))
            if near.node == switch.name
        }
        for switch in topology.in_group("switch")
    }
    assert behind == {
        "switch1": {"client", "node1", "node2", "gateway", "controller", "switch2"},
        "switch2": {"client2", "node3", "node4", "switch1"},
    }


@pytest.mark.parametrize("file", sorted(TOPOLOGIES.glob("*.clab.yml")), ids=lambda file: file.name)
def test_every_file_that_a_lab_binds_is_there(file: Path) -> None:
    binds = {bind.source for node in load(file).nodes for bind in node.binds}
    missing = [str(path) for path in binds if not path.exists() and not path.name.endswith("-state")]
    assert missing == []
