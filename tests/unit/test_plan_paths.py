"""Which paths a node has for its Services, and why not the others."""

from typing import Any, TypeVar

import msgspec
import pytest

from openelb_bgp.bgp.hashes import stable_hash
from openelb_bgp.bgp.model import PathAttrs
from openelb_bgp.bgp.resolve import free_identifier
from openelb_bgp.model import keys
from openelb_bgp.model.errors import Defect, InvalidResource
from openelb_bgp.model.forwarding import Forwarding
from openelb_bgp.model.meta import Key, Kind, ref
from openelb_bgp.model.pools import Protocol
from openelb_bgp.model.reasons import Reason, Refused
from tests.unit.plan_world import (
    ROUTER,
    ROUTER6,
    advert,
    conf,
    config_map,
    endpoint,
    next_hops,
    node,
    peer,
    pool,
    problems,
    reasons,
    routes,
    seen_by,
    selector,
    service,
    slices,
    world,
)

Value = TypeVar("Value", bound=msgspec.Struct)
NOT_PROVEN = Refused(Reason.NOT_PROVEN, "kube-proxy has not answered yet")


def replaced(one: Value, **changes: Any) -> Value:
    return msgspec.structs.replace(one, **changes)


def test_a_cluster_service_gets_a_host_route_with_this_node_as_next_hop() -> None:
    assert routes(world().plan()) == {"192.0.2.1/32": [PathAttrs()]}


def test_a_dual_stack_service_gets_a_route_of_each_family() -> None:
    found = world().with_(
        services=[service("web", "192.0.2.1", "2001:db8::1")],
        bgp_peers=[peer(), peer("router6", ROUTER6)],
    )
    assert next_hops(found.plan()) == {"192.0.2.1/32": {"self"}, "2001:db8::1/128": {"self"}}


def test_a_local_service_is_announced_only_where_it_has_a_pod() -> None:
    here = world().with_(services=[service("web", "192.0.2.1", local=True)])
    assert next_hops(here.plan()) == {"192.0.2.1/32": {"self"}}
    elsewhere = here.with_(slices={"web": slices("web", endpoint("b"))})
    plan = elsewhere.plan()
    assert plan.paths == {}
    assert reasons(plan) == {"Service shop/web": "NoLocalEndpoint"}


def test_no_endpoint_anywhere_withdraws_and_says_how_to_write_one() -> None:
    plan = world().with_(slices={}).plan()
    assert plan.paths == {}
    (refused,) = plan.left_out.values()
    assert refused.reason == "NoEndpoints"
    assert keys.SERVICE_NAME_LABEL in refused.message


def test_a_service_without_an_address_has_nothing_to_announce_and_no_complaint() -> None:
    plan = world().with_(services=[service("web")]).plan()
    assert (plan.paths, plan.left_out) == ({}, {})


@pytest.mark.parametrize("protocol", [Protocol.LAYER2, Protocol.VIP])
def test_an_address_of_another_protocols_pool_is_left_to_it(protocol: Protocol) -> None:
    plan = world().with_(eips=[pool(protocol=protocol)]).plan()
    assert (plan.paths, plan.left_out, plan.pools) == ({}, {}, ())


def test_an_address_left_outside_its_edited_pool_goes_on_being_announced_as_the_pool_says() -> None:
    edited = pool(ranges="198.51.100.0/24", advertisements=(advert(med=7),))
    assert routes(world().with_(eips=[edited]).plan()) == {"192.0.2.1/32": [PathAttrs(med=7)]}


def test_an_address_whose_pool_was_deleted_is_withdrawn() -> None:
    plan = world().with_(eips=[]).plan()
    assert plan.paths == {}
    assert reasons(plan) == {"Service shop/web": "PoolGone"}


def test_the_pool_that_holds_the_address_announces_it_where_nothing_is_noted() -> None:
    found = world()
    web = found.snapshot.services[Key("shop", "web")]
    bare = replaced(web.meta, annotations={keys.MANAGED_ANNOTATION: keys.MANAGED_VALUE})
    plan = found.with_(services=[replaced(web, meta=bare)]).plan()
    assert next_hops(plan) == {"192.0.2.1/32": {"self"}}


