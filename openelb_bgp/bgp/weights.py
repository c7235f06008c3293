"""Weighted ECMP: how many local endpoints each next hop of a Local Service counts, changed with restraint.

Pure, with a memory: of one address's weights at most one change in ten seconds, because each change is an
UPDATE to every router. What a weight becomes on the wire is in `resolve`.
"""

from collections.abc import Iterable, Mapping

import msgspec

from openelb_bgp.model.addresses import Family
from openelb_bgp.model.meta import Key

CHANGE_AT_MOST_EVERY = 10.0
"""Seconds."""


Subject = tuple[Key, Family]
"""A Service's addresses of one family: they have the same endpoints."""


class Held(msgspec.Struct, frozen=True):
    """Weights in use and since when; None: from the start."""

    weights: Mapping[str, int]
    since: float | None = None


class Weights:
    """Weights of one plan; what they were in the last one is handed in."""

    def __init__(self, *, now: float, previous: "Weights | None" = None) -> None:
        self._now = now
        self._held: dict[Subject, Held] = {} if previous is None else previous._held.copy()
        self._due: dict[Key, float] = {} if previous is None else previous._due.copy()

    @property
    def deadline(self) -> float | None:
        """When the next change that waits may be made."""
        return min(self._due.values(), default=None)

    def overdue(self) -> list[Key]:
        """The Services whose waiting change may be made now."""
        return [key for key, due in self._due.items() if due <= self._now]

    def forget(self, key: Key) -> None:
        """The Service is gone."""
        self._due.pop(key, None)
        for family in Family:
            self._held.pop((key, family), None)

    def begin(self, key: Key) -> None:
        """The Service is looked at anew: whatever waited is decided again."""
        self._due.pop(key, None)

    def settle(self, key: Key, family: Family, wanted: Mapping[str, int]) -> Mapping[str, int]:
        """The weights to use for what is wanted. A node that has none yet gets its weight at once."""
        held = self._held.get((key, family))
        if held is None:
            self._held[key, family] = Held(dict(wanted))
            return wanted
        kept = {node: held.weights.get(node, weight) for node, weight in wanted.items()}
        if kept == wanted:
            self._held[key, family] = Held(kept, held.since)
            return kept
        due = self._now if held.since is None else held.since + CHANGE_AT_MOST_EVERY
        if due <= self._now:
            self._held[key, family] = Held(dict(wanted), self._now)
            return wanted
        self._held[key, family] = Held(kept, held.since)
        self._due[key] = min(due, self._due.get(key, due))
        return kept


def weights_of(nodes: Iterable[str], counts: Mapping[str, int]) -> dict[str, int]:
    """The wanted weight of each node, from its count of endpoints."""
    return {node: quantised(counts.get(node, 0)) for node in nodes}


def quantised(count: int) -> int:
    """A count of endpoints to four significant bits, so that a change too small to matter sends nothing."""
    shift = max(0, count.bit_length() - 4)
    return (count + (1 << shift >> 1)) >> shift << shift
