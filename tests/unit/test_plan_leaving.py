"""How a node leaves: drain with its grace, and weights of those that stay."""

from typing import Any

from openelb_bgp.bgp.model import LinkBandwidth, PathAttrs
from openelb_bgp.bgp.weights import quantised
from openelb_bgp.model.pools import Eip
from openelb_bgp.model.routing import Drain, NextHops
from tests.unit.plan_world import (
    NOW,
    World,
    address,
    advert,
    conf,
    drained,
    endpoint,
    next_hops,
    node,
    peer,
    pool,
    reasons,
    routes,
    seen_by,
    service,
    slices,
    world,
)

PREFIX = "192.0.2.1/32"
SHUTDOWN = 0xFFFF0000


def draining(**changes: Any) -> World:
    return world().with_(**{"nodes": [drained("a", 1), node("b", 2), node("c", 3)], **changes})


def test_a_draining_node_makes_its_paths_unattractive_first_and_says_when_it_withdraws() -> None:
    plan = draining().plan(previous=world().plan())
    assert routes(plan) == {
        PREFIX: [PathAttrs(communities=(SHUTDOWN,), as_path_prepend=(65000, 65000, 65000))]
    }
    assert plan.deadline == NOW + 5
    assert plan.draining
    assert reasons(plan) == {}


def test_after_the_grace_it_withdraws() -> None:
    first = draining().plan(previous=world().plan())
    assert draining(now=NOW + 4.9).plan(previous=first).paths == first.paths
    later = draining(now=NOW + 5).plan(previous=first)
    assert (later.paths, later.deadline) == ({}, None)
    assert reasons(later) == {"Service shop/web": "NodeDraining"}
    assert later.changed == frozenset(first.paths)


def test_the_grace_is_bgpconfs() -> None:
    slow = draining(bgp_confs=[conf(drain=Drain(grace_seconds=60))])
    assert slow.plan(previous=world().plan()).deadline == NOW + 60


def test_towards_ibgp_a_draining_node_lowers_the_local_preference() -> None:
    inside = draining(bgp_peers=[peer(asn=65000)])
    plan = inside.plan(previous=world().plan())
    assert routes(plan) == {PREFIX: [PathAttrs(communities=(SHUTDOWN,), local_pref=0)]}


def test_the_drain_adds_to_what_advertisements_say() -> None:
    said = pool(advertisements=(advert(communities=(7,), as_path_prepend=1, local_pref=300),))
    both = draining(eips=[said], bgp_peers=[peer(), peer("inside", "10.0.0.253", asn=65000)])
    plan = both.plan(previous=world().plan())
    (outside,) = seen_by(plan, "10.0.0.254", PREFIX)
    (inside,) = seen_by(plan, "10.0.0.253", PREFIX)
    assert (outside.communities, outside.prepend) == ((7, SHUTDOWN), (65000,) * 4)
    assert (inside.communities, inside.local_pref) == ((7, SHUTDOWN), 0)


def test_the_end_of_a_drain_restores_the_paths() -> None:
    first = draining().plan(previous=world().plan())
    assert routes(world().with_(now=NOW + 9).plan(previous=first)) == {PREFIX: [PathAttrs()]}


def test_if_every_eligible_node_drains_they_keep_the_address() -> None:
    everybody = draining(nodes=[drained("a", 1), drained("b", 2), drained("c", 3)])
    first = everybody.plan(previous=world().plan())
    later = everybody.with_(now=NOW + 1000).plan(previous=first)
    assert next_hops(later) == {PREFIX: {"self"}}
    assert reasons(later) == {}


def test_the_last_node_with_a_pod_of_a_local_service_keeps_it() -> None:
    last = draining(
        services=[service("web", "192.0.2.1", local=True)], slices={"web": slices("web", endpoint("a"))}
    )
    first = last.plan(previous=world().plan())
    assert next_hops(last.with_(now=NOW + 1000).plan(previous=first)) == {PREFIX: {"self"}}


def test_a_restarted_speaker_goes_on_with_the_drain_that_it_finds() -> None:
    announcing = draining(adopted=frozenset({(PREFIX, "None")}))
    assert next_hops(announcing.plan()) == {PREFIX: {"self"}}
    withdrawn = draining(adopted=frozenset())
    assert withdrawn.plan().paths == {}


def test_a_drain_that_began_earlier_is_counted_from_then() -> None:
    plan = draining(draining_since=NOW - 2).plan(previous=world().plan())
    assert plan.deadline == NOW + 3


def test_in_rack_mode_everybody_lets_the_draining_node_go_after_its_grace() -> None:
    rack = world().with_(bgp_confs=[conf(next_hops=NextHops.RACK)])
    leaving = rack.with_(nodes=[node("a", 1), drained("b", 2), node("c", 3)])
    first = leaving.plan(previous=rack.plan())
    assert next_hops(first) == {PREFIX: {"self", "10.0.0.2", "10.0.0.3"}}
    going = {one.next_hop: one.communities for one in routes(first)[PREFIX]}
    assert going == {None: (), address("10.0.0.2"): (SHUTDOWN,), address("10.0.0.3"): ()}
    later = leaving.with_(now=NOW + 5).plan(previous=first)
    assert next_hops(later) == {PREFIX: {"self", "10.0.0.3"}}