def test_an_address_that_is_none_of_ours_is_not_announced() -> None:
    found = world()
    web = found.snapshot.services[Key("shop", "web")]
    unmarked = replaced(web, meta=replaced(web.meta, annotations={}))
    foreign = replaced(web, load_balancer_class="example.com/other")
    outside = service("web", "203.0.113.9", pool="")
    for one in (unmarked, foreign, outside, replaced(web, type="ClusterIP")):
        plan = found.with_(services=[one]).plan()
        assert (plan.paths, plan.left_out) == ({}, {})


def test_an_address_of_a_node_is_not_announced() -> None:
    klipper = replaced(
        service("web", "10.0.0.2"),
        meta=replaced(service("web").meta, annotations={keys.MANAGED_ANNOTATION: keys.MANAGED_VALUE}),
    )
    plan = world().with_(eips=[pool(ranges="10.0.0.0/24")], services=[klipper]).plan()
    assert plan.paths == {}


def test_a_service_that_is_being_deleted_is_withdrawn() -> None:
    web = service("web", "192.0.2.1")
    going = replaced(web, meta=replaced(web.meta, deleting=True))
    assert world().with_(services=[going]).plan().paths == {}


def test_a_shared_address_is_announced_while_any_of_its_services_can_be() -> None:
    shared = world().with_(
        services=[service("web", "192.0.2.1"), service("dns", "192.0.2.1")],
        slices={"web": slices("web", endpoint("b"))},
    )
    plan = shared.plan()
    assert next_hops(plan) == {"192.0.2.1/32": {"self"}}
    assert reasons(plan) == {"Service shop/dns": "NoEndpoints"}


def test_a_local_service_keeps_a_shared_address_off_the_nodes_without_its_pods() -> None:
    shared = world().with_(
        services=[service("web", "192.0.2.1"), service("dns", "192.0.2.1", local=True)],
        slices={"web": slices("web", endpoint("a")), "dns": slices("dns", endpoint("b"))},
    )
    assert shared.plan().paths == {}
    assert reasons(shared.plan()) == {"Service shop/dns": "NoLocalEndpoint"}


def test_of_two_addresses_the_one_that_is_missing_is_named() -> None:
    found = world().with_(services=[service("web", "192.0.2.1", "2001:db8::1")])
    (refused,) = found.plan().left_out.values()
    assert refused.reason == "FamilyNotNegotiated"
    assert refused.message.startswith("2001:db8::1: ")
    assert next_hops(found.plan()) == {"192.0.2.1/32": {"self"}}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"bgp_confs": []}, "NoBgpConf"),
        ({"bgp_peers": []}, "NoPeer"),
        ({"bgp_peers": [peer(node_selector=selector(rack="far"))]}, "NoPeerForNode"),
        ({"forwarding": Forwarding(refused=NOT_PROVEN)}, "ForwardingNotProven"),
        ({"node": "z"}, "NodeUnknown"),
        ({"nodes": [node("a", 1, ready=False), node("b", 2), node("c", 3)]}, "NodeNotReady"),
        ({"eips": [pool(node_selector=selector(edge="yes"))]}, "NodeNotSelected"),
    ],
)
def test_whatever_keeps_a_node_from_announcing_is_a_reason(changes: dict[str, Any], reason: str) -> None:
    plan = world().with_(**changes).plan()
    assert plan.paths == {}
    assert reasons(plan)["Service shop/web"] == reason


def test_a_local_service_that_is_not_proven_here_waits_and_others_do_not() -> None:
    both = world().with_(
        services=[service("web", "192.0.2.1"), service("dns", "192.0.2.2", local=True)],
        slices={"web": slices("web", endpoint("a")), "dns": slices("dns", endpoint("a"))},
    )
    held = both.with_(forwarding=Forwarding(services={Key("shop", "dns"): NOT_PROVEN})).plan()
    assert next_hops(held) == {"192.0.2.1/32": {"self"}}
    assert held.left_out == {ref(Kind.SERVICE, "dns", namespace="shop"): NOT_PROVEN}
    proven = both.plan(previous=held)
    assert next_hops(proven) == {"192.0.2.1/32": {"self"}, "192.0.2.2/32": {"self"}}
    assert proven.left_out == {}
    assert {str(key.prefix) for key in proven.changed or ()} == {"192.0.2.2/32"}


def test_a_service_that_shares_its_address_with_one_that_is_not_proven_stays() -> None:
    shared = world().with_(
        services=[service("web", "192.0.2.1", local=True), service("dns", "192.0.2.1", local=True)],
        slices={"web": slices("web", endpoint("a")), "dns": slices("dns", endpoint("a"))},
        forwarding=Forwarding(services={Key("shop", "dns"): NOT_PROVEN}),
    )
    assert next_hops(shared.plan()) == {"192.0.2.1/32": {"self"}}


