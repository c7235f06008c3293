"""The routing policy of this node's gobgpd: no transit, what differs by peer, then what the user says.

Pure. Ours comes first and only rejects or modifies, so `BgpConf.policy` has the last word on what is left.
Every name of ours that depends on content holds a hash of it: what a name means never changes, so adding or
removing our statements needs no soft reset.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping

from .hashes import stable_hash
from .model import (
    Actions,
    AsPathPrepend,
    CommunityAction,
    CommunityMethod,
    Conditions,
    DefinedKind,
    DefinedSet,
    Direction,
    Disposition,
    MatchSet,
    MedAction,
    PathAttrs,
    Policy,
    PolicyAssignment,
    RouteType,
    RoutingPolicy,
    Statement,
)
from .policy_toml import ParsedPolicy
from .variants import TAG_ASN, TAG_MARKER, Group, LargeCommunity, Variant

OUR_PREFIX = "openelb-"
"""Names that begin so are ours in gobgpd; a user's policy may not use them."""
EXPORT_POLICY = f"{OUR_PREFIX}export"
IMPORT_POLICY = f"{OUR_PREFIX}import"
_TAG = (TAG_ASN, TAG_MARKER)
_EVERY_TAG = DefinedSet(
    kind=DefinedKind.LARGE_COMMUNITY,
    name=f"{OUR_PREFIX}tags",
    members=(f"^{TAG_ASN}:{TAG_MARKER}:[0-9]+$",),
)

_NO_TRANSIT = tuple(
    Statement(
        name=f"{OUR_PREFIX}no-transit-{kind.value}",
        conditions=Conditions(route_type=kind),
        actions=Actions(disposition=Disposition.REJECT),
    )
    for kind in (RouteType.INTERNAL, RouteType.EXTERNAL)
)
# The global import policy judges our own paths too (seen on 3.10 and 4.8); without this none would pass.
_OWN = Statement(
    name=f"{OUR_PREFIX}own",
    conditions=Conditions(route_type=RouteType.LOCAL),
    actions=Actions(disposition=Disposition.ACCEPT),
)
_UNCLAIMED = Statement(
    name=f"{OUR_PREFIX}unclaimed",
    conditions=Conditions(large_community_set=MatchSet(_EVERY_TAG.name)),
    actions=Actions(disposition=Disposition.REJECT),
)


def routing_policy(variants: Iterable[Variant], user: ParsedPolicy | None = None) -> RoutingPolicy:
    """All sets, policies and bindings. `user` is what BgpConf.policy holds."""
    tagged = {made.tag: made for made in variants if made.tag is not None}
    user = user or ParsedPolicy()
    return RoutingPolicy(
        defined_sets=(*_defined_sets(tagged), *user.sets),
        policies=(
            Policy(EXPORT_POLICY, _export_statements(tagged)),
            Policy(IMPORT_POLICY, (_OWN,)),
            *user.policies,
        ),
        assignments=(
            # Learned routes are of no use to us: only a user's import policy lets any in.
            PolicyAssignment(
                direction=Direction.IMPORT,
                policies=(IMPORT_POLICY, *user.imports),
                default=user.default_import or Disposition.REJECT,
            ),
            PolicyAssignment(
                direction=Direction.EXPORT,
                policies=(EXPORT_POLICY, *user.exports),
                default=user.default_export or Disposition.ACCEPT,
            ),
        ),
    )


def tags_of(paths: Iterable[PathAttrs]) -> frozenset[LargeCommunity]:
    """The tags that these paths carry."""
    return frozenset(one for attrs in paths for one in attrs.large_communities if one[:2] == _TAG)


def with_rules_of(
    tags: Collection[LargeCommunity], routing: RoutingPolicy, *, found: RoutingPolicy
) -> RoutingPolicy:
    """A policy, and with it the rules that another one has for these tags; both in canonical spelling."""
    prefixes = tuple(f"{_tag_set(tag)}-" for tag in sorted(tags))
    rules = [
        one for one in _statements(found) if one.name.startswith(prefixes) and one not in _statements(routing)
    ]
    if not rules:
        return routing
    names = {match.name for one in rules for match in _sets_of(one.conditions)} | {_EVERY_TAG.name}
    sets = {(one.kind, one.name): one for one in found.defined_sets if one.name in names}
    sets |= {(one.kind, one.name): one for one in routing.defined_sets}
    last = [one for one in _statements(found) if one.name == _UNCLAIMED.name]
    ours = [one for one in _statements(routing) if one.name != _UNCLAIMED.name]
    statements = (*ours[: len(_NO_TRANSIT)], *rules, *ours[len(_NO_TRANSIT) :], *last)
    return RoutingPolicy(
        defined_sets=tuple(sets[key] for key in sorted(sets)),
        policies=tuple(
            Policy(one.name, statements) if one.name == EXPORT_POLICY else one for one in routing.policies
        ),
        assignments=routing.assignments,
    )


