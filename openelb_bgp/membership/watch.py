"""Whom a node watches on one LAN, and what it sees of them. Pure, with what was seen before as its memory.

The others stand on a ring, ordered by their ids; a node asks those before it, as many as each shall have
watchers. Whoever falls silent stays among them and is asked for ever; beyond it more are looked at, many more
the more are silent, so that a partition is seen in a few rounds and not node by node.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import ceil, inf
from typing import NamedTuple

from openelb_bgp.model.addresses import Address

from .messages import node_id
from .timing import Timing

_LOOK_FURTHER = 3
"""How many more are looked at for each that has just fallen silent."""
_SAME = 1e-9
"""Sums of seconds that differ by less are the same instant."""


class Place(NamedTuple):
    """Where somebody can be asked: its node, the interface there, its address, and ours to ask from."""

    node: str
    interface: str
    address: Address
    source: Address | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Who that is, whatever its address."""
        return (self.node, self.interface)


class Target:
    """One that is watched. `answers` is None until it has answered, or has had the time to.

    `heard` is when the latest question was sent that it has answered: a late answer proves no more than that.
    `doubts` says that it holds us for dead. `settled`: since we began to listen it has answered, or has had
    the time to.
    """

    def __init__(self, place: Place, now: float) -> None:
        self.place = place
        self.answers: bool | None = None
        self.since = now
        self.heard = now
        self.next_at = now
        self.doubts = False
        self.settled = False
        self.misses = 0
        self._open: dict[int, float] = {}
        self._asked_at: float | None = None
        self._round_at = now

    @property
    def is_fine(self) -> bool:
        """Whether it has answered, and owes no answer."""
        return self.answers is True and not self.misses

    def silence(self, now: float) -> float:
        """Seconds since the latest answer, or else since the first question."""
        return now - self.heard + _SAME

    def asked(self, sequence: int, now: float, timing: Timing) -> None:
        """A question is on its way."""
        if len(self._open) >= timing.misses:
            self._open = {one: at for one, at in self._open.items() if now - at < 2 * timing.bound}
        self._open[sequence] = now
        self._asked_at = now
        if not self.misses:
            self._round_at = now
        self.misses += 1
        if self.answers is not False:
            pace = timing.retry
        else:
            pace = timing.interval if now - self.since <= timing.recent else timing.slow
        self.next_at = now + pace

    def answered(self, echo: int, timing: Timing) -> bool:
        """Whether this answers a question of ours that is still open."""
        asked_at = self._open.pop(echo, None)
        if asked_at is None:
            return False
        self.heard = max(self.heard, asked_at)
        self.settled = True
        self.misses = 0
        if asked_at == self._asked_at:
            self.next_at = self._next_round(asked_at, timing)
        return True

    def _next_round(self, asked_at: float, timing: Timing) -> float:
        """When to ask next. A question that was repeated leaves the rounds where they are."""
        begun = asked_at - self._round_at + timing.retry / 2
        next_at = self._round_at + timing.interval * ceil(begun / timing.interval)
        return min(next_at, asked_at + timing.interval)

    def judge(self, now: float, timing: Timing) -> bool:
        """Whether silence has just become death."""
        if self.silence(now) < timing.bound:
            return False
        self.settled = True
        if self.answers is False:
            return False
        self.answers, self.since = False, now
        return True

    def start_anew(self, now: float) -> None:
        """What was asked before says nothing any more: it was us who did not listen."""
        self._open.clear()
        self._asked_at = None
        self.settled = False
        self.heard = self.next_at = now


