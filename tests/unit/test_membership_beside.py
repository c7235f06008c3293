"""Heartbeats beat beside the speaker: whatever it computes, and anew after they have failed."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator
from ipaddress import IPv4Interface

from openelb_bgp.membership.on_demand import MembershipOnDemand
from openelb_bgp.membership.timing import Timing
from openelb_bgp.model.facts import Link
from openelb_bgp.model.members import Members
from openelb_bgp.model.meta import Kind
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.runtime.clock import SystemClock
from tests.contract.process import eventually

LO = Link(name="lo", index=1, mac="", up=True, addresses=(IPv4Interface("127.0.0.1/8"),))


class Clock(SystemClock):
    """The real one, that breaks beside the speaker as often as it is told to, and can be stopped for all."""

    breaks = 0

    def monotonic(self) -> float:
        if self.breaks and threading.current_thread() is not threading.main_thread():
            self.breaks -= 1
            raise RuntimeError("the clock is broken")
        return super().monotonic()


class Speaker:
    """A node that is alone, without a port to open."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.changes = 0
        self.membership = MembershipOnDemand(
            "n1",
            namespace="openelb-system",
            clock=self.clock,
            changed=self.changed,
            timing=Timing(interval=0.5),
            port=0,
        )

    def changed(self) -> None:
        self.changes += 1
        self.aim()

    def aim(self) -> None:
        self.membership.aim({"lo"}, [LO], Snapshot(listed=frozenset(Kind)))

    @property
    def serves(self) -> bool:
        members = self.membership.members
        return not members.void and members.own["lo"].alive

    @property
    def reasons(self) -> list[str]:
        return [one.reason for one in self.membership.problems]


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[Speaker]:
    speaker = Speaker()
    work = asyncio.create_task(speaker.membership.run())
    speaker.aim()
    await eventually(lambda: speaker.serves, within=20, what="a node that is alone to serve")
    yield speaker
    work.cancel()
    speaker.membership.leave()
    await speaker.membership.close()


async def test_nothing_is_known_before_heartbeats_are_wanted() -> None:
    speaker = Speaker()
    speaker.membership.aim((), [LO], Snapshot(listed=frozenset(Kind)))
    assert (speaker.membership.members, speaker.reasons) == (Members(), [])


async def test_a_plan_longer_than_death_makes_nothing_void() -> None:
    async with running() as speaker:
        until = time.monotonic() + 3.0
        while time.monotonic() < until:
            assert speaker.serves


async def test_heartbeats_that_fail_are_told_own_nothing_and_begin_again() -> None:
    async with running() as speaker:
        speaker.clock.breaks = 1
        await eventually(lambda: speaker.reasons == ["HeartbeatsFailed"], within=20, what="the reason")
        assert speaker.membership.members == Members()
        await eventually(lambda: speaker.serves, within=20, what="heartbeats anew")
        assert speaker.reasons == []
