"""The health checks of this node, each asked until it has passed, and then never again on this boot.

Which are asked is told from outside, and what their answers allow is concluded there. What has passed is kept
by `health_book`: a speaker that comes back does not ask again, and limits go on where they were.
"""

import asyncio
from asyncio import Event, Task, TaskGroup
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path

import msgspec
import structlog

from openelb_bgp.lib.identity import changed_keys
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.forwarding import CheckFact, HealthFact
from openelb_bgp.model.meta import EMPTY, Key
from openelb_bgp.ports import Clock

from .health_book import HealthBook, read_book, write_book
from .health_check import Answer, ask

log = structlog.get_logger(__name__)

Ask = Callable[[int, Iterable[Address]], Awaitable[Answer]]
"""Asks a port on this node's addresses. Raises nothing."""

_AT_ONCE = 16
_SHORTEST_PAUSE, _PAUSE, _LONG_PAUSE = 0.05, 2.0, 30.0
_LONG_AFTER = 300.0
_WRITE_PAUSE = 1.0
_NODE = Key("", "")
"""Stands for kube-proxy's own check among those of Services."""


def pause_after(seconds: float) -> float:
    """How long to wait before asking again what has been asked for that long."""
    if seconds > _LONG_AFTER:
        return _LONG_PAUSE
    return min(max(seconds / 10, _SHORTEST_PAUSE), _PAUSE)


class HealthChecks:
    """Asks whatever it is aimed at; `changed` is called when an answer has changed `facts`."""

    def __init__(
        self,
        folder: Path,
        *,
        node_port: int,
        boot_id: str,
        booted: float,
        clock: Clock,
        changed: Callable[[], None],
        ask: Ask = ask,
    ) -> None:
        """`folder` is where the book is kept. `booted` is when the machine booted, on the clock given."""
        self._folder = folder
        self._boot_id = boot_id
        self._clock = clock
        self._changed = changed
        self._ask = ask
        self._addresses: tuple[Address, ...] = ()
        self._aimed_at: Mapping[Key, int] | None = None
        self._tasks: dict[Key, Task[None]] = {}
        self._unheard: set[Key] = set()
        self._aimed, self._noted = Event(), Event()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        now, book = clock.monotonic(), read_book(folder, boot_id=boot_id)
        self._node = book.node or CheckFact(port=node_port, since=now)
        self._checks = dict(book.services)
        self._pending = {key: one for key, one in self._checks.items() if one.passed is None}
        self._facts = HealthFact(node=self._node, began=now, booted=booted)

    @property
    def facts(self) -> HealthFact:
        """What is known now."""
        return self._facts

    def aim(self, ports: Mapping[Key, int], addresses: Iterable[Address]) -> None:
        """Ask for these Services from now on, and for the node itself; `addresses` are the node's own.

        A Service that is no longer asked for is forgotten: its endpoints are gone from here, and once they
        return kube-proxy has work to do again. Does not call `changed`: the caller knows.
        """
        self._addresses = tuple(addresses)
        if ports is self._aimed_at:
            return
        before: Mapping[Key, object] = self._checks if self._aimed_at is None else self._aimed_at
        for key in changed_keys(old=before, new=ports):
            self._want(key, ports.get(key))
        if self._aimed_at is None:
            self._unheard = {*self._pending, *self._node_if_pending()}
        self._aimed_at = ports
        self._publish()
        self._aimed.set()

    def conclude(self, *, node: bool, services: Iterable[Key]) -> None:
        """Count these as passed without an answer of 200. Does not call `changed`."""
        now = self._clock.monotonic()
        for key in (*services, *([_NODE] if node else [])):
            self._enter(key, msgspec.structs.replace(self._check(key), passed=now))
            self._stop_asking(key)
        self._publish()

    async def run(self) -> None:
        """Ask for ever; cancelled at the end."""
        try:
            async with TaskGroup() as group:
                group.create_task(self._keep_book())
                while True:
                    await self._aimed.wait()
                    self._aimed.clear()
                    for key in (*self._pending, *self._node_if_pending()):
                        if key not in self._tasks:
                            self._tasks[key] = group.create_task(self._until_passed(key))
        finally:
            if self._noted.is_set():
                self._write()

    def _node_if_pending(self) -> list[Key]:
        return [_NODE] if self._node.passed is None else []

    def _check(self, key: Key) -> CheckFact:
        return self._node if key == _NODE else self._checks[key]

    def _want(self, key: Key, port: int | None) -> None:
        known = self._checks.get(key)
        if known is not None and known.port == port:
            return
        self._stop_asking(key)
        self._checks.pop(key, None)
        self._pending.pop(key, None)
        self._unheard.discard(key)
        self._noted.set()
        if port is not None:
            self._enter(key, CheckFact(port=port, since=self._clock.monotonic()))

    def _stop_asking(self, key: Key) -> None:
        task = self._tasks.pop(key, None)
        if task is not None:
            task.cancel()

    def _enter(self, key: Key, check: CheckFact) -> None:
        self._noted.set()
        if key == _NODE:
            self._node = check
            return
        self._checks[key] = check
        if check.passed is None:
            self._pending[key] = check
        else:
            self._pending.pop(key, None)

    def _publish(self) -> bool:
        """Make facts of what has been entered; returns whether they say something else."""
        before = self._facts
        services = self._pending.copy() if self._pending else EMPTY
        self._facts = msgspec.structs.replace(
            before, node=self._node, services=services, heard=not self._unheard
        )
        return self._facts != before

    async def _until_passed(self, key: Key) -> None:
        """Ask until it passes; cancelled when it is no longer to be asked."""
        while True:
            check = self._check(key)
            async with self._slots:
                answer = await self._ask(check.port, self._addresses)
            self._note(key, answer)
            if answer.passed:
                del self._tasks[key]
                return
            await self._clock.sleep(pause_after(self._clock.monotonic() - check.since))

    def _note(self, key: Key, answer: Answer) -> None:
        before, now = self._check(key), self._clock.monotonic() if answer.passed else None
        check = msgspec.structs.replace(before, passed=now, answer=answer.words, nobody=answer.nobody)
        self._unheard.discard(key)
        if check != before:
            log.debug("health_check_answered", service=str(key), port=check.port, answer=check.answer)
            self._enter(key, check)
        if self._publish():
            self._changed()

    async def _keep_book(self) -> None:
        while True:
            await self._noted.wait()
            self._write()
            await self._clock.sleep(_WRITE_PAUSE)

    def _write(self) -> None:
        self._noted.clear()
        try:
            write_book(
                self._folder, HealthBook(node=self._node, services=self._checks), boot_id=self._boot_id
            )
        except OSError as error:
            # The next start asks again.
            log.warning("health_checks_not_kept", error=str(error))
