"""Allocation under any sequence of edits, failed writes and restarts."""

import random
from ipaddress import ip_address
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from openelb_bgp.admission import blocked_pools
from openelb_bgp.ipam import Allocation, Decision, allocate
from openelb_bgp.ipam.numbers import number
from openelb_bgp.ipam.sharing import why_not_shared
from openelb_bgp.model import keys
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.meta import LabelSelector
from openelb_bgp.model.pools import Eip, Protocol
from openelb_bgp.model.services import Ingress, Service
from openelb_bgp.model.snapshot import Snapshot
from tests.ipam_cluster import DUAL, OURS, V4, V6, Cluster, edited, eip, namespace, node, service

# Few names and small, overlapping pools, so that everything meets everything.
POOLS = st.sampled_from(["a", "b", "c", "d"])
RANGES = st.sampled_from(
    [
        "192.0.2.0/30",
        "192.0.2.2-192.0.2.5",
        "192.0.2.254-192.0.3.1",
        "192.0.2.5,2001:db8::/127",
        "2001:db8::1-2001:db8::4",
        "198.51.100.0/24",
    ]
)
ADDRESSES = st.sampled_from(
    ["192.0.2.0", "192.0.2.1", "192.0.2.2", "192.0.2.5", "192.0.3.0", "2001:db8::1", "203.0.113.9"]
)
NAMES = st.sampled_from(["p", "q", "r", "s", "t", "u", "v"])
LABELS = st.sampled_from([{}, {"tier": "gold"}])
INVITED = OURS | {keys.ALLOW_SHARED_ANNOTATION: "yes"}


