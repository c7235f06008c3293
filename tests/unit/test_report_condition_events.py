"""What is told of an object's conditions, and when nothing is."""

from openelb_bgp.model.conditions import Condition
from openelb_bgp.model.meta import Kind, ref
from openelb_bgp.ports import Event
from openelb_bgp.report.events import condition_events

PEER = ref(Kind.BGP_PEER, "leaf1")
UP = Condition(type="Ready", status="True", reason="Established", message="established on a")
DOWN = Condition(type="Ready", status="False", reason="NotEstablished", message="a: wrong ASN")


def told(before: Condition | None, after: Condition) -> list[Event]:
    return condition_events(PEER, ("Ready",), before=None if before is None else [before], after=[after])


def test_a_lost_session_is_a_warning_under_the_conditions_reason() -> None:
    assert told(UP, DOWN) == [Event(ref=PEER, reason="NotEstablished", message="a: wrong ASN", warning=True)]


def test_a_session_that_is_back_is_told() -> None:
    assert told(DOWN, UP) == [Event(ref=PEER, reason="Established", message="established on a")]


def test_what_is_well_from_the_start_is_no_news_and_what_is_wrong_is() -> None:
    assert told(None, UP) == []
    assert told(None, DOWN) == [
        Event(ref=PEER, reason="NotEstablished", message="a: wrong ASN", warning=True)
    ]


def test_another_message_alone_is_no_news() -> None:
    again = Condition(type="Ready", status="False", reason="NotEstablished", message="b: wrong ASN")
    assert told(DOWN, again) == []


def test_a_field_that_cannot_be_used_is_a_warning_though_the_object_is_valid() -> None:
    limited = Condition(type="Valid", status="True", reason="Invalid", message="spec.listenPort '0'")
    whole = Condition(type="Valid", status="True", reason="Valid")
    warned = Event(ref=PEER, reason="Invalid", message="spec.listenPort '0'", warning=True)
    assert condition_events(PEER, ("Valid",), before=None, after=[limited]) == [warned]
    assert condition_events(PEER, ("Valid",), before=[whole], after=[limited]) == [warned]
    assert condition_events(PEER, ("Valid",), before=[limited], after=[whole]) == [
        Event(ref=PEER, reason="Valid", message="")
    ]


def test_what_two_conditions_say_for_one_reason_is_told_once() -> None:
    valid = Condition(type="Valid", status="True", reason="IgnoredName", message="name it default")
    ready = Condition(type="Ready", status="False", reason="IgnoredName", message="only default counts")
    assert condition_events(PEER, ("Valid", "Ready"), before=None, after=[valid, ready]) == [
        Event(ref=PEER, reason="IgnoredName", message="name it default", warning=True)
    ]
