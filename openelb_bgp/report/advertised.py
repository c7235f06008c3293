"""Whether anybody hears of an address that a node announces: what a pool's advertisements leave out.

Speakers decide the same from the same objects. It is derived here from them and from the sessions reported,
once for all Services alike; a pool without advertisements goes to everybody and is not asked about.
"""

from collections.abc import Mapping, Sequence

import msgspec

from openelb_bgp.model.addresses import Address, Family
from openelb_bgp.model.advertising import (
    advertisements,
    carries,
    is_for_node,
    is_for_service,
    outside,
    prefix_of,
)
from openelb_bgp.model.meta import EMPTY
from openelb_bgp.model.pools import Eip
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.services import Service
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.speakers import Speaker

from .reach import named, spoken_to


class Lines(msgspec.Struct, frozen=True):
    """The places of a pool's advertisements that bring traffic for one address of a Service.

    `refused` says why there is none. Equal Lines have equal answers at every node.
    """

    pool: str
    places: tuple[int, ...]
    refused: Refused | None = None


class Advertised:
    """The advertisements of all pools beside what speakers report, for one cycle."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._sessions = {name: _established(speaker) for name, speaker in snapshot.speakers.items()}
        self._stand_ins = _stand_ins(snapshot.speakers)
        self._known: dict[tuple[Lines, str], Refused | None] = {}

    @property
    def parts(self) -> tuple[object, ...]:
        """What the answers depend on besides Services and nodes; nothing where no pool says anything."""
        written = {name: pool.advertisements for name, pool in self._snapshot.eips.items()}
        if not any(written.values()):
            return ()
        selectors = {name: peer.node_selector for name, peer in self._snapshot.bgp_peers.items()}
        return (written, selectors, self._sessions, self._stand_ins)

    def lines(self, service: Service, address: Address, pool: Eip) -> Lines | None:
        """Which advertisements are for it; None where all are, to everybody."""
        if not pool.advertisements:
            return None
        listed = advertisements(pool)
        chosen = [place for place, one in enumerate(listed) if is_for_service(one, service)]
        good = [place for place in chosen if carries(listed[place], address, pool, local=service.local)]
        refused = None if good else self._nothing(service, address, pool, chosen)
        return Lines(pool.name, tuple(good), refused)

    def refusal(self, lines: Lines, node: str) -> Refused | None:
        """Why nobody hears of the node as next hop, be it from itself or from those who stand in for it."""
        if lines.refused is not None:
            return lines.refused
        known = self._known.get((lines, node), lines)
        if isinstance(known, Lines):
            known = self._known[lines, node] = self._refusal(lines, node)
        return known

    def _nothing(self, service: Service, address: Address, pool: Eip, chosen: Sequence[int]) -> Refused:
        if service.local or not chosen:
            return _no_advertisement(pool)
        length = advertisements(pool)[chosen[0]].length(Family.of(address))
        return outside(pool, prefix_of(address, length))

    def _refusal(self, lines: Lines, node: str) -> Refused | None:
        pool = self._snapshot.eips[lines.pool]
        known = self._snapshot.nodes.get(node)
        labels = EMPTY if known is None else known.meta.labels
        written = [pool.advertisements[place] for place in lines.places]
        chosen = [one for one in written if is_for_node(one, labels)]
        if not chosen:
            return _no_advertisement(pool)
        names = named(chosen, self._snapshot)
        speakers = (node, *self._stand_ins.get(node, ()))
        if any(not names.isdisjoint(self._sessions.get(speaker, ())) for speaker in speakers):
            return None
        return _unheard(pool, names, [spoken_to(names, speaker, self._snapshot) for speaker in speakers])


def _no_advertisement(pool: Eip) -> Refused:
    return Refused(
        Reason.NO_ADVERTISEMENT,
        f"no advertisement of Eip {pool.name} is for it there; add one, or widen a serviceSelector or "
        "nodeSelector (an aggregate alone is none for a Local Service)",
    )


def _unheard(pool: Eip, names: frozenset[str], spoken: Sequence[frozenset[str]]) -> Refused:
    here = sorted(frozenset().union(*spoken))
    if here:
        return Refused(
            Reason.NO_SESSION,
            f"no session with {', '.join(here)} is established; see the BgpPeer's status",
        )
    return Refused(
        Reason.NO_PEER_FOR_NODE,
        f"Eip {pool.name} advertises it only to peers that this node does not speak to: "
        f"{', '.join(sorted(names)) or 'none that exists'}; name others, or none for all",
    )


def _established(speaker: Speaker) -> frozenset[str]:
    return frozenset(one.peer for one in speaker.status.sessions if one.peer_state.is_established)


def _stand_ins(speakers: Mapping[str, Speaker]) -> dict[str, tuple[str, ...]]:
    """The speakers that stand in for each node, sorted."""
    found: dict[str, tuple[str, ...]] = {}
    for name in sorted(speakers):
        for node in speakers[name].status.standing_in_for:
            found[node] = (*found.get(node, ()), name)
    return found
