"""Eips beside each other: overlaps, second defaults, and what they say about peers, nodes and Services."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping

import msgspec

from openelb_bgp.lib.words import some
from openelb_bgp.model.addresses import Address, AddressRange, Family, parse_address
from openelb_bgp.model.allocated import allocated
from openelb_bgp.model.errors import Defect
from openelb_bgp.model.meta import Kind, ObjectRef
from openelb_bgp.model.pools import Advertisement, Eip, Protocol, defaults
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.snapshot import Snapshot

Found = Iterator[tuple[ObjectRef, Defect]]


class Overlap(msgspec.Struct, frozen=True):
    """A pool that overlaps an earlier one: the first pair of their ranges that have an address in common."""

    loser: Eip
    lost: AddressRange
    winner: Eip
    kept: AddressRange


def overlaps(eips: Mapping[str, Eip]) -> Mapping[str, Overlap]:
    """The pools that lose, by name: of two that overlap the later one, by creation and then by name.

    A pool that lost takes no part, so it cannot make a third one lose. O(n log n) for n ranges.
    """
    taken: list[tuple[AddressRange, Eip]] = []
    lost: dict[str, Overlap] = {}
    for eip in sorted(eips.values(), key=lambda eip: eip.age):
        overlap = _overlap(eip, taken)
        if overlap is None:
            for one in eip.ranges:
                taken.insert(_place(taken, one), (one, eip))
        else:
            lost[eip.name] = overlap
    return lost


def blocked_pools(snapshot: Snapshot) -> frozenset[str]:
    """Names of the pools that give no new address, because they overlap an earlier one.

    They keep what they gave: live addresses go on being announced as the pool says.
    """
    return frozenset(overlaps(snapshot.eips))


def usable_pools(snapshot: Snapshot) -> Mapping[str, Eip]:
    """The pools that may give new addresses: all but the blocked ones.

    To announce what is live, all of `snapshot.eips` count.
    """
    blocked = blocked_pools(snapshot)
    return {name: eip for name, eip in snapshot.eips.items() if name not in blocked}


def pool_defects(snapshot: Snapshot) -> Found:
    """Everything that is wrong with pools."""
    for overlap in overlaps(snapshot.eips).values():
        yield overlap.loser.ref, _overlapping(overlap)
    yield from _second_defaults(snapshot)
    yield from _addresses_outside(snapshot)
    for name in sorted(snapshot.eips):
        eip = snapshot.eips[name]
        for defect in (*_advertisements(eip, snapshot), *_interfaces(eip, snapshot)):
            yield eip.ref, defect


def _place(taken: list[tuple[AddressRange, Eip]], one: AddressRange) -> int:
    return bisect_left(taken, one, key=lambda entry: entry[0])


def _overlap(eip: Eip, taken: list[tuple[AddressRange, Eip]]) -> Overlap | None:
    """`taken` ranges are disjoint and sorted, so only the two around each of ours can reach into it."""
    for one in eip.ranges:
        place = _place(taken, one)
        for kept, winner in taken[max(0, place - 1) : place + 1]:
            if kept.overlaps(one):
                return Overlap(eip, one, winner, kept)
    return None


def _overlapping(overlap: Overlap) -> Defect:
    return Defect(
        "spec.address",
        str(overlap.lost),
        f"Eip {overlap.loser.name} ({overlap.lost}) overlaps Eip {overlap.winner.name} ({overlap.kept}), "
        "which is older; it gives no new address, and keeps those it gave",
        "make their addresses disjoint",
        Reason.OVERLAP,
    )


def _second_defaults(snapshot: Snapshot) -> Found:
    first = defaults(snapshot.eips.values())
    for eip in sorted(snapshot.eips.values(), key=lambda eip: eip.age):
        if not eip.is_default:
            continue
        for family in sorted(eip.families, key=lambda family: family.value):
            if first[family] is not eip:
                yield (
                    eip.ref,
                    Defect(
                        "metadata.annotations",
                        "",
                        f"is a second default pool for {family}, after Eip {first[family].name}, and not "
                        "used as one",
                        "take the annotation is-default-eip off one of them",
                        Reason.SECOND_DEFAULT,
                    ),
                )


def _addresses_outside(snapshot: Snapshot) -> Found:
    """Live addresses that an edit of their pool left outside."""
    outside: dict[str, list[tuple[str, Address]]] = {}
    for key in sorted(snapshot.services):
        service = snapshot.services[key]
        live = service.addresses
        for address, name in allocated(service).items() if live else ():
            eip = snapshot.eips.get(name)
            if eip is not None and address in live and address not in eip:
                outside.setdefault(name, []).append((str(key), address))
    for name in sorted(outside):
        holders = some(f"{service} ({address})" for service, address in outside[name])
        yield (
            snapshot.eips[name].ref,
            Defect(
                "spec.address",
                "",
                f"no longer holds addresses that are in use: {holders}; they are kept and announced",
                "widen the pool again, or let these Services ask for other addresses",
                Reason.ADDRESSES_OUTSIDE,
                fatal=False,
            ),
        )


def _advertisements(eip: Eip, snapshot: Snapshot) -> Iterator[Defect]:
    if eip.protocol is not Protocol.BGP:
        return
    for index, one in enumerate(eip.advertisements):
        path = f"spec.bgp.advertisements[{index}]"
        if snapshot.has_listed(Kind.BGP_PEER):
            yield from _unknown_peers(one, path, snapshot)
        if snapshot.has_listed(Kind.BGP_PEER, Kind.BGP_CONF) and one.local_pref is not None:
            yield from _local_pref(one, path, snapshot)
        yield from _aggregates(one, path, eip)


def _unknown_peers(one: Advertisement, path: str, snapshot: Snapshot) -> Iterator[Defect]:
    for index, name in enumerate(one.peers):
        if name not in snapshot.bgp_peers:
            yield Defect(
                f"{path}.peers[{index}]",
                name,
                "is no BgpPeer",
                "write the name of one, or create it",
                Reason.NO_PEER,
                fatal=False,
            )


def _local_pref(one: Advertisement, path: str, snapshot: Snapshot) -> Iterator[Defect]:
    conf = snapshot.bgp_conf
    reached = [peer for name, peer in snapshot.bgp_peers.items() if not one.peers or name in one.peers]
    if conf is None or not reached:
        return
    own = {conf.asn, *(asn for _, asn in conf.asn_per_rack)}
    if not any(peer.peer_asn in (own if peer.local_asn is None else {peer.local_asn}) for peer in reached):
        yield Defect(
            f"{path}.localPref",
            str(one.local_pref),
            "has no effect, because none of these peers is an iBGP peer",
            "use med or communities towards eBGP peers, or remove it",
            Reason.NO_EFFECT,
            fatal=False,
        )


def _aggregates(one: Advertisement, path: str, eip: Eip) -> Iterator[Defect]:
    merged = _merged(eip.ranges)
    for family, field, length in (
        (Family.IPV4, "aggregationLength", one.aggregation_length),
        (Family.IPV6, "aggregationLengthV6", one.aggregation_length_v6),
    ):
        ranges = [each for each in merged if each.family is family]
        if length is None or not ranges:
            continue
        outside = [prefix for each in ranges for prefix in _uncovered(each, length)]
        if outside:
            yield Defect(
                f"{path}.{field}",
                str(length),
                f"gives {some(outside)}, not wholly inside the pool; "
                "addresses there are not announced by this advertisement",
                "write a greater length, or widen the pool to whole prefixes",
                Reason.AGGREGATE_OUTSIDE_POOL,
                fatal=False,
            )


def _uncovered(one: AddressRange, length: int) -> Iterator[str]:
    """The aggregates of a range that reach beyond it; only those of its two ends can."""
    ends = (one.first, one.last)
    for prefix in sorted({one.family.network(end, length) for end in ends}):
        if not one.covers(prefix):
            yield str(prefix)


def _merged(ranges: tuple[AddressRange, ...]) -> list[AddressRange]:
    """Ascending; ranges that touch become one."""
    merged: list[AddressRange] = []
    for one in sorted(ranges):
        if merged and merged[-1].version == one.version and merged[-1].last + 1 == one.first:
            merged[-1] = AddressRange(one.version, merged[-1].first, one.last)
        else:
            merged.append(one)
    return merged


def _interfaces(eip: Eip, snapshot: Snapshot) -> Iterator[Defect]:
    """`can_reach:IP` finds the NIC by the route to that IP, which must lead out of the node."""
    for text in eip.interfaces:
        kind, colon, target = text.partition(":")
        if kind != "can_reach" or not colon or eip.protocol is Protocol.BGP:
            continue
        address = parse_address(target)
        owner = snapshot.owner_of(address)
        if owner:
            yield Defect(
                "spec.interface",
                text,
                f"names an address of {owner}, so that no route leads to a NIC",
                "write an address that the NIC reaches, such as the router's",
            )
