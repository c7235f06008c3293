"""The promises of `ports.Announcer`, told in addresses so that every protocol can be held to them.

A suite inherits them and brings a `Stage`: a node whose daemon is real or in memory.
"""

from collections.abc import Iterable
from typing import Protocol

import msgspec

from openelb_bgp.model.snapshot import Snapshot
from tests.contract.process import Process, eventually
from tests.contract.world import prefixes, with_services


class Stage(Protocol):
    """One node and what is outside of it. Services are numbers, see `world`."""

    def process(self, *, resync: float = 30.0) -> Process:
        """A speaker that has just been started; the one before has ended."""
        ...

    def cluster(self, services: Iterable[int]) -> Snapshot:
        """Everything listed, with these Services."""
        ...

    def with_a_bad_object(self, snapshot: Snapshot) -> Snapshot:
        """The same, and one more object that cannot be put in effect."""
        ...

    async def announced(self) -> set[str]:
        """The prefixes that the outside has from this node."""
        ...

    async def activity(self) -> int:
        """A number that grows with everything that this node changes outside."""
        ...

    async def take_away(self, number: int) -> None:
        """By hand, what announces a Service."""
        ...

    async def put_there(self, number: int) -> None:
        """By hand, as if a Service were announced."""
        ...

    async def put_something_foreign(self) -> None:
        """Something that is not ours and looks like it."""
        ...

    async def foreign_is_there(self) -> bool:
        """Whether it still is."""
        ...


class AnnouncerContract:
    """What holds for every announcer."""

    async def outside(self, stage: Stage, services: Iterable[int]) -> None:
        wanted = prefixes(services)

        async def equal() -> bool:
            return await stage.announced() == wanted

        await eventually(equal, within=60, what=f"{len(wanted)} addresses outside")

    async def test_once_settled_the_outside_equals_the_plan(self, stage: Stage) -> None:
        async with stage.process().running() as speaker:
            await speaker.settle(stage.cluster(range(5)))
            await self.outside(stage, range(5))
            await speaker.settle(with_services(speaker.snapshot, range(3, 8)))
            await self.outside(stage, range(3, 8))
            await speaker.settle(with_services(speaker.snapshot, ()))
            await self.outside(stage, ())

    async def test_whatever_was_there_before(self, stage: Stage) -> None:
        async with stage.process().running() as speaker:
            await speaker.settle(stage.cluster(range(5)))
            await self.outside(stage, range(5))
        async with stage.process().running() as successor:
            await successor.settle(stage.cluster(range(2, 9)))
            await self.outside(stage, range(2, 9))

    async def test_running_it_again_changes_nothing(self, stage: Stage) -> None:
        async with stage.process(resync=0.0).running() as speaker:
            await speaker.settle(stage.cluster(range(5)))
            await self.outside(stage, range(5))
            await speaker.settle()
            before = await stage.activity()
            for _ in range(5):
                await speaker.settle()
            assert await stage.activity() == before

    async def test_what_a_hand_took_away_or_put_there_is_put_right(self, stage: Stage) -> None:
        async with stage.process(resync=1.0).running() as speaker:
            await speaker.settle(stage.cluster(range(5)))
            await self.outside(stage, range(5))
            await stage.take_away(2)
            await self.outside(stage, range(5))
            await stage.put_there(77)
            await self.outside(stage, range(5))

    async def test_what_is_not_ours_is_not_touched(self, stage: Stage) -> None:
        async with stage.process(resync=0.0).running() as speaker:
            await speaker.settle(stage.cluster(range(2)))
            await self.outside(stage, range(2))
            await stage.put_something_foreign()
            for _ in range(3):
                await speaker.settle()
            await speaker.settle(with_services(speaker.snapshot, ()))
            await self.outside(stage, ())
            assert await stage.foreign_is_there()

    async def test_a_failing_object_holds_up_no_other(self, stage: Stage) -> None:
        async with stage.process().running() as speaker:
            await speaker.settle(stage.with_a_bad_object(stage.cluster(range(3))))
            await self.outside(stage, range(3))
            assert speaker.reasons
            await speaker.settle(with_services(speaker.snapshot, range(4)))
            await self.outside(stage, range(4))

    async def test_one_that_is_to_withdraw_takes_everything_back(self, stage: Stage) -> None:
        async with stage.process().running(withdraw=True) as speaker:
            await speaker.settle(stage.cluster(range(5)))
            await self.outside(stage, range(5))
        await self.outside(stage, ())


class OutlivingContract(AnnouncerContract):
    """What holds where a daemon beside it goes on announcing when an announcer's process ends."""

    async def test_nothing_is_withdrawn_before_everything_has_been_listed(self, stage: Stage) -> None:
        async with stage.process().running() as speaker:
            await speaker.settle(stage.cluster(range(5)))
            await self.outside(stage, range(5))
        async with stage.process(resync=0.0).running() as successor:
            whole = stage.cluster(())
            for kind in sorted(whole.listed):
                await successor.look(msgspec.structs.replace(whole, listed=frozenset({kind})))
            assert await stage.announced() == prefixes(range(5))
            await successor.settle(whole)
            await self.outside(stage, ())

    async def test_a_speaker_that_ends_leaves_everything(self, stage: Stage) -> None:
        async with stage.process().running() as speaker:
            await speaker.settle(stage.cluster(range(5)))
            await self.outside(stage, range(5))
            before = await stage.activity()
        assert await stage.announced() == prefixes(range(5))
        assert await stage.activity() == before
