"""What is misconfigured on a LAN with layer2 pools, and what each real speaker and the Services say of it."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab import daemons, manifests
from lab.faults import far_end
from lab.lab import Lab, held_lab
from lab.manifests import Object
from lab.shell import wait_until
from lab.steps.lan.crowd import addresses_of
from lab.steps.lan.look import LAYER2, await_one_each, reported
from lab.steps.step import await_value
from lab.tours import TOURS
from openelb_bgp.model import keys
from openelb_bgp.model.meta import Kind

PATIENCE = 120.0
PORT = 7946


@pytest.fixture(scope="module")
def running() -> Iterator[Lab]:
    with held_lab(TOURS["layer2"].topology) as lab:
        lab.start_daemons()
        await_one_each(lab, LAYER2, addresses_of(lab, "web"))
        yield lab


def pool(name: str, address: str, **spec: Any) -> Object:
    return {
        "apiVersion": "network.kubesphere.io/v1alpha2",
        "kind": "Eip",
        "metadata": {"name": name},
        "spec": {"address": address, "protocol": "layer2", **spec},
    }


def service_of(eip: str, name: str) -> list[Object]:
    """A Service that wants an address of that pool, with a pod on every node."""
    slices: Object = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080}],
        "endpoints": [{"addresses": ["10.244.1.10"], "nodeName": "node1", "conditions": {"ready": True}}],
    }
    annotations = {keys.MANAGED_ANNOTATION: keys.MANAGED_VALUE, "eip.openelb.kubesphere.io/v1alpha2": eip}
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "annotations": annotations},
            "spec": {"type": "LoadBalancer", "ports": [{"name": "http", "port": 80}]},
        },
        slices,
    ]


@contextmanager
def written(lab: Lab, *documents: Object) -> Iterator[None]:
    """These objects stand in a file of their own."""
    manifests.write(lab.paths.manifests, "faults", documents)
    try:
        yield
    finally:
        manifests.delete(lab.paths.manifests, "faults")


def announced(lab: Lab, name: str) -> Mapping[str, str]:
    """The condition Announced of a Service; empty while there is none."""
    for service in lab.desk.objects(Kind.SERVICE):
        if service["metadata"]["name"] == name:
            for one in service.get("status", {}).get("conditions", ()):
                if one["type"] == keys.ANNOUNCED_CONDITION:
                    return dict(one)
    return {}


def problems(lab: Lab, node: str) -> Mapping[str, str]:
    """What a node's Speaker says is wrong, by reason."""
    speakers = {one["metadata"]["name"]: one for one in lab.desk.objects(Kind.SPEAKER)}
    said = speakers.get(node, {}).get("status", {}).get("problems", ())
    return {one["reason"]: one["message"] for one in said}


def await_problem(lab: Lab, node: str, reason: str) -> str:
    what = f"{reason} of {node}"
    return wait_until(lambda: problems(lab, node).get(reason), within=PATIENCE, what=what)


@pytest.mark.parametrize(
    ("name", "spec", "reason", "said"),
    [
        (
            "no-such-interface",
            {"address": "10.10.3.0/28", "interface": "eth9"},
            "NoInterface",
            "node1 has no interface eth9; it has eth1, eth2",
        ),
        (
            "can-reach-nowhere",
            {"address": "10.10.3.16/28", "interface": "can_reach:203.0.113.1"},
            "NoInterface",
            "node1 has no route to 203.0.113.1",
        ),
        (
            "another-subnet",
            {"address": "198.18.0.0/28"},
            "NoSubnet",
            "198.18.0.0 lies in no subnet of node node1 (eth1 has 10.10.0.0/22",
        ),
    ],
)
def test_nobody_announces_it_and_its_condition_says_why(
    running: Lab, name: str, spec: dict[str, Any], reason: str, said: str
) -> None:
    for node in running.nodes:
        running.space(node).run("ip", "route", "replace", "unreachable", "203.0.113.0/24")

    def condition() -> Mapping[str, str] | None:
        found = announced(running, name)
        return found if found.get("reason") == reason and said in found["message"] else None

    with written(running, pool(name, **spec), *service_of(name, name)):
        found = wait_until(condition, within=PATIENCE, what=f"{name} with the reason {reason}")
        assert found["status"] == "False"
        assert reason in running.look("layer2")


