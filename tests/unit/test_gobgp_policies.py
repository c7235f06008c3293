"""Policies on the wire of both APIs, and the spelling in which they are compared."""

from ipaddress import IPv4Network

import pytest

from openelb_bgp.bgp.gobgp import policies, policies_read
from openelb_bgp.bgp.gobgp._pb import gobgp3_pb2 as pb3
from openelb_bgp.bgp.gobgp._pb import gobgp4_pb2 as pb4
from openelb_bgp.bgp.gobgp.canonical import canonical, community, host_or_network
from openelb_bgp.bgp.gobgp.errors import Unsupported
from openelb_bgp.bgp.gobgp.features import features
from openelb_bgp.bgp.gobgp.v3 import V3
from openelb_bgp.bgp.gobgp.v4 import V4
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
    MatchOption,
    MatchSet,
    MedAction,
    NextHopKeyword,
    Operator,
    Origin,
    Policy,
    PolicyAssignment,
    PrefixRange,
    RouteType,
    RoutingPolicy,
    RpkiResult,
    Statement,
)

both = pytest.mark.parametrize("wire", [V3(), V4()], ids=["3.x", "4.x"])

CONDITIONS = [
    Conditions(),
    *(
        Conditions(prefix_set=MatchSet("p", option), community_set=MatchSet("c", option))
        for option in MatchOption
    ),
    *(Conditions(as_path_length=Comparison(operator, 3)) for operator in Operator),
    *(Conditions(community_count=Comparison(operator, 3)) for operator in Operator),
    *(Conditions(route_type=route_type) for route_type in RouteType),
    *(Conditions(rpki=result) for result in RpkiResult if result is not RpkiResult.NONE),
    *(Conditions(origin=origin) for origin in Origin),
    Conditions(
        neighbor_set=MatchSet("n"),
        as_path_set=MatchSet("a"),
        ext_community_set=MatchSet("e"),
        large_community_set=MatchSet("l"),
        next_hop_in=("10.0.0.1",),
        afi_safi_in=((1, 1), (25, 70)),
    ),
]
ACTIONS = [
    *(Actions(disposition=disposition) for disposition in Disposition),
    *(
        Actions(
            community=CommunityAction(method, ("1:1",)),
            ext_community=CommunityAction(method, ("rt:1:1",)),
            large_community=CommunityAction(method, ("1:1:1",)),
        )
        for method in CommunityMethod
    ),
    Actions(med=MedAction(-5, relative=True)),
    Actions(med=MedAction(0)),
    Actions(as_path_prepend=AsPathPrepend(65000, 3), local_pref=50, origin=Origin.INCOMPLETE),
    Actions(as_path_prepend=AsPathPrepend(None, 3), next_hop="10.0.0.9"),
    *(Actions(next_hop=keyword) for keyword in NextHopKeyword),
]
SETS = [
    DefinedSet(kind=DefinedKind.PREFIX, name="p", prefixes=(PrefixRange(IPv4Network("10.0.0.0/8"), 8, 32),)),
    DefinedSet(kind=DefinedKind.NEIGHBOR, name="n", members=("10.0.0.0/24",)),
    DefinedSet(kind=DefinedKind.LARGE_COMMUNITY, name="l", members=("1:2:3",)),
]


@both
def test_every_statement_is_read_as_it_was_written(wire: V3 | V4) -> None:
    statements = [Statement(name=f"c{i}", conditions=asked) for i, asked in enumerate(CONDITIONS)]
    statements += [Statement(name=f"a{i}", actions=done) for i, done in enumerate(ACTIONS)]
    policy = Policy("p", tuple(statements))
    assert policies_read.read_policy(wire.pb, policies.policy_message(wire.pb, policy)) == policy


@both
@pytest.mark.parametrize("item", SETS, ids=lambda item: item.kind)
def test_every_set_is_read_as_it_was_written(wire: V3 | V4, item: DefinedSet) -> None:
    message = policies.defined_set_message(wire.pb, item)
    assert policies_read.read_defined_set(item.kind, message) == item


@both
@pytest.mark.parametrize("direction", Direction)
def test_every_binding_is_read_as_it_was_written(wire: V3 | V4, direction: Direction) -> None:
    binding = PolicyAssignment(direction=direction, policies=("a", "b"), default=Disposition.REJECT)
    message = policies.assignment_message(wire.pb, binding)
    assert message.name == "global"
    assert policies_read.read_assignment(wire.pb, message) == binding