def test_a_plan_made_before_the_first_answers_is_not_complete() -> None:
    assert not world().with_(forwarding=Forwarding(known=False)).plan().complete
    assert world().plan().complete


@pytest.mark.parametrize(
    ("kind", "name", "missing"),
    [(Kind.BGP_CONF, "default", {"bgp_confs": []}), (Kind.BGP_PEER, "router", {"bgp_peers": []})],
)
def test_what_is_there_but_cannot_be_used_is_not_called_missing(
    kind: Kind, name: str, missing: dict[str, Any]
) -> None:
    defect = Defect("spec.as", "x", "is no number", "write one")
    spoilt = InvalidResource(ref(kind, name), (defect,))
    plan = world().with_(**missing, invalid={spoilt.ref: spoilt}).plan()
    (refused,) = (why for of, why in plan.left_out.items() if of.kind is Kind.SERVICE)
    assert refused.reason == "Invalid"
    assert str(defect) in refused.message


def test_pools_say_whether_this_node_has_configured_them() -> None:
    ready = world().plan().pools
    assert [(one.name, one.ready, one.reason) for one in ready] == [("pool", True, "")]
    lost = world().with_(bgp_peers=[]).plan().pools
    assert [(one.name, one.ready, one.reason) for one in lost] == [("pool", False, "NoPeer")]
    only6 = world().with_(eips=[pool(ranges="2001:db8::/64")]).plan().pools
    assert [(one.ready, one.reason) for one in only6] == [(False, "FamilyNotNegotiated")]


def test_nothing_is_planned_before_everything_that_decides_has_been_listed() -> None:
    for kind in (Kind.EIP, Kind.BGP_CONF, Kind.BGP_PEER, Kind.SERVICE, Kind.ENDPOINT_SLICE, Kind.NODE):
        plan = world().with_(listed=frozenset(Kind) - {kind}).plan()
        assert (plan.complete, plan.global_conf, plan.paths) == (False, None, {})
        assert problems(plan) == {("Node a", "WaitingForSync")}


def test_a_kind_that_is_listed_anew_leaves_the_last_plan_standing() -> None:
    first = world().plan()
    later = world().with_(listed=frozenset({Kind.NODE})).plan(previous=first)
    assert (later.complete, later.paths, later.peers) == (False, first.paths, first.peers)


def test_without_bgpconf_the_plan_is_complete_and_empty() -> None:
    plan = world().with_(bgp_confs=[]).plan()
    assert (plan.complete, plan.global_conf, dict(plan.peers)) == (True, None, {})
    left = world().with_(bgp_confs=[conf()]).plan()
    assert left.complete


def test_a_plan_made_before_gobgpd_was_read_is_not_complete() -> None:
    plan = world().with_(adopted=None).plan()
    assert not plan.complete
    assert world().plan(previous=plan).complete


# Advertisements.


def test_without_advertisements_everybody_gets_the_plain_path_and_no_tag() -> None:
    plan = world().with_(bgp_peers=[peer(), peer("other", "10.0.0.253")]).plan()
    assert routes(plan) == {"192.0.2.1/32": [PathAttrs()]}


def test_attributes_that_are_the_same_for_all_peers_are_on_the_path_itself() -> None:
    all_of_it = advert(
        communities=(5, 3), large_communities=((1, 2, 3),), med=10, as_path_prepend=2, local_pref=50
    )
    plan = world().with_(eips=[pool(advertisements=(all_of_it,))]).plan()
    assert routes(plan) == {
        "192.0.2.1/32": [
            PathAttrs(
                communities=(3, 5),
                large_communities=((1, 2, 3),),
                med=10,
                as_path_prepend=(65000, 65000),
            )
        ]
    }


def test_local_pref_goes_to_ibgp_and_prepend_to_ebgp_only() -> None:
    both = advert(local_pref=50, as_path_prepend=1)
    plan = (
        world()
        .with_(
            bgp_peers=[peer(), peer("inside", "10.0.0.253", asn=65000)], eips=[pool(advertisements=(both,))]
        )
        .plan()
    )
    (outside,) = seen_by(plan, ROUTER, "192.0.2.1/32")
    (inside,) = seen_by(plan, "10.0.0.253", "192.0.2.1/32")
    assert (outside.local_pref, outside.prepend) == (None, (65000,))
    assert (inside.local_pref, inside.prepend) == (50, ())
    (attrs,) = routes(plan)["192.0.2.1/32"]
    # The path itself carries what only iBGP is sent; a prepend on it would be a loop there.
    assert (attrs.local_pref, attrs.as_path_prepend) == (50, ())


