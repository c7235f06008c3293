"""What holds for every plan: order, memory, a path or a reason for every address, eligible nodes only."""

from collections.abc import Mapping
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from openelb_bgp.bgp.model import PathAttrs, PathKey
from openelb_bgp.bgp.plan import BgpPlan
from openelb_bgp.eligibility import Eligibility, eligible_nodes
from openelb_bgp.model import keys
from openelb_bgp.model.addresses import Family
from openelb_bgp.model.cluster import Node
from openelb_bgp.model.meta import Kind
from openelb_bgp.model.routing import AfiSafi, NextHops
from openelb_bgp.model.services import Endpoint
from tests.unit.plan_world import (
    NOW,
    ROUTER,
    ROUTER6,
    World,
    address,
    advert,
    conf,
    endpoint,
    node,
    peer,
    pool,
    selector,
    service,
    session,
    slices,
    speaker,
    world,
)

NAMES = ("a", "b", "c", "d")

flags = st.booleans()


@st.composite
def nodes(draw: st.DrawFn) -> list[Node]:
    found = []
    for number, name in enumerate(NAMES, 1):
        if name != "a" and draw(st.integers(0, 5)) == 0:
            continue
        found.append(
            node(
                name,
                number,
                ready=draw(st.sampled_from([None, None, True, False])),
                network_unavailable=draw(st.integers(0, 7)) == 0,
                labels={key: "yes" for key in ("edge", keys.EXCLUDE_LABEL) if draw(st.integers(0, 4)) == 0},
                annotations={keys.DRAIN_ANNOTATION: "true"} if draw(st.integers(0, 4)) == 0 else {},
            )
        )
    return found


adverts = st.builds(
    advert,
    aggregation_length=st.sampled_from([None, 32, 28, 24, 20]),
    aggregation_length_v6=st.sampled_from([None, 128, 120, 48]),
    communities=st.lists(st.integers(1, 3), max_size=2, unique=True).map(tuple),
    local_pref=st.sampled_from([None, 0, 50]),
    med=st.sampled_from([None, 1, 2]),
    as_path_prepend=st.integers(0, 2),
    peers=st.sampled_from([(), (), ("router",), ("inside",), ("nobody",)]),
    service_selector=st.sampled_from([None, None, selector(tier="gold")]),
    node_selector=st.sampled_from([None, None, selector(edge="yes")]),
)
pools = st.builds(
    pool,
    ranges=st.sampled_from(["192.0.2.0/24,2001:db8::/64", "192.0.2.0/28,2001:db8::/121", "198.51.100.0/24"]),
    node_selector=st.sampled_from([None, None, selector(edge="yes")]),
    advertisements=st.lists(adverts, max_size=3).map(tuple),
)
both = (AfiSafi(family=Family.IPV4), AfiSafi(family=Family.IPV6))
peers = st.lists(
    st.sampled_from(
        [
            peer(),
            peer("inside", "10.0.0.253", asn=65000, afi_safis=both),
            peer("router6", ROUTER6),
            peer("self", "10.0.0.1"),
            peer("far", "10.0.0.252", node_selector=selector(edge="yes")),
        ]
    ),
    unique_by=lambda one: one.name,
    max_size=4,
)
confs = st.builds(
    conf,
    next_hops=st.sampled_from(NextHops),
    weighted_ecmp=flags,
    stand_in_after=st.sampled_from([0.0, 10.0]),
)
addresses = st.lists(
    st.sampled_from(["192.0.2.1", "192.0.2.2", "192.0.2.200", "2001:db8::1", "2001:db8::99", "203.0.113.1"]),
    min_size=1,
    max_size=2,
    unique=True,
)
pods = st.lists(
    st.builds(
        endpoint,
        st.sampled_from((*NAMES, "", "gone")),
        ready=flags,
        leaving=st.sampled_from([False, False, True]),
    ),
    max_size=4,
)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    names = draw(st.lists(st.sampled_from([f"s{number}" for number in range(6)]), unique=True))
    services = [
        service(
            name,
            *draw(addresses),
            local=draw(flags),
            labels=draw(st.sampled_from([{}, {"tier": "gold"}])),
            pool=draw(st.sampled_from(["pool", "pool", "gone"])),
        )
        for name in names
    ]
    speakers = {
        name: speaker(
            name,
            established={"router": 0.0} if draw(flags) else {},
            without={"router": NOW - draw(st.sampled_from([1.0, 30.0]))},
            quiet_since=draw(st.sampled_from([None, None, NOW - 20])),
            caught_up_since=draw(st.sampled_from([None, 0.0])),
        )
        for name in NAMES[1:]
        if draw(flags)
    }
    return world().with_(
        nodes=draw(nodes()),
        eips=draw(st.lists(pools, max_size=1)),
        bgp_peers=draw(peers),
        bgp_confs=draw(st.lists(confs, min_size=1, max_size=1)),
        services=services,
        slices={name: slices(name, *draw(pods)) for name in names if draw(st.integers(0, 5))},
        speakers=speakers,
        answering=frozenset(address(f"10.0.0.{number}") for number in draw(st.sets(st.integers(2, 4)))),
        sessions={
            neighbour: session(neighbour, add_path=frozenset(Family) if draw(flags) else frozenset())
            for neighbour in (ROUTER, ROUTER6, "10.0.0.253")
            if draw(flags)
        },
    )


