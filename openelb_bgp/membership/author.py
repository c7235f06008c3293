"""What a node tells of itself, and when it tells everybody: its Record and the flood of it. Pure.

Deaths are told at once, everything else a moment later, so that what changes together is told together. A
flood is repeated, by other ways where there are some: what is lost all the same, neighbours make up for.
"""

import msgspec

from openelb_bgp.lib.instants import soonest

from .lanes import Lane
from .messages import OwnInterface, Record, subject_id
from .timing import Timing

_REPEATS = (0.0, 0.3, 0.9)
"""When a flood goes out, in intervals after it was decided on."""


class Author:
    """The only writer of this node's record."""

    def __init__(self, node: str, boot: int, timing: Timing) -> None:
        self._timing = timing
        self.record = Record(node=node, boot=boot, version=0)
        self._told: object = None
        self._due_at: float | None = None
        self._floods: list[tuple[float, int]] = []

    def note(self, now: float, *, urgent: bool) -> None:
        """Something may be different: look again soon, or sooner."""
        due = now + self._timing.interval * (0.05 if urgent else 0.25)
        self._due_at = soonest(self._due_at, due)

    def tell_anew(self) -> None:
        """What has been told has reached nobody: it could not be signed."""
        self._told = None

    def outdo(self, other: Record) -> bool:
        """An earlier process of this node is still told of: whatever we say must count for more."""
        mine = self.record
        if other.boot == mine.boot or other.generation < mine.generation:
            return False
        self.record = msgspec.structs.replace(mine, generation=other.generation + 1)
        self._told = None
        return True

    def write(self, lanes: list[Lane], *, leaving: bool, void: bool, now: float) -> Record | None:
        """The new record, where one is due and says something else; its flood begins."""
        if self._due_at is None or now < self._due_at:
            return None
        self._due_at = None
        said = (leaving, void, tuple((_described(lane), lane.stable_since) for lane in lanes))
        if said == self._told:
            return None
        self._told = said
        self.record = msgspec.structs.replace(
            self.record,
            version=self.record.version + 1,
            leaving=leaving,
            void=void,
            interfaces=tuple(_as_of(now, lane) for lane in lanes),
        )
        self._floods = [
            (now + delay * self._timing.interval, attempt) for attempt, delay in enumerate(_REPEATS)
        ]
        return self.record

    def floods(self, now: float) -> list[int]:
        """Which repetitions are due now."""
        due = [attempt for at, attempt in self._floods if at <= now]
        self._floods = [one for one in self._floods if one[0] > now]
        return due

    def wake_at(self) -> float | None:
        """When there is something to write, or to tell."""
        return soonest(self._due_at, *(at for at, _ in self._floods))


def _described(lane: Lane) -> OwnInterface:
    opinions = sorted((subject_id(*key), answers) for key, answers in lane.watch.opinions.items())
    return OwnInterface(
        name=lane.local.name,
        mac=lane.local.mac,
        addresses=lane.local.addresses,
        opinions=tuple(opinions),
    )


def _as_of(now: float, lane: Lane) -> OwnInterface:
    age = None if lane.stable_since is None else now - lane.stable_since
    return msgspec.structs.replace(_described(lane), stable_age=age)
