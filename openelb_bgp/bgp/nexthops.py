"""Whose next hops this node advertises, and to which neighbours: nextHops Self, Rack and Auto, and drain.

Pure. The result does not depend on any Service: which of these next hops a Service gets is decided by its
eligible nodes, and its attributes by the advertisements. Stand-ins are in `standins`.
"""

from collections.abc import Iterable, Mapping

import msgspec

from openelb_bgp.eligibility import NodeState
from openelb_bgp.lib.instants import soonest
from openelb_bgp.model.addresses import Address, Family
from openelb_bgp.model.facts import Facts, ProbeTarget
from openelb_bgp.model.meta import EMPTY, Kind, ref
from openelb_bgp.model.pools import Eip
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.routing import BgpConf, NextHops
from openelb_bgp.model.statuses import Problem

from .discovery import family_of
from .links import global_address, link_towards
from .model import PeerConf
from .standins import StandInMemory, StandIns, stand_ins

_LONG_AGO = float("-inf")
_UNSPECIFIED = frozenset({"None", "0.0.0.0", "::"})


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """One node as next hop, in one family.

    `next_hop` None is this node itself: gobgpd writes each session's own address. `to` pairs each neighbour
    that shall get it with the next hop to be written for that neighbour alone, None for none of its own.
    `draining`: the node is leaving; `stopped`: it has left, unless an address has nobody else.
    """

    node: str
    next_hop: Address | None
    to: tuple[tuple[str, Address | None], ...]
    draining: bool = False
    stopped: bool = False


class HopMemory(msgspec.Struct, frozen=True, kw_only=True):
    """Since when nodes have been draining, and what was stood in for."""

    draining: Mapping[str, float] = EMPTY
    stand_ins: StandInMemory | None = None


class HopPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The next hops of each family, this node's own first.

    `refused` says why a family has no own next hop. In the families of `one_path` a peer takes one path a
    prefix only. `complete` False: the host has not been read yet, and an own next hop depends on it.
    """

    hops: Mapping[Family, tuple[Hop, ...]] = EMPTY
    refused: Mapping[Family, Refused] = EMPTY
    one_path: frozenset[Family] = frozenset()
    problems: tuple[Problem, ...] = ()
    deadline: float | None = None
    probes: frozenset[ProbeTarget] = frozenset()
    standing_in_for: tuple[str, ...] = ()
    memory: HopMemory = HopMemory()
    complete: bool = True


def plan_hops(
    nodes: Mapping[str, NodeState],
    peers: Mapping[str, PeerConf],
    facts: Facts,
    conf: BgpConf,
    *,
    pools: Iterable[Eip],
    previous: HopMemory | None,
) -> HopPlan:
    """All next hops of this node's paths. Without `previous` this process has just started."""
    me = nodes[facts.node]
    others = {
        name: node
        for name, node in sorted(nodes.items())
        if name != me.name and node.rack == me.rack and node.refused is None and not _is_out(name, facts)
    }
    drains = _drains({me.name: me} | others, facts, previous)
    stand = _stand_ins(others, peers, facts, conf, previous)
    hops: dict[Family, tuple[Hop, ...]] = {}
    refused: dict[Family, Refused] = {}
    problems: list[Problem] = []
    pools = tuple(pools)
    for family in Family:
        own, why, notes = _own_hop(family, me.name, peers, facts, pools)
        problems += notes
        if why is not None:
            refused[family] = why
        found = [] if own is None else [own]
        if conf.next_hops is NextHops.RACK:
            found += _rack_hops(family, others, peers, problems)
        else:
            found += _stand_in_hops(family, others, stand)
        hops[family] = tuple(
            _with_drain(hop, drains, grace=conf.drain.grace_seconds, now=facts.now) for hop in found
        )
    one_path = _one_path(hops, peers, facts, problems)
    return HopPlan(
        hops=hops,
        refused=refused,
        one_path=one_path,
        problems=tuple(problems),
        deadline=soonest(stand.deadline, *_grace_ends(drains, conf, facts)),
        probes=stand.probes,
        standing_in_for=tuple(sorted({one.node for one in stand.standing})),
        memory=HopMemory(draining=drains, stand_ins=stand.memory),
        complete=bool(facts.links) or not any(one.reason == Reason.NO_IPV6_NEXT_HOP for one in problems),
    )


def _is_out(node: str, facts: Facts) -> bool:
    """Whether the node was taken out on purpose, or does not forward yet: nobody brings it back."""
    speaker = facts.speakers.get(node)
    return speaker is not None and (speaker.has_left or speaker.unproven)


def _drains(nodes: Mapping[str, NodeState], facts: Facts, previous: HopMemory | None) -> dict[str, float]:
    """Since when each draining node drains; a restart of this speaker must not start a grace anew."""
    since: dict[str, float] = {}
    for name, node in nodes.items():
        if not node.draining:
            continue
        known = None if previous is None else previous.draining.get(name)
        if known is None and previous is None and not _was_advertised(node, facts):
            known = _LONG_AGO
        if known is None and name == facts.node:
            known = facts.draining_since
        since[name] = facts.now if known is None else known
    return since


def _was_advertised(node: NodeState, facts: Facts) -> bool:
    """Whether gobgpd was found with paths that have the node as next hop."""
    texts = {str(one) for one in node.addresses}
    if node.name == facts.node:
        texts |= _UNSPECIFIED.union(str(one.ip) for link in facts.links for one in link.addresses)
    return not texts.isdisjoint(next_hop for _, next_hop in facts.adopted or ())