def shuffled(found: World, order: list[int]) -> World:
    """The same objects, every mapping and tuple in another order."""

    def mixed(things: Mapping[Any, Any]) -> dict[Any, Any]:
        ranked = sorted(enumerate(things.items()), key=lambda one: (order[one[0] % len(order)], one[0]))
        return dict(item for _, item in ranked)

    snapshot = found.snapshot
    fields = ("nodes", "eips", "bgp_peers", "services", "slices")
    changed = {name: mixed(getattr(snapshot, name)) for name in fields}
    return World(msgspec.structs.replace(snapshot, **changed), found.facts)


def outcome(plan: BgpPlan) -> object:
    """What a plan says, without its memory."""
    return (
        plan.complete,
        plan.global_conf,
        plan.peers,
        plan.paths,
        plan.pools,
        plan.left_out,
        plan.problems,
        plan.probes,
        plan.standing_in_for,
    )


@given(worlds(), st.permutations(range(6)))
def test_the_order_of_input_never_matters(found: World, order: list[int]) -> None:
    assert outcome(shuffled(found, order).plan()) == outcome(found.plan())
    assert shuffled(found, order).plan().routing == found.plan().routing


def memoryless(found: World) -> World:
    """Without what the past decides: stand-ins, weights, drains that are in their grace."""
    changed = msgspec.structs.replace(
        found.snapshot.bgp_confs["default"], next_hops=NextHops.RACK, weighted_ecmp=False
    )
    calm = [
        msgspec.structs.replace(one, meta=msgspec.structs.replace(one.meta, annotations={}))
        for one in found.snapshot.nodes.values()
    ]
    return found.with_(bgp_confs=[changed], nodes=calm)


@settings(max_examples=200)
@given(worlds(), worlds(), worlds())
def test_a_plan_that_follows_others_equals_one_from_nothing(one: World, two: World, three: World) -> None:
    plan: BgpPlan | None = None
    for found in map(memoryless, (one, two, one, three)):
        before: Mapping[PathKey, PathAttrs] = {} if plan is None else plan.paths
        plan, fresh = found.plan(previous=plan), found.plan()
        assert outcome(plan) == outcome(fresh)
        if plan.changed is not None:
            keys = before.keys() | plan.paths.keys()
            assert plan.changed == {key for key in keys if before.get(key) != plan.paths.get(key)}


