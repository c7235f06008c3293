"""What the export and import policies say: no transit, what differs by peer, the user's own."""

from pathlib import Path

import pytest

from openelb_bgp.bgp.model import (
    Actions,
    CommunityAction,
    CommunityMethod,
    Conditions,
    DefinedKind,
    DefinedSet,
    Direction,
    Disposition,
    MatchSet,
    MedAction,
    Policy,
    PolicyAssignment,
    RouteType,
    RoutingPolicy,
    Statement,
)
from openelb_bgp.bgp.plan import BgpPlan
from openelb_bgp.model.addresses import Family
from openelb_bgp.model.meta import Kind
from openelb_bgp.model.routing import AfiSafi, NextHops
from tests.unit.plan_render import render
from tests.unit.plan_world import (
    NOW,
    ROUTER6,
    World,
    advert,
    conf,
    config_map,
    drained,
    node,
    peer,
    pool,
    problems,
    reasons,
    routes,
    selector,
    service,
    world,
)

GOLDEN = Path(__file__).parent.parent / "golden"
NO_TRANSIT = tuple(
    Statement(
        name=f"openelb-no-transit-{kind}",
        conditions=Conditions(route_type=RouteType(kind)),
        actions=Actions(disposition=Disposition.REJECT),
    )
    for kind in ("internal", "external")
)
USER = """
[[policy-definitions]]
name = "mine"
[[policy-definitions.statements]]
name = "all"
[policy-definitions.statements.actions]
route-disposition = "accept-route"
[global.apply-policy.config]
{binding} = ["mine"]
"""


def statements(plan: BgpPlan) -> tuple[Statement, ...]:
    return next(policy for policy in plan.routing.policies if policy.name == "openelb-export").statements


def with_policy(text: str) -> World:
    return world().with_(bgp_confs=[conf(policy="gobgp")], config_maps=[config_map("gobgp", text)])


def two_peers(**changes: object) -> World:
    return world().with_(
        bgp_peers=[peer(), peer("other", "10.0.0.253")],
        eips=[pool(advertisements=(advert(), advert(peers=("other",), communities=(0x10005,), med=3)))],
        **changes,
    )


def test_what_was_learned_is_neither_taken_in_nor_passed_on() -> None:
    own = Statement(
        name="openelb-own",
        conditions=Conditions(route_type=RouteType.LOCAL),
        actions=Actions(disposition=Disposition.ACCEPT),
    )
    assert world().plan().routing == RoutingPolicy(
        policies=(Policy("openelb-export", NO_TRANSIT), Policy("openelb-import", (own,))),
        assignments=(
            PolicyAssignment(
                direction=Direction.IMPORT, policies=("openelb-import",), default=Disposition.REJECT
            ),
            PolicyAssignment(
                direction=Direction.EXPORT, policies=("openelb-export",), default=Disposition.ACCEPT
            ),
        ),
    )


def test_where_nothing_differs_between_peers_there_is_no_rule_beyond_no_transit() -> None:
    same = world().with_(
        bgp_peers=[peer(), peer("other", "10.0.0.253")], eips=[pool(advertisements=(advert(med=1),))]
    )
    assert statements(same.plan()) == NO_TRANSIT


def test_what_differs_is_written_for_each_neighbour_and_the_tag_comes_off() -> None:
    plan = two_peers().plan()
    (attrs,) = routes(plan)["192.0.2.1/32"]
    ((asn, marker, number),) = attrs.large_communities
    tag, text = f"openelb-tag-{number:08x}", f"{asn}:{marker}:{number}"
    first, second = statements(plan)[2:4]
    assert {first.actions, second.actions} == {
        Actions(large_community=CommunityAction(CommunityMethod.REMOVE, (text,))),
        Actions(
            community=CommunityAction(CommunityMethod.ADD, ("1:5",)),
            large_community=CommunityAction(CommunityMethod.REMOVE, (text,)),
            med=MedAction(3),
        ),
    }
    assert (
        DefinedSet(kind=DefinedKind.LARGE_COMMUNITY, name=tag, members=(text,)) in plan.routing.defined_sets
    )
    assert {one.members for one in plan.routing.defined_sets if one.kind is DefinedKind.NEIGHBOR} == {
        ("10.0.0.254",),
        ("10.0.0.253",),
    }