def test_in_rack_mode_a_restart_brings_no_node_back_that_has_left() -> None:
    left = world().with_(
        bgp_confs=[conf(next_hops=NextHops.RACK)],
        nodes=[node("a", 1), drained("b", 2), node("c", 3)],
        adopted=frozenset({(PREFIX, "None"), (PREFIX, "10.0.0.3")}),
    )
    assert next_hops(left.plan()) == {PREFIX: {"self", "10.0.0.3"}}
    leaving = left.with_(adopted=frozenset({(PREFIX, "10.0.0.2")}))
    assert "10.0.0.2" in next_hops(leaving.plan())[PREFIX]


def test_zero_eligible_nodes_withdraws_a_draining_node_too() -> None:
    first = draining().plan(previous=world().plan())
    assert draining(slices={}).plan(previous=first).paths == {}


# Weighted ECMP.


def weighted(pods: int, **changes: Any) -> World:
    return world().with_(
        bgp_confs=[conf(weighted_ecmp=True, **changes)],
        services=[service("web", "192.0.2.1", local=True)],
        slices={"web": slices("web", *(endpoint("a") for _ in range(pods)), endpoint("b"))},
    )


def bandwidth(found: Any) -> list[float]:
    return [
        0.0 if one.link_bandwidth is None else one.link_bandwidth.bytes_per_second
        for one in routes(found)[PREFIX]
    ]


def test_a_local_service_is_weighted_by_its_local_endpoints() -> None:
    assert routes(weighted(3).plan()) == {PREFIX: [PathAttrs(link_bandwidth=LinkBandwidth(65000, 3e6))]}


def test_a_cluster_service_has_no_weight() -> None:
    plain = world().with_(bgp_confs=[conf(weighted_ecmp=True)])
    assert routes(plain.plan()) == {PREFIX: [PathAttrs()]}


def test_an_aggregate_has_no_weight() -> None:
    both: Eip = pool(advertisements=(advert(), advert(aggregation_length=24)))
    plan = weighted(3).with_(eips=[both]).plan()
    assert routes(plan)["192.0.2.0/24"] == [PathAttrs()]
    assert bandwidth(plan) == [3e6]


def test_an_asn_that_does_not_fit_the_community_is_written_as_as_trans() -> None:
    (attrs,) = routes(weighted(1, asn=4200000000).plan())[PREFIX]
    assert attrs.link_bandwidth == LinkBandwidth(23456, 1e6)


def test_every_path_of_a_prefix_is_weighted() -> None:
    plan = weighted(3, next_hops=NextHops.RACK).plan()
    assert bandwidth(plan) == [3e6, 1e6]


def test_a_weight_changes_at_most_once_in_ten_seconds() -> None:
    first = weighted(3).plan()
    second = weighted(4).plan(previous=first)
    assert bandwidth(second) == [4e6]
    third = weighted(5).with_(now=NOW + 1).plan(previous=second)
    assert bandwidth(third) == [4e6]
    assert third.deadline == NOW + 10
    due = weighted(5).with_(now=NOW + 10)
    fourth = due.plan(previous=third)
    assert (bandwidth(fourth), fourth.deadline) == ([5e6], None)


def test_a_weight_that_swings_back_needs_no_change() -> None:
    first = weighted(4).plan(previous=weighted(3).plan())
    away = weighted(5).with_(now=NOW + 1).plan(previous=first)
    back = weighted(4).with_(now=NOW + 2).plan(previous=away)
    assert (bandwidth(back), back.deadline) == ([4e6], None)


def test_the_last_endpoint_that_goes_withdraws_at_once_whatever_the_weight() -> None:
    first = weighted(4).plan(previous=weighted(3).plan())
    assert weighted(0).with_(now=NOW + 1).plan(previous=first).paths == {}


def test_a_change_that_waits_is_forgotten_when_nothing_is_weighted_any_more() -> None:
    waiting = weighted(5).with_(now=NOW + 1).plan(previous=weighted(4).plan(previous=weighted(3).plan()))
    assert waiting.deadline is not None
    for later in (
        weighted(5).with_(bgp_confs=[conf()], now=NOW + 20),
        weighted(5).with_(services=[service("web", local=True)], now=NOW + 20),
        weighted(5).with_(services=[], now=NOW + 20),
    ):
        assert later.plan(previous=waiting).deadline is None


def test_counts_are_quantised_to_four_significant_bits() -> None:
    assert [quantised(count) for count in (0, 1, 15, 16, 17, 18, 19, 33, 100, 101, 1000)] == [
        0, 1, 15, 16, 18, 18, 20, 32, 104, 104, 1024
    ]  # fmt: skip