def _grace_ends(drains: Mapping[str, float], conf: BgpConf, facts: Facts) -> list[float]:
    ends = (since + conf.drain.grace_seconds for since in drains.values())
    return [end for end in ends if end > facts.now]


def _with_drain(hop: Hop, drains: Mapping[str, float], *, grace: float, now: float) -> Hop:
    since = drains.get(hop.node)
    if since is None:
        return hop
    return msgspec.structs.replace(hop, draining=True, stopped=now >= since + grace)


def _carrying(family: Family, peers: Mapping[str, PeerConf]) -> list[PeerConf]:
    return [
        peers[address]
        for address in sorted(peers)
        if any(one.family is family and one.enabled for one in peers[address].afi_safis)
    ]


def _own_hop(
    family: Family, me: str, peers: Mapping[str, PeerConf], facts: Facts, pools: tuple[Eip, ...]
) -> tuple[Hop | None, Refused | None, list[Problem]]:
    """This node as next hop; IPv6 over an IPv4 session needs a next hop in so many words.

    Left to gobgpd it would be ::ffff:a.b.c.d, which routers take for best and cannot use.
    """
    carrying = _carrying(family, peers)
    if not carrying:
        return None, _not_carried(family, me), []
    to: list[tuple[str, Address | None]] = []
    notes: list[Problem] = []
    for peer in carrying:
        if family is Family.IPV4 or family_of(peer.neighbor_address) is Family.IPV6:
            to.append((peer.neighbor_address, None))
            continue
        link = link_towards(peer.neighbor_address, facts)
        address = None if link is None else global_address(link, pools)
        if address is not None:
            to.append((peer.neighbor_address, address))
        else:
            refused = _no_next_hop(peer)
            notes.append(Problem.of(ref(Kind.BGP_PEER, peer.name), refused.reason, refused.message))
    if not to:
        return None, _no_next_hop(carrying[0]), notes
    return Hop(node=me, next_hop=None, to=tuple(to)), None, notes


def _not_carried(family: Family, me: str) -> Refused:
    afi = "AFI_IP" if family is Family.IPV4 else "AFI_IP6"
    return Refused(
        Reason.FAMILY_NOT_NEGOTIATED,
        f"no BgpPeer of node {me} carries {family}; add {afi} with SAFI_UNICAST to the afiSafis of one",
    )


def _no_next_hop(peer: PeerConf) -> Refused:
    return Refused(
        Reason.NO_IPV6_NEXT_HOP,
        f"IPv6 goes to {peer.neighbor_address} over IPv4, and the interface there has no global IPv6 address "
        "to be the next hop; give it one, or peer over IPv6",
    )


def _rack_hops(
    family: Family, others: Mapping[str, NodeState], peers: Mapping[str, PeerConf], problems: list[Problem]
) -> list[Hop]:
    to = tuple((peer.neighbor_address, None) for peer in _carrying(family, peers))
    if not to:
        return []
    hops: list[Hop] = []
    for name, node in others.items():
        address = node.address(family)
        if address is not None:
            hops.append(Hop(node=name, next_hop=address, to=to))
        elif any(one.addresses and one.address(family) for one in others.values()):
            message = f"it has no {family} InternalIP, so nobody can advertise it as next hop; give it one"
            problems.append(Problem.of(ref(Kind.NODE, name), Reason.NO_NODE_ADDRESS, message))
    return hops


def _stand_ins(
    others: Mapping[str, NodeState],
    peers: Mapping[str, PeerConf],
    facts: Facts,
    conf: BgpConf,
    previous: HopMemory | None,
) -> StandIns:
    if conf.next_hops is not NextHops.AUTO:
        return StandIns()
    return stand_ins(
        {name: node for name, node in others.items() if not node.draining},
        peers,
        facts,
        after=conf.stand_in_after,
        # Another mode until now: nothing was observed for this one.
        previous=None if previous is None else previous.stand_ins or StandInMemory(),
    )


def _stand_in_hops(family: Family, others: Mapping[str, NodeState], stand: StandIns) -> list[Hop]:
    by_node: dict[str, list[str]] = {}
    for one in sorted(stand.standing):
        if one.version == family.value:
            by_node.setdefault(one.node, []).append(one.neighbour)
    return [
        Hop(
            node=node,
            next_hop=others[node].address(family),
            to=tuple((neighbour, None) for neighbour in neighbours),
        )
        for node, neighbours in by_node.items()
    ]


def _one_path(
    hops: Mapping[Family, tuple[Hop, ...]],
    peers: Mapping[str, PeerConf],
    facts: Facts,
    problems: list[Problem],
) -> frozenset[Family]:
    """The families in which a peer of this node takes one path a prefix: that peer would get any of them."""
    limited: set[Family] = set()
    for family, found in hops.items():
        names = sorted({peer.name for peer in _carrying(family, peers) if _takes_one(peer, family, facts)})
        if len(found) < 2 or not names:
            continue
        limited.add(family)
        others = ", ".join(hop.node for hop in found if hop.next_hop is not None)
        for name in names:
            message = (
                f"it takes one {family} path a prefix, so node {facts.node} advertises none for {others}; "
                "allow add-path receive on the router and do not lower sendMax"
            )
            problems.append(Problem.of(ref(Kind.BGP_PEER, name), Reason.NO_ADD_PATH, message))
    return frozenset(limited)


def _takes_one(peer: PeerConf, family: Family, facts: Facts) -> bool:
    if any(one.family is family and one.add_paths_send_max < 2 for one in peer.afi_safis):
        return True
    session = facts.sessions.get(peer.neighbor_address)
    return (
        session is not None
        and session.established
        and family in session.negotiated
        and family not in session.add_path
    )
