"""Routing policies in a real gobgpd: set, bound, read back, and what they do to routes."""

from collections.abc import AsyncIterator, Callable
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

import pytest

from openelb_bgp.bgp.gobgp.canonical import canonical
from openelb_bgp.bgp.gobgp.client import Client, ResetDirection
from openelb_bgp.bgp.gobgp.errors import Rejected, Unsupported
from openelb_bgp.bgp.model import (
    Actions,
    AsPathPrepend,
    CommunityAction,
    CommunityMethod,
    Comparison,
    Conditions,
    DefinedKind,
    DefinedSet,
    Direction,
    Disposition,
    GlobalConf,
    MatchOption,
    MatchSet,
    MedAction,
    NextHopKeyword,
    Operator,
    Origin,
    PathAttrs,
    Policy,
    PolicyAssignment,
    PrefixRange,
    RouteType,
    RoutingPolicy,
    RpkiResult,
    Statement,
)
from openelb_bgp.model.addresses import Family
from tests.daemons.conftest import StartRouter
from tests.daemons.harness.confs import NODE_ASN, peer, service, speaker
from tests.daemons.harness.gobgp import NEW, Gobgpd
from tests.daemons.harness.netns import Lan
from tests.daemons.harness.waiting import stays, wait_until

SETS = (
    DefinedSet(
        kind=DefinedKind.NEIGHBOR, name="n", members=("10.0.0.1", "10.1.0.0/16", "fd00:a::1", "fd00:c::/64")
    ),
    DefinedSet(kind=DefinedKind.COMMUNITY, name="c", members=("no-export", "65000:1", "^65000:1..$")),
    DefinedSet(kind=DefinedKind.EXT_COMMUNITY, name="e", members=("rt:65000:1",)),
    DefinedSet(kind=DefinedKind.LARGE_COMMUNITY, name="l", members=("65000:1:2", "^65000:2:.*$")),
    DefinedSet(kind=DefinedKind.AS_PATH, name="a", members=("^65001_", "65002")),
    DefinedSet(
        kind=DefinedKind.PREFIX,
        name="p4",
        prefixes=(
            PrefixRange(IPv4Network("198.18.0.0/15"), 15, 32),
            PrefixRange(IPv4Network("0.0.0.0/0"), 0, 0),
        ),
    ),
    DefinedSet(
        kind=DefinedKind.PREFIX, name="p6", prefixes=(PrefixRange(IPv6Network("fd00:b::/32"), 64, 128),)
    ),
)
CONDITIONS = Conditions(
    prefix_set=MatchSet("p4"),
    neighbor_set=MatchSet("n", MatchOption.INVERT),
    as_path_set=MatchSet("a"),
    community_set=MatchSet("c", MatchOption.ALL),
    ext_community_set=MatchSet("e"),
    large_community_set=MatchSet("l", MatchOption.INVERT),
    as_path_length=Comparison(Operator.LE, 3),
    next_hop_in=("10.0.0.12", "10.0.0.13"),
    afi_safi_in=((1, 1), (2, 1)),
    rpki=RpkiResult.INVALID,
    route_type=RouteType.EXTERNAL,
)
ACTIONS = Actions(
    disposition=Disposition.ACCEPT,
    community=CommunityAction(CommunityMethod.ADD, ("65000:7", "65535:0")),
    ext_community=CommunityAction(CommunityMethod.REPLACE, ("rt:65000:9",)),
    large_community=CommunityAction(CommunityMethod.REMOVE, ("65000:1:2",)),
    med=MedAction(-5, relative=True),
    as_path_prepend=AsPathPrepend(NODE_ASN, 3),
    next_hop=NextHopKeyword.SELF,
    local_pref=50,
)
ROUTING = RoutingPolicy(
    defined_sets=SETS,
    policies=(
        Policy(
            "out",
            (
                Statement(name="everything", conditions=CONDITIONS, actions=ACTIONS),
                Statement(
                    name="leftmost",
                    actions=Actions(as_path_prepend=AsPathPrepend(None, 2), med=MedAction(7)),
                ),
            ),
        ),
        Policy("in", (Statement(name="none", actions=Actions(disposition=Disposition.REJECT)),)),
    ),
    assignments=(
        PolicyAssignment(direction=Direction.EXPORT, policies=("out",), default=Disposition.REJECT),
        PolicyAssignment(direction=Direction.IMPORT, policies=("in",), default=Disposition.ACCEPT),
    ),
)
LOCAL_ONLY = Statement(
    name="local-only",
    conditions=Conditions(route_type=RouteType.LOCAL),
    actions=Actions(disposition=Disposition.ACCEPT),
)
NO_TRANSIT = RoutingPolicy(
    policies=(Policy("out", (LOCAL_ONLY,)),),
    assignments=(
        PolicyAssignment(direction=Direction.EXPORT, policies=("out",), default=Disposition.REJECT),
    ),
)


