"""What waits to be written, an object at a time: what gives or takes addresses first, what failed later.

A newer write of an object takes the place of one that waits, and waits for one that is on its way. Nothing is
sent here, and no clock is read.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from openelb_bgp.model.meta import Kind, ObjectRef
from openelb_bgp.ports import Event, StatusWrite

_FIRST_DELAY = 0.2
_LONGEST_DELAY = 60.0
_BURST = 20
_SECONDS_PER_WRITE = 3.0
_KEPT = 20_000


class Job(msgspec.Struct):
    """One object's write, with the Events to be told once it is made.

    `answer` is the object as it read once its status was written, while something else of it is not yet.
    `failures` counts attempts in a row that failed, `said` is what the last one failed with.
    """

    write: StatusWrite
    urgent: bool
    events: tuple[Event, ...] = ()
    answer: Mapping[str, Any] | None = None
    failures: int = 0
    said: str = ""

    @property
    def ref(self) -> ObjectRef:
        """The object's."""
        return self.write.ref


class Outbox:
    """Jobs in three lanes: urgent ones, the others, and those that are not to be tried yet.

    An object is written 20 times in a row at most, then every 3 s: two controllers that correct each other
    would otherwise keep an API server busy for ever. Of each is kept when all 20 are its own again.
    """

    def __init__(self) -> None:
        self._urgent: dict[ObjectRef, Job] = {}
        self._others: dict[ObjectRef, Job] = {}
        self._later: dict[ObjectRef, tuple[float, Job]] = {}
        self._sending: dict[ObjectRef, Job] = {}
        self._look_at = math.inf
        self._full_at: dict[ObjectRef, float] = {}
        self._forget_from = _KEPT

    def __len__(self) -> int:
        """How many wait or are on their way."""
        return len(self._urgent) + len(self._others) + len(self._later) + len(self._sending)

    def holds(self, ref: ObjectRef) -> bool:
        """Whether a write of this object waits or is on its way."""
        return any(ref in lane for lane in (self._urgent, self._others, self._later, self._sending))

    def put(self, write: StatusWrite, events: Sequence[Event] = (), *, now: float) -> bool:
        """Take a write; False if it has to wait because its object was written too often.

        What waits of the same object is overtaken; its Events are told with this one's.
        """
        ref = write.ref
        before = self._withdraw(ref)
        job = Job(write, write.urgent, tuple(events))
        if before is not None:
            job.urgent, job.events = job.urgent or before.urgent, (*before.events, *job.events)
        if (wait := self._spend(ref, now)) > 0:
            self._postpone(job, now + wait)
            return False
        self._lane(job)[ref] = job
        return True

    def take_urgent(self, now: float) -> Job | None:
        """The next urgent job, which is on its way from then on; None if there is none now."""
        return self._take(self._urgent, now)

    def take_other(self, now: float) -> Job | None:
        """The next job that is not urgent, on its way from then on; None if there is none now."""
        return self._take(self._others, now)

    def _take(self, lane: dict[ObjectRef, Job], now: float) -> Job | None:
        if now >= self._look_at:
            self._bring_forward(now)
        ref = next((ref for ref in lane if ref not in self._sending), None)
        if ref is None:
            return None
        job = self._sending[ref] = lane.pop(ref)
        return job

    def due_at(self) -> float | None:
        """When to ask for those again that are not to be tried yet; None if there is none."""
        return self._look_at if self._later else None

    def done(self, job: Job) -> None:
        """Nothing more is to be done about it."""
        self._sending.pop(job.ref, None)

    def failed(self, job: Job, *, said: str, now: float, delay: float | None = None) -> None:
        """It is to be sent again after `delay` seconds, by default the later the more often it failed."""
        self._sending.pop(job.ref, None)
        newer = self._withdraw(job.ref)
        if newer is not None:
            newer.urgent, newer.events = newer.urgent or job.urgent, (*job.events, *newer.events)
            self._lane(newer)[job.ref] = newer
            return
        job.failures, job.said = job.failures + 1, said
        wait = min(_FIRST_DELAY * 2.0 ** (job.failures - 1), _LONGEST_DELAY) if delay is None else delay
        self._postpone(job, now + wait)

    def _lane(self, job: Job) -> dict[ObjectRef, Job]:
        return self._urgent if job.urgent else self._others

    def _postpone(self, job: Job, until: float) -> None:
        self._later[job.ref] = (until, job)
        self._look_at = min(self._look_at, until)

    def _bring_forward(self, now: float) -> None:
        for ref in [ref for ref, (at, _) in self._later.items() if at <= now]:
            _, job = self._later.pop(ref)
            self._lane(job)[ref] = job
        self._look_at = min((at for at, _ in self._later.values()), default=math.inf)

    def _withdraw(self, ref: ObjectRef) -> Job | None:
        """Take back what waits of an object."""
        for lane in (self._urgent, self._others):
            if ref in lane:
                return lane.pop(ref)
        return self._later.pop(ref, (0.0, None))[1]

    def _spend(self, ref: ObjectRef, now: float) -> float:
        """Count a write; returns how long it has to wait, in seconds."""
        if ref.kind is Kind.SPEAKER:
            # Its writer knows himself how often is enough.
            return 0.0
        if len(self._full_at) >= self._forget_from:
            self._forget(now)
        full_at = max(self._full_at.get(ref, now), now) + _SECONDS_PER_WRITE
        if (wait := full_at - now - _BURST * _SECONDS_PER_WRITE) > 0:
            return wait
        self._full_at[ref] = full_at
        return 0.0

    def _forget(self, now: float) -> None:
        """Forget objects that were not written lately: all their writes are theirs again."""
        self._full_at = {ref: at for ref, at in self._full_at.items() if at > now}
        # As often as their number doubles, else each of very many would look at all of them.
        self._forget_from = max(_KEPT, 2 * len(self._full_at))
