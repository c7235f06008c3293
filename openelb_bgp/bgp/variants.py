"""What each peer gets of one path: on the path itself where all get the same, else by tag and export policy.

Pure. A variant is the whole of "these attributes to these neighbours, nothing to the others". Where it is
not the same for everybody, one path carries a large community of ours, its tag, which is a hash of the
variant; `export_policy` turns tag and neighbour into attributes and takes the tag off. So what a tag means
never changes, and what an export rule tests is part of the path's identity.
"""

from collections.abc import Iterable, Mapping

import msgspec

from openelb_bgp.model.addresses import Address, Family

from .discovery import bare
from .hashes import stable_hash
from .model import LinkBandwidth, PathAttrs, PeerConf, RemovePrivate

TAG_ASN, TAG_MARKER = 4200000179, 0x4F454C42
"""A private ASN (RFC 6996) and "OELB": nobody's community by accident."""
DEFAULT_LOCAL_PREF = 100
"""What GoBGP sends to iBGP peers for a path that has none."""

LargeCommunity = tuple[int, int, int]


class Attrs(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """What one neighbour shall see. Communities are sorted; `prepend` holds the ASNs put in front."""

    communities: tuple[int, ...] = ()
    large_communities: tuple[LargeCommunity, ...] = ()
    local_pref: int | None = None
    med: int | None = None
    prepend: tuple[int, ...] = ()
    next_hop: Address | None = None


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Neighbours (addresses without zone, sorted) that see the same, and what the policy writes for them."""

    neighbours: tuple[str, ...]
    attrs: Attrs


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """How one path goes to all neighbours. `tag` None: `attrs` is the same for everybody.

    `seen` says what each neighbour gets in the end; those that are not in it get nothing.
    """

    attrs: PathAttrs
    tag: LargeCommunity | None = None
    groups: tuple[Group, ...] = ()
    seen: tuple[tuple[str, Attrs], ...] = ()


def variant(
    seen: Mapping[str, Attrs], peers: Mapping[str, PeerConf], *, family: Family, next_hop: Address | None
) -> Variant:
    """The variant that makes each neighbour see what `seen` says.

    `peers` are all that carry the family; `next_hop` is the path's own, which an `Attrs.next_hop` overrides.
    """
    shown = tuple(sorted(seen.items()))
    common = _common(seen, peers)
    if common is not None:
        return Variant(attrs=_on_path(common, next_hop), seen=shown)
    local_pref, left = _split_local_pref(seen, peers)
    by_attrs: dict[Attrs, set[str]] = {}
    for neighbour, attrs in left.items():
        by_attrs.setdefault(attrs, set()).add(bare(neighbour))
    groups = tuple(
        sorted(
            (Group(neighbours=tuple(sorted(to)), attrs=attrs) for attrs, to in by_attrs.items()),
            key=lambda group: group.neighbours,
        )
    )
    tag = (TAG_ASN, TAG_MARKER, stable_hash(repr((family.value, local_pref, groups))))
    return Variant(
        attrs=PathAttrs(next_hop=next_hop, large_communities=(tag,), local_pref=local_pref),
        tag=tag,
        groups=groups,
        seen=shown,
    )


def with_bandwidth(attrs: PathAttrs, bandwidth: LinkBandwidth | None) -> PathAttrs:
    """The path's attributes with a link bandwidth, which is the same for all neighbours."""
    return attrs if bandwidth is None else msgspec.structs.replace(attrs, link_bandwidth=bandwidth)


def _on_path(attrs: Attrs, next_hop: Address | None) -> PathAttrs:
    return PathAttrs(
        next_hop=attrs.next_hop or next_hop,
        communities=attrs.communities,
        large_communities=attrs.large_communities,
        local_pref=attrs.local_pref,
        med=attrs.med,
        as_path_prepend=attrs.prepend,
    )


def _common(seen: Mapping[str, Attrs], peers: Mapping[str, PeerConf]) -> Attrs | None:
    """The attributes of all, if the path itself can carry them for all."""
    if seen.keys() != peers.keys():
        return None
    local_prefs = {seen[one].local_pref for one in seen if peers[one].is_internal}
    if len(local_prefs) > 1:
        return None
    # GoBGP strips LOCAL_PREF towards eBGP, so there it may be anything.
    shared = next(iter(local_prefs), None)
    alike = {msgspec.structs.replace(attrs, local_pref=shared) for attrs in seen.values()}
    if len(alike) != 1:
        return None
    (attrs,) = alike
    return attrs if not attrs.prepend or _all_can_prepend(peers.values()) else None


def _all_can_prepend(peers: Iterable[PeerConf]) -> bool:
    # iBGP takes our own ASN for a loop, and remove-private would take a private one off again.
    return all(not peer.is_internal and peer.remove_private is RemovePrivate.NONE for peer in peers)


def _split_local_pref(
    seen: Mapping[str, Attrs], peers: Mapping[str, PeerConf]
) -> tuple[int | None, dict[str, Attrs]]:
    """The LOCAL_PREF that the path carries, and what is left for the policy to write.

    GoBGP's API cannot make a policy write 0, so 0 goes on the path and the policy raises the others.
    """
    wanted = {seen[one].local_pref for one in seen if peers[one].is_internal}
    carried = 0 if 0 in wanted else None
    if len(wanted) == 1:
        (carried,) = wanted
    left: dict[str, Attrs] = {}
    for neighbour, attrs in seen.items():
        action = attrs.local_pref
        if not peers[neighbour].is_internal or action == carried:
            action = None
        elif action is None:
            action = DEFAULT_LOCAL_PREF
        left[neighbour] = msgspec.structs.replace(attrs, local_pref=action)
    return carried, left