@pytest.fixture
async def started(client: Client) -> AsyncIterator[Client]:
    """A started speaker without peers."""
    await client.start(GlobalConf(asn=NODE_ASN, router_id="10.0.0.11", listen_port=-1))
    yield client


async def test_a_policy_comes_back_as_it_was_sent(started: Client) -> None:
    await started.set_policies(ROUTING)
    assert await started.routing_policy() == canonical(ROUTING)


async def test_the_newer_conditions_are_refused_for_3_10_not_dropped(
    started: Client, gobgp_version: str
) -> None:
    asked = Conditions(
        community_count=Comparison(Operator.GE, 3), origin=Origin.IGP, local_pref_eq=5, med_eq=6
    )
    done = Actions(origin=Origin.INCOMPLETE, next_hop=NextHopKeyword.PEER_ADDRESS)
    routing = RoutingPolicy(
        policies=(Policy("new", (Statement(name="new", conditions=asked, actions=done),)),)
    )
    if gobgp_version == NEW:
        await started.set_policies(routing)
        assert await started.routing_policy() == canonical(routing)
    else:
        with pytest.raises(Unsupported, match="'new'"):
            await started.set_policies(routing)


async def test_a_policy_is_replaced_whole(started: Client) -> None:
    await started.set_policies(ROUTING)
    await started.set_policies(NO_TRANSIT)
    assert await started.routing_policy() == canonical(NO_TRANSIT)
    await started.set_policies(RoutingPolicy())
    assert await started.routing_policy() == canonical(RoutingPolicy())


async def test_a_policy_that_gobgpd_refuses_leaves_the_old_one_in_force(started: Client) -> None:
    await started.set_policies(NO_TRANSIT)
    broken = RoutingPolicy(
        policies=(
            Policy("out", (Statement(name="s", conditions=Conditions(neighbor_set=MatchSet("missing"))),)),
        ),
        assignments=NO_TRANSIT.assignments,
    )
    with pytest.raises(Rejected):
        await started.set_policies(broken)
    assert await started.routing_policy() == canonical(NO_TRANSIT)


async def test_members_are_added_to_and_taken_from_a_set_in_use(started: Client) -> None:
    def tagged(*members: str) -> DefinedSet:
        return DefinedSet(kind=DefinedKind.NEIGHBOR, name="n", members=members)

    await started.set_policies(ROUTING)
    await started.add_to_defined_set(tagged("10.0.0.2"))
    await started.remove_from_defined_set(tagged("10.0.0.1", "10.1.0.0/16"))
    runs = {item.name: item.members for item in (await started.routing_policy()).defined_sets}
    assert runs["n"] == ("10.0.0.2", "fd00:a::1", "fd00:c::/64")


