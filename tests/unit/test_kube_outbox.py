"""In which order objects are written, and when one that failed is tried again."""

import pytest

from openelb_bgp.kube.outbox import Job, Outbox
from openelb_bgp.model.meta import Kind, ObjectRef, ref
from openelb_bgp.model.statuses import EipStatus, ServiceStatus, SpeakerStatus
from openelb_bgp.ports import Event, StatusWrite

POOL = ref(Kind.EIP, "pool")
NODE1 = ref(Kind.SPEAKER, "node1")


def service(name: str) -> ObjectRef:
    return ref(Kind.SERVICE, name, namespace="shop")


def write(about: ObjectRef, *, urgent: bool = False, usage: int = 0) -> StatusWrite:
    status = EipStatus(usage=usage) if about.kind is Kind.EIP else ServiceStatus()
    return StatusWrite(ref=about, status=status, urgent=urgent)


def event(reason: str) -> Event:
    return Event(ref=POOL, reason=reason, message="")


@pytest.fixture
def box() -> Outbox:
    return Outbox()


def take(box: Outbox, now: float) -> Job | None:
    """As it is sent: what is urgent first."""
    return box.take_urgent(now) or box.take_other(now)


def taken(box: Outbox, now: float = 0.0) -> Job:
    job = take(box, now)
    assert job is not None
    return job


def all_taken(box: Outbox, now: float = 0.0) -> list[str]:
    names = []
    while (job := take(box, now)) is not None:
        names.append(job.ref.key.name)
        box.done(job)
    return names


def test_addresses_come_first_and_else_the_order_stays(box: Outbox) -> None:
    for name, urgent in (("a", False), ("b", True), ("c", False), ("d", True)):
        box.put(write(service(name), urgent=urgent), now=0.0)
    assert all_taken(box) == ["b", "d", "a", "c"]


def test_a_newer_write_takes_the_place_of_one_that_waits_and_tells_its_events_too(box: Outbox) -> None:
    box.put(write(POOL, usage=1), [event("First")], now=0.0)
    box.put(write(POOL, usage=2), [event("Second")], now=0.0)
    job = taken(box)
    assert (job.write, job.events) == (write(POOL, usage=2), (event("First"), event("Second")))
    assert take(box, 0.0) is None


def test_one_object_is_not_written_twice_at_once(box: Outbox) -> None:
    box.put(write(POOL, usage=1), now=0.0)
    first = taken(box)
    box.put(write(POOL, usage=2), now=0.0)
    box.put(write(service("a")), now=0.0)
    assert [taken(box).ref, take(box, 0.0)] == [service("a"), None]
    box.done(first)
    assert taken(box).write == write(POOL, usage=2)


def test_one_that_failed_is_tried_ever_later_and_no_other_waits_for_it(box: Outbox) -> None:
    box.put(write(POOL), now=0.0)
    waits = []
    now = 0.0
    for _ in range(10):
        job = taken(box, now)
        box.failed(job, said="no", now=now)
        due = box.due_at()
        assert due is not None and take(box, due - 0.01) is None
        waits.append(round(due - now, 1))
        now = due
    assert waits == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 60.0]
    box.put(write(service("a")), now=now - 0.01)
    assert taken(box, now - 0.01).ref == service("a")


def test_the_api_server_says_when_to_come_back(box: Outbox) -> None:
    box.put(write(POOL), now=0.0)
    box.failed(taken(box), said="busy", now=10.0, delay=7.0)
    assert box.due_at() == 17.0


def test_a_newer_write_is_tried_at_once_and_inherits_haste_and_events_of_one_that_failed(
    box: Outbox,
) -> None:
    box.put(write(POOL, usage=1, urgent=True), [event("First")], now=0.0)
    job = taken(box)
    box.put(write(POOL, usage=2), [event("Second")], now=0.0)
    box.failed(job, said="no", now=0.0)
    box.put(write(service("a"), urgent=True), now=0.0)
    newer = taken(box)
    assert (newer.write, newer.urgent) == (write(POOL, usage=2), True)
    assert newer.events == (event("First"), event("Second"))


def test_an_object_is_written_20_times_in_a_row_and_then_every_three_seconds(box: Outbox) -> None:
    soon = []
    for _ in range(22):
        soon.append(box.put(write(POOL), now=0.0))
        if soon[-1]:
            all_taken(box)
    assert soon == [True] * 20 + [False] * 2
    assert (box.due_at(), all_taken(box, 2.9), all_taken(box, 3.0)) == (3.0, [], ["pool"])


def test_a_speaker_reports_as_often_as_it_likes(box: Outbox) -> None:
    report = StatusWrite(ref=NODE1, status=SpeakerStatus())
    assert all(box.put(report, now=0.0) and all_taken(box) == ["node1"] for _ in range(100))


def test_it_says_how_many_wait_or_are_on_their_way(box: Outbox) -> None:
    for name in ("a", "b", "c"):
        box.put(write(service(name)), now=0.0)
    box.failed(taken(box), said="no", now=0.0)
    job = taken(box)
    assert len(box) == 3
    box.done(job)
    assert len(box) == 2
