"""What decoding makes of details that no sample shows: metadata, statuses, absent conditions, big numbers."""

from datetime import datetime
from ipaddress import ip_address
from typing import Any

import pytest

from openelb_bgp.decode import api_version_of, decode, kind_of
from openelb_bgp.decode.communities import community
from openelb_bgp.decode.numbers import virtual_router_ids
from openelb_bgp.model.cluster import Node, Secret
from openelb_bgp.model.conditions import Condition
from openelb_bgp.model.meta import Key, Kind, Meta, ObjectRef
from openelb_bgp.model.routing import BgpPeer
from openelb_bgp.model.services import Endpoint, EndpointSlice, Ingress, Service


def _object(kind: Kind, metadata: Any = None, **rest: Any) -> dict[str, Any]:
    return {
        "apiVersion": api_version_of(kind),
        "kind": kind.value,
        "metadata": {"name": "web"} if metadata is None else metadata,
        **rest,
    }


def _service(**rest: Any) -> Service:
    service = decode(_object(Kind.SERVICE, **rest)).resource
    assert isinstance(service, Service)
    return service


def _node(**rest: Any) -> Node:
    node = decode(_object(Kind.NODE, **rest)).resource
    assert isinstance(node, Node)
    return node


def _peer(**spec: Any) -> BgpPeer:
    peer = decode(_object(Kind.BGP_PEER, spec=spec)).resource
    assert isinstance(peer, BgpPeer)
    return peer


@pytest.mark.parametrize("kind", list(Kind))
def test_each_kind_is_known_by_its_api_version(kind: Kind) -> None:
    assert kind_of(_object(kind)) is kind


def test_kinds_of_other_groups_are_not_ours() -> None:
    assert kind_of({"apiVersion": "metrics.k8s.io/v1beta1", "kind": "Node"}) is None
    assert kind_of({"apiVersion": "apps/v1", "kind": "Deployment"}) is None
    assert kind_of("text") is None


def test_metadata_is_read_whole() -> None:
    metadata = {
        "name": "web",
        "namespace": "shop",
        "labels": {"a": "b"},
        "uid": "u",
        "creationTimestamp": "1970-01-01T00:01:40Z",
        "deletionTimestamp": "2024-01-31T12:00:00Z",
        "finalizers": ["finalizer.lb.kubesphere.io/v1alpha1"],
        "resourceVersion": "42",
        "generation": 3,
    }
    assert _service(metadata=metadata).meta == Meta(
        name="web",
        namespace="shop",
        labels={"a": "b"},
        uid="u",
        created=100.0,
        deleting=True,
        finalizers=("finalizer.lb.kubesphere.io/v1alpha1",),
        resource_version="42",
        generation=3,
    )


def test_a_time_that_the_yaml_parser_has_read_already_is_utc() -> None:
    metadata = {"name": "web", "creationTimestamp": datetime(1970, 1, 1, 0, 1, 40)}
    assert _service(metadata=metadata).meta.created == 100.0


def test_an_object_without_a_namespace_lives_in_default_and_a_node_in_none() -> None:
    assert _service(metadata={"name": "web"}).meta.namespace == "default"
    assert _node(metadata={"name": "web", "namespace": "shop"}).meta.namespace == ""


def test_a_status_is_read_with_only_our_conditions() -> None:
    ours = {
        "type": "network.kubesphere.io/Allocated",
        "status": "True",
        "reason": "Allocated",
        "lastTransitionTime": "2024-01-31T12:00:00Z",
    }
    service = _service(
        status={
            "loadBalancer": {
                "ingress": [{"ip": "192.0.2.1", "ipMode": "VIP"}, {"hostname": "lb"}, {"ip": "x"}]
            },
            "conditions": [{"type": "Other", "status": "True", "reason": "x"}, ours],
        }
    )
    assert service.ingress == (
        Ingress(ip_address("192.0.2.1"), ip_mode="VIP"),
        Ingress(None, hostname="lb"),
        Ingress(None),
    )
    assert service.conditions == (
        Condition(
            type="network.kubesphere.io/Allocated",
            status="True",
            reason="Allocated",
            last_transition_time="2024-01-31T12:00:00Z",
        ),
    )