@pytest.mark.parametrize("policy", [RoutingPolicy(), NO_TRANSIT], ids=["without", "with"])
async def test_learned_routes_go_on_unless_the_export_policy_takes_only_local_ones(
    new_lan: Callable[..., Lan],
    start_router: StartRouter,
    gobgp_version: str,
    tmp_path: Path,
    policy: RoutingPolicy,
) -> None:
    lan = new_lan(routers=2)
    node, (learned_from, other) = lan.nodes[0], lan.routers
    daemon = Gobgpd(gobgp_version, node, tmp_path)
    async with await daemon.start() as client:
        await client.start(speaker(node))
        await client.set_policies(policy)
        await client.add_paths([service(1)])
        await start_router(
            learned_from,
            neighbors={node.v4: NODE_ASN},
            extra=(" address-family ipv4 unicast", "  network 203.0.113.0/24", " exit-address-family"),
        )
        router = await start_router(other, neighbors={node.v4: NODE_ASN}, asn=65002)
        await client.add_peer(peer(learned_from))
        await client.add_peer(peer(other, asn=65002))
        expected = {"198.18.0.1/32"} | ({"203.0.113.0/24"} if policy == RoutingPolicy() else set())
        await wait_until(lambda: router.prefixes() == expected, within=30)

        async def knows_both() -> bool:
            return len(await client.paths(Family.IPV4, local_only=False)) == 2

        await wait_until(knows_both, within=30, what="the learned route in gobgpd itself")
        await stays(lambda: router.prefixes() == expected, during=1, what="what the other router knows")
        assert [path.key.prefix for path in await client.paths(Family.IPV4)] == [service(1).key.prefix]


async def test_a_tag_picks_the_neighbours_and_is_stripped(
    client: Client, lan: Lan, start_router: StartRouter
) -> None:
    """Services 1 (tagged for others) and 2 (untagged): the router gets 2 only, until the tag is its own."""
    tag = (NODE_ASN, 1, 1)
    routing = RoutingPolicy(
        defined_sets=(
            DefinedSet(kind=DefinedKind.LARGE_COMMUNITY, name="tag", members=("65000:1:1",)),
            DefinedSet(kind=DefinedKind.NEIGHBOR, name="tagged", members=("10.0.0.99",)),
        ),
        policies=(
            Policy(
                "out",
                (
                    Statement(
                        name="not-for-others",
                        conditions=Conditions(
                            large_community_set=MatchSet("tag"),
                            neighbor_set=MatchSet("tagged", MatchOption.INVERT),
                        ),
                        actions=Actions(disposition=Disposition.REJECT),
                    ),
                    Statement(
                        name="strip",
                        conditions=Conditions(route_type=RouteType.LOCAL),
                        actions=Actions(
                            disposition=Disposition.ACCEPT,
                            large_community=CommunityAction(CommunityMethod.REMOVE, ("65000:1:1",)),
                        ),
                    ),
                ),
            ),
        ),
        assignments=NO_TRANSIT.assignments,
    )
    node, leaf = lan.nodes[0], lan.routers[0]
    await client.start(speaker(node))
    await client.set_policies(routing)
    await client.add_paths([service(1, PathAttrs(large_communities=(tag, (NODE_ASN, 2, 2)))), service(2)])
    router = await start_router(leaf, neighbors={node.v4: NODE_ASN})
    await client.add_peer(peer(leaf))
    await wait_until(lambda: router.prefixes() == {"198.18.0.2/32"}, within=30)

    await client.add_to_defined_set(DefinedSet(kind=DefinedKind.NEIGHBOR, name="tagged", members=(leaf.v4,)))
    await stays(lambda: router.prefixes() == {"198.18.0.2/32"}, during=1, what="no effect without a reset")
    await client.reset_peer(leaf.v4, soft=True, direction=ResetDirection.OUT)
    await wait_until(lambda: len(router.prefixes()) == 2, within=10)
    (path,) = router.paths("198.18.0.1/32")
    assert path["largeCommunity"]["string"] == "65000:2:2"
    assert router.resets(node.v4) == 0
