"""The loop in virtual time: what starts a cycle, what a failure does, and that there is never a second."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from openelb_bgp.lib.backoff import Backoff
from openelb_bgp.runtime.loop import Loop, Throttle, WakeUp
from tests.unit.virtual_time import VirtualClock, settle


class World:
    """A cycle that notes when it ran, and does what it is told."""

    def __init__(
        self,
        *,
        resync: float = 60.0,
        rest: float = 0.0,
        throttle: Throttle | None = None,
        act: Callable[[], Awaitable[float | None]] | None = None,
    ) -> None:
        self.clock = VirtualClock(1000.0)
        self.wake = WakeUp()
        self.ran: list[float] = []
        self.act = act
        self.loop = Loop(
            "test",
            self.cycle,
            wake=self.wake,
            clock=self.clock,
            resync=resync,
            rest=rest,
            throttle=throttle,
            backoff=Backoff(first=1.0, most=8.0),
            jitter=lambda: 0.0,
        )

    async def cycle(self) -> float | None:
        self.ran.append(self.clock.now - 1000.0)
        return await self.act() if self.act else None

    async def __aenter__(self) -> "World":
        self.task = asyncio.create_task(self.loop.run())
        await settle()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await self.task


async def test_the_first_cycle_runs_at_once_and_the_next_when_woken() -> None:
    async with World() as world:
        await world.clock.move(3)
        world.wake.set()
        await world.clock.move(0)
        assert world.ran == [0, 3]


async def test_many_wake_ups_are_one_cycle() -> None:
    async with World() as world:
        for _ in range(100):
            world.wake.set()
        await world.clock.move(0)
        assert world.ran == [0, 0]


async def test_a_resync_is_due_when_nothing_happens() -> None:
    async with World(resync=60) as world:
        await world.clock.move(130)
        assert world.ran == [0, 60, 120]


async def test_a_cycle_can_ask_for_the_next_one_at_an_instant() -> None:
    async def at_five() -> float | None:
        return 1005.0 if world.clock.now < 1005 else None

    world = World(resync=60, act=at_five)
    async with world:
        await world.clock.move(30)
        assert world.ran == [0, 5]


async def test_an_instant_that_has_passed_starts_the_next_cycle_at_once() -> None:
    async def late() -> float | None:
        return 900.0 if len(world.ran) == 1 else None

    world = World(act=late)
    async with world:
        await world.clock.move(0)
        assert world.ran == [0, 0]


async def test_what_changes_while_a_cycle_runs_starts_another_and_never_a_second_beside_it() -> None:
    running = 0
    most = 0

    async def slow() -> float | None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await world.clock.sleep(2)
        running -= 1
        return None

    world = World(act=slow)
    async with world:
        world.wake.set()
        await world.clock.move(1)
        world.wake.set()
        await world.clock.move(10)
        assert world.ran == [0, 2]
        assert most == 1


async def test_a_cycle_that_is_woken_without_end_lets_others_run() -> None:
    async def again() -> float | None:
        world.wake.set()
        return None

    world = World(act=again)
    async with world:
        assert len(world.ran) > 1


async def test_a_failing_cycle_is_tried_again_later_and_later_and_wake_ups_do_not_hurry_it() -> None:
    async def fail() -> float | None:
        raise ValueError("no")

    world = World(act=fail)
    async with world:
        for _ in range(40):
            world.wake.set()
            await world.clock.move(1)
        assert world.ran == [0, 1, 3, 7, 15, 23, 31, 39]
        assert (world.loop.failures, world.loop.error) == (8, "ValueError: no")
        assert world.loop.turned_at == 1039.0


async def test_a_failure_is_logged_when_it_begins_when_it_becomes_another_and_when_it_ends() -> None:
    failures = ["disk", "disk", "disk", "bug", "bug"]

    async def fail() -> float | None:
        if failures:
            raise RuntimeError(failures.pop(0))
        return None

    world = World(act=fail)
    with capture_logs() as logs:
        async with world:
            await world.clock.move(60)
    said = [(entry["event"], entry.get("error", entry.get("after"))) for entry in logs]
    assert said == [
        ("cycle_failed", "RuntimeError: disk"),
        ("cycle_failed", "RuntimeError: bug"),
        ("cycle_recovered", 5),
    ]
    assert (world.loop.failures, world.loop.error) == (0, "")


async def test_cancellation_passes_through_a_running_cycle() -> None:
    ended: list[str] = []

    async def forever() -> float | None:
        try:
            await world.clock.sleep(1e9)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        return None

    world = World(act=forever)
    async with world:
        pass
    assert ended == ["cancelled"]


def test_backoff_doubles_up_to_its_limit_and_jitter_takes_up_to_half_off() -> None:
    backoff = Backoff(first=0.1, most=5.0)
    assert [backoff.delay(failures=n, jitter=0.0) for n in (1, 2, 3, 7, 1000)] == [0.1, 0.2, 0.4, 5.0, 5.0]
    assert backoff.delay(failures=1000, jitter=1.0) == 2.5


async def test_after_a_cycle_it_rests_as_long_as_that_took_whatever_wakes_it() -> None:
    async def two_seconds() -> float | None:
        await world.clock.sleep(2)
        world.wake.set()
        return None

    world = World(act=two_seconds, rest=10)
    async with world:
        await world.clock.move(9)
        assert world.ran == [0, 4, 8]


async def test_it_never_rests_longer_than_it_may() -> None:
    async def ten_seconds() -> float | None:
        await world.clock.sleep(10)
        world.wake.set()
        return None

    world = World(act=ten_seconds, rest=1)
    async with world:
        await world.clock.move(23)
        assert world.ran == [0, 11, 22]


async def test_what_comes_by_the_hundred_is_taken_together_and_what_comes_alone_at_once() -> None:
    async with World(throttle=Throttle(burst=3, seconds=4)) as world:
        for _ in range(18):
            world.wake.set()
            await world.clock.move(0)
            await world.clock.move(1)
        assert world.ran == [0, 0, 1, 2, 4, 8, 12, 16]
        await world.clock.move(12)
        world.wake.set()
        await world.clock.move(0)
        assert world.ran[-1] == 30