def test_addresses_that_nodes_have_are_given_to_nobody(running: Lab) -> None:
    documents = [one for name in ("first", "second") for one in service_of("covering", name)]

    def given() -> list[str] | None:
        known = running.addresses()
        found = [address for name in ("first", "second") for address in known.get(f"default/{name}", ())]
        return sorted(found) if len(found) == 2 else None

    # The nodes have 10.10.0.11 to 10.10.0.14.
    with written(running, pool("covering", "10.10.0.10-10.10.0.15"), *documents):
        assert wait_until(given, within=PATIENCE, what="two addresses") == ["10.10.0.10", "10.10.0.15"]


def restarted(lab: Lab, node: str, *flags: str, prefix: tuple[str, ...] = ()) -> None:
    """A node's speaker ends, and is started with these flags, or by another program."""
    command = daemons.speaker(lab.paths, node, *flags)
    lab.processes.stop(command.name)
    lab.processes.start(command.name, lab.space(node).argv(*prefix, *command.argv), env=command.env)


def test_without_the_capability_for_raw_sockets_it_is_named_and_others_answer(running: Lab) -> None:
    every = addresses_of(running, "shop", "web")
    restarted(running, "node1", prefix=("setpriv", "--bounding-set", "-net_raw"))
    assert "NET_RAW" in await_problem(running, "node1", "RawSocketsImpossible")
    held = await_one_each(running, LAYER2, every, among=("node2", "node3", "node4"))
    assert "node1" not in held.values()
    restarted(running, "node1")
    await_one_each(running, LAYER2, every)


def test_a_port_that_is_taken_is_named_with_the_remedy(running: Lab) -> None:
    def bound() -> socket.socket:
        made = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        made.bind(("::", PORT))
        return made

    running.processes.stop("node2-speaker")
    with running.space("node2").call(bound):
        running.start_speaker("node2")
        said = await_problem(running, "node2", "ListenPortTaken")
    assert str(PORT) in said and "--bind-port" in said
    every = addresses_of(running, "shop", "web")
    await_one_each(running, LAYER2, every)


PORT_SECURITY = """
table bridge oelb_guard {
 chain forward {
  type filter hook forward priority filter; policy accept;
  iifname "%s" arp saddr ip != 10.10.0.11 drop
  iifname "%s" icmpv6 type nd-neighbor-advert drop
 }
}
"""


def test_a_switch_that_drops_what_is_not_the_nics_own_is_told_by_another_node(running: Lab) -> None:
    names = [f"guarded-{number}" for number in range(12)]
    port = far_end(running, "node1")
    switch = running.space(port.node)
    switch.run("nft", "-f", "-", stdin=PORT_SECURITY % (port.interface, port.interface))
    try:
        running.desk.add_services(names, like="shop")
        wait_until(lambda: not_heard(running) or None, within=PATIENCE, what="NotHeard")
        assert set(not_heard(running)) <= set(names)
    finally:
        switch.run("nft", "delete", "table", "bridge", "oelb_guard")
    wait_until(lambda: not not_heard(running), within=PATIENCE, what="the end of it")
    running.desk.remove_services(names)


def not_heard(lab: Lab) -> list[str]:
    """The Services of which another node says that node1 is not heard with their addresses."""
    return [
        str(one["object"]).rpartition("/")[2]
        for speaker in lab.desk.objects(Kind.SPEAKER)
        for one in speaker.get("status", {}).get("problems", ())
        if one["reason"] == "NotHeard" and "node1 announces" in one["message"]
    ]


def test_without_a_key_nothing_is_owned_and_who_has_another_is_named(running: Lab, tmp_path: Path) -> None:
    every = addresses_of(running, "shop", "web")
    secret = running.paths.manifests / "membership.yaml"
    text = secret.read_text()
    secret.unlink()
    try:
        await_problem(running, "node1", "MembershipKeyMissing")
        await_value(
            lambda: {one: nodes for one, nodes in reported(running, LAYER2, every).items() if nodes},
            lambda owned: not owned,
            expected="no address is owned",
        )
        for node in running.nodes:
            key = tmp_path / node
            key.write_text(f"{'another' if node == 'node3' else 'the same'} key of sixteen characters\n")
            restarted(running, node, "--membership-key-file", str(key))
        assert "node3" in await_problem(running, "node4", "MembershipKeyDiffers")
    finally:
        secret.write_text(text)
    await_one_each(running, LAYER2, every)
