"""The statements of a user's policy: TOML shape → conditions and actions, with what is wrong in them."""

import re
from collections.abc import Mapping
from typing import Any

from openelb_bgp.decode.findings import Findings
from openelb_bgp.decode.walk import numbered

from . import policy_wire as wire
from .policy_model import (
    Actions,
    AsPathPrepend,
    CommunityAction,
    CommunityMethod,
    Comparison,
    Conditions,
    DefinedKind,
    Disposition,
    MatchOption,
    MatchSet,
    MedAction,
    NextHopKeyword,
    Operator,
    Origin,
    RouteType,
    RpkiResult,
    Statement,
)
from .policy_sets import (
    Check,
    check_address,
    check_all,
    check_community,
    check_expression,
    check_ext_community,
    check_ext_expression,
    check_large_community,
)

DISPOSITIONS: Mapping[str, Disposition] = {
    "none": Disposition.NONE,
    "accept-route": Disposition.ACCEPT,
    "reject-route": Disposition.REJECT,
}

Names = Mapping[DefinedKind, set[str]]
"""The names of the defined sets, by kind."""

# GoBGP's names of address families and IANA's numbers for them.
_AFI_SAFIS: Mapping[str, tuple[int, int]] = {
    "ipv4-unicast": (1, 1),
    "ipv6-unicast": (2, 1),
    "ipv4-multicast": (1, 2),
    "ipv6-multicast": (2, 2),
    "ipv4-labelled-unicast": (1, 4),
    "ipv6-labelled-unicast": (2, 4),
    "ipv4-encap": (1, 7),
    "ipv6-encap": (2, 7),
    "ipv4-srpolicy": (1, 73),
    "ipv6-srpolicy": (2, 73),
    "ipv4-mup": (1, 85),
    "ipv6-mup": (2, 85),
    "l3vpn-ipv4-unicast": (1, 128),
    "l3vpn-ipv6-unicast": (2, 128),
    "l3vpn-ipv4-multicast": (1, 129),
    "l3vpn-ipv6-multicast": (2, 129),
    "rtc": (1, 132),
    "ipv4-flowspec": (1, 133),
    "ipv6-flowspec": (2, 133),
    "l3vpn-ipv4-flowspec": (1, 134),
    "l3vpn-ipv6-flowspec": (2, 134),
    "l2vpn-vpls": (25, 65),
    "l2vpn-evpn": (25, 70),
    "l2vpn-flowspec": (25, 134),
    "ls": (16388, 71),
    "opaque": (16397, 241),
}
_MED = re.compile(r"([+-]?)([0-9]{1,10})")
_UNSUPPORTED_CONDITIONS = ("match-tag-set", "call-policy", "install-protocol-eq", "igp-conditions")
_UNSUPPORTED_ACTIONS = ("igp-actions", "set-tag")


def statement(
    one: wire.Statement, path: str, default_name: str, names: Names, findings: Findings
) -> Statement:
    """The statement; one without a name gets GoBGP's own, `POLICY_stmtN`."""
    conditions, actions = one.conditions or wire.Conditions(), one.actions or wire.Actions()
    _refuse(conditions, _UNSUPPORTED_CONDITIONS, f"{path}.conditions", findings)
    _refuse(actions, _UNSUPPORTED_ACTIONS, f"{path}.actions", findings)
    return Statement(
        name=one.name or default_name,
        conditions=_conditions(conditions, f"{path}.conditions", names, findings),
        actions=_actions(actions, f"{path}.actions", findings),
    )


def _refuse(holder: object, fields: tuple[str, ...], path: str, findings: Findings) -> None:
    for field in fields:
        if wire.at(holder, field) is not None:
            findings.fatal(f"{path}.{field}", None, "is not supported by GoBGP", "remove it")


def _conditions(one: wire.Conditions, path: str, names: Names, findings: Findings) -> Conditions:
    bgp = one.bgp_conditions or wire.BgpConditions()
    inner = f"{path}.bgp-conditions"

    def match(holder: Any, kind: DefinedKind, base: str) -> MatchSet | None:
        return _match(holder, kind, base, names, findings)

    return Conditions(
        prefix_set=match(one.match_prefix_set, DefinedKind.PREFIX, path),
        neighbor_set=match(one.match_neighbor_set, DefinedKind.NEIGHBOR, path),
        as_path_set=match(bgp.match_as_path_set, DefinedKind.AS_PATH, inner),
        community_set=match(bgp.match_community_set, DefinedKind.COMMUNITY, inner),
        ext_community_set=match(bgp.match_ext_community_set, DefinedKind.EXT_COMMUNITY, inner),
        large_community_set=match(bgp.match_large_community_set, DefinedKind.LARGE_COMMUNITY, inner),
        as_path_length=_count(bgp.as_path_length, f"{inner}.as-path-length", findings),
        community_count=_count(bgp.community_count, f"{inner}.community-count", findings),
        next_hop_in=_next_hops(bgp.next_hop_in_list, f"{inner}.next-hop-in-list", findings),
        afi_safi_in=_families(bgp.afi_safi_in_list, f"{inner}.afi-safi-in-list", findings),
        # In GoBGP "none" asks nothing, for both.
        rpki=None if bgp.rpki_validation_result in (None, "none") else RpkiResult(bgp.rpki_validation_result),
        route_type=None if bgp.route_type in (None, "none") else RouteType(bgp.route_type),
        origin=None if bgp.origin_eq is None else Origin(bgp.origin_eq),
        local_pref_eq=bgp.local_pref_eq,
        med_eq=bgp.med_eq,
    )


