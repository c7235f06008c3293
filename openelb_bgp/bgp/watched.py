"""The sessions of one gobgpd as last seen: facts for plans, words for statuses, a log line a transition."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec
import structlog

from openelb_bgp.model.facts import SessionFact
from openelb_bgp.model.statuses import SessionStatus
from openelb_bgp.ports import Clock

from . import metrics
from .model import ObservedPeer, PeerConf
from .session_reports import session_facts, session_status
from .why_down import last_said, why_down

log = structlog.get_logger(__name__)

_LISTENING_PAUSE = 2.0
"""Seconds between two looks at gobgpd's log: a peer that flaps must not make us read it all the time."""


class Sessions:
    """Holds what ListPeer showed last, by neighbour address."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._peers: Mapping[str, ObservedPeer] = {}
        self._confs: Mapping[str, PeerConf] = {}
        self._facts: Mapping[str, SessionFact] = {}
        self._said: dict[str, str] = {}
        self._called: dict[str, str] = {}
        self._listened_at = float("-inf")

    @property
    def facts(self) -> Mapping[str, SessionFact]:
        """A fact per neighbour address."""
        return self._facts

    @property
    def wants_words(self) -> bool:
        """Whether gobgpd's log should be read now, because a session is down and nothing else says why."""
        return self._clock.monotonic() - self._listened_at >= _LISTENING_PAUSE and any(
            not peer.established for peer in self._peers.values()
        )

    def hear(self, words: Sequence[str]) -> None:
        """Take the newest lines of gobgpd's log; what older ones said stays until a session is up again."""
        self._said.update(last_said(words))
        self._listened_at = self._clock.monotonic()

    def name(self, confs: Mapping[str, PeerConf]) -> None:
        """Say what each neighbour address is: the session as it shall be."""
        if confs == self._confs:
            return
        for address, conf in self._confs.items():
            self._called[address] = conf.name
            if confs.get(address) != conf:
                # What was wrong with it is wrong no more, or is said again.
                self._said.pop(address, None)
        self._confs = dict(confs)
        self._facts = {
            address: msgspec.structs.replace(fact, peer=self._name(address))
            for address, fact in self._facts.items()
        }

    def update(self, peers: Iterable[ObservedPeer]) -> list[str]:
        """Take what gobgpd shows now; returns the addresses whose session has just come up."""
        seen = {peer.neighbor_address: peer for peer in peers}
        before = {
            address: self._down(fact) if _has_flapped(self._peers.get(address), seen.get(address)) else fact
            for address, fact in self._facts.items()
        }
        self._peers = seen
        names = {address: self._name(address) for address in seen}
        self._facts = session_facts(seen, names=names, before=before, now=self._clock.monotonic())
        return self._tell(before)

    def lose(self) -> None:
        """gobgpd is not there, and so is no session; what was known of them stays."""
        before, self._peers = self._facts, {}
        self._facts = {address: self._down(fact) for address, fact in before.items()}
        self._tell(before)

    def statuses(self) -> tuple[SessionStatus, ...]:
        """The sessions as people read them, by neighbour address."""
        return tuple(
            session_status(peer, self._confs.get(address), last_error=self._why(address))
            for address, peer in sorted(self._peers.items())
        )

    def _down(self, fact: SessionFact) -> SessionFact:
        return msgspec.structs.replace(
            fact,
            established=False,
            lost_at=self._clock.monotonic() if fact.established else fact.lost_at,
            negotiated=frozenset(),
            add_path=frozenset(),
        )

    def _name(self, address: str) -> str:
        conf = self._confs.get(address)
        return "" if conf is None else conf.name

    def _tell(self, before: Mapping[str, SessionFact]) -> list[str]:
        metrics.SESSIONS_UP.set(sum(fact.established for fact in self._facts.values()))
        metrics.SESSIONS.set(len(self._peers))
        came = [address for address, fact in self._facts.items() if _came_up(before.get(address), fact)]
        for address in came:
            self._said.pop(address, None)
            log.info("session_up", peer=self._facts[address].peer, address=address)
        for address, fact in before.items():
            if fact.established and not _is_up(self._facts.get(address)):
                name = fact.peer or self._called.get(address, "")
                log.warning("session_down", peer=name, address=address, why=self._why(address))
        self._called = {address: name for address, name in self._called.items() if address in self._facts}
        return came

    def _why(self, address: str) -> str:
        peer = self._peers.get(address)
        if peer is None:
            return "no longer configured, or gobgpd is away"
        return why_down(peer, self._confs.get(address), said=self._said.get(address, ""))


def _has_flapped(before: ObservedPeer | None, now: ObservedPeer | None) -> bool:
    """Whether a session that is up is another one than before, lost and won between two looks."""
    if before is None or now is None:
        return False
    return before.established and now.established and before.uptime != now.uptime


def _is_up(fact: SessionFact | None) -> bool:
    return fact is not None and fact.established


def _came_up(before: SessionFact | None, now: SessionFact) -> bool:
    return now.established and not _is_up(before)
