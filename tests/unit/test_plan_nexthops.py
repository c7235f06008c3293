"""Whose next hops a node advertises, to whom: nextHops Self, Rack and Auto, stand-ins, IPv6 over IPv4."""

import hashlib
from typing import Any

from openelb_bgp.bgp.model import PathAttrs
from openelb_bgp.model import keys
from openelb_bgp.model.addresses import Family
from openelb_bgp.model.facts import Gateway, ProbeTarget, SessionSeen
from openelb_bgp.model.routing import AfiSafi, NextHops
from tests.unit.plan_world import (
    NOW,
    ROUTER,
    ROUTER6,
    World,
    address,
    conf,
    drained,
    endpoint,
    link,
    next_hops,
    node,
    peer,
    pool,
    problems,
    reasons,
    routes,
    seen_by,
    service,
    session,
    slices,
    speaker,
    world,
)

A, B, C = "10.0.0.1", "10.0.0.2", "10.0.0.3"
PREFIX = "192.0.2.1/32"


def racked(**changes: Any) -> World:
    return world().with_(bgp_confs=[conf(next_hops=NextHops.RACK)], **changes)


# Self and Rack.


def test_self_advertises_its_own_node_only() -> None:
    found = world().with_(bgp_confs=[conf(next_hops=NextHops.SELF)], answering=frozenset({address(B)}))
    assert next_hops(found.plan()) == {PREFIX: {"self"}}


def test_rack_advertises_every_eligible_node_of_the_rack() -> None:
    assert next_hops(racked().plan()) == {PREFIX: {"self", B, C}}


def test_rack_keeps_to_its_rack() -> None:
    nodes = [node("a", 1, labels={keys.RACK_LABEL: "r1"}), node("b", 2, labels={keys.RACK_LABEL: "r1"})]
    assert next_hops(racked(nodes=[*nodes, node("c", 3)]).plan()) == {PREFIX: {"self", B}}


def test_rack_advertises_a_local_service_for_the_nodes_that_have_its_pods() -> None:
    found = racked(
        services=[service("web", "192.0.2.1", local=True)], slices={"web": slices("web", endpoint("c"))}
    )
    plan = found.plan()
    assert next_hops(plan) == {PREFIX: {C}}
    assert reasons(plan) == {"Service shop/web": "NoLocalEndpoint"}


def test_rack_leaves_out_nodes_that_are_not_eligible() -> None:
    nodes = [node("a", 1), node("b", 2, ready=False), node("c", 3)]
    assert next_hops(racked(nodes=nodes).plan()) == {PREFIX: {"self", C}}


def test_rack_leaves_out_a_node_that_does_not_forward_yet() -> None:
    booting = {"b": speaker("b", unproven=True), "c": speaker("c")}
    assert next_hops(racked(speakers=booting).plan()) == {PREFIX: {"self", C}}


def test_a_node_without_an_address_of_the_family_cannot_be_a_next_hop() -> None:
    plan = racked(nodes=[node("a", 1), node("b", 2), node("c", 3, addresses=("fd00::3",))]).plan()
    assert next_hops(plan) == {PREFIX: {"self", B}}
    assert problems(plan) == {("Node c", "NoNodeAddress")}


def test_paths_of_one_prefix_have_identifiers_of_their_own() -> None:
    identifiers = [key.identifier for key in racked().plan().paths]
    assert len(set(identifiers)) == 3


def test_a_peer_without_add_path_gets_this_nodes_own_path_and_the_rest_is_reported() -> None:
    plan = racked(sessions={ROUTER: session(add_path=frozenset())}).plan()
    assert next_hops(plan) == {PREFIX: {"self"}}
    assert problems(plan) == {("BgpPeer router", "NoAddPath")}


def test_a_peer_that_is_not_sent_several_paths_counts_as_one_without_add_path() -> None:
    limited = peer(afi_safis=(AfiSafi(family=Family.IPV4, add_paths_send_max=0),))
    assert next_hops(racked(bgp_peers=[limited], sessions={}).plan()) == {PREFIX: {"self"}}


