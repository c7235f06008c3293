"""The samples that users start from decode without a complaint, each into exactly one model value."""

from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from openelb_bgp.decode import decode
from openelb_bgp.model.addresses import AddressRange, Family, parse_range, range_of
from openelb_bgp.model.cluster import ConfigMap, Namespace, Node, Secret, Taint
from openelb_bgp.model.meta import LabelSelector, Meta, Requirement
from openelb_bgp.model.pools import Advertisement, Eip, Layer2Settings, Protocol, VipSettings
from openelb_bgp.model.routing import (
    AfiSafi,
    Bfd,
    BgpConf,
    BgpPeer,
    Drain,
    GracefulRestart,
    NextHops,
    SecretKeyRef,
    Timers,
    Transport,
)
from openelb_bgp.model.services import Endpoint, EndpointSlice, Service, ServicePort
from openelb_bgp.model.snapshot import Resource
from openelb_bgp.model.speakers import Speaker
from openelb_bgp.model.statuses import (
    GobgpStatus,
    InterfaceStatus,
    PeerState,
    PoolStatus,
    RouteCounts,
    SessionStatus,
    SpeakerStatus,
)

SAMPLES = Path(__file__).parents[2] / "manifests" / "samples"
FILES = sorted(SAMPLES.glob("*/*.yaml"))
V4 = range_of(ip_network("198.51.100.0/24"))
V6 = parse_range("2001:db8:100::10-2001:db8:100::ff")


def _documents(file: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(file.read_text()))


def _sample(file: str, kind: str, name: str) -> Resource | None:
    for document in _documents(SAMPLES / file):
        if (document["kind"], document["metadata"]["name"]) == (kind, name):
            return decode(document).resource
    raise AssertionError(f"no {kind} {name} in {file}")


def _one(text: str) -> AddressRange:
    return parse_range(text)


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_every_sample_decodes_without_a_complaint(file: Path) -> None:
    for document in _documents(file):
        decoded = decode(document)
        assert decoded.invalid is None
        assert decoded.warnings == ()
        assert decoded.resource is not None


def test_a_bgp_conf_of_openelb() -> None:
    assert _sample("openelb/bgp.yaml", "BgpConf", "default") == BgpConf(
        meta=Meta(name="default"), asn=50000, router_id="172.22.0.10", listen_port=17900
    )


def test_a_bgp_peer_of_openelb() -> None:
    peer = _sample("openelb/bgp.yaml", "BgpPeer", "router")
    assert peer == BgpPeer(
        meta=Meta(name="router"),
        peer_asn=50001,
        neighbor_address="172.22.0.2",
        ebgp_multihop_ttl=2,
        timers=Timers(connect_retry=10, hold_time=30, keepalive_interval=10),
        transport=Transport(remote_port=17900),
        afi_safis=(AfiSafi(family=Family.IPV4, add_paths_send_max=10),),
        node_selector=LabelSelector(match_labels=(("openelb.kubesphere.io/rack", "leaf1"),)),
    )


def test_an_eip_of_openelb() -> None:
    pool = _sample("openelb/bgp.yaml", "Eip", "eip-sample-pool")
    assert pool == Eip(
        meta=Meta(name="eip-sample-pool", annotations={"eip.openelb.kubesphere.io/is-default-eip": "true"}),
        ranges=(_one("192.168.0.91-192.168.0.100"),),
        priority=100,
        namespaces=frozenset({"default"}),
    )
    assert isinstance(pool, Eip)
    assert pool.is_default


def test_a_vip_pool_of_openelb() -> None:
    assert _sample("openelb/layer2-and-vip.yaml", "Eip", "eip-vip") == Eip(
        meta=Meta(name="eip-vip"),
        ranges=(_one("192.168.2.10"),),
        protocol=Protocol.VIP,
        interfaces=("can_reach:192.168.2.1",),
        namespace_selector={"team": "web"},
    )


