"""When owned addresses are announced unasked: a burst when won, then seldom, paced for each interface. Pure.

A burst repeats itself, because frames are lost and because hosts that changed an entry within the last second
ignore some forms (`packets.Form`). Of many addresses won at once each is announced in the form that works
best before any is in another: at 1,000 frames a second 800 addresses have moved within a second. What was
lost is not announced, though it was queued. Nothing is sent here.
"""

import heapq
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from openelb_bgp.model.addresses import Family

from .owned import Ownership, Spot
from .packets import Form

RATE = 1000.0
"""Frames a second on one interface."""
_AT_ONCE, _BATCH = 50.0, 10.0
"""Frames that may go out together after a rest, and of how many there must be room again before more do."""
_TOGETHER = 0.25
"""Seconds of which one wakes the process for all that is announced seldom: 4 times a second, not 100."""

_BURSTS: Mapping[Family, tuple[tuple[float, Form], ...]] = {
    Family.IPV4: (
        (0.0, Form.ARP_REQUEST),
        (0.01, Form.ARP_TO_GATEWAY),
        (0.02, Form.ARP_REPLY),
        (0.3, Form.ARP_REQUEST),
        (0.31, Form.ARP_TO_GATEWAY),
        (1.2, Form.ARP_REQUEST),
        (1.21, Form.ARP_REPLY),
        (3.0, Form.ARP_REQUEST),
    ),
    Family.IPV6: tuple((seconds, Form.ADVERTISEMENT) for seconds in (0.0, 0.3, 1.2, 3.0)),
}
"""Seconds after the win, and what is said then."""


class Job(NamedTuple):
    """An announcement that is due."""

    spot: Spot
    form: Form


class _Turn(NamedTuple):
    """A place in an interface's queue; `step` is the position in the burst, beyond its end: seldom."""

    due: float
    order: int
    spot: Spot
    stint: int
    step: int


class Announcing:
    """Which announcements are due; all instants are monotonic seconds."""

    def __init__(self, jitter: Callable[[], float]) -> None:
        """`jitter` gives numbers from 0 to 1: what was won together does not stay together."""
        self._jitter = jitter
        self._queues: dict[str, _Queue] = {}
        self._stints: dict[Spot, tuple[int, Ownership]] = {}
        self._order = itertools.count()

    def start(self, spot: Spot, ownership: Ownership, *, now: float) -> None:
        """It has been won, or has to be announced anew: a burst from now on."""
        number = next(self._order)
        self._stints[spot] = number, ownership
        self._queue(spot.interface).push(_Turn(now, number, spot, number, 0))

    def change(self, spot: Spot, ownership: Ownership) -> None:
        """Another interval, from the next announcement on."""
        number, _ = self._stints[spot]
        self._stints[spot] = number, ownership

    def stop(self, spot: Spot) -> None:
        """It has been lost: not one announcement more."""
        self._stints.pop(spot, None)

    def take(self, now: float) -> Iterator[Job]:
        """What is to be sent now."""
        for queue in self._queues.values():
            while (turn := queue.pop(now, self._is_current)) is not None:
                yield Job(turn.spot, self._form(turn))
                queue.push(self._next(turn, now))

    def next_at(self, now: float) -> float | None:
        """When something is due next, None for never."""
        instants = [queue.next_at(now, self._is_current) for queue in self._queues.values()]
        return min((one for one in instants if one is not None), default=None)

    def _queue(self, interface: str) -> "_Queue":
        return self._queues.setdefault(interface, _Queue())

    def _is_current(self, turn: _Turn) -> bool:
        known = self._stints.get(turn.spot)
        return known is not None and known[0] == turn.stint

    def _form(self, turn: _Turn) -> Form:
        burst = _BURSTS[turn.spot.family]
        return burst[turn.step][1] if turn.step < len(burst) else burst[0][1]

    def _next(self, turn: _Turn, now: float) -> _Turn:
        burst, step = _BURSTS[turn.spot.family], turn.step + 1
        if step < len(burst):
            wait = burst[step][0] - burst[turn.step][0]
        else:
            # Never later than the interval: two owners have to hear of each other within it.
            wait = self._stints[turn.spot][1].garp_interval * (1 - self._jitter() / 4)
            wait = math.floor((turn.due + wait) / _TOGETHER) * _TOGETHER - turn.due
        return turn._replace(due=max(turn.due + wait, now), order=next(self._order), step=step)


class _Queue:
    """One interface's turns, and how many frames it may send."""

    def __init__(self) -> None:
        self._turns: list[_Turn] = []
        self._allowance = _AT_ONCE
        self._as_of = 0.0

    def push(self, turn: _Turn) -> None:
        heapq.heappush(self._turns, turn)

    def pop(self, now: float, is_current: Callable[[_Turn], bool]) -> _Turn | None:
        """The next turn that is due and may be sent now."""
        self._forget_lost(is_current)
        self._refill(now)
        if not self._turns or self._turns[0].due > now or self._allowance < 1:
            return None
        self._allowance -= 1
        return heapq.heappop(self._turns)

    def next_at(self, now: float, is_current: Callable[[_Turn], bool]) -> float | None:
        self._forget_lost(is_current)
        if not self._turns:
            return None
        self._refill(now)
        wait = (_BATCH - self._allowance) / RATE if self._allowance < 1 else 0.0
        return max(self._turns[0].due, now + wait)

    def _forget_lost(self, is_current: Callable[[_Turn], bool]) -> None:
        while self._turns and not is_current(self._turns[0]):
            heapq.heappop(self._turns)

    def _refill(self, now: float) -> None:
        self._allowance = min(_AT_ONCE, self._allowance + (now - self._as_of) * RATE)
        self._as_of = now
