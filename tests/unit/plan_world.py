"""A small cluster to plan for: three nodes of one rack behind one router, and words to change it."""

from collections.abc import Mapping, Sequence
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

import msgspec

from openelb_bgp.bgp.model import PathAttrs
from openelb_bgp.bgp.plan import BgpPlan, PlanOptions, plan
from openelb_bgp.decode.pool_text import ranges as parse_ranges
from openelb_bgp.model import keys
from openelb_bgp.model.addresses import Address, Family
from openelb_bgp.model.cluster import ConfigMap, Node, Secret, Taint
from openelb_bgp.model.facts import Facts, Link, SessionFact, SpeakerFact
from openelb_bgp.model.meta import Key, Kind, LabelSelector, Meta
from openelb_bgp.model.pools import Advertisement, Eip
from openelb_bgp.model.routing import BgpConf, BgpPeer
from openelb_bgp.model.services import Endpoint, EndpointSlice, Ingress, Service
from openelb_bgp.model.snapshot import Snapshot

ROUTER, ROUTER6 = "10.0.0.254", "fd00::fe"
NOW = 1000.0


def address(text: str) -> Address:
    return ip_address(text)


def node(name: str, number: int, **changes: Any) -> Node:
    """A node; keywords may be `labels`, `annotations`, `taints` (keys), `deleting` or fields of Node."""
    meta = Meta(
        name=name,
        labels=changes.pop("labels", {}),
        annotations=changes.pop("annotations", {}),
        deleting=changes.pop("deleting", False),
    )
    taints = tuple(Taint(key=key, effect="NoSchedule") for key in changes.pop("taints", ()))
    addresses = changes.pop("addresses", (f"10.0.0.{number}", f"fd00::{number}"))
    return Node(meta=meta, addresses=tuple(map(address, addresses)), taints=taints, **changes)


def drained(name: str, number: int) -> Node:
    return node(name, number, annotations={keys.DRAIN_ANNOTATION: "true"})


def endpoint(node: str, *, ready: bool = True, leaving: bool = False) -> Endpoint:
    return Endpoint(node, ready=ready and not leaving, serving=ready or leaving, terminating=leaving)


def slices(
    name: str, *endpoints: Endpoint, families: Sequence[Family] = tuple(Family)
) -> tuple[EndpointSlice, ...]:
    return tuple(
        EndpointSlice(
            meta=Meta(name=f"{name}-{family.value}", namespace="shop"),
            service=name,
            family=family,
            endpoints=endpoints,
        )
        for family in families
    )


def service(
    name: str,
    *addresses: str,
    local: bool = False,
    pool: str = "pool",
    labels: Mapping[str, str] | None = None,
) -> Service:
    noted = ",".join(f"{one}={pool}" for one in addresses)
    return Service(
        meta=Meta(
            name=name,
            namespace="shop",
            labels=labels or {},
            annotations={keys.MANAGED_ANNOTATION: keys.MANAGED_VALUE, keys.ALLOCATED_ANNOTATION: noted},
        ),
        type="LoadBalancer",
        local=local,
        ingress=tuple(Ingress(address(one)) for one in addresses),
    )


def pool(name: str = "pool", ranges: str = "192.0.2.0/24,2001:db8::/64", **changes: Any) -> Eip:
    return Eip(meta=Meta(name=name), ranges=parse_ranges(ranges), **changes)


def peer(name: str = "router", neighbour: str | None = ROUTER, asn: int = 65001, **changes: Any) -> BgpPeer:
    return BgpPeer(meta=Meta(name=name), neighbor_address=neighbour, peer_asn=asn, **changes)


def conf(**changes: Any) -> BgpConf:
    return BgpConf(meta=Meta(name="default"), asn=changes.pop("asn", 65000), **changes)


def advert(**changes: Any) -> Advertisement:
    return Advertisement(**changes)


def selector(**labels: str) -> LabelSelector:
    return LabelSelector(match_labels=tuple(sorted(labels.items())))


def link(name: str = "eth0", *interfaces: str) -> Link:
    return Link(
        name=name,
        index=2,
        up=True,
        addresses=tuple(map(ip_interface, interfaces or ("10.0.0.1/24", "fd00::1/64", "fe80::1/64"))),
    )


