"""A LAN to plan for: nodes on 10.0.0.0/24 and fd00:a::/64, one pool, Services, and who hears whom."""

from collections.abc import Collection, Iterable, Mapping
from ipaddress import ip_address, ip_interface
from typing import Any

import msgspec

from openelb_bgp.decode.pool_text import interfaces, ranges
from openelb_bgp.layer2.plan import PlanMemory, plan
from openelb_bgp.layer2.planned import Layer2Plan
from openelb_bgp.model import keys
from openelb_bgp.model.addresses import Address, Family
from openelb_bgp.model.cluster import Node
from openelb_bgp.model.facts import Facts, Link
from openelb_bgp.model.members import Member, MemberInterface, Members
from openelb_bgp.model.meta import Key, Kind, Meta
from openelb_bgp.model.pools import Eip, Layer2Settings, Protocol
from openelb_bgp.model.services import Endpoint, EndpointSlice, Ingress, Service
from openelb_bgp.model.snapshot import Snapshot

NOW = 10_000.0
FIRST = int(ip_address("10.0.0.100"))


def address(number: int) -> Address:
    """The address of the `number`-th Service."""
    return ip_address(FIRST + number)


def node(name: str, **changes: Any) -> Node:
    """n1 has 10.0.0.1, and so on."""
    meta = Meta(name=name, labels=changes.pop("labels", {}), annotations=changes.pop("annotations", {}))
    return Node(meta=meta, addresses=(ip_address(f"10.0.0.{name[1:]}"),), **changes)


def drained(name: str) -> Node:
    return node(name, annotations={keys.DRAIN_ANNOTATION: "true"})


def pool(interface: str = "", name: str = "lan", text: str = "10.0.0.100-10.0.0.250", **changes: Any) -> Eip:
    settings = Layer2Settings(any_subnet=changes.pop("any_subnet", False))
    return Eip(
        meta=Meta(name=name),
        ranges=ranges(text),
        protocol=changes.pop("protocol", Protocol.LAYER2),
        interfaces=interfaces(interface),
        layer2=settings,
        **changes,
    )


def service(
    name: str,
    *addresses: Address,
    pool: str = "lan",
    local: bool = False,
    preferred: str = "",
    **changes: Any,
) -> Service:
    annotations = {
        keys.MANAGED_ANNOTATION: keys.MANAGED_VALUE,
        keys.ALLOCATED_ANNOTATION: ",".join(f"{one}={pool}" for one in addresses),
    }
    if preferred:
        annotations[keys.PREFERRED_NODE_ANNOTATION] = preferred
    return Service(
        meta=Meta(name=name, namespace="shop", annotations=annotations),
        type="LoadBalancer",
        local=local,
        ingress=tuple(map(Ingress, addresses)),
        **changes,
    )


def endpoints(name: str, *nodes: str) -> EndpointSlice:
    return EndpointSlice(
        meta=Meta(name=f"{name}-4", namespace="shop"),
        service=name,
        family=Family.IPV4,
        endpoints=tuple(Endpoint(one) for one in nodes),
    )


def interface(name: str, number: int, **changes: Any) -> MemberInterface:
    made = MemberInterface(
        name=name,
        mac=f"02:00:00:00:00:{number:02x}",
        addresses=(ip_interface(f"10.0.0.{number}/24"), ip_interface(f"fd00:a::{number}/64")),
        alive=True,
        stable_since=0.0,
    )
    return msgspec.structs.replace(made, **changes)


class Lan:
    """The whole of it; each node plans from the same, and remembers its own last plan."""

    def __init__(self, count: int = 4, services: int = 20) -> None:
        self.nodes = {f"n{number}": node(f"n{number}") for number in range(1, count + 1)}
        self.pools = {"lan": pool()}
        self.services: dict[Key, Service] = {}
        self.slices: dict[Key, tuple[EndpointSlice, ...]] = {}
        self.stable: dict[str, float] = dict.fromkeys(self.nodes, 0.0)
        self.down: set[str] = set()
        self.silent: set[str] = set()
        self.void: set[str] = set()
        self.leaving: set[str] = set()
        self.changes: dict[str, dict[str, Any]] = {}
        self.speakers: Mapping[str, Any] = {}
        self.answering: frozenset[Address] = frozenset()
        self.now = NOW
        self.memory: dict[str, PlanMemory] = {}
        for number in range(services):
            self.add(service(f"web{number}", address(number)), *self.nodes)

    def add(self, one: Service, *backed_by: str) -> None:
        self.services = {**self.services, one.key: one}
        self.slices = {**self.slices, one.key: (endpoints(one.meta.name, *backed_by),)}

    @property
    def snapshot(self) -> Snapshot:
        return Snapshot(
            eips=self.pools,
            services=self.services,
            slices=self.slices,
            nodes=dict(self.nodes),
            speakers=self.speakers,
            listed=frozenset(Kind),
        )

    def interface(self, name: str) -> MemberInterface:
        made = interface("eth0", int(name[1:]), stable_since=self.stable[name])
        alive = name not in self.silent | self.down
        return msgspec.structs.replace(made, alive=alive, **self.changes.get(name, {}))

    def facts(self, own: str) -> Facts:
        others = {
            name: Member(
                node=name,
                interfaces={"eth0": self.interface(name)},
                leaving=name in self.leaving,
                void=name in self.void,
            )
            for name in self.nodes
            if name != own
        }
        mine = self.interface(own)
        link = Link(name=mine.name, index=2, mac=mine.mac, up=own not in self.down, addresses=mine.addresses)
        members = Members(void=own in self.void, others=others, own={"eth0": mine})
        return Facts(node=own, now=self.now, links=(link,), members=members, answering=self.answering)

    def plan(self, own: str) -> Layer2Plan:
        self.memory[own] = plan(self.snapshot, self.facts(own), previous=self.memory.get(own))
        return self.memory[own].plan

    def plans(self, *but: str) -> dict[str, Layer2Plan]:
        return {name: self.plan(name) for name in self.nodes if name not in {*but}}

    def owners(self, *but: str) -> dict[Address, str]:
        """Who owns each address, on which all planning nodes agree, and what each holds."""
        plans = self.plans(*but)
        seen = [{spot: one.owner for spot, one in made.placements.items()} for made in plans.values()]
        assert all(one == seen[0] for one in seen)
        for name, made in plans.items():
            held = {spot.address for spot in made.held}
            assert held == {spot for spot, owner in seen[0].items() if owner == name}
        return seen[0]


def moved(before: Mapping[Address, str], after: Mapping[Address, str]) -> dict[Address, tuple[str, str]]:
    return {one: (before[one], owner) for one, owner in after.items() if before[one] != owner}


def shares(owners: Mapping[Address, str], nodes: Collection[str]) -> list[int]:
    counted: Iterable[int] = (sum(owner == name for owner in owners.values()) for name in nodes)
    return sorted(counted)
