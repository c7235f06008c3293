"""From what Services claim of one prefix to the paths of that prefix.

Pure. All Services that share an address, or lie in one aggregate, claim the same prefix; their claims add up.
The result does not depend on the prefix itself, so 10,000 Services of one kind are resolved once. Who claims
what is decided in `claims`.
"""

from collections.abc import Iterable, Mapping

import msgspec

from openelb_bgp.model.addresses import Family, Network
from openelb_bgp.model.pools import Eip

from .advertise import Line, seen
from .hashes import rank, stable_hash
from .model import LinkBandwidth, PathAttrs, PeerConf
from .nexthops import Hop
from .variants import Variant, variant, with_bandwidth

BANDWIDTH_UNIT = 1e6
"""Bytes per second for one endpoint; routers only compare (FRR: 1e6, 2e6, 5e6 became weights 12, 25, 62)."""
_AS_TRANS = 23456


class Claim(msgspec.Struct, frozen=True, order=True):
    """One node as next hop of a prefix, as these advertisements say; `weight` 0 is unweighted."""

    node: str
    lines: tuple[Line, ...]
    weight: int = 0


class Bundle(msgspec.Struct, frozen=True, order=True, cache_hash=True):
    """What one Service says about one prefix.

    `vetoes` are nodes that must not announce it whoever else claims it: a Local Service that shares the
    address has its endpoints elsewhere.
    """

    claims: tuple[Claim, ...] = ()
    vetoes: tuple[str, ...] = ()


class Entry(msgspec.Struct, frozen=True):
    """One path of a prefix, before it knows which: next hop's node, identifier, attributes, their meaning."""

    node: str
    identifier: int
    attrs: PathAttrs
    variant: Variant


class Resolution(msgspec.Struct, frozen=True):
    """The paths of every prefix with the same claims. `conflicts` pairs a pool with an attribute's name."""

    entries: tuple[Entry, ...] = ()
    conflicts: tuple[tuple[str, str], ...] = ()


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What resolving depends on besides the claims; `peers` are those that carry the family.

    `pinned`: BgpConf.policy has export statements, which may test any attribute, and a path that is replaced
    in place and then rejected is never withdrawn from an add-path peer; so the attributes are part of the
    identifier.
    """

    family: Family
    hops: tuple[Hop, ...]
    peers: Mapping[str, PeerConf]
    pools: Mapping[str, Eip]
    asn: int
    pinned: bool = False


def resolve(bundles: Iterable[Bundle], terms: Terms) -> Resolution:
    """Add up the claims and make the paths, this node's own first."""
    lines: dict[str, set[Line]] = {}
    weights: dict[str, int] = {}
    vetoes: set[str] = set()
    for bundle in bundles:
        vetoes.update(bundle.vetoes)
        for claim in bundle.claims:
            lines.setdefault(claim.node, set()).update(claim.lines)
            weights[claim.node] = max(weights.get(claim.node, 0), claim.weight)
    entries: list[Entry] = []
    conflicts: set[tuple[str, str]] = set()
    for hop in terms.hops:
        if hop.node not in lines or hop.node in vetoes:
            continue
        chosen = sorted(lines[hop.node])
        found = seen(chosen, hop, terms.peers, terms.pools)
        conflicts.update((chosen[0].pool, name) for name in found.conflicts)
        if found.by_neighbour:
            made = variant(found.by_neighbour, terms.peers, family=terms.family, next_hop=hop.next_hop)
            attrs = with_bandwidth(made.attrs, _bandwidth(weights[hop.node], terms.asn))
            taken = {entry.identifier for entry in entries}
            identifier = free_identifier(_identity(attrs, made, pinned=terms.pinned), taken)
            entries.append(Entry(hop.node, identifier, attrs, made))
    return Resolution(tuple(entries), tuple(sorted(conflicts)))


def only_one(entries: tuple[Entry, ...], prefix: Network, *, own: str) -> tuple[Entry, ...]:
    """The one path of a prefix where a peer takes no more: this node's own, or the first by hash."""
    if len(entries) < 2:
        return entries
    mine = next((entry for entry in entries if entry.node == own), None)
    return (mine or min(entries, key=lambda entry: rank(prefix.network_address, entry.node)),)


def free_identifier(text: str, taken: Iterable[int]) -> int:
    """A path identifier for that text: its hash, or the next number that no path of the prefix has."""
    used = frozenset(taken)
    number = stable_hash(text)
    while number in used:
        number = number % 0xFFFFFFFF + 1
    return number


def _identity(attrs: PathAttrs, made: Variant, *, pinned: bool) -> str:
    """Next hop and tag: what the export policy tests is part of a path's key in gobgpd."""
    return repr(attrs) if pinned else f"{attrs.next_hop} {made.tag}"


def _bandwidth(weight: int, asn: int) -> LinkBandwidth | None:
    if weight == 0:
        return None
    # The community has room for 16 bits of ASN (RFC 6793, 9, for what does not fit).
    return LinkBandwidth(asn if asn < 0x10000 else _AS_TRANS, weight * BANDWIDTH_UNIT)
