"""What lives on an urgent loop beside, and is made anew with back-off when something there has failed."""

import asyncio
import random
import time
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

import structlog

from .backoff import Backoff
from .beside import Beside

T = TypeVar("T")

log = structlog.get_logger(__name__)

_BACKOFF = Backoff(first=0.5, most=30.0)
_SOUND_SECONDS = 60.0
"""What has worked for so long was sound: what fails then is a first failure."""


class _Running(NamedTuple, Generic[T]):
    beside: Beside
    it: T


class Kept(Generic[T]):
    """`make` makes it, `discard` closes what it has opened, once nobody uses it any more.

    `failure` says what it failed with until it is made anew; `changed` is called when that changes.
    """

    def __init__(
        self,
        name: str,
        *,
        make: Callable[[Beside], T],
        discard: Callable[[T], None],
        changed: Callable[[], None],
    ) -> None:
        self._name = name
        self._make = make
        self._discard = discard
        self._changed = changed
        self._running: _Running[T] | None = None
        self._began = asyncio.Event()
        self.failure = ""

    @property
    def running(self) -> _Running[T] | None:
        """It and its loop; None before it was begun, and while it has failed."""
        return self._running

    def begun(self) -> _Running[T] | None:
        """The same, begun if need be; None while it has failed."""
        if self._running is None and not self.failure:
            beside = Beside(self._name, urgent=True)
            self._running = _Running(beside, self._make(beside))
            self._began.set()
        return self._running

    async def run(self) -> None:
        """Notice when it fails, and have it begin anew when somebody wants it; for ever."""
        failures = 0
        while True:
            await self._began.wait()
            self._began.clear()
            began = time.monotonic()
            try:
                await self._ended()
            except Exception as error:
                failures = 1 if time.monotonic() - began > _SOUND_SECONDS else failures + 1
                self._note(error)
                await asyncio.sleep(_BACKOFF.delay(failures=failures, jitter=random.random()))
                self.failure = ""
                self._changed()

    async def _ended(self) -> None:
        if self._running is not None:
            await self._running.beside.ended()

    def _note(self, error: Exception) -> None:
        log.error("failed_beside", what=self._name, error=str(error), exc_info=error)
        self.failure = f"{type(error).__name__}: {error}"
        if self._running is not None:
            self._discard(self._running.it)
        self._running = None
        self._changed()

    async def close(self) -> None:
        """End it."""
        if self._running is not None:
            self._running.beside.tell(self._discard, self._running.it)
            await self._running.beside.stop()