@settings(max_examples=200)
@given(worlds(), st.lists(st.tuples(st.integers(0, 5), pods, flags), max_size=6))
def test_single_changes_add_up_to_a_fresh_plan(
    found: World, edits: list[tuple[int, list[Endpoint], bool]]
) -> None:
    found = memoryless(found)
    plan = found.plan()
    for number, endpoints, gone in edits:
        name = f"s{number}"
        services = {one.meta.name: one for one in found.snapshot.services.values()}
        held = {key.name: value for key, value in found.snapshot.slices.items()}
        if gone:
            services.pop(name, None)
            held.pop(name, None)
        else:
            services.setdefault(name, service(name, "192.0.2.1"))
            held[name] = slices(name, *endpoints)
        found = found.with_(services=services.values(), slices=held)
        plan = found.plan(previous=plan)
        assert outcome(plan) == outcome(found.plan())


@given(worlds())
def test_every_address_of_a_bgp_pool_has_a_path_or_a_reason(found: World) -> None:
    plan = found.plan()
    prefixes = {key.prefix for key in plan.paths}
    left_out = {str(ref) for ref in plan.left_out}
    for one in found.snapshot.services.values():
        for held in one.addresses:
            if any(held in eip for eip in found.snapshot.eips.values()):
                covered = any(held in prefix for prefix in prefixes if prefix.version == held.version)
                shared = {
                    str(other.ref) for other in found.snapshot.services.values() if held in other.addresses
                }
                assert covered or left_out & shared


@given(worlds())
def test_no_next_hop_is_a_node_that_is_not_eligible(found: World) -> None:
    plan = found.plan()
    eligibility = Eligibility.of(found.snapshot)
    book = plan.memory.book if plan.memory else None
    assert book is not None
    owners = book.owners()
    eip = found.snapshot.eips.get("pool")
    for key in plan.paths:
        entry = book.entry(key)
        assert entry is not None
        allowed: set[str] = set()
        for owner in owners[key.prefix]:
            one = found.snapshot.services[owner]
            for held in one.addresses:
                if held.version == key.prefix.version and held in key.prefix:
                    may = eligible_nodes(
                        found.snapshot,
                        one,
                        held,
                        selector=eip.node_selector if eip else None,
                        eligibility=eligibility,
                    )
                    allowed |= may.eligible | may.leaving
        assert entry.node in allowed


@given(worlds())
def test_identifiers_are_unique_in_a_prefix_and_a_non_add_path_peer_gets_one_path(found: World) -> None:
    plan = found.plan()
    assert all(0 < key.identifier < 2**32 for key in plan.paths)
    assert len({(key.prefix, key.identifier) for key in plan.paths}) == len(plan.paths)
    one_path = {
        family
        for family in Family
        for neighbour, conf in plan.peers.items()
        if any(one.family is family for one in conf.afi_safis)
        and (known := found.facts.sessions.get(neighbour)) is not None
        and family not in known.add_path
    }
    for family in one_path:
        prefixes = [key.prefix for key in plan.paths if key.family is family]
        assert len(prefixes) == len(set(prefixes))


@given(worlds())
def test_every_tag_on_a_path_has_its_rules(found: World) -> None:
    plan = found.plan()
    members = {member for one in plan.routing.defined_sets for member in one.members}
    for attrs in plan.paths.values():
        for large in attrs.large_communities:
            assert ":".join(map(str, large)) in members


@given(worlds())
def test_aggregates_lie_in_the_pool(found: World) -> None:
    eip = found.snapshot.eips.get("pool")
    for key in found.plan().paths:
        if key.prefix.prefixlen < key.family.bits:
            assert eip is not None
            assert any(one.covers(key.prefix) for one in eip.ranges)


@given(worlds())
def test_nothing_is_planned_for_a_peer_that_is_left_out(found: World) -> None:
    plan = found.plan()
    names = {conf.name for conf in plan.peers.values()}
    for ref in plan.left_out:
        if ref.kind is Kind.BGP_PEER:
            assert ref.key.name not in names


@given(st.lists(st.tuples(worlds(), st.sampled_from([0.0, 1.0, 5.0, 30.0])), max_size=4))
def test_time_never_asks_for_a_plan_that_is_due_already(story: list[tuple[World, float]]) -> None:
    plan, now = None, NOW
    for found, passed in story:
        now += passed
        plan = found.with_(now=now).plan(previous=plan)
        assert plan.deadline is None or plan.deadline > now