def test_a_local_pref_alone_needs_no_policy_since_gobgp_strips_it_towards_ebgp() -> None:
    plan = (
        world()
        .with_(
            bgp_peers=[peer(), peer("inside", "10.0.0.253", asn=65000)],
            eips=[pool(advertisements=(advert(local_pref=50),))],
        )
        .plan()
    )
    assert routes(plan) == {"192.0.2.1/32": [PathAttrs(local_pref=50)]}


def test_local_pref_without_any_ibgp_peer_is_reported() -> None:
    plan = world().with_(eips=[pool(advertisements=(advert(local_pref=50),))]).plan()
    assert problems(plan) == {("Eip pool", "NoEffect")}


def test_an_advertisement_to_some_peers_is_kept_from_the_others() -> None:
    plan = (
        world()
        .with_(
            bgp_peers=[peer(), peer("other", "10.0.0.253")],
            eips=[pool(advertisements=(advert(peers=("router",), med=1),))],
        )
        .plan()
    )
    assert [attrs.med for attrs in seen_by(plan, ROUTER, "192.0.2.1/32")] == [1]
    assert seen_by(plan, "10.0.0.253", "192.0.2.1/32") == []
    (attrs,) = routes(plan)["192.0.2.1/32"]
    assert attrs.med is None
    assert len(attrs.large_communities) == 1


def test_a_peer_that_nobody_knows_is_reported() -> None:
    plan = world().with_(eips=[pool(advertisements=(advert(peers=("ruoter",)),))]).plan()
    assert problems(plan) == {("Eip pool", "NoPeer")}
    assert reasons(plan) == {"Service shop/web": "NoPeerForNode"}


def test_several_advertisements_add_up() -> None:
    summed = (advert(communities=(1,), med=3), advert(communities=(2,), large_communities=((7, 8, 9),)))
    plan = world().with_(eips=[pool(advertisements=summed)]).plan()
    assert routes(plan) == {
        "192.0.2.1/32": [PathAttrs(communities=(1, 2), large_communities=((7, 8, 9),), med=3)]
    }


def test_of_two_values_of_one_attribute_the_first_counts_and_the_clash_is_reported() -> None:
    plan = world().with_(eips=[pool(advertisements=(advert(med=3), advert(med=4)))]).plan()
    assert routes(plan) == {"192.0.2.1/32": [PathAttrs(med=3)]}
    assert problems(plan) == {("Eip pool", "AttributeConflict")}


def test_a_host_route_with_no_advertise_stands_beside_an_aggregate() -> None:
    no_advertise = 0xFFFFFF02
    plan = (
        world()
        .with_(
            eips=[pool(advertisements=(advert(communities=(no_advertise,)), advert(aggregation_length=24)))]
        )
        .plan()
    )
    assert routes(plan) == {
        "192.0.2.1/32": [PathAttrs(communities=(no_advertise,))],
        "192.0.2.0/24": [PathAttrs()],
    }


def test_services_share_an_aggregate_and_the_last_one_takes_it_away() -> None:
    aggregate = world().with_(
        eips=[pool(advertisements=(advert(aggregation_length=24),))],
        services=[service("web", "192.0.2.1"), service("dns", "192.0.2.2")],
        slices={"web": slices("web", endpoint("a")), "dns": slices("dns", endpoint("a"))},
    )
    assert next_hops(aggregate.plan()) == {"192.0.2.0/24": {"self"}}
    one = aggregate.with_(slices={"web": slices("web", endpoint("a"))})
    assert next_hops(one.plan(previous=aggregate.plan())) == {"192.0.2.0/24": {"self"}}
    none = aggregate.with_(slices={})
    assert next_hops(none.plan(previous=aggregate.plan())) == {}


def test_an_aggregate_has_to_lie_wholly_inside_the_pool() -> None:
    plan = (
        world()
        .with_(eips=[pool(ranges="192.0.2.0/25", advertisements=(advert(aggregation_length=24), advert()))])
        .plan()
    )
    assert next_hops(plan) == {"192.0.2.1/32": {"self"}}
    assert reasons(plan) == {"Service shop/web": "AggregateOutsidePool"}