def test_a_bgp_conf_with_everything() -> None:
    assert _sample("openelb-bgp/bgp.yaml", "BgpConf", "default") == BgpConf(
        meta=Meta(name="default"),
        asn=65000,
        asn_per_rack=(("leaf1", 65011), ("leaf2", 65012)),
        listen_addresses=("0.0.0.0", "::"),
        use_multiple_paths=True,
        graceful_restart=GracefulRestart(enabled=True, restart_time=60, deferral_time=5),
        policy="bgp-policy",
        next_hops=NextHops.AUTO,
        stand_in_after=10.0,
        weighted_ecmp=True,
        drain=Drain(
            grace_seconds=5.0,
            taints=("node.kubernetes.io/out-of-service", "node.kubernetes.io/unschedulable"),
        ),
    )


def test_a_bgp_peer_with_everything() -> None:
    assert _sample("openelb-bgp/bgp.yaml", "BgpPeer", "top-of-rack") == BgpPeer(
        meta=Meta(name="top-of-rack"),
        peer_asn=0,
        neighbor_discovery="DefaultGateway",
        auth_password_ref=SecretKeyRef("bgp-passwords", "top-of-rack"),
        description="the leaf of this rack",
        remove_private_as="NONE",
        ttl_security_min=255,
        timers=Timers(hold_time=9, keepalive_interval=3),
        bfd=Bfd(
            enabled=True,
            desired_minimum_tx_interval=300000,
            required_minimum_receive=300000,
            detection_multiplier=3,
        ),
        afi_safis=(
            AfiSafi(
                family=Family.IPV4,
                add_paths_send_max=64,
                mp_graceful_restart=True,
                long_lived_enabled=True,
                long_lived_restart_time=600,
                prefix_limit=1000,
                prefix_limit_shutdown_threshold=80,
            ),
            AfiSafi(family=Family.IPV6),
        ),
    )


def test_a_peer_of_some_nodes_with_an_address_of_ours() -> None:
    assert _sample("openelb-bgp/bgp.yaml", "BgpPeer", "route-server") == BgpPeer(
        meta=Meta(name="route-server"),
        peer_asn=64999,
        local_asn=65100,
        neighbor_address="2001:db8::53",
        ebgp_multihop_ttl=5,
        transport=Transport(passive_mode=False, local_address=ip_address("2001:db8::10")),
        node_selector=LabelSelector(match_expressions=(Requirement("example.com/edge", "Exists"),)),
    )


def test_a_bgp_pool_with_everything() -> None:
    assert _sample("openelb-bgp/eips.yaml", "Eip", "edge") == Eip(
        meta=Meta(name="edge"),
        ranges=(V4, V6),
        excluded=(_one("198.51.100.1-198.51.100.9"), _one("2001:db8:100::10")),
        priority=10,
        namespace_selector={},
        avoid_buggy_ips=True,
        node_selector=LabelSelector(match_labels=(("example.com/edge", "true"),)),
        advertisements=(
            Advertisement(
                aggregation_length=24,
                communities=(65000 << 16 | 100,),
                large_communities=((65000, 1, 2),),
                med=50,
            ),
            Advertisement(
                communities=(0xFFFFFF02,),
                peers=("top-of-rack",),
                local_pref=200,
                as_path_prepend=1,
                service_selector=LabelSelector(
                    match_expressions=(Requirement("tier", "In", ("gold", "silver")),)
                ),
            ),
        ),
    )


def test_pools_of_the_other_protocols_with_everything() -> None:
    assert _sample("openelb-bgp/eips.yaml", "Eip", "lan") == Eip(
        meta=Meta(name="lan"),
        ranges=(_one("192.168.1.16/28"),),
        protocol=Protocol.LAYER2,
        interfaces=("eth*", "bond0"),
        layer2=Layer2Settings(garp_interval_seconds=60),
    )
    assert _sample("openelb-bgp/eips.yaml", "Eip", "vrrp") == Eip(
        meta=Meta(name="vrrp"),
        ranges=(_one("192.168.2.16/28"),),
        protocol=Protocol.VIP,
        vip=VipSettings(virtual_router_ids=tuple(range(51, 59)), advert_interval_ms=200, unicast=True),
    )


