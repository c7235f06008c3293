"""Manifests that cannot be right, put before a running `run`: each is told, and nothing good suffers."""

import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from openelb_bgp.model import keys
from openelb_bgp.model.meta import Kind
from tests.daemons.harness import kernel
from tests.daemons.harness.house import House, built, problem
from tests.daemons.harness.manifests import (
    Object,
    bgp_conf,
    bgp_peer,
    cluster,
    config_map,
    eip,
    endpoints,
    service,
)
from tests.daemons.harness.openelb import program
from tests.daemons.harness.waiting import wait_until


async def test_malformed_yaml_is_told_by_file_and_line(house: House) -> None:
    with house.with_file("broken", service("fine"), endpoints("fine", "node1"), "kind: Service\nmetadata: ["):
        told = await wait_until(
            lambda: house.ours.logged("manifest_problem"), within=30, what="the complaint"
        )
        assert "broken.yaml:" in told[-1]["place"]
        # What stands before it in the same file is used all the same.
        await house.ours.announced("shop/fine")
    await wait_until(lambda: house.ours.logged("manifest_problem_solved"), within=30, what="the end of it")


@pytest.mark.parametrize(
    "spoilt",
    [
        eip("prefix-length-99", "192.0.2.0/99"),
        eip("range-backwards", "192.0.2.9-192.0.2.1"),
        {**eip("address-is-a-number", ""), "spec": {"address": 5}},
        {**eip("spec-is-a-string", ""), "spec": "192.0.2.0/24"},
        {**eip("spec-is-null", ""), "spec": None},
        eip("bool-is-a-word", "192.0.2.0/24", disable="perhaps"),
        eip("protocol-unknown", "192.0.2.0/24", protocol="ospf"),
        bgp_peer("neighbour-is-no-address", "10.0.0.300"),
        bgp_peer("asn-of-33-bits", "10.0.0.200", asn=2**32),
        bgp_peer("asn-is-negative", "10.0.0.200", asn=-1),
        bgp_peer("asn-is-a-word", "10.0.0.200", conf={"peerAs": "sixty"}),
    ],
    ids=lambda one: str(one["metadata"]["name"]),
)
async def test_an_object_that_cannot_be_used_is_not_valid(house: House, spoilt: Object) -> None:
    kind, name = Kind(spoilt["kind"]), spoilt["metadata"]["name"]
    with house.with_file("spoilt", spoilt):
        said = await house.complaint(kind, name, "spec", reason="Invalid")
        assert house.ours.events(name) == [("Invalid", said)]
        logged = partial(house.ours.logged, "object_problem", object=f"{kind} {name}", message=said)
        await wait_until(logged, within=30, what="a line in the log")
        first, _, _ = said.partition("; ")
        assert f"spoilt.yaml:1: {kind} {name}: {first}" in validated(house)


def advertised(name: str, **advertisement: Any) -> Object:
    return eip(name, "192.0.2.0/24", bgp={"advertisements": [advertisement]})


def timed(name: str, **timers: str) -> Object:
    return bgp_peer(name, "10.0.0.200", timers={"config": timers})


@pytest.mark.parametrize(
    ("spoilt", "field"),
    [
        (advertised("community-unknown", communities=["no-such-name"]), "communities[0] 'no-such-name'"),
        (advertised("community-too-large", communities=["70000:1"]), "communities[0] '70000:1'"),
        (advertised("aggregate-of-99-bits", aggregationLength=99), "aggregationLength '99'"),
        (bgp_peer("port-0", "10.0.0.200", transport={"remotePort": 0}), "remotePort '0'"),
        (bgp_peer("port-of-33-bits", "10.0.0.200", transport={"remotePort": 2**32}), "Port '4294967296'"),
        (bgp_peer("ttl-300", "10.0.0.200", ebgpMultihop={"enabled": True, "multihopTtl": 300}), "Ttl '300'"),
        (timed("hold-time-2", holdTime="2"), "holdTime '2'"),
        (timed("hold-time-is-a-word", holdTime="soon"), "holdTime 'soon'"),
    ],
    ids=lambda one: one if isinstance(one, str) else str(one["metadata"]["name"]),
)
async def test_a_field_that_cannot_be_used_is_named(house: House, spoilt: Object, field: str) -> None:
    kind, name = Kind(spoilt["kind"]), spoilt["metadata"]["name"]
    with house.with_file("spoilt", spoilt):
        said = await house.complaint(kind, name, field, valid=True)
        assert ("Invalid", said) in house.ours.events(name)
        assert f"spoilt.yaml:1: warning: {kind} {name}: {said}" in validated(house)


