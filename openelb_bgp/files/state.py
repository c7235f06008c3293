"""The state of a folder of manifests: statuses, allocations and events, durable and shared by all processes.

Controller and speakers open the same state; each object's status has one writer. A commit is on the disk
before `write` returns, so before anything that it decides is announced. SQLite runs in one thread of its own:
a disk that hangs holds up commits and nothing else.
"""

import asyncio
import concurrent.futures
import contextlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import structlog

from openelb_bgp.model.meta import ObjectRef
from openelb_bgp.ports import Clock, Event, NotWritten, StatusWrite

from .database import Database, KeptEvent, Rows
from .doorbell import Doorbell
from .errors import StateError
from .lock import ControllerLock
from .rows import Row

log = structlog.get_logger(__name__)

CONTROLLER = "controller"

T = TypeVar("T")


def speaker_role(node: str) -> str:
    """The role of a node's speaker, and of `run` on it."""
    return f"speaker-{node}"


class State:
    """A `ports.StatusSink`, and what FilesSource reads back."""

    def __init__(
        self, database: Database, doorbell: Doorbell, lock: ControllerLock | None, clock: Clock
    ) -> None:
        self._database = database
        self._doorbell = doorbell
        self._lock = lock
        self._clock = clock
        self._worker = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="state")
        self._listeners: list[Callable[[Sequence[Row]], None]] = []
        self._problem = ""

    @classmethod
    def open(cls, directory: Path, *, role: str, owner: bool, clock: Clock) -> "State":
        """Open or create the state in a folder.

        `role` is CONTROLLER or `speaker_role(node)`; `owner` says that this process is the controller (also
        within `run`): it holds the lock, copies the database and forgets deleted objects. Raises
        AlreadyRunning, DamagedState or another StateError; their text is for the user as it is.
        """
        _make(directory)
        with contextlib.ExitStack() as undo:
            lock = ControllerLock.acquire(directory) if owner else None
            if lock is not None:
                undo.callback(lock.release)
            doorbell = Doorbell.hang(directory, role)
            undo.callback(doorbell.close)
            database = Database.open(directory, copy=owner)
            undo.callback(database.close)
            if owner:
                _purge(database)
            undo.pop_all()
        return cls(database, doorbell, lock, clock)

    @property
    def directory(self) -> Path:
        """Where it is."""
        return self._database.directory

    @property
    def is_owner(self) -> bool:
        """Whether this process is the controller."""
        return self._lock is not None

    @property
    def problem(self) -> str:
        """Why nothing can be written here any more, as `check` found it; empty where all is well."""
        return self._problem

    async def check(self) -> None:
        """Look whether the state is still the one in its folder; tells of it when that changes."""
        said = await self._run(self._database.lost)
        if said and not self._problem:
            log.error("state_lost", error=said)
        elif self._problem and not said:
            log.info("state_found_again")
        self._problem = said

    async def write(self, writes: Sequence[StatusWrite], events: Sequence[Event] = ()) -> None:
        """Commit in one transaction what differs from what is there, then wake everybody who reads it.

        Raises NotWritten, and then nothing of it was written.
        """
        if not writes and not events:
            return
        try:
            rows = await self._run(self._database.commit, writes, events, now=self._clock.wall())
        except NotWritten:
            await self.check()
            raise
        self._tell(rows)

    async def forget(self, refs: Iterable[ObjectRef]) -> None:
        """Drop what is held of deleted objects. For the owner. Raises NotWritten."""
        self._tell(await self._run(self._database.forget, list(refs)))

    async def since(self, revision: int) -> Rows:
        """What was committed after that revision, by whichever process; -1 for everything."""
        return await self._run(self._database.since, revision)

    async def events(self) -> tuple[KeptEvent, ...]:
        """The events that are kept, the oldest first."""
        return await self._run(self._database.events)

    def listen(self, committed: Callable[[Sequence[Row]], None]) -> None:
        """Call this with the rows of each commit of this process."""
        self._listeners.append(committed)

    def listen_others(self, heard: Callable[[], None]) -> None:
        """Call this on the running event loop when another process says that it has committed."""
        self._doorbell.listen(heard)

    def is_alive(self, role: str) -> bool:
        """Whether a process in that role has this state open."""
        return self._doorbell.is_alive(role)

    async def close(self) -> None:
        """Close. Whoever writes must have been stopped before."""
        self._doorbell.close()
        await self._run(self._database.close)
        self._worker.shutdown(wait=False)
        if self._lock is not None:
            self._lock.release()

    async def _run(self, work: Callable[..., T], *arguments: object, **named: object) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, lambda: work(*arguments, **named))

    def _tell(self, rows: Sequence[Row]) -> None:
        if not rows:
            return
        for committed in self._listeners:
            committed(rows)
        self._doorbell.ring()


def _make(directory: Path) -> None:
    # Statuses are no secret, but nobody else has any business in there.
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StateError(
            f"{directory} cannot be made: {error.strerror}; name another folder with --state"
        ) from error


def _purge(database: Database) -> None:
    # A full disk does not stop the start: what is there can be announced, and the first write says so.
    with contextlib.suppress(NotWritten):
        database.purge()
