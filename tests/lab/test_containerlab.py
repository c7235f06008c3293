"""The topologies as containerlab takes them: by its rules, with images that can do what is asked of them."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.containers.cli import main
from lab.lab import TOPOLOGIES
from lab.topology import load
from tests.lab.clab_rules import problems

FILES = sorted(TOPOLOGIES.glob("*.clab.yml"))
FRR = re.compile(r"frrouting/frr:v\d+\.\d+\.\d+")


@pytest.fixture(params=FILES, ids=lambda file: file.name)
def file(request: pytest.FixtureRequest) -> Path:
    assert isinstance(request.param, Path)
    return request.param


def test_there_are_topologies_to_check() -> None:
    assert [file.name for file in FILES] == ["ecmp.clab.yml", "layer2.clab.yml"]


def test_containerlab_has_nothing_against_it(file: Path) -> None:
    assert problems(yaml.safe_load(file.read_text()), folder=file.parent) == []


def test_every_image_is_one_of_ours_or_frrs_own(file: Path) -> None:
    ours = {f"{name}:latest" for name in ("openelb-bgp", "openelb-bgp-lab")}
    images = {node.image for node in load(file).nodes}
    assert {image for image in images if not FRR.fullmatch(image)} <= ours


def test_a_container_of_the_lab_image_runs_a_role_that_there_is(file: Path) -> None:
    document = yaml.safe_load(file.read_text())
    for name, command in _commands(document, image="openelb-bgp-lab:latest").items():
        role, *arguments = command.split()
        assert role in main.commands, name
        main.commands[role].make_context(role, arguments).close()
        assert arguments[:1] in ([], [name.removesuffix("-proxy")])


def test_exec_runs_no_shell_and_needs_only_ip(file: Path) -> None:
    lines = [line for node in load(file).nodes for line in node.exec]
    assert {line.split()[0] for line in lines} == {"ip"}
    assert not [line for line in lines if set(line) & set("|&;<>$`")]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"name": "a lab"}, "name: 'a lab'"),
        ({"version": 2}, "a file has a name and a topology, and nothing else"),
        ({"topology": {"nodes": {}, "switches": {}}}, "topology.switches: unknown"),
        ({"topology": {"nodes": {"a b": {}}}}, "topology.nodes: 'a b' is no name"),
        ({"topology": {"nodes": {"a": {"kind": "docker"}}}}, "nodes.a.kind: 'docker'"),
        ({"topology": {"nodes": {"a": {"exec": []}}}}, "nodes.a.exec: []"),
        ({"topology": {"nodes": {"a": {"ports": ["80"]}}}}, "nodes.a.ports: unknown"),
        ({"topology": {"nodes": {"a": {"binds": ["none:/x"]}}}}, "nodes.a.binds: none is not there"),
        ({"topology": {"nodes": {"a": {"network-mode": "bridge"}}}}, "nodes.a.network-mode: 'bridge'"),
        (
            {"topology": {"nodes": {"a": {"network-mode": "container:b"}}}},
            "nodes.a.network-mode: there is no such node",
        ),
        ({"topology": {"nodes": {"a": None}, "links": [{"endpoints": ["a:x", "b:x"]}]}}, "links[0]: b:x"),
    ],
)
def test_the_rules_refuse(change: Mapping[str, Any], problem: str, tmp_path: Path) -> None:
    assert problems({"name": "lab", "topology": {"nodes": {}}, **change}, folder=tmp_path) == [problem]


def _commands(document: Any, *, image: str) -> Mapping[str, str]:
    """What each container of an image is told to run, by node."""
    topology = document["topology"]
    found = {}
    for name, own in topology["nodes"].items():
        merged = topology["defaults"] | topology["groups"].get(own.get("group"), {}) | own
        if merged["image"] == image:
            found[name] = merged["cmd"]
    return found
