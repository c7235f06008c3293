"""For which nodes without a session this node stands in, and towards which peers (nextHops: Auto).

Pure, with a memory: who stands in leaves only when somebody else has certainly taken over, so that a router
or all speakers that restart make nothing flap. A node without a session for a while, Ready and answering on
the link to the peer, is advertised by two speakers that have one. What a path looks like is not here.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from openelb_bgp.eligibility import NodeState
from openelb_bgp.lib.instants import soonest
from openelb_bgp.model.addresses import Address, Family
from openelb_bgp.model.facts import Facts, ProbeTarget, SessionSeen, SpeakerFact

from .discovery import bare
from .hashes import rank
from .links import link_towards
from .model import PeerConf

STAND_INS = 2
LEAVE_AFTER = 5.0
"""Seconds between "the owner has announced everything" and the stand-in's withdrawal."""
OBSERVE_FOR = 5.0
"""Seconds after the start in which no probe can be held against what was adopted: three misses and a bit."""

_NONE: Mapping[Any, Any] = MappingProxyType({})


class Standing(NamedTuple):
    """This node advertises `node`'s next hop of one IP version to one neighbour."""

    node: str
    neighbour: str
    version: int


class StandInMemory(msgspec.Struct, frozen=True, kw_only=True):
    """What the last plan stood in for, and since when nodes have been without any speaker."""

    standing: frozenset[Standing] = frozenset()
    absent: Mapping[str, float] = _NONE


class StandIns(msgspec.Struct, frozen=True, kw_only=True):
    """What this plan stands in for, what to probe, and when time alone changes it."""

    standing: frozenset[Standing] = frozenset()
    probes: frozenset[ProbeTarget] = frozenset()
    deadline: float | None = None
    memory: StandInMemory = StandInMemory()


def stand_ins(
    others: Mapping[str, NodeState],
    peers: Mapping[str, PeerConf],
    facts: Facts,
    *,
    after: float,
    previous: StandInMemory | None,
) -> StandIns:
    """Decide for every other usable node of the rack. `after` is standInAfterSeconds.

    Without `previous` this process has just started: what gobgpd was found to advertise counts as standing.
    """
    draft = _Draft(others, facts, after=after, previous=previous)
    for node in others.values():
        for peer in peers.values():
            # Switched off it has no session to wait for.
            if peer.admin_down or draft.is_settled(node.name, peer):
                continue
            for one in peer.afi_safis:
                if one.enabled:
                    draft.consider(node, peer, one.family)
    return draft.finish()


