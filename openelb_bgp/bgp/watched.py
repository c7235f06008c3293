"""The sessions of one gobgpd as last seen: facts for plans, words for statuses, a log line a transition."""

from collections.abc import Iterable, Mapping, Sequence

import structlog

from openelb_bgp.model.facts import SessionFact
from openelb_bgp.model.statuses import SessionStatus
from openelb_bgp.ports import Clock

from . import metrics
from .model import ObservedPeer
from .session_reports import session_facts, session_status, why_down

log = structlog.get_logger(__name__)


class Sessions:
    """Holds what ListPeer showed last, by neighbour address."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._peers: Mapping[str, ObservedPeer] = {}
        self._names: Mapping[str, str] = {}
        self._facts: Mapping[str, SessionFact] = {}

    @property
    def facts(self) -> Mapping[str, SessionFact]:
        """A fact per neighbour address."""
        return self._facts

    def name(self, names: Mapping[str, str]) -> None:
        """Say which BgpPeer each neighbour address belongs to."""
        if names != self._names:
            self._names = dict(names)
            self.update(self._peers.values())

    def update(self, peers: Iterable[ObservedPeer]) -> list[str]:
        """Take what gobgpd shows now; returns the addresses whose session has just come up."""
        before = self._facts
        self._peers = {peer.neighbor_address: peer for peer in peers}
        self._facts = session_facts(
            self._peers, names=self._names, before=before, now=self._clock.monotonic()
        )
        metrics.SESSIONS_UP.set(sum(fact.established for fact in self._facts.values()))
        metrics.SESSIONS.set(len(self._facts))
        came = [address for address, fact in self._facts.items() if _came_up(before.get(address), fact)]
        for address in came:
            log.info("session_up", peer=self._names.get(address, ""), address=address)
        for address, fact in before.items():
            if fact.established and not _is_up(self._facts.get(address)):
                log.warning("session_down", peer=fact.peer, address=address, why=self._why(address))
        return came

    def statuses(self, *, last_words: Sequence[str] = ()) -> tuple[SessionStatus, ...]:
        """The sessions as people read them, by neighbour address; `last_words` is gobgpd's log."""
        return tuple(
            session_status(
                peer,
                name=self._names.get(address, ""),
                last_error=why_down(peer, logged=_said_of(address, last_words)),
            )
            for address, peer in sorted(self._peers.items())
        )

    def _why(self, address: str) -> str:
        peer = self._peers.get(address)
        return "no longer configured" if peer is None else why_down(peer)


def _is_up(fact: SessionFact | None) -> bool:
    return fact is not None and fact.established


def _came_up(before: SessionFact | None, now: SessionFact) -> bool:
    return now.established and not _is_up(before)


def _said_of(address: str, last_words: Sequence[str]) -> str:
    return next((line for line in reversed(last_words) if address in line), "")
