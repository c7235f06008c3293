"""Waiting for an event with a deadline, the only way in which these tests let time pass."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")

_PAUSE, _LONGEST_PAUSE = 0.02, 0.5
"""Seconds between two questions at least, and at most."""


@overload
async def wait_until(
    predicate: Callable[[], Awaitable[T | None]], *, within: float, what: str = ...
) -> T: ...
@overload
async def wait_until(predicate: Callable[[], T | None], *, within: float, what: str = ...) -> T: ...
async def wait_until(predicate: Callable[[], Any], *, within: float, what: str = "the event") -> Any:
    """Ask `predicate` (plain or async) until its answer is true, and return that.

    Fails the test after `within` seconds, saying `what` was waited for and the last answer.
    """
    deadline = time.monotonic() + within
    while True:
        asked = time.monotonic()
        answer = await _ask(predicate)
        if answer:
            return answer
        now = time.monotonic()
        assert now < deadline, f"waited {within:g} s in vain for {what}; last seen: {answer!r}"
        # A question is often a process: those who shall answer need the processors, too.
        await asyncio.sleep(min(max(_PAUSE, now - asked), _LONGEST_PAUSE))


async def stays(predicate: Callable[[], Any], *, during: float, what: str) -> None:
    """Fail the test as soon as `predicate` (plain or async) is false within the next `during` seconds."""
    deadline = time.monotonic() + during
    while time.monotonic() < deadline:
        answer = await _ask(predicate)
        assert answer, f"did not stay: {what}; seen: {answer!r}"
        await asyncio.sleep(_PAUSE)


async def _ask(predicate: Callable[[], Any]) -> Any:
    answer = predicate()
    return await answer if inspect.isawaitable(answer) else answer
