"""When this node asks for the addresses that it holds itself, to hear who else has one. Pure.

A host that has an address of ours says so unasked only when it starts. Later it just answers, and not to us:
so each address is asked for now and then by its owner, as nobody, which changes no cache. A round takes a
minute, or as long as 10 questions a second need: every host of the LAN hears each of them.
"""

import heapq
from collections.abc import Collection, Iterable

from .owned import Spot

EVERY = 1.0
"""Seconds between two calls of `take`."""
_MOST = 10
"""Questions in so many seconds."""
_ROUND, _FIRST, _SOON = 60.0, 5.0, 10.0
"""Seconds between two questions for one address, from a win to the first, and where a rival is suspected."""


class Rounds:
    """What has been asked for, and when; all instants are monotonic seconds."""

    def __init__(self) -> None:
        self._asked: dict[Spot, float] = {}

    @property
    def seconds(self) -> float:
        """How long a round takes."""
        return max(_ROUND, len(self._asked) / _MOST * EVERY)

    def keep(self, spots: Collection[Spot], *, now: float) -> None:
        """These are held, and no others; what is new among them has just been won."""
        held = set(spots)
        for spot in self._asked.keys() - held:
            del self._asked[spot]
        for spot in spots:
            self._asked.setdefault(spot, now - _ROUND + _FIRST)

    def take(self, *, suspected: Iterable[Spot], now: float) -> list[Spot]:
        """What is to be asked for now: `suspected` of having a rival first, then what waits the longest."""
        urgent = [spot for spot in suspected if now - self._asked.get(spot, now) >= _SOON]
        due = (spot for spot, at in self._asked.items() if now - at >= _ROUND)
        chosen = [*urgent, *heapq.nsmallest(_MOST, due, key=self._asked.__getitem__)]
        found = list(dict.fromkeys(chosen))[:_MOST]
        self._asked.update(dict.fromkeys(found, now))
        return found