def test_a_peer_without_a_session_does_not_hold_back_paths() -> None:
    down = session(established=False, add_path=frozenset())
    assert next_hops(racked(sessions={ROUTER: down}).plan()) == {PREFIX: {"self", B, C}}


def test_where_one_path_fits_and_this_node_is_not_eligible_the_first_by_hash_is_taken() -> None:
    found = racked(
        services=[service("web", "192.0.2.1", local=True)],
        slices={"web": slices("web", endpoint("b"), endpoint("c"))},
        sessions={ROUTER: session(add_path=frozenset())},
    )
    first = min("bc", key=lambda name: hashlib.sha256(f"standin#192.0.2.1#{name}".encode()).digest())
    assert next_hops(found.plan()) == {PREFIX: {{"b": B, "c": C}[first]}}


def test_a_send_max_below_the_planned_paths_is_reported() -> None:
    limited = peer(afi_safis=(AfiSafi(family=Family.IPV4, add_paths_send_max=2),))
    plan = racked(bgp_peers=[limited]).plan()
    assert next_hops(plan) == {PREFIX: {"self", B, C}}
    assert problems(plan) == {("BgpPeer router", "SendMaxTooSmall")}


# Auto: stand-ins.


def lonely(**changes: Any) -> World:
    """b's session has been gone for ten seconds, b answers, c's session is fine."""
    facts: dict[str, Any] = {
        "speakers": {
            "b": speaker("b", without={"router": NOW - 10}),
            "c": speaker("c", established={"router": 0.0}, caught_up_since=0.0),
        },
        "answering": frozenset({address(B), address("fd00::2")}),
        "sessions": {ROUTER: session()},
    }
    return world().with_(**{**facts, **changes})


def test_a_node_with_sessions_everywhere_is_nobodys_to_stand_in_for() -> None:
    fine = {name: speaker(name, established={"router": 0.0}, caught_up_since=0.0) for name in "bc"}
    plan = lonely(speakers=fine).plan()
    assert next_hops(plan) == {PREFIX: {"self"}}
    assert (plan.standing_in_for, plan.deadline) == ((), None)


def test_a_node_without_a_session_for_ten_seconds_is_stood_in_for() -> None:
    plan = lonely().plan()
    assert next_hops(plan) == {PREFIX: {"self", B}}
    assert plan.standing_in_for == ("b",)


def test_a_stand_in_waits_and_says_until_when() -> None:
    plan = lonely(now=NOW - 3).plan()
    assert next_hops(plan) == {PREFIX: {"self"}}
    assert plan.deadline == NOW


def test_a_node_that_runs_no_speaker_is_stood_in_for() -> None:
    quiet = {"b": speaker("b", quiet_since=NOW - 10), "c": lonely().facts.speakers["c"]}
    assert next_hops(lonely(speakers=quiet).plan()) == {PREFIX: {"self", B}}
    never = {"c": lonely().facts.speakers["c"]}
    assert next_hops(lonely(speakers=never, first_seen=NOW - 10).plan()) == {PREFIX: {"self", B}}


def test_a_node_that_was_taken_out_on_purpose_is_not_brought_back() -> None:
    left = speaker("b", quiet_since=NOW - 10, leaving=True)
    speakers = {"b": left, "c": lonely().facts.speakers["c"]}
    assert next_hops(lonely(speakers=speakers).plan()) == {PREFIX: {"self"}}


def test_a_session_counts_only_while_its_speaker_is_ready() -> None:
    stale = speaker("b", established={"router": 0.0}, quiet_since=NOW - 10)
    assert next_hops(lonely(speakers={**lonely().facts.speakers, "b": stale}).plan()) == {PREFIX: {"self", B}}


def test_ages_count_only_while_this_nodes_own_session_is_up() -> None:
    plan = lonely(sessions={ROUTER: session(since=NOW - 2)}).plan()
    assert next_hops(plan) == {PREFIX: {"self"}}
    assert plan.deadline == NOW + 8