class Watch:
    """What a node sees of the others on one LAN, from its interface there."""

    def __init__(self, node: str, timing: Timing) -> None:
        self.timing = timing
        self.ring: tuple[Place, ...] = ()
        self.targets: dict[tuple[str, str], Target] = {}
        self._id = node_id(node)
        self._of_node: dict[str, list[Place]] = {}

    def aim(self, places: Iterable[Place], now: float) -> bool:
        """Those who are on this LAN now; says whether they are others than before."""
        # Who is the farthest going up the ring is the nearest going down.
        ring = tuple(sorted(places, key=lambda one: (-((node_id(one.node) - self._id) % 2**64), one.key)))
        if ring == self.ring:
            return False
        self.ring = ring
        self._of_node = {}
        for place in ring:
            self._of_node.setdefault(place.node, []).append(place)
        self._extend(now)
        return True

    def places_of(self, node: str) -> Sequence[Place]:
        """Where that node is on this LAN."""
        return self._of_node.get(node, ())

    def _extend(self, now: float) -> None:
        """Watch whom we should, by how those are whom we do."""
        wanted: dict[tuple[str, str], Target] = {}
        fine = silent = 0
        for place in self.ring:
            if fine >= self.timing.watchers + _LOOK_FURTHER * silent:
                break
            target = wanted[place.key] = self._target(place, now)
            if target.silence(now) < self.timing.suspicion:
                fine += 1
            elif target.answers is not False or now - target.since < self.timing.recent:
                silent += 1
        self.targets = wanted

    def _target(self, place: Place, now: float) -> Target:
        known = self.targets.get(place.key)
        if known is None:
            return Target(place, now)
        # Another address of the same interface: it is asked there from now on.
        known.place = place
        return known

    def is_due(self, now: float) -> bool:
        """Whether anybody is to be asked now."""
        return any(one.next_at <= now + _SAME for one in self.targets.values())

    def begins_round(self, now: float) -> bool:
        """Whether anybody is to be asked now who owes no answer."""
        return any(one.is_fine and one.next_at <= now + _SAME for one in self.targets.values())

    def due(self, now: float, *, ahead: float) -> Sequence[Target]:
        """Whom to ask when anybody is asked: whoever is due, or will be in a moment.

        Those who owe no answer are asked up to `ahead` seconds early.
        """
        moment = self.timing.moment
        return [
            one
            for one in self.targets.values()
            if one.next_at <= now + (ahead if one.is_fine else moment) + _SAME
        ]

    @property
    def awaits(self) -> bool:
        """Whether somebody who is not held for dead still owes an answer."""
        return any(one.misses and one.answers is not False for one in self.targets.values())

    def judge(self, now: float) -> bool:
        """Take note of who has been silent for too long; True if anybody is newly dead."""
        bound, suspicion = self.timing.bound, self.timing.suspicion
        has_died, is_stretched = False, len(self.targets) > self.timing.watchers
        for one in self.targets.values():
            silence = one.silence(now)
            if silence >= bound and one.judge(now, self.timing):
                has_died = True
            is_stretched = is_stretched or silence >= suspicion
        if is_stretched:
            self._extend(now)
        return has_died

    @property
    def has_heard(self) -> bool:
        """Whether a whole round is over: each that is watched has answered, or has had the time to."""
        return all(one.settled for one in self.targets.values())

    def heard(self, key: tuple[str, str], echo: int, *, doubts: bool, now: float) -> bool | None:
        """An answer: True if it changes something, None if it answers nothing that was asked."""
        target = self.targets.get(key)
        if target is None or not target.answered(echo, self.timing):
            return None
        has_news = target.answers is not True or target.doubts != doubts
        if target.answers is not True:
            target.answers, target.since = True, now
        target.doubts = doubts
        return has_news

    def start_anew(self, now: float) -> None:
        """Nothing that was seen counts until a whole round has been heard."""
        for target in self.targets.values():
            target.start_anew(now)

    def wake_at(self) -> float | None:
        """When somebody is to be asked, or has been silent for too long."""
        bound, wake = self.timing.bound, inf
        for one in self.targets.values():
            wake = min(wake, one.next_at)
            if one.answers is not False:
                wake = min(wake, one.heard + bound)
        return wake if self.targets else None

    @property
    def opinions(self) -> Mapping[tuple[str, str], bool]:
        """By node and interface: whether it answers, where that is known."""
        return {key: one.answers for key, one in self.targets.items() if one.answers is not None}

    @property
    def doubters(self) -> Sequence[bool]:
        """Of each that answers: whether it holds us for dead here."""
        return [one.doubts for one in self.targets.values() if one.answers]
