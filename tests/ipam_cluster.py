"""A small cluster for the tests of allocation: objects in, decisions written back as a source would."""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any

import msgspec

from openelb_bgp.decode.pool_text import ranges as parse_ranges
from openelb_bgp.ipam import Allocation, Decision, Rules, allocate
from openelb_bgp.model import keys
from openelb_bgp.model.addresses import Family
from openelb_bgp.model.cluster import Namespace, Node
from openelb_bgp.model.conditions import Condition
from openelb_bgp.model.errors import InvalidResource
from openelb_bgp.model.meta import EMPTY, Key, Kind, Meta, ObjectRef
from openelb_bgp.model.pools import Eip
from openelb_bgp.model.services import Ingress, Service, ServicePort
from openelb_bgp.model.snapshot import Snapshot

OURS = {keys.MANAGED_ANNOTATION: keys.MANAGED_VALUE}
V4, V6 = Family.IPV4, Family.IPV6
DUAL = (V4, V6)


def eip(name: str, address: str, *, default: bool = False, exclude: str = "", **spec: Any) -> Eip:
    """A pool; `address` and `exclude` as users write them."""
    annotations = {keys.DEFAULT_EIP_ANNOTATION: "true"} if default else EMPTY
    return Eip(
        meta=Meta(name=name, annotations=annotations),
        ranges=parse_ranges(address),
        excluded=parse_ranges(exclude) if exclude else (),
        **spec,
    )


def service(
    name: str = "web",
    *,
    namespace: str = "shop",
    names_pool: str = "",
    names_address: str = "",
    has: str = "",
    allocated: str = "",
    label: str = "",
    annotations: Mapping[str, str] = OURS,
    labels: Mapping[str, str] = EMPTY,
    finalizers: tuple[str, ...] = (),
    created: float = 0.0,
    deleting: bool = False,
    ports: str = "TCP/80",
    **spec: Any,
) -> Service:
    """A LoadBalancer Service of ours; `has` lists the addresses in its status, `ports` what it listens on."""
    named = {
        keys.EIP_ANNOTATION: names_pool,
        keys.ADDRESS_ANNOTATION: names_address,
        keys.ALLOCATED_ANNOTATION: allocated,
    }
    return Service(
        meta=Meta(
            name=name,
            namespace=namespace,
            annotations={**annotations, **{key: value for key, value in named.items() if value}},
            labels={**labels, **({keys.EIP_LABEL: label} if label else {})},
            created=created,
            deleting=deleting,
            finalizers=finalizers,
        ),
        ingress=tuple(Ingress(ip_address(one)) for one in has.split(",") if one),
        ports=tuple(ServicePort(one.split("/")[0], int(one.split("/")[1])) for one in ports.split(",")),
        **{"type": "LoadBalancer", **spec},
    )


def edited(one: Service, **annotations: str | None) -> Service:
    """The Service with annotations set or, where None, removed: `pool`, `address`, `managed`, `protocol`."""
    full = {
        "pool": keys.EIP_ANNOTATION,
        "address": keys.ADDRESS_ANNOTATION,
        "managed": keys.MANAGED_ANNOTATION,
        "protocol": keys.PROTOCOL_ANNOTATION,
    }
    changes = {full[name]: value for name, value in annotations.items()}
    left = {key: value for key, value in one.meta.annotations.items() if key not in changes}
    merged = left | {key: value for key, value in changes.items() if value is not None}
    return msgspec.structs.replace(one, meta=msgspec.structs.replace(one.meta, annotations=merged))


def node(name: str, *addresses: str) -> Node:
    """A node with these addresses."""
    return Node(meta=Meta(name=name), addresses=tuple(map(ip_address, addresses)))


def namespace(name: str, **labels: str) -> Namespace:
    """A namespace with labels."""
    return Namespace(Meta(name=name, labels=labels))


class Cluster:
    """Holds objects, allocates, and takes what was decided back into the Services."""

    def __init__(
        self,
        *objects: Eip | Service | Node | Namespace,
        rules: Rules | None = None,
        blocked: Iterable[str] = (),
    ) -> None:
        self.eips: dict[str, Eip] = {}
        self.services: dict[Key, Service] = {}
        self.nodes: dict[str, Node] = {}
        self.namespaces: dict[str, Namespace] = {}
        self.invalid: dict[ObjectRef, InvalidResource] = {}
        self.rules = rules or Rules()
        self.blocked = frozenset(blocked)
        self.events: list[str] = []
        self.allocation: Allocation | None = None
        for one in objects:
            self.put(one)

    def put(self, one: Eip | Service | Node | Namespace) -> None:
        """Create or replace an object."""
        match one:
            case Eip():
                self.eips[one.name] = one
            case Service():
                self.services[one.key] = one
            case Node():
                self.nodes[one.name] = one
            case Namespace():
                self.namespaces[one.meta.name] = one

    @property
    def snapshot(self) -> Snapshot:
        """Everything as it stands."""
        return Snapshot(
            eips=dict(self.eips),
            services=dict(self.services),
            nodes=dict(self.nodes),
            namespaces=dict(self.namespaces),
            invalid=dict(self.invalid),
            listed=frozenset(Kind),
        )

    def allocate(self) -> Allocation:
        """One allocation that starts from the one before; nothing is written."""
        self.allocation = allocate(
            self.snapshot, rules=self.rules, blocked_pools=self.blocked, previous=self.allocation
        )
        return self.allocation

    def cycle(self) -> int:
        """Allocate and write; how many Services were written."""
        decisions = self.allocate().services.values()
        for decision in decisions:
            self.events += [f"{one.ref.key.name} {one.reason}: {one.message}" for one in decision.events]
            if decision.changed:
                self.services[decision.service.key] = decision.written()
        return sum(1 for one in decisions if one.changed)

    def settle(self) -> "Cluster":
        """Cycles until nothing is left to write."""
        for _ in range(20):
            if not self.cycle():
                return self
        raise AssertionError("allocation goes on changing its mind")

    def has(self, name: str = "web", *, namespace: str = "shop") -> str:
        """The addresses in a Service's status, by comma."""
        return ",".join(str(one.ip or one.hostname) for one in self.services[Key(namespace, name)].ingress)

    def decision(self, name: str = "web", *, namespace: str = "shop") -> Decision:
        """What the next allocation decides about a Service."""
        return self.allocate().services[Key(namespace, name)]

    def condition(self, name: str = "web", *, namespace: str = "shop") -> Condition:
        """The Allocated condition in a Service's status."""
        conditions = self.services[Key(namespace, name)].conditions
        return next(one for one in conditions if one.type == keys.ALLOCATED_CONDITION)

    def reason(self, name: str = "web", *, namespace: str = "shop") -> str:
        """The reason of that condition."""
        return self.condition(name, namespace=namespace).reason

    def message(self, name: str = "web", *, namespace: str = "shop") -> str:
        """The message of that condition."""
        return self.condition(name, namespace=namespace).message
