"""Waiting for an event with a deadline, the only way in which these tests let time pass."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

_PAUSE = 0.02


async def wait_until(
    predicate: Callable[[], T | Awaitable[T]], *, within: float, what: str = "the event"
) -> T:
    """Ask `predicate` (plain or async) until its answer is true, and return that.

    Fails the test after `within` seconds, saying `what` was waited for and the last answer.
    """
    deadline = time.monotonic() + within
    while True:
        answer = predicate()
        value: T = await answer if inspect.isawaitable(answer) else answer
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {within:g} s in vain for {what}; last seen: {value!r}"
        await asyncio.sleep(_PAUSE)


async def stays(predicate: Callable[[], T | Awaitable[T]], *, during: float, what: str) -> None:
    """Fail the test as soon as `predicate` is false within the next `during` seconds."""
    deadline = time.monotonic() + during
    while time.monotonic() < deadline:
        answer = predicate()
        value: T = await answer if inspect.isawaitable(answer) else answer
        assert value, f"did not stay: {what}; seen: {value!r}"
        await asyncio.sleep(_PAUSE)