def test_a_tagged_path_that_no_rule_claimed_is_rejected() -> None:
    last = statements(two_peers().plan())[-1]
    assert last == Statement(
        name="openelb-unclaimed",
        conditions=Conditions(large_community_set=MatchSet("openelb-tags")),
        actions=Actions(disposition=Disposition.REJECT),
    )


def test_ours_only_reject_or_modify_so_the_users_policy_has_the_last_word() -> None:
    assert all(one.actions.disposition is not Disposition.ACCEPT for one in statements(two_peers().plan()))


def test_statement_names_are_unique_in_the_daemon() -> None:
    rich = two_peers(bgp_confs=[conf(next_hops=NextHops.RACK)])
    names = [one.name for one in statements(rich.plan())]
    assert len(names) == len(set(names)) > 3


def test_a_neighbour_with_a_zone_is_matched_without_it() -> None:
    zoned = world().with_(
        bgp_peers=[peer(neighbour="fe80::fe%eth0"), peer("router6", ROUTER6)],
        services=[service("web", "2001:db8::1")],
        eips=[pool(advertisements=(advert(peers=("router",)),))],
    )
    sets = zoned.plan().routing.defined_sets
    assert [one.members for one in sets if one.kind is DefinedKind.NEIGHBOR] == [("fe80::fe",)]


def test_a_policy_that_did_not_change_is_the_same_object() -> None:
    first = two_peers().plan()
    assert two_peers(now=NOW + 1).plan(previous=first).routing is first.routing


def test_the_rules_of_a_tag_outlive_its_last_path_by_thirty_seconds() -> None:
    first = two_peers().plan()
    plain = two_peers().with_(eips=[pool()])
    second = plain.plan(previous=first)
    assert set(statements(second)) == set(statements(first))
    assert second.deadline == NOW + 30
    third = plain.with_(now=NOW + 30).plan(previous=second)
    assert (statements(third), third.deadline) == (NO_TRANSIT, None)


def test_a_local_preference_of_zero_is_on_the_path_since_gobgps_policy_cannot_set_it() -> None:
    inside = world().with_(
        bgp_peers=[peer("x", "10.0.0.253", asn=65000), peer("y", "10.0.0.252", asn=65000)],
        eips=[pool(advertisements=(advert(peers=("x",), local_pref=0), advert(peers=("y",))))],
    )
    plan = inside.plan()
    (attrs,) = routes(plan)["192.0.2.1/32"]
    assert attrs.local_pref == 0
    assert sorted(str(one.actions.local_pref) for one in statements(plan)[2:4]) == ["100", "None"]


# The user's policy.


def test_a_users_export_policy_follows_ours() -> None:
    plan = with_policy(USER.format(binding="export-policy-list")).plan()
    imports, exports = plan.routing.assignments
    assert exports.policies == ("openelb-export", "mine")
    assert (imports.policies, imports.default) == (("openelb-import",), Disposition.REJECT)
    assert [policy.name for policy in plan.routing.policies] == ["openelb-export", "openelb-import", "mine"]


