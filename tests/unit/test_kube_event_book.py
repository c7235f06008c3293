"""Which Kubernetes Events are sent, and how they read; the limits are those of everybody's controllers."""

from typing import Any

import pytest

from openelb_bgp.kube.event_book import EventBook, Letter, Reporter
from openelb_bgp.model.meta import Kind, ObjectRef, ref
from openelb_bgp.ports import Event

WEB = ref(Kind.SERVICE, "web", namespace="shop")
POOL = ref(Kind.EIP, "pool")
NOON = 1_767_268_800.0


@pytest.fixture
def book() -> EventBook:
    return EventBook(Reporter("openelb-controller", "node1"))


def assigned(message: str = "192.0.2.1 from Eip pool", *, about: ObjectRef = WEB) -> Event:
    return Event(ref=about, reason="AssignIP", message=message)


def sent(book: EventBook) -> list[Letter]:
    """Everything that is to be sent, taken by the API server."""
    letters = []
    while (found := book.pop()) is not None:
        key, letter = found
        book.sent(key)
        letters.append(letter)
    return letters


def test_an_event_reads_as_kubectl_describe_wants_it(book: EventBook) -> None:
    book.put(assigned(), uid="u1", now=NOON)
    (letter,) = sent(book)
    name: Any = letter.whole["metadata"]
    assert letter.whole == {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name["name"], "namespace": "shop"},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Service",
            "namespace": "shop",
            "name": "web",
            "uid": "u1",
        },
        "reason": "AssignIP",
        "message": "192.0.2.1 from Eip pool",
        "type": "Normal",
        "firstTimestamp": "2026-01-01T12:00:00Z",
        "lastTimestamp": "2026-01-01T12:00:00Z",
        "count": 1,
        "source": {"component": "openelb-controller", "host": "node1"},
        "reportingComponent": "openelb-controller",
        "reportingInstance": "node1",
    }
    assert (letter.name, letter.is_known) == (name["name"], False) and letter.name.startswith("web.")


def test_what_has_no_namespace_is_told_in_default(book: EventBook) -> None:
    book.put(Event(ref=POOL, reason="Conflict", message="overlaps", warning=True), uid="", now=NOON)
    (letter,) = sent(book)
    assert letter.namespace == "default"
    assert letter.whole["involvedObject"] == {
        "apiVersion": "network.kubesphere.io/v1alpha2",
        "kind": "Eip",
        "name": "pool",
    }
    assert letter.whole["type"] == "Warning"


def test_the_same_again_is_counted(book: EventBook) -> None:
    book.put(assigned(), uid="u1", now=NOON)
    (first,) = sent(book)
    book.put(assigned(), uid="u1", now=NOON + 60)
    book.put(assigned(), uid="u1", now=NOON + 61)
    (again,) = sent(book)
    assert (again.is_known, again.name) == (True, first.name)
    assert again.change == {
        "count": 3,
        "lastTimestamp": "2026-01-01T12:01:01Z",
        "message": "192.0.2.1 from Eip pool",
    }


def test_an_object_of_the_same_name_and_another_uid_has_events_of_its_own(book: EventBook) -> None:
    for uid in ("u1", "u2"):
        book.put(assigned(), uid=uid, now=NOON)
    assert [letter.is_known for letter in sent(book)] == [False, False]


def test_one_that_the_api_server_has_forgotten_is_sent_whole(book: EventBook) -> None:
    book.put(assigned(), uid="u1", now=NOON)
    sent(book)
    book.put(assigned(), uid="u1", now=NOON + 5000)
    found = book.pop()
    assert found is not None and found[1].is_known
    book.lost(found[0])
    (letter,) = sent(book)
    assert (letter.is_known, letter.whole["count"]) == (False, 2)


def test_one_that_cannot_be_sent_is_tried_again(book: EventBook) -> None:
    book.put(assigned(), uid="u1", now=NOON)
    found = book.pop()
    assert found is not None and len(book) == 0
    book.again(found[0])
    assert [letter.whole["count"] for letter in sent(book)] == [1]


def test_the_eleventh_different_message_for_a_reason_and_those_after_it_are_one(book: EventBook) -> None:
    for number in range(13):
        assert book.put(assigned(f"message {number}"), uid="u1", now=NOON)
    letters = sent(book)
    assert [letter.whole["message"] for letter in letters] == [
        *(f"message {number}" for number in range(10)),
        "(combined from similar events): message 12",
    ]
    assert letters[-1].whole["count"] == 3


def test_an_object_has_25_events_and_then_one_in_five_minutes_and_others_are_not_held_up(
    book: EventBook,
) -> None:
    def told(number: int, now: float) -> bool:
        event = Event(ref=WEB, reason=f"Reason{number}", message="")
        return book.put(event, uid="u1", now=now)

    assert [told(number, NOON) for number in range(27)] == [True] * 25 + [False] * 2
    assert book.put(assigned(about=POOL), uid="", now=NOON)
    assert [told(number, NOON + 301) for number in (30, 31)] == [True, False]
    assert len(sent(book)) == 27


def test_a_full_book_takes_no_more() -> None:
    book = EventBook(Reporter("openelb-controller", "node1"), capacity=2)
    events = [assigned(about=ref(Kind.SERVICE, f"s{number}", namespace="shop")) for number in range(3)]
    assert [book.put(event, uid="", now=NOON) for event in events] == [True, True, False]


def test_a_message_is_cut_and_a_name_fits() -> None:
    book = EventBook(Reporter("openelb-controller", "node1"))
    book.put(assigned("x" * 5000, about=ref(Kind.EIP, "n" * 253)), uid="", now=NOON)
    (letter,) = sent(book)
    assert (len(letter.whole["message"]), len(letter.name) <= 253) == (1024, True)


def test_what_is_to_be_sent_is_not_forgotten_and_what_was_sent_is() -> None:
    book = EventBook(Reporter("openelb-controller", "node1"), capacity=6000)
    for number in range(6000):
        about = ref(Kind.SERVICE, f"s{number}", namespace="shop")
        assert book.put(assigned(about=about), uid="", now=NOON)
    assert len(sent(book)) == 6000
    book.put(assigned(), uid="", now=NOON)
    book.put(assigned(about=ref(Kind.SERVICE, "s0", namespace="shop")), uid="", now=NOON)
    assert [letter.is_known for letter in sent(book)] == [False, False]


def test_a_clock_that_is_set_back_costs_no_event(book: EventBook) -> None:
    for number in range(15):
        book.put(assigned(f"{number}"), uid="u1", now=NOON)
    sent(book)
    assert book.put(assigned("an hour ago"), uid="u1", now=NOON - 3600)
