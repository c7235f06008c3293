"""Leader election in virtual time: who leads when, and that nobody writes once somebody else may."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from openelb_bgp.kube.leadership import Leadership, LeaseTimes, NotLeading
from openelb_bgp.kube.lease import Election
from tests.unit.kube_leases import Leases, ManualClock, Road, settle

TIMES = LeaseTimes(duration=15, renew=2, request=5)
START = 1000.0


class Candidate:
    """One controller: while it leads it tries to write once a second."""

    def __init__(self, name: str, leases: Leases, clock: ManualClock) -> None:
        self.name = name
        self.clock = clock
        self.road = Road(leases, clock)
        self.terms: list[Leadership] = []
        self.wrote: list[float] = []
        self.refused: list[float] = []
        self.ended: list[float] = []
        self.election = Election(
            self.road,
            clock,
            namespace="openelb-system",
            name="openelb-controller",
            identity=name,
            times=TIMES,
            jitter=lambda: 0.0,
        )
        self.task = asyncio.create_task(self.election.run(self._lead))

    async def _lead(self, leadership: Leadership) -> None:
        self.terms.append(leadership)
        try:
            while True:
                self.write(leadership)
                await self.clock.sleep(1)
        finally:
            self.ended.append(self.clock.now - START)

    def write(self, leadership: Leadership) -> None:
        """Send something, unless the leadership says no."""
        try:
            leadership.check()
        except NotLeading:
            self.refused.append(self.clock.now - START)
        else:
            self.wrote.append(self.clock.now - START)

    async def leave(self) -> None:
        """A clean exit."""
        self.task.cancel()
        await settle()
        with pytest.raises(asyncio.CancelledError):
            await self.task


@asynccontextmanager
async def world(*names: str) -> AsyncIterator[tuple[ManualClock, Leases, list[Candidate]]]:
    clock, leases = ManualClock(), Leases()
    candidates = [Candidate(name, leases, clock) for name in names]
    await settle()
    try:
        yield clock, leases, candidates
    finally:
        for one in candidates:
            one.task.cancel()
        await settle()


async def test_one_of_two_leads_at_once_where_nobody_has_led_before() -> None:
    async with world("a", "b") as (clock, leases, (a, b)):
        await clock.move(30)
        assert (len(a.terms), len(b.terms), leases.holder()) == (1, 0, "a")
        assert a.wrote == [float(second) for second in range(31)]
        assert a.terms[0].settled_at == START


async def test_a_lease_that_was_released_is_taken_at_the_next_look_and_needs_no_waiting() -> None:
    async with world("a", "b") as (clock, leases, (a, b)):
        await clock.move(5.5)
        await a.leave()
        assert (a.ended, leases.holder()) == ([5.5], "")
        await clock.move(2)
        assert leases.holder() == "b"
        assert b.terms[0].is_settled


async def test_a_lease_is_given_back_though_a_renewal_was_cut_short_that_came_through() -> None:
    async with world("a", "b") as (clock, leases, (a, b)):
        await clock.move(5.5)
        a.road.answers_lost, before = 1, leases.version
        while leases.version == before:
            await clock.move(0.1)
        await a.leave()
        await clock.move(TIMES.renew * 1.5)
        assert leases.holder() == "b"
        assert b.terms[0].is_settled


async def test_a_dead_leader_is_followed_after_the_lease_and_nothing_is_given_out_for_as_long_again() -> None:
    async with world("a", "b") as (clock, leases, (a, b)):
        await clock.move(9)
        a.road.cut = True
        a.task.cancel()
        await clock.move(10)
        assert leases.holder() == "a"
        await clock.move(8)
        assert leases.holder() == "b"
        led_at = b.wrote[0] + START
        assert b.terms[0].settled_at == led_at + TIMES.duration + TIMES.request


async def test_a_leader_that_is_cut_off_stops_writing_before_its_lease_is_over() -> None:
    async with world("a", "b") as (clock, _, (a, b)):
        await clock.move(9.5)
        a.road.cut = True
        await clock.move(60)
        # The last renewal was sent at 8: writes until 18, their answers until 23, when the Lease is over.
        assert a.wrote[-1] == 17.0
        assert b.wrote[0] >= 8 + TIMES.duration
        assert a.wrote[-1] + TIMES.request < b.wrote[0]
        assert a.ended and not a.terms[0].is_on


async def test_a_leader_that_wakes_after_its_lease_writes_nothing() -> None:
    async with world("a", "b") as (clock, _, (a, _b)):
        await clock.move(9.5)
        wrote = list(a.wrote)
        clock.jump(60)
        # The first thing that runs after a SIGSTOP may be a write, long before the renewal notices anything.
        a.write(a.terms[0])
        assert (a.wrote, a.refused) == (wrote, [69.5])


async def test_a_leader_that_woke_goes_on_where_nobody_else_came_meanwhile() -> None:
    async with world("a") as (clock, leases, (a,)):
        await clock.move(9.5)
        clock.jump(60)
        await clock.move(20)
        assert leases.holder() == "a"
        assert a.wrote[-1] > 80
        assert not [at for at in a.wrote if 9.5 < at < 69.5]


@pytest.mark.parametrize("step", [86_400.0, -86_400.0])
async def test_a_wall_clock_that_is_set_changes_nothing(step: float) -> None:
    async with world("a", "b") as (clock, leases, (a, b)):
        await clock.move(10)
        clock.wall_offset = step
        await clock.move(60)
        assert (len(a.terms), b.terms, leases.holder()) == (1, [], "a")


async def test_a_renewal_whose_answer_is_lost_keeps_the_leadership() -> None:
    async with world("a", "b") as (clock, leases, (a, b)):
        await clock.move(3)
        a.road.answers_lost = 1
        await clock.move(60)
        assert (len(a.terms), a.refused, b.terms, leases.holder()) == (1, [], [], "a")


async def test_a_lease_that_is_deleted_under_its_leader_is_given_anew_without_two_writing() -> None:
    async with world("a", "b") as (clock, leases, (a, b)):
        await clock.move(9.5)
        leases.stored = None
        await clock.move(40)
        led = sorted((at, who) for who, one in (("a", a), ("b", b)) for at in one.wrote)
        assert len({who for _, who in led if at_the_end(led, who)}) == 1
        new = a.terms[-1] if len(a.terms) > 1 else b.terms[-1]
        assert new.settled_at > START + 9.5 + TIMES.writing


def at_the_end(led: list[tuple[float, str]], who: str) -> bool:
    return led[-1][1] == who


async def test_the_leaders_work_has_ended_before_the_lease_is_given_back() -> None:
    order: list[str] = []
    clock, leases = ManualClock(), Leases()

    async def work(_: Leadership) -> None:
        try:
            await clock.sleep(1e9)
        finally:
            order.append(f"ended while {leases.holder() or 'nobody'} holds it")

    election = Election(
        Road(leases, clock), clock, namespace="n", name="l", identity="a", times=TIMES, jitter=lambda: 0.0
    )
    task = asyncio.create_task(election.run(work))
    await settle()
    task.cancel()
    await settle()
    assert (order, leases.holder()) == (["ended while a holds it"], "")


async def test_a_lease_is_kept_until_it_runs_out_when_a_write_may_still_be_carried_out() -> None:
    async with world("a", "b") as (clock, leases, (a, b)):
        await clock.move(5.5)
        a.terms[0].lost()
        await a.leave()
        assert leases.holder() == "a"
        await clock.move(20)
        assert leases.holder() == "b"
        # It was renewed last at 4, and is looked at every 2 s.
        assert b.wrote[0] >= 4 + TIMES.duration
        assert b.terms[0].settled_at >= START + 5.5 + TIMES.settling


async def test_a_write_that_was_lost_long_ago_keeps_nothing() -> None:
    async with world("a", "b") as (clock, leases, (a, _)):
        await clock.move(5)
        a.terms[0].lost()
        await clock.move(TIMES.settling)
        await a.leave()
        assert leases.holder() == ""


async def test_a_defect_in_the_leaders_work_comes_out_and_the_lease_is_given_back() -> None:
    clock, leases = ManualClock(), Leases()

    async def work(_: Leadership) -> None:
        raise ValueError("a defect")

    election = Election(
        Road(leases, clock), clock, namespace="n", name="l", identity="a", times=TIMES, jitter=lambda: 0.0
    )
    with pytest.raises(ValueError, match="a defect"):
        await election.run(work)
    assert leases.holder() == ""


async def test_what_others_wrote_into_the_lease_stays() -> None:
    async with world("a") as (clock, leases, _):
        assert leases.stored is not None
        labelled = {**leases.stored["metadata"], "labels": {"app": "openelb"}}
        leases.store({**leases.stored, "metadata": labelled})
        await clock.move(10)
        assert leases.stored["metadata"]["labels"] == {"app": "openelb"}