def test_only_a_users_import_policy_lets_routes_in_and_the_rest_is_still_rejected() -> None:
    plan = with_policy(USER.format(binding="import-policy-list")).plan()
    imports = plan.routing.assignments[0]
    assert (imports.policies, imports.default) == (("openelb-import", "mine"), Disposition.REJECT)


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        (with_policy("this is no TOML"), "BadPolicy"),
        (with_policy(USER.format(binding="export-policy-list").replace("mine", "openelb-mine")), "BadPolicy"),
        (with_policy("").with_(config_maps=[]), "ConfigMapMissing"),
    ],
)
def test_a_policy_that_was_never_good_keeps_the_node_from_announcing_anything_new(
    spoilt: World, reason: str
) -> None:
    plan = spoilt.plan()
    assert (plan.complete, plan.paths) == (False, {})
    assert problems(plan) == {("BgpConf default", reason)}
    assert reasons(plan) == {"Service shop/web": reason}


def test_a_policy_that_spoils_leaves_the_last_good_one_in_use() -> None:
    first = with_policy(USER.format(binding="export-policy-list")).plan()
    for spoilt in (with_policy("[["), with_policy("").with_(config_maps=[])):
        later = spoilt.plan(previous=first)
        assert (later.complete, later.routing, later.paths) == (True, first.routing, first.paths)
        assert len(problems(later)) == 1


def test_config_maps_are_waited_for_only_where_one_is_named() -> None:
    unlisted = frozenset(Kind) - {Kind.CONFIG_MAP}
    assert world().with_(listed=unlisted).plan().complete
    assert not with_policy("").with_(config_maps=[], listed=unlisted).plan().complete


def test_a_policy_that_is_named_and_missing_leaves_what_runs_without_one() -> None:
    before = world().plan()
    named = world().with_(bgp_confs=[conf(policy="nosuch")]).plan(before)
    assert (named.paths, named.routing, named.complete) == (before.paths, before.routing, True)
    assert [one.reason for one in named.problems] == ["ConfigMapMissing"]
    assert all(pool.ready for pool in named.pools)


def test_what_is_no_policy_in_the_text_is_reported_and_has_no_effect() -> None:
    plan = with_policy("[global.config]\nas = 1\n" + USER.format(binding="export-policy-list")).plan()
    assert plan.complete
    assert problems(plan) == {("BgpConf default", "NoEffect")}


# Whole policies as text.

CASES = {
    "plain": world(),
    "by-peer": two_peers(),
    "ibgp-and-ebgp": world().with_(
        bgp_peers=[peer(), peer("inside", "10.0.0.253", asn=65000)],
        eips=[
            pool(advertisements=(advert(local_pref=200, as_path_prepend=2, large_communities=((1, 2, 3),)),))
        ],
    ),
    "aggregate-beside": world().with_(
        bgp_peers=[peer(), peer("other", "10.0.0.253")],
        eips=[
            pool(
                advertisements=(
                    advert(communities=(0xFFFFFF02,), peers=("router",)),
                    advert(aggregation_length=24),
                )
            )
        ],
    ),
    "rack-drain": world().with_(
        bgp_confs=[conf(next_hops=NextHops.RACK, drain=conf().drain)],
        bgp_peers=[peer(), peer("inside", "10.0.0.253", asn=65000)],
        nodes=[node("a", 1), drained("b", 2), node("c", 3)],
        # b's grace has not ended: gobgpd still has its path.
        adopted=frozenset({("192.0.2.1/32", "10.0.0.2")}),
    ),
    "ipv6-over-ipv4": world().with_(
        bgp_peers=[
            peer(afi_safis=(AfiSafi(family=Family.IPV4), AfiSafi(family=Family.IPV6))),
            peer("router6", ROUTER6),
        ],
        services=[service("web", "192.0.2.1", "2001:db8::1")],
    ),
    "gold-and-user-policy": with_policy(USER.format(binding="export-policy-list")).with_(
        eips=[pool(advertisements=(advert(service_selector=selector(tier="gold"), med=1), advert()))],
        services=[service("web", "192.0.2.1", labels={"tier": "gold"})],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_plan_is_as_pinned(name: str) -> None:
    expected = (GOLDEN / f"plan-{name}.txt").read_text()
    assert render(CASES[name].plan()) == expected