@pytest.mark.parametrize("spec", [{"as": 2**32}, {"as": 0}, {"as": "65000x"}, {"as": None}])
async def test_an_edit_that_spoils_bgpconf_leaves_every_session_as_it_was(house: House, spec: Object) -> None:
    try:
        house.ours.write("good", bgp_conf(**spec), *cluster(house.lan)[1:])
        await house.complaint(Kind.BGP_CONF, "default", "spec.as", reason="Invalid")
        # Nor does a new Service wait for its repair.
        with house.with_file("late", service("late"), endpoints("late", "node1")):
            await house.ours.announced("shop/late")
    finally:
        house.ours.write("good", *cluster(house.lan))
    await house.is_valid(Kind.BGP_CONF, "default")
    assert house.unharmed()


async def test_a_listen_port_that_is_none_is_named(house: House) -> None:
    try:
        house.ours.write("good", bgp_conf(listenPort=0), *cluster(house.lan)[1:])
        await house.complaint(Kind.BGP_CONF, "default", "spec.listenPort '0'", valid=True)
        assert house.unharmed()
    finally:
        house.ours.write("good", *cluster(house.lan))
    await house.is_valid(Kind.BGP_CONF, "default")


async def test_an_edit_that_spoils_a_peer_and_its_pool_leaves_what_they_announced(house: House) -> None:
    conf, _, _, *rest = cluster(house.lan)
    spoilt = bgp_peer("router", house.lan.routers[0].v4, asn=2**32), eip("pool", "198.51.100.0/99")
    try:
        house.ours.write("good", conf, *spoilt, *rest)
        await house.complaint(Kind.BGP_PEER, "router", "peerAs")
        await house.complaint(Kind.EIP, "pool", "spec.address")
        assert house.unharmed()
    finally:
        house.ours.write("good", *cluster(house.lan))
    await house.is_valid(Kind.EIP, "pool")
    assert house.unharmed()


async def test_huge_pools_are_pools_like_others(house: House) -> None:
    objects = [eip("eight", "10.0.0.0/8"), eip("sixtyfour", "2001:db8::/64")]
    with house.with_file("huge", *objects, service("big", pool="eight"), endpoints("big", "node1")):
        await house.ours.announced("shop/big")
        # Not those of our own LAN, which nodes have: the lowest that no node has.
        assert house.ours.addresses("shop/big") == ["10.0.0.0"]
        status = house.ours.status(Kind.EIP, "sixtyfour")
        assert (status["poolSize"], status["firstIP"]) == (2**63 - 1, "2001:db8::")
        assert house.ours.status(Kind.EIP, "eight")["poolSize"] == 2**24


async def test_overlapping_pools_are_refused_by_name(house: House) -> None:
    squeezed = service("squeezed", pool="twin")
    with house.with_file("twin", eip("twin", "198.51.100.8/29"), squeezed, endpoints("squeezed", "node1")):
        await house.complaint(Kind.EIP, "twin", "overlaps Eip pool", reason="Overlap")
        events = await wait_until(
            lambda: house.ours.events("squeezed"), within=30, what="the Service's event"
        )
        assert [reason for reason, _ in events] == ["AssignIPFailed"]
        assert house.ours.addresses("shop/squeezed") == []


async def test_a_peer_that_is_our_own_address_is_never_dialled(house: House) -> None:
    with house.with_file("self", bgp_peer("self", house.lan.nodes[0].v4)):
        await house.complaint(Kind.BGP_PEER, "self", "itself", reason="PeerIsSelf")
        await problem(house.ours, "BgpPeer self", reason="PeerIsSelf")