def _statements(routing: RoutingPolicy) -> tuple[Statement, ...]:
    """Ours, of the export policy."""
    return next((one.statements for one in routing.policies if one.name == EXPORT_POLICY), ())


def _sets_of(conditions: Conditions) -> Iterator[MatchSet]:
    for match in (conditions.neighbor_set, conditions.large_community_set):
        if match is not None:
            yield match


def names_of_ours(user: ParsedPolicy) -> list[str]:
    """The names in a user's policy that only ours may have."""
    names = [one.name for one in user.sets] + [policy.name for policy in user.policies]
    names += [statement.name for policy in user.policies for statement in policy.statements]
    return sorted({name for name in names if name.startswith(OUR_PREFIX)})


def _defined_sets(tagged: Mapping[LargeCommunity, Variant]) -> tuple[DefinedSet, ...]:
    """The sets that our statements refer to, sorted, each once."""
    if not tagged:
        return ()
    sets = {(one.kind, one.name): one for tag in sorted(tagged) for one in _sets(tag, tagged[tag])}
    sets[_EVERY_TAG.kind, _EVERY_TAG.name] = _EVERY_TAG
    return tuple(sets[key] for key in sorted(sets))


def _export_statements(tagged: Mapping[LargeCommunity, Variant]) -> tuple[Statement, ...]:
    by_peer = [_statement(tag, group) for tag in sorted(tagged) for group in tagged[tag].groups]
    # Whoever got something had the tag taken off; a path that still has it is not for this peer.
    return (*_NO_TRANSIT, *by_peer, *((_UNCLAIMED,) if tagged else ()))


def _tag_set(tag: LargeCommunity) -> str:
    return f"{OUR_PREFIX}tag-{tag[2]:08x}"


def _neighbour_set(group: Group) -> str:
    return f"{OUR_PREFIX}peers-{stable_hash(','.join(group.neighbours)):08x}"


def _sets(tag: LargeCommunity, made: Variant) -> Iterator[DefinedSet]:
    yield DefinedSet(kind=DefinedKind.LARGE_COMMUNITY, name=_tag_set(tag), members=(_large(tag),))
    for group in made.groups:
        yield DefinedSet(kind=DefinedKind.NEIGHBOR, name=_neighbour_set(group), members=group.neighbours)


def _statement(tag: LargeCommunity, group: Group) -> Statement:
    """What the neighbours of one group get for a tagged path."""
    attrs = group.attrs
    return Statement(
        name=f"{_tag_set(tag)}-{stable_hash(','.join(group.neighbours)):08x}",
        conditions=Conditions(
            neighbor_set=MatchSet(_neighbour_set(group)), large_community_set=MatchSet(_tag_set(tag))
        ),
        actions=Actions(
            community=_add(attrs.communities),
            large_community=_instead_of(tag, attrs.large_communities),
            med=None if attrs.med is None else MedAction(attrs.med),
            local_pref=attrs.local_pref,
            as_path_prepend=AsPathPrepend(attrs.prepend[0], len(attrs.prepend)) if attrs.prepend else None,
            next_hop=None if attrs.next_hop is None else str(attrs.next_hop),
        ),
    )


def _add(communities: tuple[int, ...]) -> CommunityAction | None:
    if not communities:
        return None
    texts = tuple(f"{value >> 16}:{value & 0xFFFF}" for value in communities)
    return CommunityAction(CommunityMethod.ADD, texts)


def _instead_of(tag: LargeCommunity, wanted: tuple[LargeCommunity, ...]) -> CommunityAction:
    # GoBGP shows an action without communities as none at all, so "replace by nothing" is a removal.
    if not wanted:
        return CommunityAction(CommunityMethod.REMOVE, (_large(tag),))
    return CommunityAction(CommunityMethod.REPLACE, tuple(_large(one) for one in wanted))


def _large(value: LargeCommunity) -> str:
    return ":".join(str(part) for part in value)
