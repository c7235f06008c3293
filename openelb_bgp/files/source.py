"""The Source over a folder of manifests and its state: waits for changes and delivers what they mean.

How an object reads is decided in `objects`, what a file holds in `manifests`; here is only when to look.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import msgspec
import structlog

from openelb_bgp.model.cluster import Node
from openelb_bgp.model.meta import Key, Kind, ObjectRef
from openelb_bgp.ports import Clock, Delivery, Gone, NotWritten, StatusWrite, Unseen
from openelb_bgp.runtime.loop import WakeUp

from .database import Rows
from .folder import Folder
from .manifests import FileProblem, Location
from .objects import Objects
from .rows import Row
from .state import State, speaker_role
from .watch import FolderWatch

log = structlog.get_logger(__name__)


class Intervals(msgspec.Struct, frozen=True):
    """Seconds. What is noticed at once is also looked for slowly, in case it was not.

    `poll` is how often the state is read and the speakers are called, `rescan` how often the whole folder is
    compared, `rescan_blind` the same where the kernel cannot say what changes. A Speaker whose process has
    been gone for `burial` is deleted. `doubt` is how long after a start with unreadable manifests the objects
    that only the state knows are held at least.
    """

    poll: float = 5.0
    rescan: float = 30.0
    rescan_blind: float = 1.0
    burial: float = 60.0
    doubt: float = 60.0


# A file below this size is read at once, on the event loop: a thread would take longer than the reading.
_SMALL = 64 * 1024


class FilesSource:
    """A `ports.Source` over a folder. For one consumer.

    In one process the controller and the speaker share it, and see each other's commits at once.
    """

    def __init__(
        self,
        directory: Path,
        state: State,
        clock: Clock,
        *,
        own_node: Node | None = None,
        on_problem: Callable[[], None] = lambda: None,
        intervals: Intervals | None = None,
    ) -> None:
        """`own_node` is used where no manifest names it; `on_problem` is called when `problems` changed."""
        self._directory = directory
        self._state = state
        self._clock = clock
        self._on_problem = on_problem
        self._every = intervals or Intervals()
        self._wake = WakeUp()
        self._folder = Folder(directory)
        self._watch = FolderWatch(directory, self._wake.set)
        self._objects = Objects(self._folder.manifests)
        self._touched: set[ObjectRef] = self._objects.set_own_node(own_node)
        self._problems: tuple[FileProblem, ...] = ()
        self._committed: list[Sequence[Row]] = []
        self._heard = False
        self._revision = -1
        self._poll_at = self._rescan_at = self._certain_at = 0.0
        self._silent_since: dict[str, float] = {}
        self._not_written = ""
        self._doubt = ""
        self._controlled = False

    @property
    def problems(self) -> tuple[FileProblem, ...]:
        """Everything wrong with the files now, by place."""
        return self._problems

    @property
    def locations(self) -> Mapping[ObjectRef, Location]:
        """Where each object of the manifests stands. Made anew on each call."""
        return self._folder.manifests.locations

    def location(self, ref: ObjectRef) -> Location | None:
        """Where one object stands, None for one that no manifest names."""
        return self._folder.manifests.location(ref)

    def set_own_node(self, node: Node) -> None:
        """The own node reads differently now."""
        self._touched |= self._objects.set_own_node(node)
        self._wake.set()

    async def deliveries(self) -> AsyncGenerator[Sequence[Delivery], None]:
        """Batches for ever: first each kind whole, then what changes.

        Raises FilesError when there is no such folder at the start, DamagedState when the state holds what
        cannot be read.
        """
        self._state.listen(self._note_commit)
        self._state.listen_others(self._note_ring)
        self._watch.start()
        try:
            yield await self._first()
            while True:
                await self._wake.wait_within(self._rest(), self._clock)
                batch = await self._next()
                if batch:
                    yield batch
        finally:
            self._watch.close()

    async def _first(self) -> Sequence[Delivery]:
        now = self._clock.monotonic()
        await asyncio.to_thread(self._folder.open)
        await self._scan(now, settled=True)
        rows = await self._state.since(-1)
        self._revision = rows.revision
        self._objects.take_all_rows(rows.rows)
        self._call_speakers(now)
        listed = self._objects.list_all()
        self._poll_at = now + self._every.poll
        self._certain_at = now + self._every.doubt
        self._report_problems()
        await self._forget()
        return (*listed, *self._changed_doubt())

    async def _next(self) -> Sequence[Delivery]:
        """Look at everything that may have changed, and say what did."""
        # First of all: what changes from now on wakes us again.
        self._wake.clear()
        now = self._clock.monotonic()
        touched, self._touched = self._touched, set()
        touched |= await self._look_at_folder(now)
        touched |= await self._look_at_state(now)
        if self._objects.remembers and now >= self._certain_at and not self._folder.manifests.is_doubtful:
            touched |= self._objects.stop_remembering()
        batch = (*self._objects.deliver(touched), *self._changed_doubt())
        self._report_problems()
        if any(isinstance(delivery, Gone) for delivery in batch):
            # Before anybody hears that the address is free.
            await self._forget()
        return batch

    def _rest(self) -> float:
        """How long nothing is due, in seconds."""
        instants = [self._poll_at, self._rescan_at]
        if self._folder.due is not None:
            instants.append(self._folder.due)
        if self._touched:
            return 0.0
        return max(0.0, min(instants) - self._clock.monotonic())

    async def _look_at_folder(self, now: float) -> set[ObjectRef]:
        happened = self._watch.take()
        touched: set[ObjectRef] = set()
        if happened.files:
            if self._folder.size_of(happened.files) < _SMALL:
                touched |= self._folder.look(happened.files, now)
            else:
                touched |= await asyncio.to_thread(self._folder.look, happened.files, now)
        if happened.anything or now >= self._rescan_at:
            touched |= await self._scan(now, settled=happened.switched)
        return touched | self._folder.settle(now)

    async def _scan(self, now: float, *, settled: bool) -> set[ObjectRef]:
        """Compare the folder, and again as long as there are folders that were not watched before."""
        wall = None if settled else self._clock.wall()
        touched = await asyncio.to_thread(self._folder.scan, now, wall=wall)
        while self._watch.follow(self._folder.folders):
            touched |= await asyncio.to_thread(self._folder.scan, now, wall=wall)
        is_seen = self._watch.works and not self._folder.is_gone
        self._rescan_at = now + (self._every.rescan if is_seen else self._every.rescan_blind)
        return touched

    async def _look_at_state(self, now: float) -> set[ObjectRef]:
        touched: set[ObjectRef] = set()
        committed, self._committed = self._committed, []
        for rows in committed:
            touched |= self._take_commit(rows)
        if any(map(self._objects.is_unmentioned, touched)):
            # Deleted while its status was written: what it was given is free, and nobody shall find it there.
            await self._forget()
        if self._heard or now >= self._poll_at:
            self._heard = False
            self._poll_at = now + self._every.poll
            touched |= self._take(await self._state.since(self._revision))
            await self._state.check()
            if not self._state.problem:
                touched |= self._call_speakers(now)
                await self._bury(now)
                await self._forget()
        return touched

    def _take_commit(self, rows: Sequence[Row]) -> set[ObjectRef]:
        """Take a commit of this process, which is one revision, without reading it back."""
        revision = rows[0].revision
        if revision <= self._revision:
            return set()
        if revision == self._revision + 1:
            # Nobody else committed between what we have read and this.
            self._revision = revision
        return self._objects.take_rows(rows)

    def _take(self, rows: Rows) -> set[ObjectRef]:
        self._revision = rows.revision
        return self._objects.take_all_rows(rows.rows) if rows.whole else self._objects.take_rows(rows.rows)

    def _call_speakers(self, now: float) -> set[ObjectRef]:
        """Find out which speakers' processes are alive; the others' Speakers are not ready."""
        silent = {node for node in self._objects.speakers if not self._state.is_alive(speaker_role(node))}
        self._silent_since = {node: self._silent_since.get(node, now) for node in silent}
        return self._objects.set_silent(silent)

    async def _bury(self, now: float) -> None:
        """A Speaker exists while its speaker lives; the controller deletes what is left of one."""
        dead = [node for node, since in self._silent_since.items() if now - since >= self._every.burial]
        if dead and self._state.is_owner:
            refs = [ObjectRef(Kind.SPEAKER, Key("", node)) for node in dead]
            await self._attempt(self._state.write([StatusWrite(ref=ref, status=None) for ref in refs]))

    async def _forget(self) -> None:
        """Drop what the state holds of deleted objects, unless they may only be unreadable."""
        if not self._state.is_owner or self._objects.remembers or self._folder.manifests.is_doubtful:
            return
        if unmentioned := self._objects.unmentioned:
            await self._attempt(self._state.forget(unmentioned))

    async def _attempt(self, write: Awaitable[None]) -> None:
        """A write that is tried again at the next poll."""
        try:
            await write
            self._not_written = ""
        except NotWritten as error:
            if str(error) != self._not_written:
                log.warning("state_not_written", error=str(error))
            self._not_written = str(error)

    def _changed_doubt(self) -> tuple[Unseen, ...]:
        doubt = self._folder.manifests.doubt
        # One that deletes everything leaves no status behind: it has written all the same.
        self._controlled = self._controlled or self._state.is_owner or self._objects.has_statuses
        if not doubt and not self._controlled:
            doubt = f"no controller has written to the state in {self._state.directory} yet; start one"
        if doubt == self._doubt:
            return ()
        self._doubt = doubt
        return (Unseen(doubt),)

    def _report_problems(self) -> None:
        problems = self._folder.problems
        if problems == self._problems:
            return
        for problem in set(problems) - set(self._problems):
            log.warning("manifest_problem", place=str(problem.location), problem=problem.message)
        for problem in set(self._problems) - set(problems):
            log.info("manifest_problem_solved", place=str(problem.location), problem=problem.problem)
        self._problems = problems
        self._on_problem()

    def _note_commit(self, rows: Sequence[Row]) -> None:
        self._committed.append(rows)
        self._wake.set()

    def _note_ring(self) -> None:
        self._heard = True
        self._wake.set()
