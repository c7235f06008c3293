"""Routing policies from protobuf, for both APIs. Pure; the way there is `policies`.

Nothing is put right here: what comes out goes through `canonical` before it is compared.
"""

from ipaddress import ip_network
from types import ModuleType
from typing import Any

from openelb_bgp.bgp.gobgp._pb import gobgp4_pb2 as pb4
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
    RpkiResult,
    Statement,
)


def word(enum: Any, number: int, kind: str) -> str:
    """Our word for an enum's number: the reverse of `policies.member`.

    "" for UNSPECIFIED, and for numbers without a name: 3.10 shows -1 for some conditions that nobody asked.
    """
    if number not in enum.values():
        return ""
    text: str = enum.Name(number).removeprefix(f"{kind}_").lower().replace("_", "-")
    return "" if text == "unspecified" else text


def read_defined_set(kind: DefinedKind, message: pb4.DefinedSet) -> DefinedSet:
    """One set of ListDefinedSet."""
    return DefinedSet(
        kind=kind,
        name=message.name,
        prefixes=tuple(
            PrefixRange(ip_network(entry.ip_prefix), entry.mask_length_min, entry.mask_length_max)
            for entry in message.prefixes
        ),
        members=tuple(message.list),
    )


def read_policy(pb: ModuleType, message: pb4.Policy) -> Policy:
    """One policy of ListPolicy."""
    return Policy(
        message.name,
        tuple(
            Statement(
                name=statement.name,
                conditions=_conditions(pb, statement.conditions),
                actions=_actions(pb, statement.actions),
            )
            for statement in message.statements
        ),
    )


def read_assignment(pb: ModuleType, message: pb4.PolicyAssignment) -> PolicyAssignment:
    """One global binding of ListPolicyAssignment."""
    return PolicyAssignment(
        direction=Direction(word(pb.PolicyDirection, message.direction, "POLICY_DIRECTION")),
        policies=tuple(policy.name for policy in message.policies),
        default=_disposition(pb, message.default_action),
    )


def _disposition(pb: ModuleType, number: int) -> Disposition:
    return Disposition(word(pb.RouteAction, number, "ROUTE_ACTION") or "none")


def _match(pb: ModuleType, message: pb4.MatchSet) -> MatchSet | None:
    if not message.name:
        return None
    return MatchSet(message.name, MatchOption(word(pb.MatchSet.Type, message.type, "TYPE") or "any"))


def _comparison(pb: ModuleType, number: int, value: int) -> Comparison:
    return Comparison(Operator(word(pb.Comparison, number, "COMPARISON") or "eq"), value)


def _origin(pb: ModuleType, number: int) -> Origin | None:
    name = word(pb.OriginType, number, "ORIGIN_TYPE")
    return Origin(name) if name else None


def _conditions(pb: ModuleType, message: pb4.Conditions) -> Conditions:
    length, count = message.as_path_length, message.community_count
    rpki = word(pb.ValidationState, message.rpki_result, "VALIDATION_STATE")
    route_type = word(pb.Conditions.RouteType, message.route_type, "ROUTE_TYPE")
    return Conditions(
        prefix_set=_match(pb, message.prefix_set),
        neighbor_set=_match(pb, message.neighbor_set),
        as_path_set=_match(pb, message.as_path_set),
        community_set=_match(pb, message.community_set),
        ext_community_set=_match(pb, message.ext_community_set),
        large_community_set=_match(pb, message.large_community_set),
        as_path_length=_comparison(pb, length.type, length.length)
        if message.HasField("as_path_length")
        else None,
        community_count=_comparison(pb, count.type, count.count)
        if message.HasField("community_count")
        else None,
        next_hop_in=tuple(message.next_hop_in_list),
        afi_safi_in=tuple((family.afi, family.safi) for family in message.afi_safi_in),
        rpki=RpkiResult(rpki) if rpki else None,
        route_type=RouteType(route_type) if route_type else None,
        origin=_origin(pb, message.origin),
        local_pref_eq=_optional_value(message, "local_pref_eq"),
        med_eq=_optional_value(message, "med_eq"),
    )


def _optional_value(message: pb4.Conditions, field: str) -> int | None:
    # The 3.x message has no such field.
    if field not in message.DESCRIPTOR.fields_by_name or not message.HasField(field):
        return None
    value: int = getattr(message, field).value
    return value


def _community_action(pb: ModuleType, message: pb4.CommunityAction) -> CommunityAction | None:
    if not message.communities:
        return None
    method = word(pb.CommunityAction.Type, message.type, "TYPE") or "add"
    return CommunityAction(CommunityMethod(method), tuple(message.communities))


def _next_hop(message: pb4.NexthopAction) -> NextHopKeyword | str | None:
    if message.to_self:
        return NextHopKeyword.SELF
    if message.unchanged:
        return NextHopKeyword.UNCHANGED
    if message.peer_address:
        return NextHopKeyword.PEER_ADDRESS
    return message.address or None


def _actions(pb: ModuleType, message: pb4.Actions) -> Actions:
    prepend = message.as_prepend
    return Actions(
        disposition=_disposition(pb, message.route_action),
        community=_community_action(pb, message.community),
        ext_community=_community_action(pb, message.ext_community),
        large_community=_community_action(pb, message.large_community),
        med=MedAction(message.med.value, relative=message.med.type == pb.MedAction.TYPE_MOD)
        if message.HasField("med")
        else None,
        as_path_prepend=AsPathPrepend(None if prepend.use_left_most else prepend.asn, prepend.repeat)
        if message.HasField("as_prepend")
        else None,
        next_hop=_next_hop(message.nexthop),
        local_pref=message.local_pref.value or None,
        origin=_origin(pb, message.origin_action.origin),
    )