def session(neighbour: str = ROUTER, **changes: Any) -> SessionFact:
    """An established session that takes several paths a prefix, up for a long time."""
    families = frozenset(changes.pop("families", Family))
    defaults = {"established": True, "since": 0.0, "negotiated": families, "add_path": families}
    return SessionFact(peer=neighbour, **{**defaults, **changes})


def speaker(node: str, **changes: Any) -> SpeakerFact:
    return SpeakerFact(node=node, **changes)


class World:
    """Objects and facts; `with_` gives a changed copy, `plan` the plan for node a."""

    def __init__(self, snapshot: Snapshot, facts: Facts) -> None:
        self.snapshot = snapshot
        self.facts = facts

    def with_(self, **changes: Any) -> "World":
        """Replace kinds (given as objects) or, by their names, fields of Facts."""
        objects: dict[str, Any] = {}
        facts: dict[str, Any] = {}
        for name, value in changes.items():
            if name in {"nodes", "eips", "bgp_peers", "bgp_confs"}:
                objects[name] = {one.meta.name: one for one in value}
            elif name in {"services", "secrets", "config_maps"}:
                objects[name] = {one.meta.key: one for one in value}
            elif name == "slices":
                objects[name] = {Key("shop", service): found for service, found in value.items()}
            elif name in {"listed", "invalid"}:
                objects[name] = value
            else:
                facts[name] = value
        return World(
            msgspec.structs.replace(self.snapshot, **objects), msgspec.structs.replace(self.facts, **facts)
        )

    def plan(self, previous: BgpPlan | None = None, **options: Any) -> BgpPlan:
        return plan(self.snapshot, self.facts, options=PlanOptions(**options), previous=previous)


def world() -> World:
    """Nodes a, b and c; Service web (Cluster) with 192.0.2.1 and pods everywhere; an IPv4 router."""
    everywhere = tuple(endpoint(name) for name in "abc")
    snapshot = Snapshot(
        eips={"pool": pool()},
        bgp_confs={"default": conf()},
        bgp_peers={"router": peer()},
        nodes={name: node(name, number) for number, name in enumerate("abc", 1)},
        services={Key("shop", "web"): service("web", "192.0.2.1")},
        slices={Key("shop", "web"): slices("web", *everywhere)},
        listed=frozenset(Kind),
    )
    return World(snapshot, Facts(node="a", now=NOW, links=(link(),), sessions={ROUTER: session()}))


def routes(plan: BgpPlan) -> dict[str, list[PathAttrs]]:
    """Prefix → attributes of its paths, this node's own first."""
    found: dict[str, list[PathAttrs]] = {}
    for key, attrs in plan.paths.items():
        found.setdefault(str(key.prefix), []).append(attrs)
    return found


def next_hops(plan: BgpPlan) -> dict[str, set[str]]:
    """Prefix → next hops as text, "self" for this node."""
    return {
        prefix: {"self" if one.next_hop is None else str(one.next_hop) for one in attrs}
        for prefix, attrs in routes(plan).items()
    }


def reasons(plan: BgpPlan) -> dict[str, str]:
    """Object → reason, of what is left out."""
    return {str(ref): refused.reason.value for ref, refused in plan.left_out.items()}


def problems(plan: BgpPlan) -> set[tuple[str, str]]:
    """(object, reason) of the problems."""
    return {(one.object, one.reason) for one in plan.problems}


def seen_by(plan: BgpPlan, neighbour: str, prefix: str) -> Any:
    """What one neighbour sees of a prefix: the Attrs of each path that reaches it."""
    book = plan.memory.book if plan.memory is not None else None
    assert book is not None
    found = []
    for key in plan.paths:
        if key.prefix == ip_network(prefix):
            entry = book.entry(key)
            assert entry is not None
            found += [attrs for to, attrs in entry.variant.seen if to == neighbour]
    return found


def secret(name: str, **data: bytes) -> Secret:
    return Secret(meta=Meta(name=name, namespace=keys.DEFAULT_NAMESPACE), data=data)


def config_map(name: str, text: str) -> ConfigMap:
    return ConfigMap(meta=Meta(name=name, namespace=keys.DEFAULT_NAMESPACE), data={keys.POLICY_KEY: text})
