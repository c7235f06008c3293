"""Routing policies to protobuf, for both APIs (see `peers` for how one text serves two).

Pure. The way back is in `policies_read`, the spelling for comparisons in `canonical`. Statements carry
their names to gobgpd, where they are unique over all policies.
"""

from collections.abc import Iterable
from ipaddress import ip_network
from types import ModuleType

from openelb_bgp.bgp.gobgp._pb import gobgp4_pb2 as pb4
from openelb_bgp.bgp.gobgp.features import Features
from openelb_bgp.bgp.model import (
    Actions,
    CommunityAction,
    Comparison,
    Conditions,
    DefinedKind,
    DefinedSet,
    Direction,
    Disposition,
    MatchSet,
    NextHopKeyword,
    Policy,
    PolicyAssignment,
    RoutingPolicy,
    RpkiResult,
    Statement,
)

GLOBAL_RIB = "global"


def member(kind: str, name: str) -> str:
    """Our word for an enum's value, spelt as the enum's member: ("DEFINED_TYPE", "as-path")."""
    return f"{kind}_{name.upper().replace('-', '_')}"


def check_supported(routing: RoutingPolicy, able: Features) -> None:
    """Raises Unsupported for what this gobgpd would drop in silence, so that more would match than meant."""
    v4 = able.major >= 4
    for policy in routing.policies:
        for statement in policy.statements:
            asked, done = statement.conditions, statement.actions
            where = f"statement {statement.name!r}:"
            able.require(v4 or asked.local_pref_eq is None, f"{where} local-pref-eq", needs="4.0")
            able.require(v4 or asked.med_eq is None, f"{where} med-eq", needs="4.0")
            able.require(
                v4 or asked.rpki is not RpkiResult.NONE, f"{where} rpki-validation-result none", needs="4.0"
            )
            rich = able.rich_policies
            able.require(rich or asked.community_count is None, f"{where} community-count", needs="3.28")
            able.require(rich or asked.origin is None, f"{where} origin-eq", needs="3.28")
            able.require(rich or done.origin is None, f"{where} set-route-origin", needs="3.28")
            peer_address = done.next_hop is NextHopKeyword.PEER_ADDRESS
            able.require(rich or not peer_address, f"{where} set-next-hop peer-address", needs="3.28")


def policies_message(pb: ModuleType, routing: RoutingPolicy) -> pb4.SetPoliciesRequest:
    """What SetPolicies takes: all sets and policies at once, checked by gobgpd before any is in force."""
    message: pb4.SetPoliciesRequest = pb.SetPoliciesRequest(
        defined_sets=[defined_set_message(pb, item) for item in routing.defined_sets],
        policies=[policy_message(pb, policy) for policy in routing.policies],
    )
    return message


def defined_set_message(pb: ModuleType, item: DefinedSet) -> pb4.DefinedSet:
    """One set; single neighbours become networks, as gobgpd wants them. Raises ValueError for no address."""
    members: Iterable[str] = item.members
    if item.kind is DefinedKind.NEIGHBOR:
        members = (str(ip_network(text, strict=False)) for text in item.members)
    message: pb4.DefinedSet = pb.DefinedSet(
        defined_type=pb.DefinedType.Value(member("DEFINED_TYPE", item.kind)),
        name=item.name,
        list=members,
        prefixes=[
            pb.Prefix(
                ip_prefix=str(entry.prefix),
                mask_length_min=entry.min_length,
                mask_length_max=entry.max_length,
            )
            for entry in item.prefixes
        ],
    )
    return message


def policy_message(pb: ModuleType, policy: Policy) -> pb4.Policy:
    """One policy with its statements."""
    message: pb4.Policy = pb.Policy(
        name=policy.name, statements=[_statement(pb, statement) for statement in policy.statements]
    )
    return message


def assignment_message(pb: ModuleType, assignment: PolicyAssignment) -> pb4.PolicyAssignment:
    """The global binding of one direction."""
    message: pb4.PolicyAssignment = pb.PolicyAssignment(
        name=GLOBAL_RIB,
        direction=direction_number(pb, assignment.direction),
        policies=[pb.Policy(name=name) for name in assignment.policies],
        default_action=_disposition(pb, assignment.default),
    )
    return message


def direction_number(pb: ModuleType, direction: Direction) -> int:
    """The direction's number in that API."""
    number: int = pb.PolicyDirection.Value(member("POLICY_DIRECTION", direction))
    return number


