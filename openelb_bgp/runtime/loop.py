"""The level-triggered loop: when a cycle runs, never what it does.

A cycle reads the world anew, so a wake-up says only "look again": a hundred of them while a cycle runs are
one more cycle. Beside wake-ups a slow resync and a deadline that the last cycle asked for start one.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import NoReturn

import msgspec
import structlog

from openelb_bgp.lib.backoff import Backoff
from openelb_bgp.ports import Clock

log = structlog.get_logger(__name__)

Cycle = Callable[[], Awaitable[float | None]]
"""One pass; returns the monotonic instant at which time alone asks for the next one, or None."""


class WakeUp:
    """Says that something changed. Coalescing and without a payload; to be set on the event loop's thread."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        """Ask for a cycle."""
        self._event.set()

    def clear(self) -> None:
        """Take note of everything asked so far."""
        self._event.clear()

    @property
    def is_set(self) -> bool:
        """Whether a cycle is asked for."""
        return self._event.is_set()

    async def wait(self) -> None:
        """Return once a cycle is asked for; does not take note of it."""
        await self._event.wait()

    async def wait_within(self, seconds: float, clock: Clock) -> None:
        """Return once a cycle is asked for, at the latest after that time; does not take note of it."""
        tasks = [asyncio.ensure_future(one) for one in (self.wait(), clock.sleep(seconds))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class Throttle(msgspec.Struct, frozen=True):
    """How often a loop may turn: `burst` times in a row at will, then once in `seconds`.

    What comes by the hundred is so taken together, and what comes alone does not wait.
    """

    burst: int = 20
    seconds: float = 0.04


class Loop:
    """Runs one cycle after another, never two at once.

    A cycle that raises is tried again with back-off and jitter, whatever else wakes it meanwhile, so that a
    storm of changes does not become a storm of failures. It is logged when it begins to fail, when the
    failure becomes another one, and when it is over.
    """

    def __init__(
        self,
        name: str,
        cycle: Cycle,
        *,
        wake: WakeUp,
        clock: Clock,
        resync: float,
        rest: float = 0.0,
        throttle: Throttle | None = None,
        backoff: Backoff | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`resync` is the longest time between two cycles, in seconds.

        After a cycle the loop rests for as long as that took, at most `rest` seconds, whatever wakes it: so
        it leaves half of the time to whoever acts on what it did.
        """
        self._name = name
        self._cycle = cycle
        self._wake = wake
        self._clock = clock
        self._resync = resync
        self._most_rest = rest
        self._throttle = throttle
        self._turns_left = 0.0 if throttle is None else float(throttle.burst)
        self._counted_at = clock.monotonic()
        self._backoff = backoff or Backoff()
        self._jitter = jitter
        self._failures = 0
        self._error = ""
        self._turned_at: float | None = None

    @property
    def resync(self) -> float:
        """The longest time between two cycles, in seconds."""
        return self._resync

    @property
    def failures(self) -> int:
        """How many cycles in a row have failed."""
        return self._failures

    @property
    def error(self) -> str:
        """What the last cycle failed with, empty when it did not."""
        return self._error

    @property
    def turned_at(self) -> float | None:
        """When the last cycle ended, well or not, on the monotonic clock."""
        return self._turned_at

    async def run(self) -> NoReturn:
        """Run until cancelled. The first cycle starts at once."""
        while True:
            # Before the cycle reads anything: what changes while it runs must start another one.
            self._wake.clear()
            began = self._clock.monotonic()
            self._count(began)
            try:
                wanted = await self._cycle()
            except Exception as error:
                self._note_failure(error)
                await self._clock.sleep(self._backoff.delay(failures=self._failures, jitter=self._jitter()))
            else:
                self._note_success()
                await self._rest(self._clock.monotonic() - began)
                await self._wait(wanted)

    async def _rest(self, worked: float) -> None:
        seconds = min(worked, self._most_rest)
        if self._throttle is not None:
            seconds = max(seconds, -self._turns_left * self._throttle.seconds - worked)
        if seconds > 0:
            await self._clock.sleep(seconds)

    def _count(self, now: float) -> None:
        """Count a cycle that begins: what is left below zero has to be waited for."""
        if self._throttle is not None:
            regained = (now - self._counted_at) / self._throttle.seconds
            self._turns_left = min(self._throttle.burst, self._turns_left + regained) - 1
            self._counted_at = now

    async def _wait(self, wanted: float | None) -> None:
        """Return at a wake-up, at the instant that the cycle asked for, or when a resync is due."""
        if self._wake.is_set:
            # A cycle that is woken without end still lets everybody else run.
            await asyncio.sleep(0)
            return
        seconds = self._resync
        if wanted is not None:
            seconds = min(seconds, max(0.0, wanted - self._clock.monotonic()))
        await self._wake.wait_within(seconds, self._clock)

    def _note_failure(self, error: Exception) -> None:
        said = f"{type(error).__name__}: {error}"
        if said != self._error:
            log.error("cycle_failed", loop=self._name, error=said, exc_info=error)
        self._failures += 1
        self._error = said
        self._turned_at = self._clock.monotonic()

    def _note_success(self) -> None:
        if self._failures:
            log.info("cycle_recovered", loop=self._name, after=self._failures)
        self._failures = 0
        self._error = ""
        self._turned_at = self._clock.monotonic()
