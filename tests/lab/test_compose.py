"""docker-compose*.yml against the topologies that they put into containers: both say the same."""

from collections.abc import Mapping
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.containers.cli import main
from lab.containers.wiring import interface_by_address
from lab.engine.images import IMAGES
from lab.lab import TOPOLOGIES
from lab.topology import Node, load

REPOSITORY = TOPOLOGIES.parent.parent
LABS = {"docker-compose.yml": "ecmp", "docker-compose.lan.yml": "layer2"}
RESERVED = {"net.ipv4.ip_local_reserved_ports": "50052-50053"}
Service = Mapping[str, Any]


@pytest.fixture(params=sorted(LABS))
def file(request: pytest.FixtureRequest) -> Path:
    return REPOSITORY / str(request.param)


def _document(file: Path) -> Any:
    return yaml.safe_load(file.read_text())


def _topology_nodes(file: Path) -> Mapping[str, Node]:
    return {node.name: node for node in load(TOPOLOGIES / f"{LABS[file.name]}.clab.yml").nodes}


def _wired(file: Path) -> Mapping[str, Service]:
    """The services that are a node of the topology, with a network of their own, by that node's name."""
    services = _document(file)["services"].values()
    return {one["command"][1]: one for one in services if "--wire" in one.get("command", ())}


def _given(node: Node) -> set[str]:
    return {line.split()[3] for line in node.exec if line.startswith("ip address add ")}


def test_every_host_of_the_topology_is_there_with_its_addresses(file: Path) -> None:
    nodes = {name: node for name, node in _topology_nodes(file).items() if node.group != "controller"}
    hosts = {name: node for name, node in nodes.items() if _given(node)}
    assert {name: _addresses(file, one) for name, one in _wired(file).items()} == {
        name: {str(ip_interface(address)) for address in _given(node)} for name, node in hosts.items()
    }


def test_sysctls_are_the_topologys(file: Path) -> None:
    nodes = _topology_nodes(file)
    services = _wired(file)
    assert {name: {k: str(v) for k, v in one["sysctls"].items()} for name, one in services.items()} == {
        name: {**RESERVED, **nodes[name].sysctls} for name in services
    }


def test_files_that_the_topology_binds_into_a_node_are_mounted(file: Path) -> None:
    nodes = _topology_nodes(file)
    for name, service in _wired(file).items():
        volumes = (volume.split(":") for volume in service.get("volumes", ()))
        mounted = {(source, target) for source, target, *_ in volumes}
        bound = {
            (f"./{bind.source.relative_to(REPOSITORY)}", str(bind.target))
            for bind in nodes[name].binds
            if bind.source.name != "state"
        }
        # Of several folders of manifests each is mounted below.
        mounted |= {(source, str(Path(target).parent)) for source, target in mounted}
        assert bound <= mounted, name


def test_a_node_is_a_pod_with_gobgpd_or_keepalived_beside_the_speaker(file: Path) -> None:
    services = _document(file)["services"]
    for node in (node.name for node in _topology_nodes(file).values() if node.group == "node"):
        daemons = {name: one for name, one in services.items() if name.startswith(f"{node}-")}
        assert f"{node}-speaker" in daemons
        assert {one["network_mode"] for one in daemons.values()} == {f"service:{node}"}
        runtime = {volume for one in daemons.values() for volume in one["volumes"] if "/run/" in volume}
        assert len(runtime) == 1


def test_nobody_but_who_makes_the_network_may_do_more_than_in_the_manifests(file: Path) -> None:
    services = _document(file)["services"].values()
    ours = [one for one in services if one["build"]["target"] not in ("lab", "router")]
    allowed = {"daemon": ["NET_RAW"], "gobgpd": ["NET_BIND_SERVICE"], "keepalived": ["NET_ADMIN", "NET_RAW"]}
    assert ours
    for service in ours:
        assert service["cap_drop"] == ["ALL"]
        assert set(service["cap_add"]) <= set(allowed[service["build"]["target"]])
        assert service["read_only"] is True
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_images_are_built_from_the_stages_that_the_dockerfile_has(file: Path) -> None:
    services = _document(file)["services"].values()
    assert {(one["image"], one["build"]["target"]) for one in services} <= set(IMAGES.items())
    lines = (REPOSITORY / "Dockerfile").read_text().splitlines()
    stages = [line.split()[3] for line in lines if line.startswith("FROM ")]
    assert set(IMAGES.values()) <= set(stages)
    assert stages[-1] == "daemon"


def test_commands_are_roles_that_there_are(file: Path) -> None:
    for name, service in _wired(file).items():
        role, *arguments = service["command"]
        main.commands[role].make_context(role, list(arguments)).close()
        assert arguments[0] == name


def test_an_address_of_dockers_own_is_nobody_elses(file: Path) -> None:
    taken = {str(ip_interface(one).ip) for node in _topology_nodes(file).values() for one in _given(node)}
    for network in _document(file)["networks"].values():
        for config in network["ipam"]["config"]:
            gateway = ip_address(config["gateway"])
            assert gateway in ip_network(config["subnet"])
            assert str(gateway) not in taken


def test_interfaces_are_known_by_the_addresses_that_exec_gives() -> None:
    nodes = _topology_nodes(REPOSITORY / "docker-compose.yml")
    assert interface_by_address(nodes["client"]) == {"10.20.1.10": "eth1", "10.20.2.10": "eth2"}


def _addresses(file: Path, service: Service) -> set[str]:
    """A service's addresses, with the lengths of the networks that they lie in."""
    networks = _document(file)["networks"]
    found = set()
    for name, given in service["networks"].items():
        for key in ("ipv4_address", "ipv6_address"):
            address = ip_address(given[key])
            subnets = [ip_network(config["subnet"]) for config in networks[name]["ipam"]["config"]]
            (length,) = [net.prefixlen for net in subnets if address in net]
            found.add(f"{address}/{length}")
    return found
