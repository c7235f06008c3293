"""Supervised asyncio tasks: every task has an owner, a failure ends its siblings, and the cause comes out.

Nothing is logged here and nothing is retried: who calls decides what a failure means.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping


async def supervised(workers: Mapping[str, Callable[[], Awaitable[None]]]) -> None:
    """Run all workers together, each in a task of that name; return when all have returned.

    When one fails, the others are cancelled and awaited first. A single failure is raised as it is, with
    its own type, several as a BaseExceptionGroup. Cancelling the caller cancels all workers.
    """
    with one_cause():
        async with asyncio.TaskGroup() as group:
            for name, worker in workers.items():
                group.create_task(_awaited(worker), name=name)


@contextlib.contextmanager
def one_cause() -> Iterator[None]:
    """Raise what is alone in a group of exceptions as it is."""
    try:
        yield
    except BaseExceptionGroup as failures:
        if len(failures.exceptions) == 1:
            raise failures.exceptions[0] from failures.exceptions[0].__cause__
        raise


async def _awaited(worker: Callable[[], Awaitable[None]]) -> None:
    await worker()