def _disposition(pb: ModuleType, disposition: Disposition) -> int:
    name = "unspecified" if disposition is Disposition.NONE else disposition
    number: int = pb.RouteAction.Value(member("ROUTE_ACTION", name))
    return number


def _statement(pb: ModuleType, statement: Statement) -> pb4.Statement:
    message: pb4.Statement = pb.Statement(
        name=statement.name,
        conditions=_conditions(pb, statement.conditions),
        actions=_actions(pb, statement.actions),
    )
    return message


def _match(pb: ModuleType, match: MatchSet | None) -> pb4.MatchSet | None:
    if match is None:
        return None
    message: pb4.MatchSet = pb.MatchSet(
        type=pb.MatchSet.Type.Value(member("TYPE", match.option)), name=match.name
    )
    return message


def _operator(pb: ModuleType, comparison: Comparison) -> int:
    number: int = pb.Comparison.Value(member("COMPARISON", comparison.operator))
    return number


def _conditions(pb: ModuleType, asked: Conditions) -> pb4.Conditions:
    message: pb4.Conditions = pb.Conditions(
        prefix_set=_match(pb, asked.prefix_set),
        neighbor_set=_match(pb, asked.neighbor_set),
        as_path_set=_match(pb, asked.as_path_set),
        community_set=_match(pb, asked.community_set),
        ext_community_set=_match(pb, asked.ext_community_set),
        large_community_set=_match(pb, asked.large_community_set),
        next_hop_in_list=asked.next_hop_in,
        afi_safi_in=[pb.Family(afi=afi, safi=safi) for afi, safi in asked.afi_safi_in],
    )
    if (length := asked.as_path_length) is not None:
        message.as_path_length.MergeFrom(pb.AsPathLength(type=_operator(pb, length), length=length.value))
    if (count := asked.community_count) is not None:
        message.community_count.MergeFrom(pb.CommunityCount(type=_operator(pb, count), count=count.value))
    if asked.rpki is not None:
        message.rpki_result = pb.ValidationState.Value(member("VALIDATION_STATE", asked.rpki))
    if asked.route_type is not None:
        message.route_type = pb.Conditions.RouteType.Value(member("ROUTE_TYPE", asked.route_type))
    if asked.origin is not None:
        message.origin = pb.OriginType.Value(member("ORIGIN_TYPE", asked.origin))
    if asked.local_pref_eq is not None:
        message.local_pref_eq.value = asked.local_pref_eq
    if asked.med_eq is not None:
        message.med_eq.value = asked.med_eq
    return message


def _community_action(pb: ModuleType, action: CommunityAction | None) -> pb4.CommunityAction | None:
    if action is None:
        return None
    message: pb4.CommunityAction = pb.CommunityAction(
        type=pb.CommunityAction.Type.Value(member("TYPE", action.method)), communities=action.communities
    )
    return message


def _next_hop(pb: ModuleType, next_hop: NextHopKeyword | str | None) -> pb4.NexthopAction | None:
    if next_hop is None:
        return None
    fields = {
        NextHopKeyword.SELF: {"to_self": True},
        NextHopKeyword.UNCHANGED: {"unchanged": True},
        NextHopKeyword.PEER_ADDRESS: {"peer_address": True},
    }
    # NextHopKeyword is a str too: "self" from a file means the same as the member.
    known = next_hop in tuple(NextHopKeyword)
    message: pb4.NexthopAction = pb.NexthopAction(
        **fields[NextHopKeyword(next_hop)] if known else {"address": str(next_hop)}
    )
    return message


def _actions(pb: ModuleType, done: Actions) -> pb4.Actions:
    message: pb4.Actions = pb.Actions(
        route_action=_disposition(pb, done.disposition),
        community=_community_action(pb, done.community),
        ext_community=_community_action(pb, done.ext_community),
        large_community=_community_action(pb, done.large_community),
        nexthop=_next_hop(pb, done.next_hop),
    )
    if done.med is not None:
        kind = pb.MedAction.TYPE_MOD if done.med.relative else pb.MedAction.TYPE_REPLACE
        message.med.MergeFrom(pb.MedAction(type=kind, value=done.med.value))
    if (prepend := done.as_path_prepend) is not None:
        message.as_prepend.repeat = prepend.repeat
        message.as_prepend.asn = prepend.asn or 0
        message.as_prepend.use_left_most = prepend.asn is None
    if done.local_pref is not None:
        message.local_pref.value = done.local_pref
    if done.origin is not None:
        message.origin_action.origin = pb.OriginType.Value(member("ORIGIN_TYPE", done.origin))
    return message
