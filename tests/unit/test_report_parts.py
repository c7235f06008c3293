"""A report cut into parts, and what counts when not all of them were written."""

from openelb_bgp.model.meta import Key, Kind, ref
from openelb_bgp.model.statuses import EipStatus, ServiceStatus
from openelb_bgp.ports import Event, StatusWrite
from openelb_bgp.report.leader import Report
from openelb_bgp.report.ledger import Ledger, ServiceBook
from openelb_bgp.report.parts import Part, events_of, parts, written_in_part

POOL = StatusWrite(ref=ref(Kind.EIP, "pool"), status=EipStatus(usage=1))


def write(number: int) -> StatusWrite:
    return StatusWrite(ref=ref(Kind.SERVICE, f"s{number}", namespace="shop"), status=ServiceStatus())


def event(number: int) -> Event:
    return Event(ref=write(number).ref, reason="AssignIP", message="for a test")


def made(writes: tuple[StatusWrite, ...], events: tuple[Event, ...] = ()) -> Report:
    return Report(writes=writes, events=events, ledger=Ledger())


def test_a_small_report_is_one_part() -> None:
    writes, events = (write(1), write(2)), (event(2),)
    assert parts(made(writes, events), smallest=2, most=10) == [Part(writes, events)]
    assert parts(made((), events), smallest=2, most=10) == [Part((), events)]


def test_a_report_of_nothing_has_no_part() -> None:
    assert parts(made(())) == ()


def test_events_come_with_the_last_part() -> None:
    report = made((write(1), write(2), POOL), (event(9), event(2), event(1)))
    assert parts(report, smallest=2, most=10) == [Part((write(1), write(2))), Part((POOL,), report.events)]


def test_events_of_what_was_written_can_be_told_apart() -> None:
    report = made((write(1), write(2)), (event(1), event(2), event(1)))
    assert events_of(report, [write(1)]) == (event(1), event(1))


def test_a_large_report_has_no_more_parts_than_it_may() -> None:
    writes = tuple(write(number) for number in range(25))
    assert [len(part.writes) for part in parts(made(writes), smallest=1, most=3)] == [9, 9, 7]


def test_what_was_written_before_a_part_failed_is_on_its_way() -> None:
    before = Ledger(services=ServiceBook(flying={Key("shop", "s1"): write(1)}))
    after = written_in_part(before, (write(2), POOL))
    assert after == Ledger(
        services=ServiceBook(flying={Key("shop", "s1"): write(1), Key("shop", "s2"): write(2)}),
        statuses={POOL.ref: EipStatus(usage=1)},
        scene=before.scene,
    )
