"""The vocabulary of GoBGP's routing policy: defined sets, statements, policies and their bindings.

As rich as GoBGP's own configuration (`defined-sets`, `policy-definitions`, `global.apply-policy`), because
users hand in TOML. Import these names from `openelb_bgp.bgp.model`. No decisions here: which statements a
node needs is the plan's matter, how they look on the wire is `gobgp/`'s.

GoBGP's rules that hold for all of this: names of defined sets are unique per kind, names of statements are
unique in the whole daemon (not per policy), an empty set of conditions matches everything, and a policy that
neither accepts nor rejects hands on to the next one, in the end to the assignment's default.
"""

from enum import StrEnum

import msgspec

from openelb_bgp.model.addresses import Network


class DefinedKind(StrEnum):
    """What a defined set lists; each kind has its own name space in gobgpd, which takes no tag sets."""

    PREFIX = "prefix"
    NEIGHBOR = "neighbor"
    AS_PATH = "as-path"
    COMMUNITY = "community"
    EXT_COMMUNITY = "ext-community"
    LARGE_COMMUNITY = "large-community"


class PrefixRange(msgspec.Struct, frozen=True):
    """Prefixes inside `prefix` whose length is from `min_length` to `max_length`, both included."""

    prefix: Network
    min_length: int
    max_length: int


class DefinedSet(msgspec.Struct, frozen=True, kw_only=True):
    """A named list to match against; its order has no meaning.

    `prefixes` is for `DefinedKind.PREFIX` (one address family a set: gobgpd refuses a mix), `members` for
    all others: addresses or networks of neighbours, `65000:100` or a regular expression for communities,
    `rt:65000:1` for extended ones, `65000:1:2` for large ones, regular expressions for AS paths.
    """

    kind: DefinedKind
    name: str
    prefixes: tuple[PrefixRange, ...] = ()
    members: tuple[str, ...] = ()


class MatchOption(StrEnum):
    """How a route's values and a defined set have to meet. Prefix and neighbor sets know no ALL."""

    ANY = "any"
    ALL = "all"
    INVERT = "invert"


class MatchSet(msgspec.Struct, frozen=True):
    """A reference to a defined set by name."""

    name: str
    option: MatchOption = MatchOption.ANY


class Operator(StrEnum):
    """How a count is compared."""

    EQ = "eq"
    GE = "ge"
    LE = "le"


class Comparison(msgspec.Struct, frozen=True):
    """A count, compared with `value`."""

    operator: Operator
    value: int


class RouteType(StrEnum):
    """Where a route comes from: this gobgpd's own API (local), an iBGP or an eBGP peer."""

    LOCAL = "local"
    INTERNAL = "internal"
    EXTERNAL = "external"


class RpkiResult(StrEnum):
    """RFC 6811 validation states, and `none`."""

    NONE = "none"
    NOT_FOUND = "not-found"
    VALID = "valid"
    INVALID = "invalid"


class Origin(StrEnum):
    """The ORIGIN attribute (RFC 4271, 5.1.1)."""

    IGP = "igp"
    EGP = "egp"
    INCOMPLETE = "incomplete"


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """All of them have to hold; None and () mean "not asked".

    `afi_safi_in` holds IANA's (AFI, SAFI) numbers. `local_pref_eq`, `med_eq` and `rpki` NONE exist on GoBGP
    4.x only, `community_count` and `origin` from 3.28.
    """

    prefix_set: MatchSet | None = None
    neighbor_set: MatchSet | None = None
    as_path_set: MatchSet | None = None
    community_set: MatchSet | None = None
    ext_community_set: MatchSet | None = None
    large_community_set: MatchSet | None = None
    as_path_length: Comparison | None = None
    community_count: Comparison | None = None
    next_hop_in: tuple[str, ...] = ()
    afi_safi_in: tuple[tuple[int, int], ...] = ()
    rpki: RpkiResult | None = None
    route_type: RouteType | None = None
    origin: Origin | None = None
    local_pref_eq: int | None = None
    med_eq: int | None = None


class CommunityMethod(StrEnum):
    """What happens to the communities that a route has."""

    ADD = "add"
    REMOVE = "remove"
    REPLACE = "replace"


class CommunityAction(msgspec.Struct, frozen=True):
    """A change to communities of one sort; `communities` as in `DefinedSet.members`.

    REPLACE with () drops them all. REMOVE takes regular expressions too.
    """

    method: CommunityMethod
    communities: tuple[str, ...] = ()


class MedAction(msgspec.Struct, frozen=True):
    """Sets MED to `value`, or where `relative` adds it (it may be negative)."""

    value: int
    relative: bool = False


class AsPathPrepend(msgspec.Struct, frozen=True):
    """Puts `asn` in front `repeat` times; None repeats the AS path's leftmost ASN."""

    asn: int | None
    repeat: int


class NextHopKeyword(StrEnum):
    """What GoBGP can write as next hop besides an address."""

    SELF = "self"
    UNCHANGED = "unchanged"
    PEER_ADDRESS = "peer-address"


class Disposition(StrEnum):
    """What becomes of a route. NONE: go on with the next statement."""

    NONE = "none"
    ACCEPT = "accept"
    REJECT = "reject"


class Actions(msgspec.Struct, frozen=True, kw_only=True):
    """What a matching statement does; None leaves the attribute alone. `next_hop` is a keyword or an IP.

    `origin` and a next hop of PEER_ADDRESS exist from GoBGP 3.28. gobgpd takes a `local_pref` of 0 for None.
    """

    disposition: Disposition = Disposition.NONE
    community: CommunityAction | None = None
    ext_community: CommunityAction | None = None
    large_community: CommunityAction | None = None
    med: MedAction | None = None
    as_path_prepend: AsPathPrepend | None = None
    next_hop: NextHopKeyword | str | None = None
    local_pref: int | None = None
    origin: Origin | None = None


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """One rule. Its name is unique among all statements of the daemon."""

    name: str
    conditions: Conditions = Conditions()
    actions: Actions = Actions()


class Policy(msgspec.Struct, frozen=True):
    """Statements, tried in this order until one accepts or rejects."""

    name: str
    statements: tuple[Statement, ...] = ()


class Direction(StrEnum):
    """Seen from gobgpd: what comes in from peers, what goes out to them."""

    IMPORT = "import"
    EXPORT = "export"


class PolicyAssignment(msgspec.Struct, frozen=True, kw_only=True):
    """The global binding of one direction: policies in the order of evaluation, by name, then the default."""

    direction: Direction
    policies: tuple[str, ...] = ()
    default: Disposition = Disposition.ACCEPT


class RoutingPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about policy that one gobgpd runs, desired or read back.

    Read back, it is in the form that `openelb_bgp.bgp.gobgp.policies.canonical` gives to a desired one:
    compare canonical with canonical.
    """

    defined_sets: tuple[DefinedSet, ...] = ()
    policies: tuple[Policy, ...] = ()
    assignments: tuple[PolicyAssignment, ...] = ()
