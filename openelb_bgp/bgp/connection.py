"""The connection to the gobgpd beside us: made, watched, given up, and made again with back-off.

One task, `run`, opens and closes it; whoever uses it borrows it, so that it is never closed under a call. A
gobgpd that dies ends the watch, one that hangs misses a pulse. What is said over it is for the announcer.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NoReturn

import structlog
from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from openelb_bgp.ports import Clock

from .daemon import CannotRestart, Daemon
from .gobgp.errors import GobgpError, SidecarHung, Stopped
from .model import ObservedGlobal
from .port import Gobgp

log = structlog.get_logger(__name__)

PULSE = 3.0
"""Seconds between two questions to a gobgpd that says nothing: a hung one is found before its peers leave."""
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 1.0
_PATIENCE = 3.0
"""Seconds for a gobgpd that missed an answer to give one, before it is replaced."""

Follow = Callable[[Gobgp], Awaitable[None]]
"""Observes over a connection for as long as it lasts. Raises GobgpError at its end."""
Felt = Callable[[ObservedGlobal | None], None]
"""Takes what a pulse showed: the speaker that runs, None where none does."""


class Connection:
    """At most one connection at a time. `changed` is called whenever it comes, goes, or cannot be made."""

    def __init__(self, daemon: Daemon, *, clock: Clock, changed: Callable[[], None]) -> None:
        self._daemon = daemon
        self._clock = clock
        self._changed = changed
        self._gobgp: Gobgp | None = None
        self._error: GobgpError | None = None
        self._hung_at: float | None = None
        self._given_up = asyncio.Event()
        self._in_use = asyncio.Lock()

    @property
    def error(self) -> GobgpError | None:
        """Why there is no connection; None while there is one, and before the first try."""
        return self._error

    @property
    def is_up(self) -> bool:
        """Whether there is one."""
        return self._gobgp is not None

    @contextlib.asynccontextmanager
    async def borrowed(self) -> AsyncIterator[Gobgp | None]:
        """The connection, None while there is none; it is not closed before it is given back."""
        async with self._in_use:
            yield self._gobgp

    def give_up(self, error: GobgpError | None = None) -> None:
        """Have it closed and made anew; `error` is what was wrong with it, None if nothing was."""
        self._gobgp = None
        self._note(error)
        self._given_up.set()
        self._changed()

    async def run(self, follow: Follow, felt: Felt) -> NoReturn:
        """Keep a connection and observe over it, for ever."""
        while True:
            gobgp = await self._open()
            opened_at = self._clock.monotonic()
            self._gobgp, self._error, self._hung_at = gobgp, None, None
            self._given_up.clear()
            self._changed()
            # Cancelled here it stays open: an end may take a last few cycles, and `close`.
            await self._until_lost(gobgp, follow, felt)
            async with self._in_use:
                self._gobgp = None
                await gobgp.close()
            self._changed()
            if self._clock.monotonic() - opened_at < _LONGEST_WAIT and self.error is not None:
                # It answers and is of no use: not to be asked again in a tight loop.
                await self._clock.sleep(_LONGEST_WAIT)

    async def close(self) -> None:
        """Let go of it, once `run` has been cancelled."""
        async with self._in_use:
            gobgp, self._gobgp = self._gobgp, None
            if gobgp is not None:
                await gobgp.close()

    async def _open(self) -> Gobgp:
        attempts = AsyncRetrying(
            retry=retry_if_exception_type(GobgpError),
            wait=wait_random_exponential(multiplier=_FIRST_WAIT, max=_LONGEST_WAIT),
            sleep=self._clock.sleep,
        )
        return await attempts(self._try_to_open)

    async def _try_to_open(self) -> Gobgp:
        try:
            if self._is_beyond_hope():
                await self._revive()
            return await self._daemon.connect()
        except GobgpError as error:
            self._note(error)
            self._changed()
            raise

    def _is_beyond_hope(self) -> bool:
        """Whether only another gobgpd helps: this one has stopped for good (4.x), or hangs."""
        if isinstance(self._error, Stopped):
            return True
        return self._hung_at is not None and self._clock.monotonic() - self._hung_at >= _PATIENCE

    async def _revive(self) -> None:
        log.warning("gobgpd_restarting", why=str(self._error))
        self._hung_at = None
        with contextlib.suppress(CannotRestart):
            await self._daemon.restart()

    async def _until_lost(self, gobgp: Gobgp, follow: Follow, felt: Felt) -> None:
        """Return when the connection is of no use any more."""
        workers = {
            asyncio.ensure_future(work)
            for work in (follow(gobgp), self._feel_pulse(gobgp, felt), self._given_up.wait())
        }
        try:
            ended, _ = await asyncio.wait(workers, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        for worker in ended:
            error = worker.exception()
            if isinstance(error, GobgpError):
                self._note(error)
            elif error is not None:
                raise error

    async def _feel_pulse(self, gobgp: Gobgp, felt: Felt) -> None:
        while True:
            await self._clock.sleep(PULSE)
            # Calls under way have deadlines of their own, and may keep it busy.
            if not self._in_use.locked():
                felt(await gobgp.global_conf())

    def _note(self, error: GobgpError | None) -> None:
        if error is not None and str(error) != str(self._error):
            log.error("gobgpd_lost", error=str(error))
        if isinstance(error, SidecarHung) and self._hung_at is None:
            self._hung_at = self._clock.monotonic()
        self._error = error