def _match(holder: Any, kind: DefinedKind, base: str, names: Names, findings: Findings) -> MatchSet | None:
    """The reference in a `match-KIND-set` table, whose one field is called `KIND-set`."""
    if holder is None:
        return None
    field = f"{kind}-set"
    path = f"{base}.match-{field}.{field}"
    name = wire.at(holder, field)
    if not name:
        findings.missing(path, "write the name of a set")
    elif name not in names[kind]:
        findings.fatal(path, name, f"is no {kind} set of this text", "define it under defined-sets")
    return MatchSet(name or "", MatchOption(holder.match_set_options or MatchOption.ANY))


def _count(one: wire.Count | None, path: str, findings: Findings) -> Comparison | None:
    if one is None:
        return None
    for field, value in (("operator", one.operator), ("value", one.value)):
        if value is None:
            findings.missing(f"{path}.{field}", "write operator and value")
    operator = (one.operator or "eq").removeprefix("attribute-")
    return Comparison(Operator(operator), one.value or 0)


def _next_hops(written: tuple[str, ...] | None, path: str, findings: Findings) -> tuple[str, ...]:
    check_all(written, path, check_address, findings)
    return tuple(written or ())


def _families(written: tuple[str, ...] | None, path: str, findings: Findings) -> tuple[tuple[int, int], ...]:
    for index, name in numbered(written):
        if name not in _AFI_SAFIS:
            findings.fatal(
                f"{path}[{index}]", name, "is no address family", "write ipv4-unicast, for example"
            )
    return tuple(_AFI_SAFIS[name] for name in written or () if name in _AFI_SAFIS)


def _actions(one: wire.Actions, path: str, findings: Findings) -> Actions:
    bgp = one.bgp_actions or wire.BgpActions()
    inner = f"{path}.bgp-actions"
    return Actions(
        disposition=DISPOSITIONS[one.route_disposition or "none"],
        community=_community(bgp.set_community, "community", inner, findings),
        ext_community=_community(bgp.set_ext_community, "ext-community", inner, findings),
        large_community=_community(bgp.set_large_community, "large-community", inner, findings),
        med=_med(bgp.set_med, f"{inner}.set-med", findings),
        as_path_prepend=_prepend(bgp.set_as_path_prepend, f"{inner}.set-as-path-prepend", findings),
        next_hop=_next_hop(bgp.set_next_hop, f"{inner}.set-next-hop", findings),
        local_pref=bgp.set_local_pref,
        origin=None if bgp.set_route_origin is None else Origin(bgp.set_route_origin),
    )


_TO_SET: Mapping[str, Check] = {
    "community": check_community,
    "ext-community": check_ext_community,
    "large-community": check_large_community,
}
_TO_REMOVE: Mapping[str, Check] = {
    "community": check_expression,
    "ext-community": check_ext_expression,
    "large-community": check_expression,
}


def _community(holder: Any, sort: str, base: str, findings: Findings) -> CommunityAction | None:
    """The change in a `set-SORT` table, whose list is in its `set-SORT-method`."""
    if holder is None:
        return None
    path = f"{base}.set-{sort}"
    options = (holder.options or "").lower()
    method = wire.at(holder, f"set-{sort}-method") or wire.CommunityMethod()
    for field in ("community-set-ref", "ext-community-set-ref"):
        if wire.at(method, field) is not None:
            where = f"{path}.set-{sort}-method.{field}"
            findings.fatal(where, None, "is not supported by GoBGP", "write communities-list")
    if options not in list(CommunityMethod):
        where = f"{path}.options"
        findings.fatal(
            where, holder.options, "is not known" if options else "is missing", "write add, remove or replace"
        )
        return None
    checks = _TO_REMOVE if options == CommunityMethod.REMOVE else _TO_SET
    where = f"{path}.set-{sort}-method.communities-list"
    check_all(method.communities_list, where, checks[sort], findings)
    return CommunityAction(CommunityMethod(options), tuple(method.communities_list or ()))


def _med(written: object, path: str, findings: Findings) -> MedAction | None:
    if written is None:
        return None
    text = str(written) if isinstance(written, str | int) and not isinstance(written, bool) else ""
    found = _MED.fullmatch(text)
    if found is None or int(found[2]) >= 2**32:
        remedy = 'write "100" to set it, "+100" or "-100" to change it'
        findings.fatal(path, written, "is no MED", remedy)
        return None
    return MedAction(int(text), relative=bool(found[1]))


def _prepend(one: wire.SetAsPathPrepend | None, path: str, findings: Findings) -> AsPathPrepend | None:
    if one is None:
        return None
    if not one.repeat_n:
        findings.missing(f"{path}.repeat-n", "write how often, at least once")
    text = str(one.as_) if isinstance(one.as_, str | int) and not isinstance(one.as_, bool) else ""
    if text == "last-as":
        return AsPathPrepend(None, one.repeat_n or 0)
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and 0 < int(text) < 2**32):
        findings.fatal(f"{path}.as", one.as_, "is no AS number", 'write one as text, or "last-as"')
        return None
    return AsPathPrepend(int(text), one.repeat_n or 0)


def _next_hop(written: str | None, path: str, findings: Findings) -> NextHopKeyword | str | None:
    if not written:
        return None
    if written.lower() in list(NextHopKeyword):
        return NextHopKeyword(written.lower())
    if problem := check_address(written):
        remedy = "write self, unchanged, peer-address or an IP address"
        findings.fatal(path, written, problem, remedy)
    return written