def test_one_bad_condition_does_not_hide_the_good_ones() -> None:
    decoded = decode(
        _object(
            Kind.SERVICE,
            status={
                "conditions": [
                    {"type": "network.kubesphere.io/Announced"},
                    {"type": "network.kubesphere.io/Allocated", "status": "True", "reason": "Allocated"},
                ]
            },
        )
    )
    assert isinstance(decoded.resource, Service)
    assert [one.type for one in decoded.resource.conditions] == ["network.kubesphere.io/Allocated"]
    assert [one.path for one in decoded.warnings] == ["status.conditions[0].status"]


@pytest.mark.parametrize(
    ("conditions", "endpoint"),
    [
        (None, Endpoint("n", ready=True, serving=True, terminating=False)),
        ({}, Endpoint("n", ready=True, serving=True, terminating=False)),
        ({"ready": None}, Endpoint("n", ready=True, serving=True, terminating=False)),
        ({"ready": False}, Endpoint("n", ready=False, serving=False, terminating=False)),
        ({"ready": False, "serving": True}, Endpoint("n", ready=False, serving=True, terminating=False)),
        ({"ready": False, "terminating": True}, Endpoint("n", ready=False, serving=False, terminating=True)),
    ],
)
def test_absent_endpoint_conditions_mean_what_the_api_says(conditions: Any, endpoint: Endpoint) -> None:
    slice_ = decode(
        _object(
            Kind.ENDPOINT_SLICE, addressType="IPv4", endpoints=[{"nodeName": "n", "conditions": conditions}]
        )
    ).resource
    assert isinstance(slice_, EndpointSlice)
    assert slice_.endpoints == (endpoint,)


def test_an_endpoint_without_a_node_and_a_slice_without_a_service() -> None:
    slice_ = decode(_object(Kind.ENDPOINT_SLICE, addressType="FQDN", endpoints=[{}])).resource
    assert isinstance(slice_, EndpointSlice)
    assert (slice_.service, slice_.family, slice_.endpoints) == ("", None, (Endpoint(""),))


@pytest.mark.parametrize(
    ("status", "ready"), [("True", True), ("False", False), ("Unknown", False), (None, None)]
)
def test_a_node_is_ready_only_where_its_condition_says_so(status: str | None, ready: bool | None) -> None:
    conditions = [] if status is None else [{"type": "Ready", "status": status}]
    assert _node(status={"conditions": conditions}).ready is ready


def test_a_node_with_an_unavailable_network_that_is_cordoned() -> None:
    node = _node(
        spec={"unschedulable": True},
        status={"conditions": [{"type": "NetworkUnavailable", "status": "True"}]},
    )
    assert (node.network_unavailable, node.unschedulable) == (True, True)


def test_a_node_that_its_kubelet_shuts_down_is_told_from_one_that_is_only_not_ready() -> None:
    """In the words of kubelet, which joins what else is wrong to them."""
    words = {
        "node is shutting down": True,
        "[container runtime network not ready, node is shutting down]": True,
        "container runtime network not ready": False,
    }
    conditions = [{"type": "Ready", "status": "False", "message": one} for one in words]
    nodes = [_node(status={"conditions": [condition]}) for condition in conditions]
    assert [(one.ready, one.shutting_down) for one in nodes] == [(False, one) for one in words.values()]


def test_folded_base64_is_base64_and_string_data_goes_over_it() -> None:
    secret = decode(
        _object(Kind.SECRET, data={"a": "aHVu\ndGVyMg==\n", "b": "eA=="}, stringData={"b": "y"})
    ).resource
    assert isinstance(secret, Secret)
    assert secret.data == {"a": b"hunter2", "b": b"y"}