def mostly(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    """The usual value three times in four, so that most requests can be met."""
    return st.sampled_from([usual] * 3 * len(others) + list(others))


def some(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Mostly none, or one or two of them as a comma list."""
    return st.one_of(st.just(""), st.just(""), st.lists(values, max_size=2, unique=True).map(",".join))


EIPS = st.builds(
    eip,
    POOLS,
    RANGES,
    default=mostly(True, False),
    exclude=mostly("", "192.0.2.1", "192.0.2.0/31,2001:db8::1"),
    disabled=mostly(False, True),
    priority=st.integers(0, 1),
    protocol=mostly(Protocol.BGP, Protocol.LAYER2),
    namespaces=mostly(frozenset(), frozenset({"shop"}), frozenset({"bazaar"})),
    namespace_selector=mostly(None, {}, {"tier": "gold"}),
    service_selector=mostly(None, LabelSelector((("tier", "gold"),))),
    enforce_namespaces=mostly(False, True),
    avoid_buggy_ips=mostly(False, True),
)
SERVICES = st.builds(
    service,
    NAMES,
    namespace=mostly("shop", "bazaar"),
    created=st.integers(0, 3).map(float),
    names_pool=some(POOLS),
    names_address=some(ADDRESSES),
    has=some(ADDRESSES),
    label=mostly("", "a", "gone"),
    labels=LABELS,
    annotations=mostly(
        OURS, INVITED, OURS | {keys.PROTOCOL_ANNOTATION: "layer2"}, {keys.MANAGED_ANNOTATION: "other"}
    ),
    ports=st.sampled_from(["TCP/80", "UDP/53", "TCP/80,UDP/53"]),
    ip_families=mostly((V4,), (), (V6,), DUAL),
    ip_family_policy=mostly("SingleStack", "PreferDualStack", "RequireDualStack"),
    local=mostly(False, True),
    selector=st.sampled_from([{"app": "x"}, {"app": "y"}]),
)


class AnyEdits(RuleBasedStateMachine):
    """Edits objects at random; after each step the allocation must hold all that it promises."""

    def __init__(self) -> None:
        super().__init__()
        self.cluster = Cluster()

    @initialize(
        pools=st.lists(EIPS, min_size=1, max_size=3), services=st.lists(SERVICES, min_size=2, max_size=6)
    )
    def begin(self, pools: list[Eip], services: list[Service]) -> None:
        self.cluster = Cluster(*pools, *services)

    # Edits.

    @rule(pool=EIPS)
    def put_pool(self, pool: Eip) -> None:
        self._keeping_live_addresses(lambda: self.cluster.put(pool))

    @rule(name=POOLS)
    def drop_pool(self, name: str) -> None:
        self._keeping_live_addresses(lambda: self.cluster.eips.pop(name, None))

    @rule(address=ADDRESSES)
    def put_node(self, address: str) -> None:
        self._keeping_live_addresses(lambda: self.cluster.put(node("n", address)))

    @rule(labels=LABELS)
    def label_namespace(self, labels: dict[str, str]) -> None:
        self._keeping_live_addresses(lambda: self.cluster.put(namespace("shop", **labels)))

    @rule(one=SERVICES)
    def create_service(self, one: Service) -> None:
        if one.key not in self.cluster.services:
            self.cluster.put(one)

    @rule(
        data=st.data(), pool=some(POOLS), address=some(ADDRESSES), managed=st.sampled_from(["openelb", None])
    )
    @precondition(lambda self: self.cluster.services)
    def ask_for_another(self, data: st.DataObject, pool: str, address: str, managed: str | None) -> None:
        one = self.cluster.services[data.draw(st.sampled_from(sorted(self.cluster.services)))]
        self.cluster.put(edited(one, pool=pool or None, address=address or None, managed=managed))

    @rule(data=st.data(), spec=SERVICES)
    @precondition(lambda self: self.cluster.services)
    def edit_spec(self, data: st.DataObject, spec: Service) -> None:
        one = self.cluster.services[data.draw(st.sampled_from(sorted(self.cluster.services)))]
        self.cluster.put(
            msgspec.structs.replace(one, ports=spec.ports, local=spec.local, ip_families=spec.ip_families)
        )

    @rule(data=st.data())
    @precondition(lambda self: self.cluster.services)
    def delete_service(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.cluster.services)))
        if data.draw(st.booleans()):
            del self.cluster.services[key]
            return
        one = self.cluster.services[key]
        self.cluster.put(msgspec.structs.replace(one, meta=msgspec.structs.replace(one.meta, deleting=True)))

    @rule(data=st.data(), address=ADDRESSES)
    @precondition(lambda self: self.cluster.services)
    def somebody_overwrites_a_status(self, data: st.DataObject, address: str) -> None:
        one = self.cluster.services[data.draw(st.sampled_from(sorted(self.cluster.services)))]
        self.cluster.put(msgspec.structs.replace(one, ingress=(Ingress(ip_address(address)),)))

    # Time passes.

    @rule(data=st.data())
    def write_some(self, data: st.DataObject) -> None:
        """Some writes fail."""
        for key, decision in sorted(self._allocate().services.items()):
            if decision.changed and data.draw(st.booleans()):
                self.cluster.services[key] = decision.written()

    @rule()
    def write_all(self) -> None:
        self.cluster.blocked = blocked_pools(self.cluster.snapshot)
        self.cluster.settle()
        self.cluster.events.clear()
        assert self.cluster.cycle() == 0
        assert self.cluster.events == []

    @rule()
    def restart(self) -> None:
        self.cluster.allocation = None

    # What always holds.

    @invariant()
    def memory_and_order_of_input_do_not_matter(self) -> None:
        allocation, snapshot = self._allocate(), self.cluster.snapshot
        for again in (snapshot, shuffled(snapshot)):
            fresh = allocate(again, rules=self.cluster.rules, blocked_pools=self.cluster.blocked)
            assert fresh.services == allocation.services
            assert fresh.pools == allocation.pools

    @invariant()
    def no_two_services_have_an_address_that_they_may_not_share(self) -> None:
        for address, holders in holders_of(self._allocate()).items():
            for one in holders:
                for other in holders:
                    if one is not other and why_not_shared(one.service, other.service):
                        assert str(address) in (one.marks.shared_at_takeover or "")
                        assert str(address) in (other.marks.shared_at_takeover or "")

    @invariant()
    def no_address_is_given_that_stands_in_another_status(self) -> None:
        standing = {
            (entry.ip, key) for key, one in self.cluster.services.items() for entry in one.ingress if entry.ip
        }
        holders = holders_of(self._allocate())
        for address, decision in new_addresses(self._allocate()):
            for other in {key for ip, key in standing if ip == address and key != decision.service.key}:
                assert other in {one.service.key for one in holders[address]}

    @invariant()
    def new_addresses_are_ones_that_their_pool_may_give(self) -> None:
        allocation = self._allocate()
        nodes = {address for one in self.cluster.nodes.values() for address in one.addresses}
        for address, decision in new_addresses(allocation):
            name = next(one.pool for one in decision.addresses if one.address == address)
            pool = self.cluster.eips[name]
            assert address in pool
            assert address not in nodes
            assert not any(address in one for one in pool.excluded)
            assert not pool.disabled
            assert name not in self.cluster.blocked

    @invariant()
    def who_names_nothing_gets_the_lowest_free_address_of_the_pool(self) -> None:
        allocation = self._allocate()
        in_use = {entry.ip for one in self.cluster.services.values() for entry in one.ingress}
        in_use |= set(holders_of(allocation))
        for address, decision in new_addresses(allocation):
            notes = decision.service.meta.annotations
            if keys.ADDRESS_ANNOTATION in notes or keys.ALLOCATED_ANNOTATION in notes:
                continue
            pool = next(one.pool for one in decision.addresses if one.address == address)
            free = allocation.pools[pool].pool.can_give
            lower = (one for one in every_address(self.cluster.eips[pool]) if one.version == address.version)
            assert all(one in in_use or not free(number(one)) for one in lower if int(one) < int(address))

    @invariant()
    def what_is_counted_is_what_is_there(self) -> None:
        allocation = self._allocate()
        for name, use in allocation.pools.items():
            given = {
                one.address
                for decision in allocation.services.values()
                for one in decision.addresses
                if one.pool == name
            }
            assert (use.usage, set(use.used)) == (len(given), {str(one) for one in given})
            taken = set(holders_of(allocation))
            taken |= {entry.ip for one in self.cluster.services.values() for entry in one.ingress if entry.ip}
            able = {one for one in every_address(self.cluster.eips[name]) if use.pool.can_give(number(one))}
            assert use.free == len(able - taken)

    def _allocate(self) -> Allocation:
        self.cluster.blocked = blocked_pools(self.cluster.snapshot)
        return self.cluster.allocate()

    def _keeping_live_addresses(self, edit: Any) -> None:
        """What no Service asks to change stays, whatever happens to pools, nodes and namespaces."""
        self.write_all()
        content = {
            key: {one.address for one in decision.addresses}
            for key, decision in self._allocate().services.items()
            if decision.ours and not decision.refused and not may_still_move(decision)
        }
        edit()
        self.write_all()
        for key, addresses in content.items():
            assert addresses <= set(self.cluster.services[key].addresses)


def may_still_move(decision: Decision) -> bool:
    """Whether a Service names a pool for a family that it can go without: it may get that one later."""
    return decision.service.ip_family_policy == "PreferDualStack"


def shuffled(snapshot: Snapshot) -> Snapshot:
    """The same objects in another order."""
    rng = random.Random(len(snapshot.services))

    def mixed(table: Any) -> Any:
        items = list(table.items())
        rng.shuffle(items)
        return dict(items)

    return msgspec.structs.replace(
        snapshot,
        services=mixed(snapshot.services),
        eips=mixed(snapshot.eips),
        nodes=mixed(snapshot.nodes),
        namespaces=mixed(snapshot.namespaces),
    )


def holders_of(allocation: Allocation) -> dict[Address, list[Decision]]:
    """Who will have which address."""
    holders: dict[Address, list[Decision]] = {}
    for decision in allocation.services.values():
        for one in decision.addresses:
            holders.setdefault(one.address, []).append(decision)
    return holders


def new_addresses(allocation: Allocation) -> list[tuple[Address, Decision]]:
    """Addresses that are not in the status of the Service that gets them."""
    return [
        (one.address, decision)
        for decision in allocation.services.values()
        for one in decision.addresses
        if one.address not in decision.service.addresses
    ]


def every_address(pool: Eip) -> list[Address]:
    """A small pool, listed."""
    return [one.family.address(value) for one in pool.ranges for value in range(one.first, one.last + 1)]


TestAnyEdits = AnyEdits.TestCase
TestAnyEdits.settings = settings(max_examples=100, stateful_step_count=20, deadline=None)
