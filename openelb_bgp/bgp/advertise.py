"""What the advertisements of a pool make of an address: prefixes, and what each neighbour sees of them.

Pure. An Eip's `bgp.advertisements` add up: those of one prefix to one neighbour are merged, communities
united, and of two values of one attribute the first counts. How what neighbours see gets onto paths is in
`variants`; which nodes announce is not asked here.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec

from openelb_bgp.eligibility import NodeState
from openelb_bgp.model.addresses import Family
from openelb_bgp.model.advertising import advertisements, is_for_node, is_for_service
from openelb_bgp.model.pools import Advertisement, Eip
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.services import Service
from openelb_bgp.model.statuses import Problem

from .model import PeerConf
from .nexthops import Hop
from .variants import Attrs, LargeCommunity

GRACEFUL_SHUTDOWN = 0xFFFF0000
"""RFC 8326. Many routers ignore it, so a draining node also prepends and lowers LOCAL_PREF."""
DRAIN_PREPEND = 3


class Line(msgspec.Struct, frozen=True, order=True, kw_only=True):
    """One advertisement of a pool, by its place in the list; `only` names the BgpPeers it is cut down to,
    () for no cut.
    """

    pool: str
    place: int
    only: tuple[str, ...] = ()


def places(pool: Eip, service: Service) -> tuple[int, ...]:
    """Which of the pool's advertisements are for that Service, on whatever node."""
    return tuple([place for place, one in enumerate(advertisements(pool)) if is_for_service(one, service)])


def places_at(pool: Eip, chosen: Sequence[int], node: NodeState) -> tuple[int, ...]:
    """Which of those chosen are for that node as next hop."""
    listed = advertisements(pool)
    return tuple(place for place in chosen if is_for_node(listed[place], node.labels))


def lengths(
    pool: Eip, chosen: Sequence[int], *, family: Family, local: bool, peers: Collection[str]
) -> dict[int, tuple[Line, ...]]:
    """Prefix length → the advertisements that give it, for an address with those chosen.

    Of a Local Service an aggregate goes only beside the full-length route to the same peers: traffic to the
    aggregate alone would be spread over nodes without an endpoint. `peers` names this node's BgpPeers.
    """
    found: dict[int, list[Line]] = {}
    listed = advertisements(pool)
    beside = _full_length_peers([listed[place] for place in chosen], family, peers)
    for place in chosen:
        one = listed[place]
        length = min(one.length(family), family.bits)
        only: tuple[str, ...] = ()
        if local and length < family.bits:
            only = tuple(sorted(beside & set(one.peers or peers)))
            if not only:
                continue
        found.setdefault(length, []).append(Line(pool=pool.name, place=place, only=only))
    return {length: tuple(lines) for length, lines in found.items()}


def _full_length_peers(chosen: Sequence[Advertisement], family: Family, peers: Collection[str]) -> set[str]:
    return {
        name
        for one in chosen
        if one.length(family) >= family.bits
        for name in (one.peers or peers)
        if name in peers
    }


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What neighbours see of one next hop, and the attributes that two advertisements disagree about."""

    by_neighbour: Mapping[str, Attrs]
    conflicts: tuple[str, ...] = ()


def seen(lines: Sequence[Line], hop: Hop, peers: Mapping[str, PeerConf], pools: Mapping[str, Eip]) -> Seen:
    """Merge advertisements for every neighbour that the next hop goes to."""
    found: dict[str, Attrs] = {}
    conflicts: set[str] = set()
    for neighbour, next_hop in hop.to:
        peer = peers[neighbour]
        merged = [
            advertisements(pools[line.pool])[line.place]
            for line in lines
            if _reaches(line, advertisements(pools[line.pool])[line.place], peer.name)
        ]
        if merged:
            attrs, clashes = _merge(merged, peer, draining=hop.draining)
            found[neighbour] = msgspec.structs.replace(attrs, next_hop=next_hop)
            conflicts |= clashes
    return Seen(by_neighbour=found, conflicts=tuple(sorted(conflicts)))


def _reaches(line: Line, one: Advertisement, peer: str) -> bool:
    return (not one.peers or peer in one.peers) and (not line.only or peer in line.only)


def _merge(merged: Sequence[Advertisement], peer: PeerConf, *, draining: bool) -> tuple[Attrs, set[str]]:
    internal = peer.is_internal
    communities = {value for one in merged for value in one.communities}
    large: set[LargeCommunity] = {value for one in merged for value in one.large_communities}
    local_prefs = [one.local_pref for one in merged if one.local_pref is not None] if internal else []
    meds = [one.med for one in merged if one.med is not None]
    prepends = [one.as_path_prepend for one in merged if one.as_path_prepend] if not internal else []
    clashes = {
        name
        for name, values in (("localPref", local_prefs), ("med", meds), ("asPathPrepend", prepends))
        if len(set(values)) > 1
    }
    local_pref = local_prefs[0] if local_prefs else None
    prepend = prepends[0] if prepends else 0
    if draining:
        communities.add(GRACEFUL_SHUTDOWN)
        local_pref = 0 if internal else None
        prepend += 0 if internal else DRAIN_PREPEND
    attrs = Attrs(
        communities=tuple(sorted(communities)),
        large_communities=tuple(sorted(large)),
        local_pref=local_pref,
        med=meds[0] if meds else None,
        prepend=(peer.local_asn,) * prepend,
    )
    return attrs, clashes


def remarks(
    pools: Mapping[str, Eip], peers: Mapping[str, PeerConf], known: Collection[str]
) -> Iterator[Problem]:
    """What in the pools' advertisements can have no effect. `known` names all BgpPeers there are."""
    for pool in pools.values():
        for place, one in enumerate(pool.advertisements):
            where = f"spec.bgp.advertisements[{place}]"
            unknown = sorted(set(one.peers).difference(known))
            if unknown:
                message = f"{where}.peers names no BgpPeer: {', '.join(unknown)}; correct or create it"
                yield Problem.of(pool.ref, Reason.NO_PEER, message)
            to = [peer for peer in peers.values() if not one.peers or peer.name in one.peers]
            if one.local_pref is not None and to and not any(peer.is_internal for peer in to):
                message = f"{where}.localPref is sent to iBGP peers only, and there is none; remove it"
                yield Problem.of(pool.ref, Reason.NO_EFFECT, message)
