"""When a speaker's report is written, and what it says of modes that nobody serves."""

from collections.abc import Sequence

import msgspec
import pytest
from structlog.testing import capture_logs

from openelb_bgp.model.cluster import Node
from openelb_bgp.model.facts import Facts
from openelb_bgp.model.meta import Kind, Meta, ref
from openelb_bgp.model.pools import Eip, Protocol
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.speakers import Speaker
from openelb_bgp.model.statuses import PoolStatus, Problem, RouteCounts, SpeakerStatus
from openelb_bgp.ports import Announcement, Event, NotWritten, StatusWrite
from openelb_bgp.runtime.reporter import Reporter, modes_off

NODE1 = ref(Kind.SPEAKER, "node1")
OFF = {Protocol.LAYER2: "for a test"}
EVENT = Event(ref=NODE1, reason="ConfigSpeaker", message="for a test")


class Clock:
    """Time that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("a reporter never sleeps")


class Sink:
    """Holds what is written; a full one takes nothing."""

    def __init__(self) -> None:
        self.reports: list[SpeakerStatus | None] = []
        self.events: list[Event] = []
        self.is_full = False

    async def write(self, writes: Sequence[StatusWrite], events: Sequence[Event] = ()) -> None:
        if self.is_full:
            raise NotWritten("the disk is full; make room")
        for write in writes:
            assert write.ref == NODE1
            assert write.status is None or isinstance(write.status, SpeakerStatus)
            self.reports.append(write.status)
        self.events += events


class House:
    """A reporter with its clock and its sink."""

    def __init__(self) -> None:
        self.clock, self.sink = Clock(), Sink()
        self.reporter = Reporter("node1", sink=self.sink, clock=self.clock)
        self.snapshot = Snapshot(listed=frozenset(Kind))

    async def report(self, *, routes: int = 0, settled: bool = True, events: int = 0) -> float | None:
        made = Announcement(
            protocol=Protocol.BGP,
            revision=1,
            settled=settled,
            status=SpeakerStatus(routes=RouteCounts(desired=routes, announced=routes)),
            events=(EVENT,) * events,
        )
        return await self.reporter.report(self.snapshot, Facts(node="node1", now=self.clock.now), [made])

    @property
    def announced(self) -> list[int]:
        """The routes announced by each report written."""
        return [one.routes.announced for one in self.sink.reports if one is not None]


@pytest.fixture
def house() -> House:
    return House()


async def test_a_settled_speaker_reports_at_once_and_then_only_what_changes(house: House) -> None:
    assert await house.report(routes=1) is None
    assert await house.report(routes=1) is None
    assert house.announced == [1]


async def test_the_first_report_waits_until_all_is_in_effect(house: House) -> None:
    """Before it stands what the process before this one reported, and it is still true."""
    assert await house.report(settled=False) == 103.0
    house.clock.now += 1
    assert await house.report(routes=7) is None
    assert house.announced == [7]


async def test_the_first_report_does_not_wait_for_ever(house: House) -> None:
    await house.report(settled=False)
    house.clock.now += 3
    await house.report(settled=False)
    assert house.announced == [0]
    assert house.reporter.unsettled() == "not everything is announced yet: bgp"


async def test_nothing_is_written_over_the_report_of_the_one_before_until_it_has_been_listed(
    house: House,
) -> None:
    house.snapshot = Snapshot()
    await house.report(settled=False)
    house.clock.now += 100
    assert await house.report(settled=False) is None
    assert house.announced == []
    house.snapshot = Snapshot(listed=frozenset(Kind))
    await house.report(settled=False)
    assert house.announced == [0]


async def test_changes_are_gathered_and_due_at_an_instant(house: House) -> None:
    await house.report(routes=1)
    due = await house.report(routes=2)
    assert due is not None and 100.0 < due <= 100.2
    house.clock.now = due
    assert await house.report(routes=3) is None
    assert house.announced == [1, 3]


async def test_an_event_is_told_at_once(house: House) -> None:
    await house.report(routes=1)
    await house.report(routes=2, events=1)
    assert (house.announced, house.sink.events) == ([1, 2], [EVENT])


async def test_what_could_not_be_written_is_tried_again_told_once_and_loses_no_event(house: House) -> None:
    house.sink.is_full = True
    with capture_logs() as logs:
        assert await house.report(events=1) == 102.0
        house.clock.now += 2
        assert await house.report() == 104.0
    assert [line["event"] for line in logs] == ["report_not_written"]
    house.sink.is_full = False
    assert await house.report(routes=5) is None
    assert (house.announced, house.sink.events) == ([5], [EVENT])


async def test_leaving_takes_the_report_away(house: House) -> None:
    await house.report()
    await house.reporter.leave()
    assert house.sink.reports[-1] is None


def eip(name: str, protocol: Protocol) -> Eip:
    return Eip(meta=Meta(name=name), ranges=(), protocol=protocol)


def test_a_pool_of_a_mode_that_nobody_serves_is_reported_with_what_helps() -> None:
    pools = [eip("plain", Protocol.BGP), eip("lan", Protocol.LAYER2)]
    snapshot = Snapshot(eips={pool.name: pool for pool in pools}, revision=9)
    (made,) = modes_off(snapshot, OFF)
    assert made.status.pools == (PoolStatus(name="lan", reason="ModeOff"),)
    assert [(one.object, one.reason) for one in made.status.problems] == [("Eip lan", "ModeOff")]
    assert "not announced by this node: for a test" in made.status.problems[0].message
    assert (made.protocol, made.revision, made.settled) == (Protocol.LAYER2, 9, True)


def test_a_mode_that_is_served_or_has_no_pool_is_no_matter() -> None:
    snapshot = Snapshot(eips={"lan": eip("lan", Protocol.LAYER2)})
    assert modes_off(snapshot, {Protocol.VIP: "for a test"}) == ()
    assert modes_off(Snapshot(), OFF) == ()


async def test_problems_of_the_speaker_itself_stand_beside_those_of_its_announcers(house: House) -> None:
    own = Problem(object="Node node1", reason="NodeUnknown", message="for a test")
    lan = {"lan": eip("lan", Protocol.LAYER2)}
    house.snapshot = msgspec.structs.replace(house.snapshot, eips=lan)
    made = Announcement(protocol=Protocol.BGP, revision=1, settled=True)
    facts = Facts(node="node1", now=house.clock.now)
    await house.reporter.report(house.snapshot, facts, [made], problems=[own], off=OFF)
    (status,) = house.sink.reports
    assert status is not None
    assert [one.object for one in status.problems] == ["Eip lan", "Node node1"]


async def test_a_report_that_somebody_deletes_is_written_again(house: House) -> None:
    there = {"node1": Speaker(Meta(name="node1"), SpeakerStatus())}
    unshown, shown = house.snapshot, msgspec.structs.replace(house.snapshot, speakers=there)
    await house.report(routes=1)
    await house.report(routes=1)
    house.snapshot = shown
    await house.report(routes=1)
    assert house.announced == [1]
    house.snapshot = unshown
    await house.report(routes=1)
    assert house.announced == [1, 1]


async def test_a_speaker_whose_node_is_deleted_reports_nothing_until_it_is_back(house: House) -> None:
    """Its report went with the Node: written again it would have no owner, and outlive its speaker."""
    node = {"node1": Node(meta=Meta(name="node1"))}
    cluster = Snapshot(listed=frozenset(Kind), in_cluster=True)
    house.snapshot = msgspec.structs.replace(cluster, nodes=node)
    await house.report(routes=2)
    house.snapshot = cluster
    assert await house.report(routes=0, events=1) is None
    assert (house.announced, house.sink.events) == ([2], [])
    house.snapshot = msgspec.structs.replace(cluster, nodes=node)
    await house.report(routes=2)
    assert house.announced == [2, 2]


async def test_a_speaker_whose_node_was_never_there_says_so(house: House) -> None:
    house.snapshot = Snapshot(listed=frozenset(Kind), in_cluster=True)
    await house.report(routes=0)
    assert house.announced == [0]


async def test_who_owns_the_first_report_has_been_looked_for(house: House) -> None:
    house.snapshot = Snapshot(listed=frozenset({Kind.SPEAKER}))
    await house.report(settled=False)
    house.clock.now += 100
    assert await house.report(settled=False) is None
    assert house.announced == []