def test_without_a_session_of_its_own_nobody_stands_in() -> None:
    assert next_hops(lonely(sessions={}).plan()) == {PREFIX: {"self"}}


def test_nobody_stands_in_for_a_node_that_does_not_answer() -> None:
    plan = lonely(answering=frozenset()).plan()
    assert next_hops(plan) == {PREFIX: {"self"}}
    assert ProbeTarget("eth0", address(B)) in plan.probes


def test_nobody_stands_in_for_a_node_on_another_link() -> None:
    far = [node("a", 1), node("b", 2, addresses=("10.9.9.2",)), node("c", 3)]
    plan = lonely(nodes=far, answering=frozenset({address("10.9.9.2")})).plan()
    assert next_hops(plan) == {PREFIX: {"self"}}


def test_nobody_stands_in_for_another_rack() -> None:
    far = [node("a", 1), node("b", 2, labels={keys.RACK_LABEL: "r2"}), node("c", 3)]
    assert next_hops(lonely(nodes=far).plan()) == {PREFIX: {"self"}}


def test_nobody_stands_in_for_a_node_that_is_not_eligible_or_drains() -> None:
    for changed in (node("b", 2, network_unavailable=True), drained("b", 2)):
        found = lonely(nodes=[node("a", 1), changed, node("c", 3)])
        assert next_hops(found.plan()) == {PREFIX: {"self"}}


def test_the_two_first_by_hash_stand_in_and_no_third() -> None:
    others = {name: speaker(name, established={"router": 0.0}) for name in "cdefgh"}
    nodes = [node(name, number) for number, name in enumerate("abcdefgh", 1)]
    candidates = sorted("acdefgh", key=lambda name: hashlib.sha256(f"standin#{B}#{name}".encode()).digest())
    standing = set()
    for name in candidates:
        speakers = {
            **others,
            "a": speaker("a", established={"router": 0.0}),
            "b": lonely().facts.speakers["b"],
        }
        del speakers[name]
        links = (link("eth0", f"10.0.0.{1 + 'abcdefgh'.index(name)}/24"),)
        if lonely(nodes=nodes, speakers=speakers, node=name, links=links).plan().standing_in_for:
            standing.add(name)
    assert standing == set(candidates[:2])


def test_a_stand_in_that_is_still_needed_stays() -> None:
    first = lonely().plan()
    later = lonely(now=NOW + 100).plan(previous=first)
    assert next_hops(later) == {PREFIX: {"self", B}}
    assert later.changed == frozenset()


def returned(at: float, *, caught_up: float | None) -> World:
    back = speaker("b", established={"router": at}, caught_up_since=caught_up)
    return lonely(speakers={**lonely().facts.speakers, "b": back})


def test_a_stand_in_leaves_five_seconds_after_the_owner_advertises_everything() -> None:
    first = lonely().plan()
    waiting = returned(NOW + 1, caught_up=NOW + 2).with_(now=NOW + 6).plan(previous=first)
    assert next_hops(waiting) == {PREFIX: {"self", B}}
    assert waiting.deadline == NOW + 7
    over = returned(NOW + 1, caught_up=NOW + 2).with_(now=NOW + 7).plan(previous=waiting)
    assert next_hops(over) == {PREFIX: {"self"}}


def test_a_stand_in_stays_while_the_owner_has_not_caught_up() -> None:
    first = lonely().plan()
    later = returned(NOW + 1, caught_up=None).with_(now=NOW + 60).plan(previous=first)
    assert next_hops(later) == {PREFIX: {"self", B}}


def test_a_stand_in_leaves_at_once_when_the_node_stops_answering() -> None:
    later = lonely(answering=frozenset(), now=NOW + 20).plan(previous=lonely().plan())
    assert next_hops(later) == {PREFIX: {"self"}}


def test_a_stand_in_stays_through_an_outage_of_its_own_session() -> None:
    first = lonely().plan()
    down = lonely(sessions={ROUTER: session(established=False)}, now=NOW + 1).plan(previous=first)
    assert next_hops(down) == {PREFIX: {"self", B}}
    back = lonely(sessions={ROUTER: session(since=NOW + 2)}, now=NOW + 3).plan(previous=down)
    assert next_hops(back) == {PREFIX: {"self", B}}


