"""The doors of the core: where objects come from, where announcements and statuses go, and the clock.

Only Protocols and the values that pass through them live here. The inhabitants are `files` (a Source and
sinks over a folder), `bgp` (an Announcer), and those that other modes and Kubernetes bring.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol as Port
from typing import runtime_checkable

import msgspec

from .model.errors import Defect, InvalidResource
from .model.facts import Facts, ProbeTarget
from .model.meta import EMPTY, Kind, ObjectRef, Patch
from .model.pools import Protocol
from .model.reasons import Refused
from .model.snapshot import Resource, Snapshot
from .model.statuses import SpeakerStatus, Status


class Clock(Port):
    """Time, so that decisions can be tested in virtual time."""

    def monotonic(self) -> float:
        """Seconds that never jump."""
        ...

    def wall(self) -> float:
        """Seconds since the epoch, for what people read."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after that many monotonic seconds."""
        ...


class Listed(msgspec.Struct, frozen=True):
    """A kind as it stands, whole: whatever of that kind is not in it is gone."""

    kind: Kind
    resources: tuple[Resource, ...]
    invalid: tuple[InvalidResource, ...] = ()
    warnings: Mapping[ObjectRef, tuple[Defect, ...]] = {}


class Changed(msgspec.Struct, frozen=True, gc=False):
    """One object is new or different."""

    resource: Resource
    warnings: tuple[Defect, ...] = ()


class Spoilt(msgspec.Struct, frozen=True):
    """One object can no longer be used; whoever holds its last good version goes on without it."""

    invalid: InvalidResource


class Gone(msgspec.Struct, frozen=True):
    """One object was deleted."""

    ref: ObjectRef


class Unseen(msgspec.Struct, frozen=True):
    """Objects may exist that the source could not read; `why` says so with the remedy, empty for no more.

    What was announced before this process started is not withdrawn for their absence.
    """

    why: str


Delivery = Listed | Changed | Spoilt | Gone | Unseen


class Source(Port):
    """Where objects come from."""

    def deliveries(self) -> AsyncIterator[Sequence[Delivery]]:
        """Batches, for ever: first each kind whole, then what changes. Survives its origin's outages."""
        ...


class StatusWrite(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One object's status as it should read; `status` None deletes a report of ours.

    `labels` and `annotations` are set beside it in the same write, a None value removes the key.
    `based_on` is the resourceVersion that the decision was made on, empty where the source has none.
    `remove_finalizers` names finalizers to be taken off. `urgent` says that addresses come or go by it.
    """

    ref: ObjectRef
    status: Status | None
    labels: Patch = EMPTY
    annotations: Patch = EMPTY
    remove_finalizers: tuple[str, ...] = ()
    based_on: str = ""
    urgent: bool = False


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something that happened to an object, for people. `warning` False is type Normal."""

    ref: ObjectRef
    reason: str
    message: str
    warning: bool = False


class StatusSink(Port):
    """Where statuses and events go."""

    async def write(self, writes: Sequence[StatusWrite], events: Sequence[Event] = ()) -> None:
        """Make all writes durable before returning, in one transaction where the origin has such.

        An origin that takes objects one by one makes the urgent ones durable, and the others follow; a later
        write of an object takes the place of one that has not been made. What is not taken at once is tried
        again here until it is, or until the object has changed: then the Source shows it, and whoever decided
        decides again. Either way each write counts as made from now on.

        Raises openelb_bgp.ports.NotWritten when nothing was written, nor will be.
        """
        ...


class NotWritten(Exception):
    """A write did not happen; the sentence says why and what would help. Trying again is safe."""


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """What an announcer reports after a cycle.

    `settled` says that everything desired at the source's `revision` is in effect. `status` is the
    announcer's part of the Speaker's status (pools, routes, sessions, problems), everything else in it left
    empty. `left_out` says why an object is not announced here, or not wholly. `wake_at` is the monotonic
    instant at which time alone changes the plan. `probes` are the addresses of other nodes whose answers
    the next plan wants in `Facts.answering`, `heartbeats` the names of this node's interfaces on which it
    wants to know who is alive, in `Facts.members`.
    """

    protocol: Protocol
    revision: int
    settled: bool
    status: SpeakerStatus = SpeakerStatus()
    left_out: Mapping[ObjectRef, Refused] = {}
    events: tuple[Event, ...] = ()
    wake_at: float | None = None
    probes: frozenset[ProbeTarget] = frozenset()
    heartbeats: frozenset[str] = frozenset()


@runtime_checkable
class Announcer(Port):
    """Carries out what a node announces by one protocol.

    Contract (tests/contract): after `reconcile` returns settled, what is observable outside equals the
    plan, whatever was there before; running it again changes nothing; what is not ours is not touched;
    one failing object never holds up another; nothing is withdrawn before the snapshot has listed every
    kind that the plan needs.
    """

    @property
    def protocol(self) -> Protocol:
        """Which pools it serves."""
        ...

    async def run(self) -> None:
        """Observe for ever, and ask for a cycle when something changes; cancelled at the end."""
        ...

    def contribute(self, facts: Facts) -> Facts:
        """The facts with what this announcer has observed added (its sessions, its members)."""
        ...

    async def reconcile(self, snapshot: Snapshot, facts: Facts) -> Announcement:
        """Plan, observe, apply. Raises nothing for a failing daemon or object: it reports them."""
        ...

    async def close(self, *, withdraw: bool) -> None:
        """Stop. With `withdraw` everything announced is taken back first, without loss where possible."""
        ...
