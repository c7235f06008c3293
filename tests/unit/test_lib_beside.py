"""A loop beside: calls go in and come back, it turns while home computes, and what fails is made anew."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator

import pytest

from openelb_bgp.lib.beside import Beside, Ended
from openelb_bgp.lib.kept import Kept
from tests.contract.process import eventually


class Broken(Exception):
    """Something that may be raised beside."""


def fail() -> None:
    raise Broken("there")


@pytest.fixture
async def beside() -> AsyncIterator[Beside]:
    made = Beside("test")
    yield made
    await made.stop()


async def test_calls_are_made_there_in_order_and_an_answer_comes_home(beside: Beside) -> None:
    done: list[object] = []

    async def answer() -> str:
        done.append("asked")
        return threading.current_thread().name

    beside.tell(done.append, "told")
    assert (await beside.ask(answer()), done) == ("test", ["told", "asked"])


async def test_what_is_told_home_is_called_on_the_loop_at_home(beside: Beside) -> None:
    came: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    beside.tell(lambda: beside.tell_home(lambda: came.set_result(threading.current_thread().name)))
    assert await came == threading.current_thread().name


async def test_it_turns_while_home_computes_and_knows_for_how_long_home_has_been_silent(
    beside: Beside,
) -> None:
    turns: list[float] = []

    def turn() -> None:
        turns.append(beside.home_silent_for())
        asyncio.get_running_loop().call_later(0.01, turn)

    beside.tell(turn)
    until = time.monotonic() + 30
    while len(turns) < 20 and time.monotonic() < until:
        pass
    assert len(turns) >= 20 and turns[19] > 0.15


async def test_what_fails_in_an_answer_is_raised_where_it_was_asked_and_ends_nothing(beside: Beside) -> None:
    async def failing() -> None:
        fail()

    with pytest.raises(Broken, match="there"):
        await beside.ask(failing())
    assert beside.answer(lambda: 7, within=10) == 7


async def test_what_nothing_catches_there_ends_it_and_comes_out_at_home() -> None:
    beside = Beside("test")
    waiting = asyncio.create_task(beside.ask(asyncio.Event().wait()))
    await asyncio.sleep(0)
    beside.tell(fail)
    with pytest.raises(Broken, match="there"):
        await beside.ended()
    with pytest.raises(Ended):
        await waiting
    beside.tell(fail)
    with pytest.raises(Ended):
        await beside.ask(asyncio.sleep(0))


async def test_what_failed_is_discarded_said_and_made_anew_when_it_is_wanted_again() -> None:
    made: list[str] = []
    discarded: list[str] = []
    changes: list[str] = []

    def make(_: Beside) -> str:
        made.append(f"number {len(made) + 1}")
        return made[-1]

    kept = Kept("test", make=make, discard=discarded.append, changed=lambda: changes.append(kept.failure))
    keeping = asyncio.create_task(kept.run())
    assert kept.running is None
    running = kept.begun()
    assert running is not None and running.it == "number 1"
    running.beside.tell(fail)
    await eventually(lambda: kept.failure, within=20, what="the failure")
    assert (kept.begun(), kept.running, discarded) == (None, None, ["number 1"])
    again = await eventually(kept.begun, within=20, what="another")
    assert again.it == "number 2"
    assert changes == ["Broken: there", ""]
    keeping.cancel()
    await kept.close()
    assert discarded == ["number 1", "number 2"]
