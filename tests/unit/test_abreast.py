"""Announcers abreast: one that hangs holds up no other, and is asked anew once it goes on."""

import asyncio

import pytest

from openelb_bgp.model.facts import Facts
from openelb_bgp.model.meta import Kind, ref
from openelb_bgp.model.pools import Protocol
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.ports import Announcement, Event
from openelb_bgp.runtime.abreast import Abreast
from tests.contract.process import eventually

FACTS = Facts(node="n1", now=100.0)


class Mode:
    """An announcer that does nothing but take its time: while `free` is not set, it hangs."""

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol
        self.free = asyncio.Event()
        self.free.set()
        self.began: list[int] = []
        self.ended: list[int] = []
        self.error: Exception | None = None

    def contribute(self, facts: Facts) -> Facts:
        return facts

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def reconcile(self, snapshot: Snapshot, facts: Facts) -> Announcement:
        self.began.append(snapshot.revision)
        await self.free.wait()
        if self.error is not None:
            raise self.error
        self.ended.append(snapshot.revision)
        event = Event(ref=ref(Kind.NODE, "n1"), reason="Did", message=f"{snapshot.revision}")
        return Announcement(
            protocol=self.protocol, revision=snapshot.revision, settled=True, events=(event,), wake_at=500.0
        )

    async def ends(self, revision: int) -> None:
        """Let it end, as asked about that revision; the next time it hangs again."""
        self.free.set()
        await eventually(lambda: self.ended[-1:] == [revision], within=20, what="a late answer")
        self.free.clear()

    async def close(self, *, withdraw: bool) -> None:
        return


class Speaker:
    """Cycles by hand."""

    def __init__(self, *hanging: Protocol) -> None:
        self.modes = {one: Mode(one) for one in (Protocol.BGP, Protocol.LAYER2)}
        for one in hanging:
            self.modes[one].free.clear()
        self.woken = 0
        self.abreast = Abreast(self._wake)

    def _wake(self) -> None:
        self.woken += 1

    async def cycle(self, revision: int) -> dict[Protocol, Announcement]:
        said = await self.abreast.reconcile(tuple(self.modes.values()), Snapshot(revision=revision), FACTS)
        return {one.protocol: one for one in said}


def _messages(one: Announcement) -> list[str]:
    return [event.message for event in one.events]


@pytest.mark.parametrize(
    ("hung", "other"), [(Protocol.BGP, Protocol.LAYER2), (Protocol.LAYER2, Protocol.BGP)]
)
async def test_one_that_hangs_holds_up_no_other_and_is_asked_anew_when_it_goes_on(
    hung: Protocol, other: Protocol
) -> None:
    speaker = Speaker()
    first = await speaker.cycle(1)
    assert [one.settled for one in first.values()] == [True, True]
    speaker.modes[hung].free.clear()
    for revision in (2, 3, 4):
        said = await speaker.cycle(revision)
        assert (said[other].revision, said[other].settled) == (revision, True)
        assert (said[hung].revision, said[hung].settled, _messages(said[hung])) == (1, False, [])
        assert said[hung].wake_at == FACTS.now + 1
    assert (speaker.modes[hung].began, speaker.woken) == ([1, 2], 0)
    speaker.modes[hung].free.set()
    await eventually(lambda: speaker.woken, within=20, what="a cycle to be asked for")
    last = await speaker.cycle(5)
    assert (last[hung].revision, last[hung].settled, last[hung].wake_at) == (5, True, 500.0)
    # What came of the one that took long is told with it.
    assert _messages(last[hung]) == ["2", "5"]


async def test_one_that_hangs_from_the_start_is_not_settled_and_says_nothing() -> None:
    speaker = Speaker(Protocol.BGP)
    said = await speaker.cycle(7)
    nothing = Announcement(protocol=Protocol.BGP, revision=7, settled=False, wake_at=FACTS.now + 1)
    assert said[Protocol.BGP] == nothing
    assert said[Protocol.LAYER2].settled
    await speaker.abreast.close()
    assert speaker.modes[Protocol.BGP].ended == []


async def test_what_is_said_late_counts_though_every_answer_is_late() -> None:
    """Else a speaker on a machine under load would never report what it has applied."""
    speaker = Speaker(Protocol.BGP)
    mode = speaker.modes[Protocol.BGP]
    assert not (await speaker.cycle(1))[Protocol.BGP].settled
    for revision in (2, 3, 4):
        await mode.ends(revision - 1)
        said = (await speaker.cycle(revision))[Protocol.BGP]
        assert (said.revision, said.settled, _messages(said)) == (revision - 1, True, [f"{revision - 1}"])
        # It is told once: whoever has not ended since is not known to be settled.
        assert not (await speaker.cycle(revision))[Protocol.BGP].settled
    await speaker.abreast.close()


@pytest.mark.parametrize("late", [True, False])
async def test_a_failure_passes_and_is_raised_once(late: bool) -> None:
    speaker = Speaker(*([Protocol.BGP] if late else []))
    mode = speaker.modes[Protocol.BGP]
    mode.error = RuntimeError("gobgpd is gone")
    if late:
        await speaker.cycle(1)
        mode.free.set()
        await eventually(lambda: speaker.woken, within=20, what="a cycle to be asked for")
    with pytest.raises(RuntimeError, match="gobgpd is gone"):
        await speaker.cycle(2)
    mode.error = None
    assert (await speaker.cycle(3))[Protocol.BGP].settled