def test_the_reference_of_an_unusable_object_names_it_as_far_as_it_names_itself() -> None:
    named = decode({"apiVersion": "network.kubesphere.io/v1alpha1", "kind": "Eip", "metadata": {"name": "x"}})
    unnamed = decode({"kind": "Service", "metadata": {"name": ["x"], "namespace": 5}})
    assert named.invalid is not None
    assert named.invalid.ref == ObjectRef(Kind.EIP, Key("", "x"))
    assert unnamed.invalid is not None
    assert unnamed.invalid.ref == ObjectRef(Kind.SERVICE, Key("default", ""))


def test_a_number_of_ten_thousand_digits_is_refused_in_few_words() -> None:
    decoded = decode(_object(Kind.BGP_CONF, spec={"as": 10**10000}))
    assert decoded.invalid is not None
    assert len(decoded.invalid.message) < 300


@pytest.mark.parametrize(
    ("spec", "ttls"),
    [
        ({}, (None, None)),
        ({"ebgpMultihop": {"enabled": True}}, (255, None)),
        ({"ebgpMultihop": {"enabled": False, "multihopTtl": 5}}, (None, None)),
        ({"ttlSecurity": {"enabled": True, "ttlMin": 254}}, (None, 254)),
        (
            {"ebgpMultihop": {"enabled": True, "multihopTtl": 0}, "ttlSecurity": {"enabled": False}},
            (255, None),
        ),
    ],
)
def test_ttls_of_multihop_and_of_ttl_security(spec: dict[str, Any], ttls: tuple[Any, Any]) -> None:
    peer = _peer(conf={"neighborAddress": "192.0.2.1", "peerAs": 1}, **spec)
    assert (peer.ebgp_multihop_ttl, peer.ttl_security_min) == ttls


def test_zeros_that_openelb_wrote_for_absent_fields_are_absent() -> None:
    peer = _peer(
        conf={"neighborAddress": "192.0.2.1", "peerAs": 1, "localAs": 0, "authPassword": "", "peerGroup": ""},
        transport={"tcpMss": 0, "remoteAddress": ""},
        timers={"config": {"holdTime": ""}},
    )
    assert peer == BgpPeer(meta=Meta(name="web"), peer_asn=1, neighbor_address="192.0.2.1")


def test_a_neighbour_in_ipv6_clothing_is_the_ipv4_neighbour_that_gobgpd_takes_it_for() -> None:
    assert _peer(conf={"neighborAddress": "::ffff:10.0.0.1", "peerAs": 1}).neighbor_address == "10.0.0.1"


def test_a_pool_holds_no_ipv4_address_in_ipv6_clothing() -> None:
    spec = {"address": "::ffff:198.51.100.0/124"}
    invalid = decode(_object(Kind.EIP, spec=spec)).invalid
    assert invalid is not None
    assert [one.problem for one in invalid.defects] == ["holds IPv4 addresses in IPv6 clothing"]


def test_a_peers_repr_hides_its_password() -> None:
    peer = _peer(conf={"neighborAddress": "192.0.2.1", "peerAs": 1, "authPassword": "hunter2"})
    assert peer.auth_password == "hunter2"
    assert "hunter2" not in repr(peer)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("65000:100", 65000 << 16 | 100),
        ("0:0", 0),
        ("NO_EXPORT", 0xFFFFFF01),
        ("local-as", 0xFFFFFF03),
        ("graceful-shutdown", 65535 << 16),
        ("blackhole", 65535 << 16 | 666),
        ("4294967295:0:1", (4294967295, 0, 1)),
    ],
)
def test_communities(text: str, value: int | tuple[int, int, int]) -> None:
    assert community(text) == value


@pytest.mark.parametrize(
    "text", ["", ":", "a:b", "1:2:3:4", "65536:1", "1:", "-1:2", "１:2", "9" * 5000 + ":1"]
)
def test_what_is_no_community(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(is|has) "):
        community(text)


def test_virtual_router_ids_come_sorted_and_once() -> None:
    assert virtual_router_ids("60, 51-53,52") == (51, 52, 53, 60)
