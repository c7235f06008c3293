"""When a speaker's report is written: at once where others act on it, else coalesced, and never idle.

What it says is `report.speaker`'s matter. A report that cannot be written is tried again by the next cycle,
and never keeps a node from announcing.
"""

from collections.abc import Mapping, Sequence

import structlog

from openelb_bgp.host.boot import read_boot_id
from openelb_bgp.model.facts import Facts
from openelb_bgp.model.meta import EMPTY, Kind, ref
from openelb_bgp.model.pools import Eip, Protocol
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.statuses import PoolStatus, Problem, SpeakerStatus
from openelb_bgp.ports import Announcement, Clock, Event, NotWritten, StatusSink, StatusWrite
from openelb_bgp.report.speaker import speaker_status, write_due
from openelb_bgp.report.times import rfc3339

log = structlog.get_logger(__name__)

_RETRY_SECONDS = 2.0
_PATIENCE_SECONDS = 3.0


class Reporter:
    """Writes the Speaker of one node."""

    def __init__(self, node: str, *, sink: StatusSink, clock: Clock) -> None:
        self._ref = ref(Kind.SPEAKER, node)
        self._sink = sink
        self._clock = clock
        self._started_at = rfc3339(clock.wall())
        self._patient_until = clock.monotonic() + _PATIENCE_SECONDS
        self._boot_id = read_boot_id()
        self._made: SpeakerStatus | None = None
        self._written: SpeakerStatus | None = None
        self._written_at = 0.0
        self._shown = False
        self._had_node = False
        self._events: list[Event] = []
        self._unsettled: str | None = "no cycle has ended yet"
        self._not_written = ""

    def unsettled(self) -> str | None:
        """Why not everything desired is in effect, or None."""
        return self._unsettled

    async def report(
        self,
        snapshot: Snapshot,
        facts: Facts,
        announcements: Sequence[Announcement],
        *,
        problems: Sequence[Problem] = (),
        off: Mapping[Protocol, str] = EMPTY,
    ) -> float | None:
        """Write what is due; returns the monotonic instant at which the rest is.

        The first report waits for a moment until everything is in effect: before it stands what the process
        before this one reported, which goes on being announced. That is to be read before it is written over.
        `off` are the protocols that nobody serves here, with why.
        """
        announcements = (*announcements, *modes_off(snapshot, off))
        self._unsettled = _unsettled(announcements)
        self._made = speaker_status(
            announcements=announcements,
            facts=facts,
            started_at=self._started_at,
            boot_id=self._boot_id,
            draining=any(one.status.draining for one in announcements),
            problems=problems,
            previous=self._made,
        )
        self._events.extend(event for one in announcements for event in one.events)
        self._note_deletion(snapshot)
        if self._has_lost_its_node(snapshot):
            self._written = None
            self._events.clear()
            return None
        if self._written is None and self._unsettled is not None:
            if not snapshot.has_listed(Kind.SPEAKER, Kind.NODE):
                return None
            if facts.now < self._patient_until:
                return self._patient_until
        due = write_due(
            old=self._written,
            new=self._made,
            last_written_at=self._written_at,
            nodes=max(1, len(snapshot.nodes)),
        )
        if due is None and not self._events:
            return None
        if due is not None and due > facts.now and not self._events:
            return due
        return await self._write(self._made)

    def _note_deletion(self, snapshot: Snapshot) -> None:
        """A report that somebody has deleted is written again: the speaker lives."""
        shown = self._ref.key.name in snapshot.speakers
        if self._shown and not shown:
            self._written = None
        self._shown = shown

    def _has_lost_its_node(self, snapshot: Snapshot) -> bool:
        """Whether its Node has been deleted: the report went with it, and one made now would have no owner.

        Of a Node that was never there it is told; a folder of manifests has no owners.
        """
        there = self._ref.key.name in snapshot.nodes
        self._had_node = self._had_node or there
        return snapshot.in_cluster and self._had_node and not there

    async def _write(self, status: SpeakerStatus) -> float | None:
        events = tuple(self._events)
        try:
            await self._sink.write([StatusWrite(ref=self._ref, status=status)], events)
        except NotWritten as error:
            if str(error) != self._not_written:
                log.error("report_not_written", error=str(error))
            self._not_written = str(error)
            return self._clock.monotonic() + _RETRY_SECONDS
        self._not_written = ""
        self._events.clear()
        self._written, self._written_at = status, self._clock.monotonic()
        return None

    async def leave(self) -> None:
        """Take the report away: it exists while its speaker lives."""
        try:
            await self._sink.write([StatusWrite(ref=self._ref, status=None)])
        except NotWritten as error:
            log.error("report_not_removed", error=str(error))


def modes_off(snapshot: Snapshot, off: Mapping[Protocol, str]) -> tuple[Announcement, ...]:
    """What would be announced by modes that nobody serves here: nothing, and why, pool by pool."""
    return tuple(
        Announcement(
            protocol=protocol, revision=snapshot.revision, settled=True, status=_not_served(why, pools)
        )
        for protocol, why in off.items()
        if (pools := [pool for pool in snapshot.eips.values() if pool.protocol is protocol])
    )


def _not_served(why: str, pools: Sequence[Eip]) -> SpeakerStatus:
    message = f"its addresses are given, not announced by this node: {why}"
    return SpeakerStatus(
        pools=tuple(PoolStatus(name=pool.name, reason=Reason.MODE_OFF.value) for pool in pools),
        problems=tuple(
            Problem(object=str(pool.ref), reason=Reason.MODE_OFF.value, message=message) for pool in pools
        ),
    )


def _unsettled(announcements: Sequence[Announcement]) -> str | None:
    waiting = sorted(str(one.protocol) for one in announcements if not one.settled)
    return f"not everything is announced yet: {', '.join(waiting)}" if waiting else None