def test_an_aggregate_may_span_ranges_of_one_pool_that_touch() -> None:
    ranges = "192.0.2.0-192.0.2.127,192.0.2.128-192.0.2.255"
    plan = world().with_(eips=[pool(ranges=ranges, advertisements=(advert(aggregation_length=24),))]).plan()
    assert next_hops(plan) == {"192.0.2.0/24": {"self"}}


def test_an_aggregate_of_a_local_service_goes_only_beside_the_host_route_to_the_same_peers() -> None:
    local = world().with_(
        services=[service("web", "192.0.2.1", local=True)],
        bgp_peers=[peer(), peer("other", "10.0.0.253")],
    )
    both = local.with_(
        eips=[pool(advertisements=(advert(peers=("router",)), advert(aggregation_length=24)))]
    ).plan()
    assert len(seen_by(both, ROUTER, "192.0.2.0/24")) == 1
    assert seen_by(both, "10.0.0.253", "192.0.2.0/24") == []
    alone = local.with_(eips=[pool(advertisements=(advert(aggregation_length=24),))]).plan()
    assert alone.paths == {}
    assert reasons(alone) == {"Service shop/web": "NoAdvertisement"}


def test_an_advertisement_may_be_for_some_services_only() -> None:
    gold = advert(service_selector=selector(tier="gold"), med=1)
    plan = (
        world()
        .with_(
            eips=[pool(advertisements=(gold,))],
            services=[service("web", "192.0.2.1", labels={"tier": "gold"}), service("dns", "192.0.2.2")],
            slices={"web": slices("web", endpoint("a")), "dns": slices("dns", endpoint("a"))},
        )
        .plan()
    )
    assert routes(plan) == {"192.0.2.1/32": [PathAttrs(med=1)]}
    assert reasons(plan) == {"Service shop/dns": "NoAdvertisement"}


def test_an_advertisement_may_be_for_some_nodes_only() -> None:
    edge = pool(advertisements=(advert(node_selector=selector(edge="yes"), med=1), advert()))
    assert routes(world().with_(eips=[edge]).plan()) == {"192.0.2.1/32": [PathAttrs()]}
    nodes = [node("a", 1, labels={"edge": "yes"})]
    assert routes(world().with_(eips=[edge], nodes=nodes).plan()) == {"192.0.2.1/32": [PathAttrs(med=1)]}


# Identity.


def test_an_attribute_that_changes_for_everybody_replaces_the_path_in_place() -> None:
    before = world().plan()
    after = world().with_(eips=[pool(advertisements=(advert(med=9),))]).plan(previous=before)
    assert after.paths.keys() == before.paths.keys()
    assert after.changed == frozenset(before.paths)


def test_what_an_export_rule_tests_is_part_of_the_paths_identity() -> None:
    two = world().with_(bgp_peers=[peer(), peer("other", "10.0.0.253")])
    keyed = [
        frozenset(two.with_(eips=[pool(advertisements=adverts)]).plan().paths)
        for adverts in (
            (),
            (advert(peers=("router",)),),
            (advert(peers=("other",)),),
            (advert(peers=("other",), med=1),),
        )
    ]
    assert len(set(keyed)) == len(keyed)


def test_with_a_users_export_policy_every_attribute_is_part_of_the_identity() -> None:
    text = """
[[policy-definitions]]
name = "mine"
[[policy-definitions.statements]]
name = "all"
[policy-definitions.statements.actions]
route-disposition = "accept-route"
[global.apply-policy.config]
export-policy-list = ["mine"]
"""
    own = world().with_(bgp_confs=[conf(policy="gobgp")], config_maps=[config_map("gobgp", text)])
    before, after = own.plan(), own.with_(eips=[pool(advertisements=(advert(med=9),))]).plan()
    assert before.complete
    assert before.paths.keys().isdisjoint(after.paths.keys())


def test_identifiers_are_never_zero_and_give_way_to_each_other() -> None:
    text = "192.0.2.1"
    first = free_identifier(text, ())
    assert first == stable_hash(text) != 0
    assert free_identifier(text, {first}) == first % 0xFFFFFFFF + 1
    assert free_identifier(text, {first, first + 1}) == first + 2


def test_two_processes_give_a_path_the_same_identifier() -> None:
    # Pinned: another number would re-announce every path at an upgrade.
    assert {key.identifier for key in world().plan().paths} == {1801090824}
