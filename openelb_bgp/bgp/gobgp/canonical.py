"""Routing policies in the one spelling in which desired and read-back ones can be compared.

Pure. gobgpd turns communities into anchored regular expressions and addresses into prefixes, keeps no order
of sets and policies, and shows a binding for both directions always; and it does not give back everything
it was told (see `canonical`).
"""

import re
from ipaddress import ip_network

import msgspec

from openelb_bgp.bgp.model import (
    Actions,
    CommunityAction,
    Conditions,
    DefinedKind,
    DefinedSet,
    Direction,
    Disposition,
    Policy,
    PolicyAssignment,
    RoutingPolicy,
    Statement,
)

# RFC 1997, 3765, 6472, 7611, 7999, 8326, 9494; the names are GoBGP's.
WELL_KNOWN = {
    "internet": 0,
    "planned-shut": 0xFFFF0000,
    "accept-own": 0xFFFF0001,
    "llgr-stale": 0xFFFF0006,
    "no-llgr": 0xFFFF0007,
    "blackhole": 0xFFFF029A,
    "no-export": 0xFFFFFF01,
    "no-advertise": 0xFFFFFF02,
    "no-export-subconfed": 0xFFFFFF03,
    "no-peer": 0xFFFFFF04,
}
_ANCHORED = re.compile(r"((?:rt|soo|encap|lb):)?\^+([\d.]+(?::[\d.]+)*)\$+")
_COMMUNITY_KINDS = frozenset({DefinedKind.COMMUNITY, DefinedKind.EXT_COMMUNITY, DefinedKind.LARGE_COMMUNITY})


def canonical(routing: RoutingPolicy) -> RoutingPolicy:
    """The same policy, sorted where order has no meaning, members as gobgpd understands them.

    Left out is what no gobgpd shows faithfully: `Conditions.origin` (it shows the action's origin there),
    and actions that it drops (a local preference of 0, an empty list of communities).
    """
    bindings = {assignment.direction: assignment for assignment in routing.assignments}
    return RoutingPolicy(
        defined_sets=tuple(
            sorted(map(_defined_set, routing.defined_sets), key=lambda item: (item.kind, item.name))
        ),
        policies=tuple(sorted(map(_policy, routing.policies), key=lambda policy: policy.name)),
        assignments=tuple(_assignment(direction, bindings.get(direction)) for direction in Direction),
    )


def host_or_network(text: str) -> str:
    """An address or a network, host bits masked, a full-length network as its address; else unchanged."""
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return text
    return str(network.network_address if network.prefixlen == network.max_prefixlen else network)


def community(text: str) -> str:
    """A community by its numbers, without the anchors of an expression that matches only itself."""
    number = WELL_KNOWN.get(text.lower().replace("_", "-"))
    if number is None and text.isdigit():
        number = int(text)
    if number is not None:
        return f"{number >> 16}:{number & 0xFFFF}"
    if match := _ANCHORED.fullmatch(text):
        return f"{match[1] or ''}{match[2]}"
    return text


def _defined_set(item: DefinedSet) -> DefinedSet:
    members = item.members
    if item.kind is DefinedKind.NEIGHBOR:
        members = tuple(map(host_or_network, members))
    elif item.kind in _COMMUNITY_KINDS:
        members = tuple(map(community, members))
    prefixes = sorted(
        set(item.prefixes),
        key=lambda entry: (
            entry.prefix.version,
            int(entry.prefix.network_address),
            entry.prefix.prefixlen,
            entry.min_length,
            entry.max_length,
        ),
    )
    return msgspec.structs.replace(item, prefixes=tuple(prefixes), members=tuple(sorted(set(members))))


def _policy(policy: Policy) -> Policy:
    return Policy(policy.name, tuple(map(_statement, policy.statements)))


def _statement(statement: Statement) -> Statement:
    return Statement(
        name=statement.name,
        conditions=_conditions(statement.conditions),
        actions=_actions(statement.actions),
    )


def _conditions(conditions: Conditions) -> Conditions:
    return msgspec.structs.replace(
        conditions,
        next_hop_in=tuple(sorted(map(host_or_network, conditions.next_hop_in))),
        afi_safi_in=tuple(sorted(conditions.afi_safi_in)),
        origin=None,
    )


def _actions(actions: Actions) -> Actions:
    return msgspec.structs.replace(
        actions,
        community=_community_action(actions.community),
        ext_community=_community_action(actions.ext_community),
        large_community=_community_action(actions.large_community),
        local_pref=actions.local_pref or None,
    )


def _community_action(action: CommunityAction | None) -> CommunityAction | None:
    if action is None or not action.communities:
        return None
    return CommunityAction(action.method, tuple(map(community, action.communities)))


def _assignment(direction: Direction, assignment: PolicyAssignment | None) -> PolicyAssignment:
    if assignment is None:
        return PolicyAssignment(direction=direction)
    default = Disposition.ACCEPT if assignment.default is Disposition.NONE else assignment.default
    return msgspec.structs.replace(assignment, default=default)