def test_a_stand_in_ends_when_the_peer_is_switched_off() -> None:
    off = lonely(bgp_peers=[peer(admin_down=True)], sessions={}, now=NOW + 1).plan(previous=lonely().plan())
    assert off.standing_in_for == ()


def test_a_stand_in_leaves_for_better_ones_only_once_they_have_begun() -> None:
    names = "acdefgh"
    ranked = sorted(names, key=lambda name: hashlib.sha256(f"standin#{B}#{name}".encode()).digest())
    last = ranked[-1]
    nodes = [node(name, number) for number, name in enumerate("abcdefgh", 1)]
    alone = lonely(
        nodes=nodes,
        node=last,
        links=(link("eth0", "10.0.0.99/24"),),
        speakers={"b": lonely().facts.speakers["b"]},
    )
    first = alone.plan()
    assert first.standing_in_for == ("b",)
    came = {name: speaker(name, established={"router": NOW}) for name in names if name != last}
    crowd = alone.with_(speakers={**came, "b": lonely().facts.speakers["b"]})
    soon = crowd.with_(now=NOW + 14).plan(previous=first)
    assert soon.standing_in_for == ("b",)
    assert soon.deadline == NOW + 15
    assert crowd.with_(now=NOW + 15).plan(previous=soon).standing_in_for == ()


def test_a_restarted_stand_in_keeps_what_gobgpd_was_found_with_until_it_has_observed() -> None:
    restarted = lonely(
        adopted=frozenset({(PREFIX, "None"), (PREFIX, B)}),
        first_seen=NOW,
        answering=frozenset(),
        speakers={"b": speaker("b", without={"router": NOW})},
    )
    first = restarted.plan()
    assert next_hops(first) == {PREFIX: {"self", B}}
    observed = restarted.with_(now=NOW + 5).plan(previous=first)
    assert next_hops(observed) == {PREFIX: {"self"}}


def test_a_plan_made_before_gobgpd_was_read_forgets_nothing_of_what_it_stood_in_for() -> None:
    unread = lonely(adopted=None, speakers={}, first_seen=NOW).plan()
    read = lonely(adopted=frozenset({(PREFIX, B)}), first_seen=NOW, speakers={}).plan(previous=unread)
    assert read.standing_in_for == ("b",)


def test_a_stand_in_is_for_the_peer_that_lost_the_node_and_not_for_the_others() -> None:
    half = lonely(
        bgp_peers=[peer(), peer("other", "10.0.0.253")],
        sessions={ROUTER: session(), "10.0.0.253": session("10.0.0.253")},
        speakers={
            "b": speaker("b", without={"router": NOW - 10}, established={"other": 0.0}),
            "c": speaker("c", established={"router": 0.0, "other": 0.0}),
        },
    )
    plan = half.plan()
    assert len(seen_by(plan, ROUTER, PREFIX)) == 2
    assert len(seen_by(plan, "10.0.0.253", PREFIX)) == 1
    own, other = routes(plan)[PREFIX]
    assert (own, other.next_hop) == (PathAttrs(), address(B))
    assert len(other.large_communities) == 1


def test_a_stand_in_is_for_the_gateway_that_lost_the_node_though_they_share_a_bgppeer() -> None:
    second = "10.0.0.253"
    gateways = tuple(Gateway(4, 0, one, "eth0") for one in (ROUTER, second))
    lost = {("router", ROUTER): SessionSeen(True, 0.0), ("router", second): SessionSeen(False, NOW - 10)}
    world = lonely(
        bgp_peers=[peer(neighbour=None, neighbor_discovery="DefaultGateway")],
        gateways=gateways,
        sessions={ROUTER: session(), second: session(second)},
        speakers={
            "b": speaker("b", established={"router": 0.0}, sessions=lost, caught_up_since=0.0),
            "c": speaker("c", established={"router": 0.0}, caught_up_since=0.0),
        },
    )
    plan = world.plan()
    assert [len(seen_by(plan, one, PREFIX)) for one in (ROUTER, second)] == [1, 2]
    # Its session is back: a stand-in stays until it has certainly taken over, and no longer.
    back = speaker(
        "b",
        established={"router": 0.0},
        sessions={**lost, ("router", second): SessionSeen(True, NOW)},
        caught_up_since=0.0,
    )
    soon = world.with_(speakers={**world.facts.speakers, "b": back}, now=NOW + 4).plan(previous=plan)
    later = world.with_(speakers={**world.facts.speakers, "b": back}, now=NOW + 5).plan(previous=soon)
    assert [len(seen_by(one, second, PREFIX)) for one in (soon, later)] == [2, 1]