async def test_of_two_peers_with_one_address_the_first_by_name_wins(house: House) -> None:
    with house.with_file("twin", bgp_peer("zzz", house.lan.routers[0].v4, asn=65099)):
        await house.complaint(Kind.BGP_PEER, "zzz", "BgpPeer router", reason="DuplicatePeer")
        await problem(house.ours, "BgpPeer zzz", "BgpPeer router", reason="DuplicatePeer")
        await house.is_valid(Kind.BGP_PEER, "router")


async def test_a_policy_that_is_missing_or_does_not_parse_leaves_the_one_before(house: House) -> None:
    said = partial(house.complaint, Kind.BGP_CONF, "default")
    try:
        house.ours.write("good", bgp_conf(policy="rules"), *cluster(house.lan)[1:])
        await said("there is no ConfigMap openelb-system/rules", reason="ConfigMapMissing")
        await problem(house.ours, "BgpConf default", "openelb-system/rules", reason="ConfigMapMissing")
        house.ours.write("policy", config_map("rules", gobgp_conf="[[policy-definitions]]\nname = "))
        await said("gobgp.conf: is no TOML", reason="BadPolicy")
        assert "policy.yaml:1: ConfigMap openelb-system/rules" in validated(house)
        assert house.unharmed()
        house.ours.write("policy", config_map("rules", gobgp_conf=""))
        await house.is_valid(Kind.BGP_CONF, "default")
        house.ours.remove("policy")
        await said(reason="ConfigMapMissing")
        # With the last good one known, it goes on as if nothing had happened.
        with house.with_file("newcomer", service("newcomer"), endpoints("newcomer", "node1")):
            await house.ours.announced("shop/newcomer")
    finally:
        house.ours.write("good", *cluster(house.lan))
        house.ours.remove("policy")
    assert house.unharmed()


async def test_one_object_in_two_files_is_told_with_both_places(house: House) -> None:
    with house.with_file("twice", eip("pool", "203.0.113.0/24")):
        await wait_until(lambda: told(house, "twice.yaml:1", "good.yaml:"), within=30, what="both places")
        assert house.ours.status(Kind.EIP, "pool")["firstIP"] == "198.51.100.1"


@pytest.fixture
def bgp_only(tmp_path: Path) -> Iterator[House]:
    """A house whose node has every other mode switched off."""
    made, tear_down = built(tmp_path, "--enable-layer2=false", "--enable-keepalived-vip=false")
    yield made
    tear_down()


@pytest.mark.parametrize("protocol", ["layer2", "vip"])
async def test_a_pool_of_a_mode_that_is_off_says_so(bgp_only: House, protocol: str) -> None:
    house = bgp_only
    pool, holder = eip(protocol, "192.0.2.0/28", protocol=protocol, interface="eth0"), f"on-{protocol}"
    with house.with_file("mode", pool, service(holder, pool=protocol), endpoints(holder, "node1")):
        await problem(house.ours, f"Eip {protocol}", "not announced by this node", reason="ModeOff")

        def ready() -> dict[str, Any]:
            found = dict(house.ours.condition(Kind.EIP, protocol, "Ready"))
            return found if found.get("reason") == "ModeOff" else {}

        said = await wait_until(ready, within=30, what="the pool's condition")
        assert "not announced by this node" in said["message"]
        assert {"name": protocol, "reason": "ModeOff"} in house.ours.speaker["pools"]

        def announced() -> dict[str, Any]:
            found = dict(house.ours.condition(Kind.SERVICE, f"shop/{holder}", keys.ANNOUNCED_CONDITION))
            return found if found.get("reason") == "ModeOff" else {}

        await wait_until(announced, within=30, what="the Service's condition")
        assert house.ours.addresses(f"shop/{holder}") == ["192.0.2.0"]
        assert kernel.next_hops(house.router.namespace, "192.0.2.0") == []


def validated(house: House) -> str:
    """What `validate` says of the folder as it is now."""
    argv = [str(program()), "validate", str(house.ours.manifests)]
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout


def told(house: House, *places: str) -> bool:
    told = house.ours.logged("manifest_problem")
    return any(all(place in f"{line['place']} {line['problem']}" for place in places) for line in told)
