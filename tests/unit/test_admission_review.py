"""What is said to a change before it is stored."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from openelb_bgp.admission import Review, review
from openelb_bgp.decode import decode
from openelb_bgp.model.cluster import Node
from openelb_bgp.model.meta import Kind
from openelb_bgp.model.pools import Eip
from openelb_bgp.model.routing import BgpPeer
from openelb_bgp.model.services import Service
from openelb_bgp.model.snapshot import Snapshot

CORPUS = Path(__file__).parent / "corpus"
NOW = 1_800_000_000.0
OURS = (Kind.EIP, Kind.BGP_CONF, Kind.BGP_PEER)
Document = dict[str, Any]


def _cases() -> list[Any]:
    return [
        pytest.param(case, id=f"{file.stem}: {case['case']}")
        for file in sorted(CORPUS.glob("*.yaml"))
        for case in yaml.safe_load_all(file.read_text())
        if case["object"].get("kind") in OURS
    ]


def _eip(name: str, address: str, **more: Any) -> Document:
    metadata = {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z", **more.pop("metadata", {})}
    return {
        "apiVersion": "network.kubesphere.io/v1alpha2",
        "kind": "Eip",
        "metadata": metadata,
        "spec": {"address": address, **more},
    }


def _peer(name: str, address: str, **conf: Any) -> Document:
    return {
        "apiVersion": "network.kubesphere.io/v1alpha2",
        "kind": "BgpPeer",
        "metadata": {"name": name},
        "spec": {"conf": {"neighborAddress": address, "peerAs": 65001, **conf}},
    }


def _service(name: str, ip: str, **annotations: str) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "shop", "annotations": annotations},
        "spec": {"type": "LoadBalancer"},
        "status": {"loadBalancer": {"ingress": [{"ip": ip}]}},
    }


def _world(*documents: Document, listed: frozenset[Kind] = frozenset(Kind)) -> Snapshot:
    resources = [decode(document).resource for document in documents]
    return Snapshot(
        eips={one.name: one for one in resources if isinstance(one, Eip)},
        bgp_peers={one.name: one for one in resources if isinstance(one, BgpPeer)},
        services={one.key: one for one in resources if isinstance(one, Service)},
        nodes={one.name: one for one in resources if isinstance(one, Node)},
        listed=listed,
    )


def _said(
    new: Mapping[str, Any] | None, snapshot: Snapshot, *, old: Mapping[str, Any] | None = None
) -> Review:
    operation = "DELETE" if new is None else "CREATE" if old is None else "UPDATE"
    return review(operation, old=old, new=new, snapshot=snapshot, namespace="openelb-system", now=NOW)


@pytest.mark.parametrize("case", _cases())
def test_a_new_object_is_refused_where_decoding_cannot_use_it(case: dict[str, Any]) -> None:
    said = _said(case["object"], Snapshot())
    assert list(said.refusals) == case.get("fatal", [])
    assert list(said.warnings) == case.get("left_out", [])


@pytest.mark.parametrize("case", [one for one in _cases() if "fatal" in one.values[0]])
def test_a_bad_object_that_is_stored_can_be_labelled_and_let_go(case: dict[str, Any]) -> None:
    old = case["object"]
    labelled, going = copy.deepcopy(old), copy.deepcopy(old)
    labelled["metadata"] = {**(old.get("metadata") or {}), "labels": {"team": "web"}}
    going["metadata"] = {**(old.get("metadata") or {}), "deletionTimestamp": "2026-01-01T00:00:00Z"}
    assert _said(labelled, Snapshot(), old=old).allowed
    assert _said(going, Snapshot(), old=old) == Review()


def test_an_edit_is_refused_for_what_it_makes_wrong_only() -> None:
    old = _eip("a", "192.0.2.9-192.0.2.1")
    worse = _eip("a", "192.0.2.9-192.0.2.1", protocol="ospf")
    assert _said(worse, Snapshot(), old=old) == Review(
        refusals=("spec.protocol 'ospf': is not known; write bgp, layer2 or vip",),
        warnings=(
            "spec.address '192.0.2.9-192.0.2.1': is no address range: 192.0.2.9 is above 192.0.2.1; "
            "write an IP, IP/length, IP1-IP2, or a comma list of these",
        ),
    )


def test_a_pool_that_overlaps_another_is_refused() -> None:
    said = _said(_eip("b", "192.0.2.128/25"), _world(_eip("a", "192.0.2.0/24")))
    assert said == Review(
        refusals=(
            "spec.address '192.0.2.128-192.0.2.255': Eip b (192.0.2.128-192.0.2.255) overlaps Eip a "
            "(192.0.2.0-192.0.2.255), which is older; it gives no new address, and keeps those it gave; "
            "make their addresses disjoint",
        )
    )


def test_a_new_pool_is_the_younger_one_before_the_api_server_has_dated_it() -> None:
    new = _eip("a", "192.0.2.128/25")
    del new["metadata"]["creationTimestamp"]
    (refusal,) = _said(new, _world(_eip("b", "192.0.2.0/24"))).refusals
    assert "Eip a (192.0.2.128-192.0.2.255) overlaps Eip b" in refusal


def test_an_older_pool_may_not_grow_over_a_younger_one() -> None:
    old = _eip("a", "192.0.2.0/25")
    young = _eip("b", "192.0.2.128/25", metadata={"creationTimestamp": "2026-06-01T00:00:00Z"})
    said = _said(_eip("a", "192.0.2.0/24"), _world(old, young), old=old)
    assert [text.partition(":")[0] for text in said.refusals] == ["Eip b"]


def test_an_overlap_that_is_there_already_stops_no_other_edit() -> None:
    world = _world(_eip("a", "192.0.2.0/24"), _eip("b", "192.0.2.0/25"))
    old, new = _eip("b", "192.0.2.0/25"), _eip("b", "192.0.2.0/25", disable=True)
    said = _said(new, world, old=old)
    assert said.allowed
    assert len(said.warnings) == 1


def test_a_second_default_is_refused_and_one_of_the_other_family_is_not() -> None:
    default = {"annotations": {"eip.openelb.kubesphere.io/is-default-eip": "true"}}
    world = _world(_eip("a", "192.0.2.0/24", metadata=default))
    assert _said(_eip("b", "198.51.100.0/24", metadata=default), world).refusals == (
        "metadata.annotations: is a second default pool for IPv4, after Eip a, and not used as one; "
        "take the annotation is-default-eip off one of them",
    )
    assert _said(_eip("b", "2001:db8::/64", metadata=default), world) == Review()


def test_an_edit_that_leaves_addresses_outside_is_a_warning_that_names_the_services() -> None:
    old = _eip("a", "192.0.2.0/24")
    web = _service("web", "192.0.2.200", **{"openelb.kubesphere.io/allocated": "192.0.2.200=a"})
    assert _said(_eip("a", "192.0.2.0/25"), _world(old, web), old=old) == Review(
        warnings=(
            "spec.address: no longer holds addresses that are in use: shop/web (192.0.2.200); they are kept "
            "and announced; widen the pool again, or let these Services ask for other addresses",
        )
    )


def test_deleting_a_pool_in_use_is_a_warning_that_names_the_services() -> None:
    pool = _eip("a", "192.0.2.0/24")
    world = _world(pool, _eip("b", "198.51.100.0/24"), _service("web", "192.0.2.7"))
    assert _said(None, world, old=pool) == Review(
        warnings=(
            "addresses of Eip a are in use: shop/web (192.0.2.7); they stay with their Services but are "
            "no longer announced; create it again, or let these Services ask for other addresses",
        )
    )
    assert _said(None, world, old=_eip("b", "198.51.100.0/24")) == Review()


def test_what_other_objects_may_put_right_is_a_warning() -> None:
    world = _world(_peer("leaf1", "192.0.2.1"))
    reference = {"authPasswordSecretRef": {"name": "bgp", "key": "password"}}
    said = _said(_peer("leaf2", "192.0.2.1", **reference), world)
    assert said.allowed
    assert len(said.warnings) == 2
    advertised = _eip("a", "192.0.2.0/24", bgp={"advertisements": [{"peers": ["leaf9"]}]})
    assert _said(advertised, world).warnings == (
        "spec.bgp.advertisements[0].peers[0] 'leaf9': is no BgpPeer; write the name of one, or create it",
    )


def test_nothing_is_said_of_kinds_that_are_not_known_yet() -> None:
    world = _world(_eip("a", "192.0.2.0/24"), listed=frozenset())
    assert _said(_eip("b", "192.0.2.0/24"), world) == Review()


def test_a_can_reach_target_that_is_a_nodes_own_address_is_refused() -> None:
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "node1"},
        "status": {"addresses": [{"type": "InternalIP", "address": "203.0.113.1"}]},
    }
    new = _eip("a", "192.0.2.0/24", protocol="layer2", interface="can_reach:203.0.113.1")
    (refusal,) = _said(new, _world(node)).refusals
    assert "names an address of Node node1" in refusal
