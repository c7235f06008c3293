"""An event loop beside the daemon's, in a thread of its own: for what must go on while that one computes.

Calls go in and come back with values that nobody changes afterwards; nothing else is shared. A thread waits
for another that computes for some 5 ms (`sys.getswitchinterval`), and not for seconds, as on one loop.
"""

import asyncio
import concurrent.futures
import contextlib
import math
import os
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_WAKE_HOME = 1.0


class Ended(Exception):
    """The loop beside has ended: nothing is done there any more."""


class Beside:
    """One loop in one thread, which has begun. To be made on the loop that it is beside: its home.

    An exception that nothing in there catches ends it, and `ended` raises it at home. One that is `urgent`
    comes before whatever else wants the processor, as far as this process may ask for that.
    """

    def __init__(self, name: str, *, urgent: bool = False) -> None:
        self._home = asyncio.get_running_loop()
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(self._fail)
        self._failure: BaseException | None = None
        self._asked_home_at: float | None = None
        self._home_turned_at = -math.inf
        self._ended: asyncio.Future[None] = self._home.create_future()
        self._urgent = urgent
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def tell(self, call: Callable[..., object], *arguments: object) -> None:
        """Have it called there, after everything told before. Nothing happens where that has ended."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *arguments)

    def tell_home(self, call: Callable[..., object], *arguments: object) -> None:
        """From in there: have it called at home."""
        if not self._home.is_closed():
            self._home.call_soon_threadsafe(call, *arguments)

    def home_silent_for(self) -> float:
        """From in there: for how many seconds the loop at home has not turned, as far as is known.

        As long as this process was stopped, if it was. Home is woken for it once a second, however often this
        is asked.
        """
        # Read once: the other thread may answer at any time.
        now, asked_at = time.monotonic(), self._asked_home_at
        if asked_at is not None:
            return now - asked_at
        if now - self._home_turned_at >= _WAKE_HOME:
            self._asked_home_at = now
            self.tell_home(self._note_turn)
        return 0.0

    def _note_turn(self) -> None:
        self._home_turned_at = time.monotonic()
        self._asked_home_at = None

    async def ask(self, what: Coroutine[Any, Any, T]) -> T:
        """Run it there and return what it returns, after everything told before. Raises Ended."""
        if self._loop.is_closed():
            what.close()
            raise Ended
        answer = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(what, self._loop))
        try:
            await asyncio.wait((answer, self._ended), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not answer.done():
                answer.cancel()
        if answer.cancelled():
            raise Ended
        return answer.result()

    def answer(self, question: Callable[[], T], *, within: float) -> T | None:
        """What it returns there, waited for at home without going on; None where it takes too long."""
        found: concurrent.futures.Future[T] = concurrent.futures.Future()
        self.tell(lambda: found.set_result(question()))
        try:
            return found.result(within)
        except TimeoutError:
            return None

    async def ended(self) -> None:
        """Return once it has ended by `stop`; raises what it failed with."""
        await asyncio.shield(self._ended)

    async def stop(self) -> None:
        """End it, its tasks cancelled."""
        self.tell(self._loop.stop)
        await asyncio.wait((self._ended,))

    def _work(self) -> None:
        if self._urgent:
            _come_first()
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(_cancel_others())
        finally:
            self.tell_home(self._note_end)

    def _fail(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if self._failure is None:
            self._failure = context.get("exception") or RuntimeError(context["message"])
        loop.stop()

    def _note_end(self) -> None:
        self._thread.join()
        self._loop.close()
        if self._ended.done():
            return
        if self._failure is None:
            self._ended.set_result(None)
        else:
            self._ended.set_exception(self._failure)
            # Who has not asked for the end does not miss it.
            self._ended.exception()


def _come_first() -> None:
    """Have this thread scheduled in real time, at the lowest priority of all that are (sched(7)).

    A better nice value would not do: it counts among the threads of one session or container only. Without
    the capability SYS_NICE, or in a container that has no share of real time, it stays as it is.
    """
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))


async def _cancel_others() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