class _Draft:
    def __init__(
        self,
        others: Mapping[str, NodeState],
        facts: Facts,
        *,
        after: float,
        previous: StandInMemory | None,
    ) -> None:
        self._others = others
        self._facts = facts
        self._after = after
        self._previous = previous
        self._adopted = {next_hop for _, next_hop in facts.adopted or ()}
        self._standing: set[Standing] = set()
        self._probes: set[ProbeTarget] = set()
        self._deadlines: list[float] = []
        self._stood_in_for = set() if previous is None else {one.node for one in previous.standing}
        known = _NONE if previous is None else previous.absent
        start = facts.first_seen if previous is None else facts.now
        self._absent = {name: known.get(name, start) for name in others if name not in facts.speakers}

    def is_settled(self, node: str, peer: PeerConf) -> bool:
        """Whether the node plainly needs nobody, as nearly all do: it has a session and had no stand-in."""
        speaker = self._facts.speakers.get(node)
        return (
            speaker is not None
            and _has_session(speaker, peer)
            and self._previous is not None
            and node not in self._stood_in_for
        )

    def consider(self, node: NodeState, peer: PeerConf, family: Family) -> None:
        """Decide about one node, one neighbour and one family."""
        address = node.address(family)
        if address is None:
            return
        one = Standing(node.name, peer.neighbor_address, family.value)
        stood = self._stood(one, address)
        if not self._speaks(peer, family) and not stood:
            return
        if self._has_taken_over(node.name, peer):
            return
        if self._is_reachable(address, peer, stood=stood) and self._is_my_turn(
            node.name, address, peer, stood=stood
        ):
            self._standing.add(one)

    def finish(self) -> StandIns:
        """What was decided."""
        return StandIns(
            standing=frozenset(self._standing),
            probes=frozenset(self._probes),
            deadline=soonest(*(at for at in self._deadlines if at > self._facts.now)),
            memory=StandInMemory(standing=frozenset(self._standing), absent=self._absent),
        )

    def _stood(self, one: Standing, address: Address) -> bool:
        if self._previous is None:
            return str(address) in self._adopted
        return one in self._previous.standing

    def _speaks(self, peer: PeerConf, family: Family) -> bool:
        session = self._facts.sessions.get(peer.neighbor_address)
        return (
            session is not None
            and session.established
            and (not session.negotiated or family in session.negotiated)
        )

    def _session_since(self, peer: PeerConf) -> float:
        session = self._facts.sessions.get(peer.neighbor_address)
        since = None if session is None else session.since
        return self._facts.first_seen if since is None else since

    def _has_taken_over(self, node: str, peer: PeerConf) -> bool:
        """Whether the owner advertises itself to that peer, and has for long enough."""
        speaker = self._facts.speakers.get(node)
        if speaker is None or not _has_session(speaker, peer):
            return False
        if speaker.caught_up_since is None:
            return False
        return self._is_past(max(_up_since(speaker, peer), speaker.caught_up_since) + LEAVE_AFTER)

    def _is_reachable(self, address: Address, peer: PeerConf, *, stood: bool) -> bool:
        """On-link towards the peer, and answering there: nobody stands in for a dead node."""
        if not self._facts.links:
            # The host has not been read yet: nothing new, and nothing that runs is taken away.
            return stood
        link = link_towards(peer.neighbor_address, self._facts)
        if link is None or not link.on_link(address):
            return False
        self._probes.add(ProbeTarget(link.name, address))
        if address in self._facts.answering:
            return True
        return stood and not self._is_past(self._facts.first_seen + OBSERVE_FOR)

    def _is_my_turn(self, node: str, address: Address, peer: PeerConf, *, stood: bool) -> bool:
        if stood:
            # Others count only once they have certainly begun: they too wait before they stand in.
            return len(list(self._better(address, peer, seasoned=True))) < STAND_INS
        speaker = self._facts.speakers.get(node)
        if speaker is not None and _has_session(speaker, peer):
            return False
        missing = max(self._missing_since(node, speaker, peer), self._session_since(peer))
        return (
            self._is_past(missing + self._after)
            and len(list(self._better(address, peer, seasoned=False))) < STAND_INS
        )

    def _missing_since(self, node: str, speaker: SpeakerFact | None, peer: PeerConf) -> float:
        if speaker is None:
            return self._absent[node]
        if speaker.quiet_since is not None:
            return speaker.quiet_since
        seen = _seen(speaker, peer)
        return speaker.without.get(peer.name, self._facts.first_seen) if seen is None else seen.since

    def _better(self, address: Address, peer: PeerConf, *, seasoned: bool) -> Iterator[str]:
        """The speakers that come before this node as stand-ins for that address."""
        own = rank(address, self._facts.node)
        has_session = self._is_established(peer)
        for name in self._others:
            speaker = self._facts.speakers.get(name)
            if speaker is None or not _has_session(speaker, peer):
                continue
            if has_session and rank(address, name) > own:
                continue
            begun = _up_since(speaker, peer) + self._after + LEAVE_AFTER
            if not seasoned or self._is_past(begun):
                yield name

    def _is_established(self, peer: PeerConf) -> bool:
        session = self._facts.sessions.get(peer.neighbor_address)
        return session is not None and session.established

    def _is_past(self, instant: float) -> bool:
        self._deadlines.append(instant)
        return self._facts.now >= instant


def _has_session(speaker: SpeakerFact, peer: PeerConf) -> bool:
    # A session counts only while its speaker is Ready.
    if speaker.quiet_since is not None:
        return False
    seen = _seen(speaker, peer)
    return peer.name in speaker.established if seen is None else seen.up


def _up_since(speaker: SpeakerFact, peer: PeerConf) -> float:
    """Since when it has the session that it has."""
    seen = _seen(speaker, peer)
    return speaker.established[peer.name] if seen is None else seen.since


def _seen(speaker: SpeakerFact, peer: PeerConf) -> SessionSeen | None:
    """The session with that very neighbour; None for a speaker that finds other gateways for the BgpPeer."""
    return speaker.sessions.get((peer.name, bare(peer.neighbor_address)))
