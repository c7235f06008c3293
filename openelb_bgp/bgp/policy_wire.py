"""GoBGP's policy configuration as TOML has it: `defined-sets`, `policy-definitions`, `global.apply-policy`.

Field names, types and enumerations are those of GoBGP's own configuration (osrg/gobgp, docs/sources/policy.md
and pkg/config/oc/bgp_configs.go); what they mean is in `policy_toml`. A field of type Any is one that GoBGP
takes as text or number, or one that we refuse by name rather than as unknown.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Uint8 = Annotated[int, Meta(ge=0, le=255)]
Uint32 = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Texts = tuple[str, ...]
RestrictedOptions = Literal["any", "invert"]
Options = Literal["any", "all", "invert"]
Comparison = Literal["eq", "ge", "le", "attribute-eq", "attribute-ge", "attribute-le"]
DefaultPolicy = Literal["accept-route", "reject-route"]


def at(holder: object, field: str) -> Any:
    """The value of a field that is named as in TOML, with hyphens."""
    return getattr(holder, field.replace("-", "_"))


class Prefix(msgspec.Struct, rename="kebab", kw_only=True):
    """An entry of a prefix set."""

    ip_prefix: str | None = None
    rtc_prefix: Any = None
    masklength_range: str | None = None


class PrefixSet(msgspec.Struct, rename="kebab", kw_only=True):
    """A prefix set."""

    prefix_set_name: str | None = None
    prefix_list: tuple[Prefix, ...] | None = None


class NeighborSet(msgspec.Struct, rename="kebab", kw_only=True):
    """A set of neighbours."""

    neighbor_set_name: str | None = None
    neighbor_info_list: Texts | None = None


class CommunitySet(msgspec.Struct, rename="kebab", kw_only=True):
    """A set of communities."""

    community_set_name: str | None = None
    community_list: Texts | None = None


class ExtCommunitySet(msgspec.Struct, rename="kebab", kw_only=True):
    """A set of extended communities."""

    ext_community_set_name: str | None = None
    ext_community_list: Texts | None = None


class LargeCommunitySet(msgspec.Struct, rename="kebab", kw_only=True):
    """A set of large communities."""

    large_community_set_name: str | None = None
    large_community_list: Texts | None = None


class AsPathSet(msgspec.Struct, rename="kebab", kw_only=True):
    """A set of AS path expressions."""

    as_path_set_name: str | None = None
    as_path_list: Texts | None = None


class BgpDefinedSets(msgspec.Struct, rename="kebab", kw_only=True):
    """Sets that match BGP attributes."""

    community_sets: tuple[CommunitySet, ...] | None = None
    ext_community_sets: tuple[ExtCommunitySet, ...] | None = None
    large_community_sets: tuple[LargeCommunitySet, ...] | None = None
    as_path_sets: tuple[AsPathSet, ...] | None = None


class DefinedSets(msgspec.Struct, rename="kebab", kw_only=True):
    """All sets."""

    prefix_sets: tuple[PrefixSet, ...] | None = None
    neighbor_sets: tuple[NeighborSet, ...] | None = None
    tag_sets: Any = None
    bgp_defined_sets: BgpDefinedSets | None = None


class MatchPrefixSet(msgspec.Struct, rename="kebab", kw_only=True):
    """A condition on the prefix."""

    prefix_set: str | None = None
    match_set_options: RestrictedOptions | None = None


class MatchNeighborSet(msgspec.Struct, rename="kebab", kw_only=True):
    """A condition on the neighbour."""

    neighbor_set: str | None = None
    match_set_options: RestrictedOptions | None = None


class MatchCommunitySet(msgspec.Struct, rename="kebab", kw_only=True):
    """A condition on communities."""

    community_set: str | None = None
    match_set_options: Options | None = None


class MatchExtCommunitySet(msgspec.Struct, rename="kebab", kw_only=True):
    """A condition on extended communities."""

    ext_community_set: str | None = None
    match_set_options: Options | None = None


class MatchLargeCommunitySet(msgspec.Struct, rename="kebab", kw_only=True):
    """A condition on large communities."""

    large_community_set: str | None = None
    match_set_options: Options | None = None


class MatchAsPathSet(msgspec.Struct, rename="kebab", kw_only=True):
    """A condition on the AS path."""

    as_path_set: str | None = None
    match_set_options: Options | None = None


class Count(msgspec.Struct, rename="kebab", kw_only=True):
    """A comparison with a count."""

    operator: Comparison | None = None
    value: Uint32 | None = None


class BgpConditions(msgspec.Struct, rename="kebab", kw_only=True):
    """Conditions on BGP attributes."""

    match_community_set: MatchCommunitySet | None = None
    match_ext_community_set: MatchExtCommunitySet | None = None
    match_large_community_set: MatchLargeCommunitySet | None = None
    match_as_path_set: MatchAsPathSet | None = None
    as_path_length: Count | None = None
    community_count: Count | None = None
    next_hop_in_list: Texts | None = None
    afi_safi_in_list: Texts | None = None
    rpki_validation_result: Literal["none", "not-found", "valid", "invalid"] | None = None
    route_type: Literal["none", "internal", "external", "local"] | None = None
    origin_eq: Literal["igp", "egp", "incomplete"] | None = None
    local_pref_eq: Uint32 | None = None
    med_eq: Uint32 | None = None


class Conditions(msgspec.Struct, rename="kebab", kw_only=True):
    """When a statement applies."""

    match_prefix_set: MatchPrefixSet | None = None
    match_neighbor_set: MatchNeighborSet | None = None
    bgp_conditions: BgpConditions | None = None
    match_tag_set: Any = None
    call_policy: Any = None
    install_protocol_eq: Any = None
    igp_conditions: Any = None


class CommunityMethod(msgspec.Struct, rename="kebab", kw_only=True):
    """Which communities."""

    communities_list: Texts | None = None
    community_set_ref: Any = None
    ext_community_set_ref: Any = None


class SetCommunity(msgspec.Struct, rename="kebab", kw_only=True):
    """A change of communities."""

    options: str | None = None
    set_community_method: CommunityMethod | None = None


class SetExtCommunity(msgspec.Struct, rename="kebab", kw_only=True):
    """A change of extended communities."""

    options: str | None = None
    set_ext_community_method: CommunityMethod | None = None


class SetLargeCommunity(msgspec.Struct, rename="kebab", kw_only=True):
    """A change of large communities."""

    options: str | None = None
    set_large_community_method: CommunityMethod | None = None


class SetAsPathPrepend(msgspec.Struct, rename="kebab", kw_only=True):
    """A prepend; `as` is a number as text, or last-as."""

    as_: Any = msgspec.field(default=None, name="as")
    repeat_n: Uint8 | None = None


class BgpActions(msgspec.Struct, rename="kebab", kw_only=True):
    """Changes of BGP attributes."""

    set_community: SetCommunity | None = None
    set_ext_community: SetExtCommunity | None = None
    set_large_community: SetLargeCommunity | None = None
    set_as_path_prepend: SetAsPathPrepend | None = None
    set_med: Any = None
    set_local_pref: Uint32 | None = None
    set_next_hop: str | None = None
    set_route_origin: Literal["igp", "egp", "incomplete"] | None = None


class Actions(msgspec.Struct, rename="kebab", kw_only=True):
    """What a statement does."""

    route_disposition: Literal["none", "accept-route", "reject-route"] | None = None
    bgp_actions: BgpActions | None = None
    igp_actions: Any = None
    set_tag: Any = None


class Statement(msgspec.Struct, rename="kebab", kw_only=True):
    """A statement."""

    name: str | None = None
    conditions: Conditions | None = None
    actions: Actions | None = None


class PolicyDefinition(msgspec.Struct, rename="kebab", kw_only=True):
    """A policy."""

    name: str | None = None
    statements: tuple[Statement, ...] | None = None


class ApplyPolicyConfig(msgspec.Struct, rename="kebab", kw_only=True):
    """Which policies apply."""

    import_policy_list: Texts | None = None
    default_import_policy: DefaultPolicy | None = None
    export_policy_list: Texts | None = None
    default_export_policy: DefaultPolicy | None = None
    in_policy_list: Any = None
    default_in_policy: Any = None


class ApplyPolicy(msgspec.Struct, rename="kebab", kw_only=True):
    """Which policies apply."""

    config: ApplyPolicyConfig | None = None


class Document(msgspec.Struct, rename="kebab", kw_only=True):
    """The whole text. `global` is split off before, because only its `apply-policy` is ours to read."""

    defined_sets: DefinedSets | None = None
    policy_definitions: tuple[PolicyDefinition, ...] | None = None
    apply_policy: ApplyPolicy | None = None