def test_what_only_4_x_can_ask_is_read_back_too() -> None:
    asked = Conditions(local_pref_eq=0, med_eq=7, rpki=RpkiResult.NONE)
    policy = Policy("p", (Statement(name="s", conditions=asked),))
    assert policies_read.read_policy(pb4, policies.policy_message(pb4, policy)) == policy


@pytest.mark.parametrize(
    ("statement", "needs", "version"),
    [
        (Statement(name="s", conditions=Conditions(local_pref_eq=1)), "4.0", (3, 37, 0)),
        (Statement(name="s", conditions=Conditions(med_eq=1)), "4.0", (3, 37, 0)),
        (Statement(name="s", conditions=Conditions(rpki=RpkiResult.NONE)), "4.0", (3, 37, 0)),
        (Statement(name="s", conditions=Conditions(origin=Origin.EGP)), "3.28", (3, 27, 0)),
        (
            Statement(name="s", conditions=Conditions(community_count=Comparison(Operator.GE, 1))),
            "3.28",
            (3, 10, 0),
        ),
        (Statement(name="s", actions=Actions(origin=Origin.EGP)), "3.28", (3, 10, 0)),
        (Statement(name="s", actions=Actions(next_hop=NextHopKeyword.PEER_ADDRESS)), "3.28", (3, 10, 0)),
    ],
    ids=str,
)
def test_what_an_older_gobgpd_would_drop_is_refused(
    statement: Statement, needs: str, version: tuple[int, int, int]
) -> None:
    routing = RoutingPolicy(policies=(Policy("p", (statement,)),))
    with pytest.raises(Unsupported, match=f"'s'.* needs GoBGP {needs}"):
        policies.check_supported(routing, features(version[0], version))
    policies.check_supported(routing, features(4, (4, 8, 0)))


def test_a_number_without_a_name_is_a_condition_that_nobody_asked() -> None:
    assert policies_read.word(pb3.ValidationState, -1, "VALIDATION_STATE") == ""


@pytest.mark.parametrize(
    ("text", "spelt"),
    [
        ("65000:1", "65000:1"),
        ("^65000:1$", "65000:1"),
        ("^^65000:1:2$$", "65000:1:2"),
        ("rt:^65000:1$", "rt:65000:1"),
        ("no-export", "65535:65281"),
        ("NO_EXPORT", "65535:65281"),
        ("4294967041", "65535:65281"),
        ("^65000:.*$", "^65000:.*$"),
    ],
)
def test_a_community_has_one_spelling(text: str, spelt: str) -> None:
    assert community(text) == spelt


@pytest.mark.parametrize(
    ("text", "spelt"),
    [("10.0.0.1/32", "10.0.0.1"), ("10.0.0.9/24", "10.0.0.0/24"), ("FD00::1/128", "fd00::1"), ("x", "x")],
)
def test_an_address_has_one_spelling(text: str, spelt: str) -> None:
    assert host_or_network(text) == spelt


def test_order_that_means_nothing_is_gone_and_order_that_counts_stays() -> None:
    one, two = Statement(name="1"), Statement(name="2")
    binding = PolicyAssignment(direction=Direction.EXPORT, policies=("b", "a"))
    routing = RoutingPolicy(
        defined_sets=(SETS[2], SETS[1]),
        policies=(Policy("b", (two, one)), Policy("a")),
        assignments=(binding,),
    )
    other = RoutingPolicy(
        defined_sets=(SETS[1], SETS[2]),
        policies=(Policy("a"), Policy("b", (two, one))),
        assignments=(PolicyAssignment(direction=Direction.IMPORT), binding),
    )
    assert canonical(routing) == canonical(other)
    swapped = RoutingPolicy(policies=(Policy("a"), Policy("b", (one, two))))
    assert canonical(RoutingPolicy(policies=routing.policies)) != canonical(swapped)


def test_the_canonical_spelling_is_its_own() -> None:
    routing = RoutingPolicy(
        defined_sets=tuple(SETS),
        policies=(
            Policy("p", tuple(Statement(name=f"{i}", actions=done) for i, done in enumerate(ACTIONS))),
        ),
    )
    assert canonical(canonical(routing)) == canonical(routing)


def test_what_gobgpd_does_not_show_faithfully_is_not_compared() -> None:
    def with_(asked: Conditions, done: Actions) -> RoutingPolicy:
        return RoutingPolicy(policies=(Policy("p", (Statement(name="s", conditions=asked, actions=done),)),))

    dropped = Actions(local_pref=0, community=CommunityAction(CommunityMethod.REPLACE))
    assert canonical(with_(Conditions(origin=Origin.EGP), dropped)) == canonical(
        with_(Conditions(), Actions())
    )
