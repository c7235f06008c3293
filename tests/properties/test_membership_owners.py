"""The decision over the membership, both the real ones, on simulated LANs: each address ends with one owner.

A node that is on no side but its own serves there alone; so on each side of a partition there is one owner.
"""

from ipaddress import IPv4Address, ip_address

import pytest

from openelb_bgp.layer2.owners import MOST_MOVES
from openelb_bgp.layer2.plan import PlanMemory, plan
from openelb_bgp.model import keys
from openelb_bgp.model.addresses import Family
from openelb_bgp.model.cluster import Node as NodeObject
from openelb_bgp.model.facts import Facts, Link
from openelb_bgp.model.members import Members
from openelb_bgp.model.meta import Kind, Meta
from openelb_bgp.model.pools import Protocol
from openelb_bgp.model.services import Endpoint, EndpointSlice, Ingress, Service
from openelb_bgp.model.snapshot import Snapshot
from tests.properties.test_membership_histories import BOUND, live_through
from tests.simulated_lan import NIC, Lan, Node
from tests.unit.layer2_world import pool

ADDRESSES = tuple(IPv4Address(f"192.168.200.{number}") for number in range(1, 13))


class Owners:
    """What every node of a LAN decides, each from its own Members and with its own memory."""

    def __init__(self, lan: Lan) -> None:
        self._lan = lan
        self._snapshot = _snapshot(lan)
        self._memory: dict[str, PlanMemory] = {}
        self._cores: dict[str, object] = {}
        lan.watchers.append(self._decide)

    def _decide(self, node: Node, members: Members) -> None:
        if self._cores.get(node.name) is not node.core:
            # Another process remembers nothing.
            self._cores[node.name] = node.core
            self._memory.pop(node.name, None)
        now = self._lan.now + node.skew
        link = Link(name=NIC, index=2, mac=node.local.mac, up=True, addresses=node.local.addresses)
        facts = Facts(node=node.name, now=now, links=(link,), members=members)
        self._memory[node.name] = plan(self._snapshot, facts, previous=self._memory.get(node.name))

    def holders(self) -> dict[IPv4Address, list[str]]:
        """By address who holds it now, time having its say."""
        found: dict[IPv4Address, list[str]] = {address: [] for address in ADDRESSES}
        for node in self._lan.running():
            assert node.core is not None
            self._decide(node, node.core.members)
            for spot in self._memory[node.name].plan.held:
                assert isinstance(spot.address, IPv4Address)
                found[spot.address].append(node.name)
        return found

    def expect_one_on_each_side(self, context: str) -> None:
        sides = set(self._lan.truths().values())
        assert sides or not self._lan.running(), context
        for address, names in self.holders().items():
            count = {tuple(sorted(side)): sum(name in side for name in names) for side in sides}
            what = f"{context}: {address} is held by {names}; sides: {count}"
            assert 0 not in count.values(), what
            assert set(count.values()) <= {1} or self._has_moved_too_often(address), what

    def _has_moved_too_often(self, address: IPv4Address) -> bool:
        """Somebody leaves it where it is for that, and others do not know: the wire settles it, by rank."""
        placements = [self._memory[node.name].plan.placements[address] for node in self._lan.running()]
        return any(len(placement.moves) >= MOST_MOVES for placement in placements)


def _snapshot(lan: Lan) -> Snapshot:
    nodes = {
        node.name: NodeObject(meta=Meta(name=node.name), addresses=(node.management,)) for node in lan.nodes
    }
    services = {
        one.key: one for one in (_service(number, str(address)) for number, address in enumerate(ADDRESSES))
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


def _service(number: int, address: str) -> Service:
    annotations = {
        keys.MANAGED_ANNOTATION: keys.MANAGED_VALUE,
        keys.ALLOCATED_ANNOTATION: f"{address}=lan",
    }
    return Service(
        meta=Meta(name=f"web{number}", namespace="shop", annotations=annotations),
        type="LoadBalancer",
        ingress=(Ingress(ip_address(address)),),
    )


@pytest.mark.parametrize("count", [2, 3, 4, 9])
def test_a_dead_nodes_addresses_have_one_new_owner_and_it_takes_them_back_when_it_is_stable(
    count: int,
) -> None:
    lan = Lan(count, seed=count)
    owners = Owners(lan)
    lan.start_all()
    lan.run_until_true(most=BOUND)
    lan.run(40)
    owners.expect_one_on_each_side("at first")
    before = owners.holders()
    lan.kill(lan.nodes[0])
    lan.run_until_true(most=1.2)
    lan.run(0.3)
    owners.expect_one_on_each_side("after the death")
    lan.start(lan.nodes[0])
    lan.run(20)
    owners.expect_one_on_each_side("while it is young")
    assert not [names for names in owners.holders().values() if "node-0" in names]
    lan.run(15)
    assert owners.holders() == before


@pytest.mark.parametrize("count", [2, 3, 4, 9])
def test_each_side_of_a_partition_has_its_owner_and_after_it_there_is_one(count: int) -> None:
    lan = Lan(count, seed=count)
    owners = Owners(lan)
    lan.start_all()
    lan.run_until_true(most=BOUND)
    lan.run(40)
    lan.partition({node.name: node.index % 2 for node in lan.nodes})
    lan.run_until_true(most=BOUND)
    lan.run(1)
    owners.expect_one_on_each_side("during the partition")
    lan.run(20)
    lan.partition({})
    lan.run_until_true(most=BOUND)
    lan.run(1)
    owners.expect_one_on_each_side("after the heal")
    lan.run(40)
    owners.expect_one_on_each_side("in the end")


@pytest.mark.parametrize("count", [2, 3, 4, 6])
def test_after_any_history_there_is_one_owner_within_the_bound_and_stays_one(count: int) -> None:
    for seed in range(24 // count):
        made: list[Owners] = []

        def prepare(lan: Lan, made: list[Owners] = made) -> None:
            made.append(Owners(lan))

        lan = live_through(seed, count=count, faults=8, loss=0.02, prepare=prepare)
        lan.run(BOUND)
        made[0].expect_one_on_each_side(f"seed {seed}, after the bound")
        lan.run(40)
        made[0].expect_one_on_each_side(f"seed {seed}, when all are stable")
