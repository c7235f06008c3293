"""What a node makes of all records and of what it sees itself: `Members`.

Pure, with the view before as its memory.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from math import inf

from openelb_bgp.lib.instants import soonest
from openelb_bgp.model.members import Member, MemberInterface, Members

from .book import Held
from .lanes import Lane
from .messages import Record, subject_id
from .timing import Timing
from .verdict import alive_from


class View:
    """Who is alive, since when, on all LANs of this node."""

    def __init__(self, timing: Timing, now: float) -> None:
        self._timing = timing
        self._alive: frozenset[int] = frozenset()
        # When each that is known came to be alive or dead, as this node saw it.
        self._since: dict[int, float] = {}
        self._boots: dict[int, int] = {}
        self._opinions: dict[str, tuple[Record, dict[int, dict[int, bool]]]] = {}
        self._made: dict[str, tuple[Held, object, Member]] = {}
        self._settled = False
        self.members = Members(since=now)
        self.review_at: float | None = None

    def look(
        self, lanes: Sequence[Lane], held: Mapping[str, Held], *, own: Record, void: bool, now: float
    ) -> None:
        """See everything anew. `held` are all records but this node's."""
        opinions = self._all_opinions(lanes, held)
        voices = self._voices(opinions, now)
        alive: set[int] = set()
        for lane in lanes:
            lane.members = alive_from(lane.subject, opinions, voices=voices)
            alive |= lane.members
        self._judge_own(lanes, held, alive, void=void, now=now)
        self._note(alive, held, void=void, now=now)
        self._publish(lanes, held, own=own, void=void, now=now)

    def _all_opinions(self, lanes: Iterable[Lane], held: Mapping[str, Held]) -> dict[int, Mapping[int, bool]]:
        found: dict[int, Mapping[int, bool]] = {}
        for node, one in held.items():
            known = self._opinions.get(node)
            if known is None or known[0] is not one.record:
                known = self._opinions[node] = (one.record, _opinions_in(one.record))
            found |= known[1]
        for lane in lanes:
            found[lane.subject] = {subject_id(*key): answers for key, answers in lane.watch.opinions.items()}
        return found

    def _voices(self, opinions: Iterable[int], now: float) -> set[int]:
        """Who has been alive for long enough, ourselves included: of us nobody knows since when."""
        heard_at = {one: self._since.get(one, -inf) + self._timing.voice for one in opinions}
        self.review_at = soonest(*(at for at in heard_at.values() if at > now))
        return {one for one, at in heard_at.items() if at <= now}

    def _judge_own(
        self,
        lanes: Iterable[Lane],
        held: Mapping[str, Held],
        alive: Collection[int],
        *,
        void: bool,
        now: float,
    ) -> None:
        for lane in lanes:
            self.review_at = soonest(self.review_at, lane.mute_until(now))
            stands = (
                lane.ready
                and not void
                and lane.local.up
                and lane.subject in lane.members
                and not lane.is_doubted()
                and not lane.is_mute(now)
            )
            if not lane.stands(alive=stands, now=now) and stands and self._came_back(lane, held, alive):
                # We were the smaller part: the others went on without us, and it is we who return.
                lane.stable_since = now

    def _came_back(self, lane: Lane, held: Mapping[str, Held], alive: Collection[int]) -> bool:
        """Whether this ends a partition in which we were fewer than half, and they went on undisturbed."""
        there = {subject_id(*place.key): place for place in lane.watch.ring}
        before = sum(subject in self._alive for subject in there) + 1
        if 2 * before >= len(there) + 1:
            return False
        return any(
            self._went_on(there[subject].key, held, died_at=self._since[subject])
            for subject in there
            if subject in alive and subject not in self._alive and subject in self._since
        )

    def _went_on(self, key: tuple[str, str], held: Mapping[str, Held], *, died_at: float) -> bool:
        node, name = key
        one = held[node]
        if self._boots.get(subject_id(*key)) != one.record.boot:
            return False
        since = next(
            (_stable_since(one, each.stable_age) for each in one.record.interfaces if each.name == name), None
        )
        return since is not None and since < died_at

    def _note(self, alive: Collection[int], held: Mapping[str, Held], *, void: bool, now: float) -> None:
        known = {
            subject_id(node, each.name): one.record.boot
            for node, one in held.items()
            for each in one.record.interfaces
        }
        for subject in known:
            if subject not in self._since or (subject in alive) != (subject in self._alive):
                # Of those who are there when we have heard our first round nobody has just come back.
                self._since[subject] = now if self._settled else -inf
        self._since = {subject: at for subject, at in self._since.items() if subject in known}
        self._boots |= {subject: boot for subject, boot in known.items() if subject in alive}
        self._alive = frozenset(alive)
        self._settled = self._settled or not void

    def _publish(
        self, lanes: Iterable[Lane], held: Mapping[str, Held], *, own: Record, void: bool, now: float
    ) -> None:
        before = self.members
        made = Members(
            void=void,
            since=before.since if before.void == void else now,
            others={node: self._member(one) for node, one in sorted(held.items())},
            own={lane.local.name: _own_interface(lane) for lane in lanes},
            leaving=own.leaving,
        )
        if made != before:
            self.members = made

    def _member(self, one: Held) -> Member:
        """The same object as before where nothing of it has changed."""
        record = one.record
        seen = tuple(
            (subject in self._alive, self._since[subject])
            for subject in (subject_id(record.node, each.name) for each in record.interfaces)
        )
        known = self._made.get(record.node)
        if known is not None and known[0] is one and known[1] == seen:
            return known[2]
        made = Member(
            node=record.node,
            interfaces={
                each.name: MemberInterface(
                    name=each.name,
                    mac=each.mac,
                    addresses=each.addresses,
                    alive=alive,
                    since=max(0.0, since),
                    stable_since=_stable_since(one, each.stable_age),
                )
                for each, (alive, since) in zip(record.interfaces, seen, strict=True)
            },
            leaving=record.leaving,
            void=record.void,
            instance=record.boot,
        )
        self._made[record.node] = (one, seen, made)
        return made


def _opinions_in(record: Record) -> dict[int, dict[int, bool]]:
    return {subject_id(record.node, each.name): dict(each.opinions) for each in record.interfaces}


def _stable_since(one: Held, age: float | None) -> float | None:
    return None if age is None else one.at - age


def _own_interface(lane: Lane) -> MemberInterface:
    return MemberInterface(
        name=lane.local.name,
        mac=lane.local.mac,
        addresses=lane.local.addresses,
        alive=lane.alive,
        since=lane.since,
        stable_since=lane.stable_since,
    )
