"""A one-node cluster for announcers: numbered Services, a pool, a BgpConf, peers."""

from collections.abc import Iterable
from ipaddress import IPv4Address
from typing import Any

import msgspec

from openelb_bgp.decode.pool_text import ranges as parse_ranges
from openelb_bgp.model import keys
from openelb_bgp.model.addresses import Address, Family
from openelb_bgp.model.cluster import ConfigMap, Node, Secret
from openelb_bgp.model.meta import Key, Kind, Meta
from openelb_bgp.model.pools import Eip
from openelb_bgp.model.routing import BgpConf, BgpPeer, Timers
from openelb_bgp.model.services import Endpoint, EndpointSlice, Ingress, Service
from openelb_bgp.model.snapshot import Snapshot

NODE = "node1"
NODE_ASN, ROUTER_ASN = 65000, 65001
IMPORT_ALL = '[global.apply-policy.config]\ndefault-import-policy = "accept-route"\n'
"""A policy by which gobgpd keeps what routers tell it."""


def address(number: int) -> IPv4Address:
    """The address of the `number`-th Service, in 198.18.0.0/15."""
    return IPv4Address(0xC6120000 + number)


def prefixes(numbers: Iterable[int]) -> set[str]:
    """The prefixes of these Services."""
    return {f"{address(number)}/32" for number in numbers}


def conf(**changes: Any) -> BgpConf:
    """The BgpConf that counts."""
    return BgpConf(meta=Meta(name="default"), asn=changes.pop("asn", NODE_ASN), **changes)


def pool(**changes: Any) -> Eip:
    """The pool of all Services."""
    return Eip(meta=Meta(name="pool"), ranges=parse_ranges("198.18.0.0/15,fd00:b::/64"), **changes)


def peer(neighbour: str, name: str = "router", **changes: Any) -> BgpPeer:
    """A router that is dialled every few seconds."""
    made = BgpPeer(
        meta=Meta(name=name),
        neighbor_address=neighbour,
        peer_asn=changes.pop("asn", ROUTER_ASN),
        timers=Timers(connect_retry=1, hold_time=9, keepalive_interval=3),
    )
    return msgspec.structs.replace(made, **changes)


def cluster(
    services: Iterable[int] = (),
    *,
    addresses: Iterable[Address] = (IPv4Address("10.0.0.11"),),
    peers: Iterable[BgpPeer] = (),
) -> Snapshot:
    """Everything listed, one ready node."""
    numbers = list(services)
    return Snapshot(
        eips={"pool": pool()},
        bgp_confs={"default": conf()},
        bgp_peers={one.name: one for one in peers},
        nodes={NODE: Node(meta=Meta(name=NODE), addresses=tuple(addresses))},
        services={_key(number): _service(number) for number in numbers},
        slices={_key(number): (_slice(number),) for number in numbers},
        listed=frozenset(Kind),
    )


def with_services(snapshot: Snapshot, numbers: Iterable[int]) -> Snapshot:
    """The same with these Services; those that it has already stay the same objects."""
    found = list(numbers)
    services, slices = snapshot.services, snapshot.slices
    return msgspec.structs.replace(
        snapshot,
        services={_key(one): services.get(_key(one)) or _service(one) for one in found},
        slices={_key(one): slices.get(_key(one)) or (_slice(one),) for one in found},
    )


def with_(snapshot: Snapshot, *objects: Any) -> Snapshot:
    """The same with these objects new or changed."""
    for one in objects:
        match one:
            case Eip():
                change: dict[str, Any] = {"eips": {**snapshot.eips, one.name: one}}
            case BgpConf():
                change = {"bgp_confs": {"default": one}}
            case BgpPeer():
                change = {"bgp_peers": {**snapshot.bgp_peers, one.name: one}}
            case Secret():
                change = {"secrets": {**snapshot.secrets, one.meta.key: one}}
            case ConfigMap():
                change = {"config_maps": {**snapshot.config_maps, one.meta.key: one}}
            case Service():
                change = {"services": {**snapshot.services, one.meta.key: one}}
            case _:
                raise AssertionError(f"no place for {one!r}")
        snapshot = msgspec.structs.replace(snapshot, **change)
    return snapshot


def without_peer(snapshot: Snapshot, name: str) -> Snapshot:
    """The same without a BgpPeer."""
    left = {key: value for key, value in snapshot.bgp_peers.items() if key != name}
    return msgspec.structs.replace(snapshot, bgp_peers=left)


def secret(name: str, **data: bytes) -> Secret:
    """A Secret in our namespace."""
    return Secret(meta=Meta(name=name, namespace=keys.DEFAULT_NAMESPACE), data=data)


def policy(text: str, name: str = "policy") -> ConfigMap:
    """A ConfigMap with a GoBGP policy."""
    return ConfigMap(meta=Meta(name=name, namespace=keys.DEFAULT_NAMESPACE), data={keys.POLICY_KEY: text})


def _key(number: int) -> Key:
    return Key("shop", f"web{number}")


def _service(number: int) -> Service:
    return Service(
        meta=Meta(
            name=f"web{number}",
            namespace="shop",
            labels={"number": str(number)},
            annotations={
                keys.MANAGED_ANNOTATION: keys.MANAGED_VALUE,
                keys.ALLOCATED_ANNOTATION: f"{address(number)}=pool",
            },
        ),
        type="LoadBalancer",
        ingress=(Ingress(address(number)),),
    )


def _slice(number: int) -> EndpointSlice:
    return EndpointSlice(
        meta=Meta(name=f"web{number}-4", namespace="shop"),
        service=f"web{number}",
        family=Family.IPV4,
        endpoints=(Endpoint(NODE),),
    )
