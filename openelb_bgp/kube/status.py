"""The StatusSink over a cluster: statuses by server-side apply, then Events, many at a time.

Which requests a write takes says `status_requests`, what comes first `outbox`, what beside it `precedence`,
which Events are told `event_book`; here is when each is sent, and what its answer means for what comes next.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import structlog

from openelb_bgp.lib.instants import soonest
from openelb_bgp.model.meta import Kind, ObjectRef
from openelb_bgp.model.statuses import Status
from openelb_bgp.ports import Clock, Event, NotWritten, StatusWrite
from openelb_bgp.report.events import not_written
from openelb_bgp.runtime.loop import WakeUp

from .client import Client
from .errors import Conflict, Forbidden, Invalid, KubeError, NotFound, TooManyRequests
from .event_book import EventBook
from .events import DROPPED, EventSender
from .outbox import Job, Outbox
from .precedence import URGENT_AT_ONCE, Precedence
from .reports import Reports, Shown
from .status_requests import StatusRequests, UidOf

log = structlog.get_logger(__name__)

_IDLE_SECONDS = 3600.0
_LAST_SECONDS = 1.0


class Patience(msgspec.Struct, frozen=True):
    """How long whoever writes is kept waiting, in seconds: for addresses, and for the end of a report.

    For addresses only as long as answers come: after `silence` without one the next are decided on.
    """

    address: float = 20.0
    silence: float = 2.0
    deletion: float = 3.0


@asynccontextmanager
async def kube_sink(
    client: Client, clock: Clock, events: EventBook, *, uid_of: UidOf, patience: Patience | None = None
) -> AsyncIterator["KubeSink"]:
    """A sink for as long as the context lasts; what is not written by then is dropped.

    What the client's guard raises ends the context.
    """
    sink = KubeSink(client, clock, events, uid_of=uid_of, patience=patience or Patience())
    async with asyncio.TaskGroup() as group:
        sender = group.create_task(sink.send(group), name="status")
        try:
            yield sink
        finally:
            sender.cancel()
            await sink.hang_up()


class KubeSink:
    """A `ports.StatusSink`; made by `kube_sink`."""

    def __init__(
        self, client: Client, clock: Clock, events: EventBook, *, uid_of: UidOf, patience: Patience
    ) -> None:
        self._clock = clock
        self._book = events
        self._events = EventSender(client, events, clock)
        self._uid_of = uid_of
        self._requests = StatusRequests(client, uid_of)
        self._patience = patience
        self._outbox = Outbox()
        self._wake = WakeUp()
        self._urgent: set[asyncio.Task[None]] = set()
        self._others: set[asyncio.Task[None]] = set()
        self._precedence = Precedence()
        self._waiters: dict[ObjectRef, asyncio.Future[None]] = {}
        self._reports = Reports()
        self._seen_meanwhile: dict[ObjectRef, Shown] = {}
        self._trouble = ""
        self._answered_at = 0.0

    def recall(self, stored: Iterable[tuple[ObjectRef, Status]]) -> None:
        """Take the reports of a leader before us for our own."""
        self._reports.recall(stored)

    def saw(self, found: Shown) -> None:
        """A report as it stands: if somebody has edited it, it is written again, once for each edit."""
        if self._outbox.holds(found.ref):
            # Perhaps it is our own write that is shown before its answer is here.
            self._seen_meanwhile[found.ref] = found
            return
        write = self._reports.correction(found)
        if write is not None:
            log.info("status_put_right", object=str(found.ref))
            self._outbox.put(write, now=self._clock.monotonic())
            self._wake.set()

    async def write(self, writes: Sequence[StatusWrite], events: Sequence[Event] = ()) -> None:
        """Make what is urgent durable, the rest follows. See `ports.StatusSink`.

        Returns without an answer of the API server after a while: such a write is tried again, and as long as
        the Source does not show that the object has changed it may have been made.
        """
        told = _by_object(events)
        now = self._clock.monotonic()
        awaited = []
        for write in writes:
            self._requests.note(write.ref)
            soon = self._outbox.put(write, told.pop(write.ref, ()), now=now)
            if soon and (write.urgent or write.status is None):
                awaited.append(write)
        for rest in told.values():
            self._tell(rest)
        self._wake.set()
        if awaited:
            await self._wait_for(awaited)

    async def _wait_for(self, writes: Sequence[StatusWrite]) -> None:
        loop = asyncio.get_running_loop()
        for write in writes:
            self._waiters[write.ref] = loop.create_future()
        deletions = [write for write in writes if write.status is None]
        answers = {self._waiters[write.ref] for write in writes}
        if deletions:
            await asyncio.wait(answers, timeout=self._patience.deletion)
        else:
            await self._while_answers_come(answers)
        late = [write.ref for write in deletions if not self._waiters[write.ref].done()]
        for write in writes:
            self._waiters.pop(write.ref, None)
        if late:
            why = self._trouble or "the API server does not answer"
            raise NotWritten(f"{late[0]} is still there: {why}")

    async def _while_answers_come(self, answers: set[asyncio.Future[None]]) -> None:
        now = self._answered_at = self._clock.monotonic()
        until = now + self._patience.address
        while answers and (end := min(until, self._answered_at + self._patience.silence)) > now:
            _, answers = await asyncio.wait(answers, timeout=end - now)
            now = self._clock.monotonic()

    async def send(self, group: asyncio.TaskGroup) -> None:
        """Send what waits, for ever; each request is a task of the group."""
        while True:
            self._wake.clear()
            now = self._clock.monotonic()
            while len(self._urgent) < URGENT_AT_ONCE and (job := self._outbox.take_urgent(now)) is not None:
                self._start(group, self._send(job), self._urgent)
            if self._urgent:
                self._precedence.note_urgent(now)
            while self._precedence.may_send_other(now, in_flight=len(self._others)):
                if (work := self._next_other(now)) is None:
                    break
                self._precedence.note_other(now)
                self._start(group, work, self._others)
            due = soonest(self._outbox.due_at(), self._events_due(now), self._precedence.due(now))
            await self._wake.wait_within(_IDLE_SECONDS if due is None else max(0.0, due - now), self._clock)

    async def hang_up(self) -> None:
        """Wait a moment for what is on its way, and give the rest up.

        Whoever leads next should find it done: what a server does with a request that is hung up on, nobody
        knows.
        """
        if on_their_way := self._urgent | self._others:
            _, late = await asyncio.wait(on_their_way, timeout=_LAST_SECONDS)
            for task in late:
                task.cancel()

    def _start(
        self, group: asyncio.TaskGroup, work: Coroutine[Any, Any, None], among: set[asyncio.Task[None]]
    ) -> None:
        def ended(task: asyncio.Task[None]) -> None:
            among.discard(task)
            self._wake.set()

        task = group.create_task(work)
        among.add(task)
        task.add_done_callback(ended)

    def _next_other(self, now: float) -> Coroutine[Any, Any, None] | None:
        """What is sent next of what is not urgent: statuses, and Events when there are none."""
        if (job := self._outbox.take_other(now)) is not None:
            return self._send(job)
        if now < self._events.resume_at or (found := self._book.pop()) is None:
            return None
        return self._events.send(*found)

    def _events_due(self, now: float) -> float | None:
        """When time alone lets Events be sent again; None while that is not what they wait for."""
        resume_at = self._events.resume_at
        return resume_at if len(self._book) and resume_at > now else None

    async def _send(self, job: Job) -> None:
        try:
            await self._attempt(job)
        except NotFound as error:
            # Its deletion is what the Source shows next, or has shown already.
            self._overtaken(job, error)
        except Conflict as error:
            if job.ref.kind is Kind.SERVICE:
                self._overtaken(job, error)
            else:
                job.answer = None
                self._fail(job, error)
        except (Invalid, Forbidden) as error:
            self._refused(job, error)
        except TooManyRequests as error:
            self._fail(job, error, delay=error.retry_after)
        except KubeError as error:
            self._fail(job, error)
        else:
            self._settle(job)
            self._recovered()

    async def _attempt(self, job: Job) -> None:
        """Write it, as far as that has not been done. Raises KubeError."""
        if job.write.status is None:
            await self._requests.delete(job.ref)
            return
        if job.answer is None and self._precedence.is_crowd(len(self._urgent)):
            given = await self._requests.give(job.write)
            if given is not None:
                # Once the Source shows the addresses, whoever decided writes what is lacking.
                self._tell(job.events, uid=_uid(given))
                job.events = ()
                return
        if job.answer is None:
            job.answer = await self._requests.apply(job.write)
            self._reports.note(job.write, job.answer)
            self._tell(job.events, uid=_uid(job.answer))
            job.events = ()
        await self._requests.complete(job.write, job.answer)

    def _settle(self, job: Job) -> None:
        self._outbox.done(job)
        self._release(job)
        if not self._outbox.holds(job.ref) and (seen := self._seen_meanwhile.pop(job.ref, None)) is not None:
            self.saw(seen)

    def _overtaken(self, job: Job, error: KubeError) -> None:
        """The object has changed or is gone: whoever decided decides again, and tells again what happens."""
        log.debug("status_overtaken", object=str(job.ref), error=str(error))
        self._settle(job)

    def _refused(self, job: Job, error: KubeError) -> None:
        """Nothing was written, and will not be before something changes: it is tried again, ever later."""
        if str(error) != job.said:
            log.warning("status_refused", object=str(job.ref), error=str(error))
            self._tell(not_written([job.write], str(error)))
        self._outbox.failed(job, said=str(error), now=self._clock.monotonic())
        self._release(job)

    def _fail(self, job: Job, error: KubeError, *, delay: float | None = None) -> None:
        """Nobody knows whether it was written: whoever waits for it goes on waiting."""
        if not self._trouble:
            log.warning("statuses_delayed", object=str(job.ref), error=str(error))
        self._trouble = str(error)
        self._outbox.failed(job, said=str(error), now=self._clock.monotonic(), delay=delay)

    def _recovered(self) -> None:
        if self._trouble:
            log.info("statuses_written_again")
        self._trouble = ""

    def _release(self, job: Job) -> None:
        waiter = self._waiters.get(job.ref)
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
            self._answered_at = self._clock.monotonic()

    def _tell(self, events: Sequence[Event], *, uid: str = "") -> None:
        for event in events:
            if not self._book.put(event, uid=uid or self._uid_of(event.ref), now=self._clock.wall()):
                DROPPED.inc()
        self._wake.set()


def _uid(document: Mapping[str, Any]) -> str:
    return str((document.get("metadata") or {}).get("uid") or "")


def _by_object(events: Sequence[Event]) -> dict[ObjectRef, tuple[Event, ...]]:
    found: dict[ObjectRef, list[Event]] = {}
    for event in events:
        found.setdefault(event.ref, []).append(event)
    return {ref: tuple(told) for ref, told in found.items()}