def test_a_stood_in_local_service_is_announced_for_its_nodes_only() -> None:
    found = lonely(
        services=[service("web", "192.0.2.1", local=True)], slices={"web": slices("web", endpoint("b"))}
    )
    assert next_hops(found.plan()) == {PREFIX: {B}}


def test_changing_the_mode_takes_stand_ins_away() -> None:
    first = lonely().plan()
    later = lonely(bgp_confs=[conf(next_hops=NextHops.SELF)]).plan(previous=first)
    assert next_hops(later) == {PREFIX: {"self"}}


# IPv6 over an IPv4 session.


def mixed(**changes: Any) -> World:
    both = peer(afi_safis=(AfiSafi(family=Family.IPV4), AfiSafi(family=Family.IPV6)))
    facts: dict[str, Any] = {"bgp_peers": [both], "services": [service("web", "2001:db8::1")]}
    return world().with_(**{**facts, **changes})


def test_ipv6_over_an_ipv4_session_has_an_explicit_global_next_hop() -> None:
    assert next_hops(mixed().plan()) == {"2001:db8::1/128": {"fd00::1"}}


def test_without_a_global_address_ipv6_over_ipv4_is_not_announced() -> None:
    plan = mixed(links=(link("eth0", "10.0.0.1/24", "fe80::1/64"),)).plan()
    assert plan.paths == {}
    assert reasons(plan) == {"Service shop/web": "NoIPv6NextHop"}
    assert problems(plan) == {("BgpPeer router", "NoIPv6NextHop")}


def test_an_address_of_a_pool_is_no_next_hop() -> None:
    interfaces = ("10.0.0.1/24", "2001:db8::77/128", "fd00::1/64")
    assert next_hops(mixed(links=(link("eth0", *interfaces),)).plan()) == {"2001:db8::1/128": {"fd00::1"}}


def test_the_next_hop_is_of_the_interface_that_the_session_uses() -> None:
    two = (link("eth0", "10.0.0.1/24", "fd00::1/64"), link("eth1", "10.1.0.1/24", "fd01::1/64"))
    used = session(local_address=address("10.1.0.1"))
    assert next_hops(mixed(links=two, sessions={ROUTER: used}).plan()) == {"2001:db8::1/128": {"fd01::1"}}


def test_an_ipv6_peer_beside_it_still_gets_its_own_sessions_address() -> None:
    both = peer(afi_safis=(AfiSafi(family=Family.IPV4), AfiSafi(family=Family.IPV6)))
    plan = mixed(bgp_peers=[both, peer("router6", ROUTER6)]).plan()
    assert [one.next_hop for one in seen_by(plan, ROUTER, "2001:db8::1/128")] == [address("fd00::1")]
    assert [one.next_hop for one in seen_by(plan, ROUTER6, "2001:db8::1/128")] == [None]


def test_ipv6_over_ipv4_is_not_taken_away_before_the_host_has_been_read() -> None:
    assert not mixed(links=()).plan().complete


def test_ipv4_over_an_ipv6_session_needs_nothing() -> None:
    both = peer("router6", ROUTER6, afi_safis=(AfiSafi(family=Family.IPV4),))
    assert next_hops(world().with_(bgp_peers=[both], eips=[pool()]).plan()) == {PREFIX: {"self"}}