def test_a_dual_stack_service_of_policy_local() -> None:
    assert _sample("openelb-bgp/services.yaml", "Service", "web") == Service(
        meta=Meta(
            name="web",
            namespace="default",
            annotations={
                "lb.kubesphere.io/v1alpha1": "openelb",
                "eip.openelb.kubesphere.io/v1alpha2": "edge",
                "eip.openelb.kubesphere.io/v1alpha1": "198.51.100.80,2001:db8:100::80",
            },
        ),
        type="LoadBalancer",
        ip_families=(Family.IPV4, Family.IPV6),
        ip_family_policy="RequireDualStack",
        local=True,
        ports=(ServicePort("TCP", 443, "https"), ServicePort("UDP", 443, "quic")),
        selector={"app": "web"},
    )


def test_endpoints_with_and_without_conditions() -> None:
    assert _sample("openelb-bgp/services.yaml", "EndpointSlice", "web-ipv4") == EndpointSlice(
        meta=Meta(name="web-ipv4", namespace="default"),
        service="web",
        family=Family.IPV4,
        endpoints=(Endpoint("node1"), Endpoint("node2", ready=False, serving=True, terminating=True)),
    )


def test_a_node() -> None:
    assert _sample("openelb-bgp/services.yaml", "Node", "node1") == Node(
        meta=Meta(
            name="node1",
            labels={"openelb.kubesphere.io/rack": "leaf1", "example.com/edge": "true"},
            annotations={"openelb.kubesphere.io/drain": "false"},
        ),
        addresses=(ip_address("192.0.2.11"), ip_address("2001:db8::11")),
        ready=True,
        taints=(Taint("node.kubernetes.io/unschedulable", "NoSchedule"),),
        boot_id="11111111-2222-3333-4444-555555555555",
    )


def test_namespace_secret_and_config_map() -> None:
    assert _sample("openelb-bgp/services.yaml", "Namespace", "tenant-a") == Namespace(
        Meta(name="tenant-a", labels={"team": "a"})
    )
    secret = _sample("openelb-bgp/bgp.yaml", "Secret", "bgp-passwords")
    assert secret == Secret(
        Meta(name="bgp-passwords", namespace="openelb-system"), {"top-of-rack": b"change-me"}
    )
    assert "change-me" not in repr(secret)
    policy = _sample("openelb-bgp/bgp.yaml", "ConfigMap", "bgp-policy")
    assert isinstance(policy, ConfigMap)
    assert list(policy.data) == ["gobgp.conf"]


def test_a_speaker() -> None:
    assert _sample("openelb-bgp/speaker.yaml", "Speaker", "node1") == Speaker(
        Meta(name="node1"),
        SpeakerStatus(
            started_at="2024-01-31T12:00:00Z",
            boot_id="11111111-2222-3333-4444-555555555555",
            gobgp=GobgpStatus(version="4.8.0", asn=65000, router_id="192.0.2.11"),
            interfaces=(
                InterfaceStatus(name="eth0", mac="02:00:00:00:00:0b", subnets=("192.0.2.0/24",), up=True),
            ),
            sessions=(
                SessionStatus(
                    peer="top-of-rack",
                    peer_state=PeerState(
                        session_state="ESTABLISHED",
                        neighbor_address="192.0.2.1",
                        peer_as=65001,
                        local_as=65000,
                    ),
                    since="2024-01-31T12:00:02Z",
                ),
            ),
            pools=(PoolStatus(name="edge", ready=True),),
            routes=RouteCounts(desired=2, announced=2),
            applied_revision=7,
        ),
    )
