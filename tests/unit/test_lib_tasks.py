"""Supervised tasks: what ends them, and what comes out."""

import asyncio

import pytest

from openelb_bgp.lib.tasks import supervised


class Broken(Exception):
    """Something a worker may raise."""


async def test_returns_when_all_workers_have_returned() -> None:
    done: list[str] = []

    async def first() -> None:
        done.append("first")

    async def second() -> None:
        done.append("second")

    await supervised({"first": first, "second": second})
    assert done == ["first", "second"]


async def test_a_failure_ends_the_siblings_and_is_raised_as_itself() -> None:
    cleaned: list[str] = []

    async def sibling() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append("sibling")

    async def failing() -> None:
        raise Broken("link") from OSError("cable")

    with pytest.raises(Broken, match="link") as failure:
        await supervised({"sibling": sibling, "failing": failing})
    assert cleaned == ["sibling"]
    assert repr(failure.value.__cause__) == "OSError('cable')"


async def test_several_failures_come_out_together() -> None:
    async def failing_at_the_end() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise Broken("second") from None

    async def failing() -> None:
        raise Broken("first")

    with pytest.raises(ExceptionGroup) as failures:
        await supervised({"end": failing_at_the_end, "now": failing})
    assert {str(each) for each in failures.value.exceptions} == {"first", "second"}


async def test_cancelling_the_caller_cancels_the_workers() -> None:
    started, cleaned = asyncio.Event(), asyncio.Event()

    async def worker() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.set()

    caller = asyncio.create_task(supervised({"worker": worker}))
    await started.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert cleaned.is_set()


async def test_tasks_carry_the_names_of_their_workers() -> None:
    names: list[str] = []

    async def worker() -> None:
        task = asyncio.current_task()
        assert task is not None
        names.append(task.get_name())

    await supervised({"sessions": worker})
    assert names == ["sessions"]
