"""Who owns what on a simulated LAN: every node decides from its own Members, and hears others' announcements.

The decisions are the real ones, `layer2.plan` and what follows from a rival in `layer2.contention`; frames
take no time, and get through where the LAN carries them.
"""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, ip_address

import msgspec

from openelb_bgp.layer2.contention import Verdict, Yielded, adopted, judge, still_yielded
from openelb_bgp.layer2.owned import Spot
from openelb_bgp.layer2.plan import PlanMemory, plan
from openelb_bgp.model import keys
from openelb_bgp.model.addresses import Address, Family
from openelb_bgp.model.cluster import Node as NodeObject
from openelb_bgp.model.facts import Facts, Link
from openelb_bgp.model.members import Members
from openelb_bgp.model.meta import EMPTY, Kind, Meta
from openelb_bgp.model.pools import Protocol
from openelb_bgp.model.services import Endpoint, EndpointSlice, Ingress, Service
from openelb_bgp.model.snapshot import Snapshot
from tests.simulated_lan import Lan
from tests.simulated_node import NIC, Node
from tests.unit.layer2_world import pool

ADDRESSES = tuple(IPv4Address(f"192.168.200.{number}") for number in range(1, 13))
_LOOKS = 0.5


class _Speaker:
    """What one node's process remembers; `core` is the one that it is of."""

    def __init__(self, core: object) -> None:
        self.core = core
        self.memory: PlanMemory | None = None
        self.yielded: dict[Spot, Yielded] = {}
        self.held: frozenset[Address] = frozenset()


class Owners:
    """What every node of a LAN decides. `preferred` says which node an address's Service asks for."""

    def __init__(self, lan: Lan, *, preferred: Mapping[Address, str] = EMPTY) -> None:
        self._lan = lan
        self._snapshot = _snapshot(lan, preferred)
        self._speakers: dict[str, _Speaker] = {}
        lan.watchers.append(self._decide)

    def run(self, seconds: float) -> None:
        """Let time pass, and have its say."""
        end = self._lan.now + seconds
        while self._lan.now < end:
            self._lan.run(min(_LOOKS, end - self._lan.now))
            self._look()

    def announce(self) -> None:
        """A gratuitous interval is over: each holder announces what it holds."""
        self._look()
        for node in self._lan.running():
            for address in sorted(self._speakers[node.name].held, key=int):
                self._say(node, address)

    def holders(self) -> dict[IPv4Address, list[str]]:
        """By address who holds it now, time having its say."""
        self._look()
        found: dict[IPv4Address, list[str]] = {address: [] for address in ADDRESSES}
        for node in self._lan.running():
            for address in self._speakers[node.name].held:
                assert isinstance(address, IPv4Address)
                found[address].append(node.name)
        return found

    def expect_one_on_each_side(self, context: str) -> None:
        """Fails where an address has no holder or several among those that hear each other."""
        sides = set(self._lan.truths().values())
        assert sides or not self._lan.running(), context
        for address, names in self.holders().items():
            count = {tuple(sorted(side)): sum(name in side for name in names) for side in sides}
            assert set(count.values()) <= {1}, f"{context}: {address} is held by {names}; sides: {count}"

    def has_one_on_each_side(self) -> bool:
        """Whether that would not fail."""
        try:
            self.expect_one_on_each_side("")
        except AssertionError:
            return False
        return True

    def _look(self) -> None:
        for node in self._lan.running():
            assert node.core is not None
            self._decide(node, node.core.members)

    def _decide(self, node: Node, members: Members) -> None:
        one = self._speakers.get(node.name)
        if one is None or one.core is not node.core:
            # Another process remembers nothing.
            one = self._speakers[node.name] = _Speaker(node.core)
        facts = self._facts(node, members)
        one.memory = plan(self._snapshot, facts, previous=one.memory)
        before = one.held
        self._hold(one, facts)
        for address in sorted(one.held - before, key=int):
            self._say(node, address)

    def _facts(self, node: Node, members: Members) -> Facts:
        link = Link(name=NIC, index=2, mac=node.local.mac, up=True, addresses=node.local.addresses)
        answering = frozenset(
            address for other in self._others(node) for address in self._speakers[other.name].held
        )
        now = node.clock.reads(self._lan.now)
        return Facts(node=node.name, now=now, links=(link,), members=members, answering=answering)

    def _others(self, node: Node) -> Iterator[Node]:
        for other in self._lan.running():
            is_known = other is not node and other.name in self._speakers
            if is_known and self._lan.carries(node, other) and self._lan.carries(other, node):
                yield other

    def _hold(self, one: _Speaker, facts: Facts) -> None:
        assert one.memory is not None
        held = one.memory.plan.held
        one.yielded = still_yielded(one.yielded, held, facts)
        one.held = frozenset(spot.address for spot in held if spot not in one.yielded)

    def _say(self, node: Node, address: Address, *, once_more: bool = True) -> None:
        for other in self._lan.running():
            heard = other is not node and other.name in self._speakers and self._lan.carries(node, other)
            if heard and address in self._speakers[other.name].held:
                self._hear(other, address, node, answers=once_more)

    def _hear(self, node: Node, address: Address, rival: Node, *, answers: bool) -> None:
        one = self._speakers[node.name]
        assert one.memory is not None and node.core is not None
        facts = self._facts(node, node.core.members)
        match judge(one.memory.plan.placements[address], rival.name, facts):
            case Verdict.DEFEND if answers:
                self._say(node, address, once_more=False)
            case Verdict.YIELD:
                one.yielded[Spot(address, NIC)] = Yielded(rival.name, facts.now)
            case Verdict.ADOPT:
                left = adopted(one.memory.plan, address, rival.name, now=facts.now)
                one.memory = msgspec.structs.replace(one.memory, plan=left, inputs=())
        self._hold(one, facts)


def _snapshot(lan: Lan, preferred: Mapping[Address, str]) -> Snapshot:
    nodes = {
        node.name: NodeObject(meta=Meta(name=node.name), addresses=(node.management,)) for node in lan.nodes
    }
    services = {
        one.key: one
        for one in (
            _service(number, str(address), preferred.get(address, ""))
            for number, address in enumerate(ADDRESSES)
        )
    }
    slices = {
        one.key: (
            EndpointSlice(
                meta=Meta(name=one.meta.name, namespace="shop"),
                service=one.meta.name,
                family=Family.IPV4,
                endpoints=tuple(Endpoint(node) for node in nodes),
            ),
        )
        for one in services.values()
    }
    lan_pool = pool(text="192.168.200.0/24", protocol=Protocol.LAYER2)
    return Snapshot(
        nodes=nodes,
        eips={"lan": lan_pool},
        services=services,
        slices=slices,
        listed=frozenset(Kind),
    )


def _service(number: int, address: str, preferred: str) -> Service:
    annotations = {
        keys.MANAGED_ANNOTATION: keys.MANAGED_VALUE,
        keys.ALLOCATED_ANNOTATION: f"{address}=lan",
        keys.PREFERRED_NODE_ANNOTATION: preferred,
    }
    return Service(
        meta=Meta(name=f"web{number}", namespace="shop", annotations=annotations),
        type="LoadBalancer",
        ingress=(Ingress(ip_address(address)),),
    )
