"""One announcer in its loop, as a speaker runs it; it can be stopped, killed and started anew."""

import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import msgspec

from openelb_bgp.model.facts import Facts
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.ports import Announcement, Announcer, Clock
from openelb_bgp.runtime.loop import Loop, WakeUp

MakeAnnouncer = Callable[[Callable[[], None]], Announcer]
_PAUSE = 0.02


async def eventually(answer: Callable[[], Any], *, within: float, what: str) -> Any:
    """Ask (a plain or an async function) until the answer is true, and return it; fails after `within` s."""
    last: Any = None
    try:
        async with asyncio.timeout(within):
            while not last:
                asked = asyncio.get_running_loop().time()
                last = answer()
                if inspect.isawaitable(last):
                    last = await last
                if not last:
                    # A question is often a process: those who shall answer need the processors, too.
                    await asyncio.sleep(max(_PAUSE, asyncio.get_running_loop().time() - asked))
    except TimeoutError:
        raise AssertionError(f"waited {within:g} s in vain for {what}; last seen: {last!r}") from None
    return last


class Process:
    """A speaker with one announcer and nothing else. `told` are its announcements, the newest at the end."""

    def __init__(self, make: MakeAnnouncer, *, node: str, clock: Clock, resync: float, **facts: Any) -> None:
        self._wake = WakeUp()
        self._clock = clock
        # With a resync of 0 every cycle reads everything back; it takes a wake-up all the same.
        self._loop = Loop("test", self._cycle, wake=self._wake, clock=clock, resync=resync or 30.0)
        self._facts = {"node": node, "first_seen": clock.monotonic(), **facts}
        self.announcer = make(self._wake.set)
        self.snapshot = Snapshot()
        self.told: list[Announcement] = []

    async def _cycle(self) -> float | None:
        announcement = await self.announcer.reconcile(self.snapshot, self.facts())
        self.told.append(announcement)
        return announcement.wake_at

    def facts(self) -> Facts:
        """What the node knows now."""
        return self.announcer.contribute(Facts(**{**self._facts, "now": self._clock.monotonic()}))

    @property
    def last(self) -> Announcement:
        """What it announced last."""
        return self.told[-1]

    @property
    def reasons(self) -> dict[str, str]:
        """The reasons of its problems, and of what it leaves out, by object."""
        left_out = {str(ref): refused.reason.value for ref, refused in self.last.left_out.items()}
        return left_out | {one.object: one.reason for one in self.last.status.problems}

    def set_facts(self, **facts: Any) -> None:
        """Change what the node knows by itself."""
        self._facts |= facts
        self._wake.set()

    def put(self, snapshot: Snapshot) -> Snapshot:
        """Have it look at another snapshot, under the next revision."""
        self.snapshot = msgspec.structs.replace(snapshot, revision=self.snapshot.revision + 1)
        self._wake.set()
        return self.snapshot

    async def settle(self, snapshot: Snapshot | None = None, *, within: float = 60.0) -> None:
        """Have it look at a snapshot, or once more at the present one, until it says that it is in effect."""
        revision = self.put(self.snapshot if snapshot is None else snapshot).revision
        await self.until(lambda: self.last.settled and self.last.revision == revision, within=within)

    async def look(self, snapshot: Snapshot) -> None:
        """Have it look, three times, at a snapshot that it cannot put in effect."""
        for _ in range(3):
            revision = self.put(snapshot).revision
            await eventually(partial(self._has_looked, revision), within=60, what="a cycle")

    def _has_looked(self, revision: int) -> bool:
        return bool(self.told) and self.last.revision == revision

    async def until(self, true: Callable[[], Any], *, within: float = 60.0) -> None:
        """Wait for something in its announcements."""

        def described() -> object:
            return self.told and (self.last.status.problems, self.last.left_out, self.last.settled)

        try:
            # The list itself would be true by the time that it is looked at again.
            await eventually(lambda: bool(self.told) and true(), within=within, what="the announcer")
        except AssertionError as exc:
            raise AssertionError(f"{exc}; it says {described()!r}") from None

    @contextlib.asynccontextmanager
    async def running(self, *, withdraw: bool = False) -> AsyncIterator["Process"]:
        """Run it; at the end it is closed."""
        async with asyncio.TaskGroup() as tasks:
            work = [tasks.create_task(self.announcer.run()), tasks.create_task(self._loop.run())]
            try:
                yield self
            finally:
                for one in work:
                    one.cancel()
                await asyncio.gather(*work, return_exceptions=True)
                await self.announcer.close(withdraw=withdraw)
        assert not self._loop.error, self._loop.error
