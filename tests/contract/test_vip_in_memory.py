"""The vip announcer over a keepalived in memory, in virtual time: its promises, and what only this stages."""

from collections.abc import Callable, Iterable

import msgspec
import pytest

from openelb_bgp.model.addresses import parse_address
from openelb_bgp.model.pools import VipSettings
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.vip.announcer import VipAnnouncer
from openelb_bgp.vip.diff import Spot
from openelb_bgp.vip.port import Life
from tests.contract.announcers import OutlivingContract
from tests.contract.keepalived_in_memory import MemoryKeeper
from tests.contract.process import eventually
from tests.contract.vip import FOREIGN, SUBNET, HostedProcess, vip_cluster, vip_pool, with_a_bad_pool
from tests.contract.virtual import LoopClock
from tests.contract.world import NODE, address, prefixes, with_, with_services

pytestmark = pytest.mark.asyncio(loop_factories=["virtual"])


class MemoryStage:
    """A node in memory."""

    def __init__(self) -> None:
        self.keeper = MemoryKeeper(SUBNET, "fe80::1/64")

    def process(self, *, resync: float = 30.0) -> HostedProcess:
        def make(wake: Callable[[], None]) -> VipAnnouncer:
            self.keeper.changed = wake
            return VipAnnouncer(self.keeper, clock=LoopClock(), wake=wake)

        return HostedProcess(make, lambda: self.keeper.addresses, resync=resync)

    def cluster(self, services: Iterable[int]) -> Snapshot:
        return vip_cluster(services)

    def with_a_bad_object(self, snapshot: Snapshot) -> Snapshot:
        return with_a_bad_pool(snapshot)

    async def announced(self) -> set[str]:
        shown = {f"{spot.address}/32" for spot in self.keeper.spots if not spot.address.is_link_local}
        return shown - {f"{FOREIGN}/32"}

    async def activity(self) -> int:
        return self.keeper.edits

    async def take_away(self, number: int) -> None:
        self.keeper.take_by_hand(Spot("eth0", address(number)))

    async def put_there(self, number: int) -> None:
        self.keeper.put_by_hand(Spot("eth0", address(number)))

    async def put_something_foreign(self) -> None:
        self.keeper.put_by_hand(Spot("eth0", parse_address(FOREIGN)))

    async def foreign_is_there(self) -> bool:
        return Spot("eth0", parse_address(FOREIGN)) in self.keeper.spots


@pytest.fixture
async def stage() -> MemoryStage:
    return MemoryStage()


class TestInMemory(OutlivingContract):
    """Everything that was promised."""

    async def test_many_changes_take_few_reloads(self, stage: MemoryStage) -> None:
        async with stage.process().running() as speaker:
            await speaker.settle(stage.cluster(range(1)))
            before = stage.keeper.edits
            for count in range(2, 102):
                speaker.put(with_services(speaker.snapshot, range(count)))
                await LoopClock().sleep(0.02)
            await self.outside(stage, range(101))
            assert stage.keeper.edits - before <= 6

    async def test_an_address_that_keepalived_refuses_is_left_out_and_named(self, stage: MemoryStage) -> None:
        stage.keeper.refuses = {f"{address(7)}/32"}
        async with stage.process().running() as speaker:
            await speaker.settle(stage.cluster(range(20)))
            await self.outside(stage, set(range(20)) - {7})
            assert speaker.reasons == {"Service shop/web7": "RefusedByKeepalived"}
            stage.keeper.refuses = set()
            await self.outside(stage, range(20))
            await speaker.until(lambda: not speaker.reasons)

    async def test_where_nothing_new_is_taken_the_configuration_before_stays(
        self, stage: MemoryStage
    ) -> None:
        async with stage.process().running() as speaker:
            await speaker.settle(stage.cluster(range(5)))
            await self.outside(stage, range(5))
            stage.keeper.refuses = {"advert_int 0.5"}
            slower = VipSettings(virtual_router_ids=(51, 52, 53, 54), advert_interval_ms=500)
            speaker.put(with_(with_services(speaker.snapshot, range(6)), vip_pool(vip=slower)))
            await speaker.until(lambda: speaker.reasons.get("keepalived") == "RefusedByKeepalived")
            assert not speaker.last.settled
            assert await stage.announced() == prefixes(range(5))
            stage.keeper.refuses = set()
            await self.outside(stage, range(6))
            await speaker.until(lambda: speaker.last.settled and not speaker.reasons)

    async def test_a_keepalived_that_cannot_be_had_is_told_and_used_once_it_can(
        self, stage: MemoryStage
    ) -> None:
        stage.keeper.gone = "keepalived is not there: install it"
        async with stage.process().running() as speaker:
            speaker.put(stage.cluster(range(2)))
            await speaker.until(lambda: speaker.reasons.get("keepalived") == "SidecarDown")
            assert [(one.ready, one.reason) for one in speaker.last.status.pools] == [(False, "SidecarDown")]
            assert not speaker.last.settled
            # It is an exception then: what other modes have applied must not wait for it.
            await speaker.until(lambda: speaker.last.settled)
            assert speaker.reasons["keepalived"] == "SidecarDown"
            stage.keeper.gone = ""
            await self.outside(stage, range(2))
            await speaker.until(lambda: speaker.last.settled)
            assert [one.ready for one in speaker.last.status.pools] == [True]

    async def test_a_crash_loop_is_told_with_its_last_words(self, stage: MemoryStage) -> None:
        async with stage.process().running() as speaker:
            await speaker.settle(stage.cluster(range(1)))
            stage.keeper.life = Life(version="2.2.7", crash_loop=True, restarts=4, words=("all is lost",))
            await speaker.until(lambda: "all is lost" in str(speaker.last.status.problems))
            assert not speaker.last.settled

    async def test_what_cannot_be_read_at_the_start_keeps_what_was_there_and_holds_up_nothing(
        self, stage: MemoryStage
    ) -> None:
        async with stage.process().running() as speaker:
            await speaker.settle(stage.cluster(range(5)))
            await self.outside(stage, range(5))
        partly = msgspec.structs.replace(stage.cluster(range(2, 7)), unseen="a file cannot be read: mend it")
        async with stage.process().running() as successor:
            await successor.settle(partly)
            await self.outside(stage, range(7))
            assert set(successor.last.status.vip.master) == {str(address(number)) for number in range(7)}
            assert successor.reasons[f"Node {NODE}"] == "SourceIncomplete"
            await successor.settle(with_services(partly, range(2, 6)))
            await self.outside(stage, range(6))
            await successor.settle(stage.cluster(range(2, 6)))
            await self.outside(stage, range(2, 6))

    async def test_masters_are_reported_and_a_takeover_is_an_event(self, stage: MemoryStage) -> None:
        async with stage.process().running() as speaker:
            await speaker.settle(stage.cluster(range(1)))
            await speaker.until(lambda: speaker.last.status.vip.master == (str(address(0)),))
            told = [event for one in speaker.told for event in one.events]
            assert {str(event.ref) for event in told} == {"Eip pool", "Service shop/web0"}
            assert all("node1 has become VRRP master of 198.18.0.0" in event.message for event in told)

    async def test_whoever_goes_on_with_what_runs_tells_no_takeover(self, stage: MemoryStage) -> None:
        async with stage.process().running() as speaker:
            await speaker.settle(stage.cluster(range(3)))
            await self.outside(stage, range(3))
        async with stage.process().running() as successor:
            await successor.settle(stage.cluster(range(3)))
            await eventually(lambda: len(successor.told) > 0, within=5, what="a cycle")
            assert [event for one in successor.told for event in one.events] == []
