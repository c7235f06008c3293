"""Reports of ours that somebody else edits, and what of an object's status is ours to compare."""

from typing import Any

import msgspec
import pytest

from openelb_bgp.kube.reports import Reports, Shown, shown
from openelb_bgp.model.conditions import Condition
from openelb_bgp.model.meta import Kind, ref
from openelb_bgp.model.statuses import EipStatus, SpeakerStatus
from openelb_bgp.ports import StatusWrite

POOL = ref(Kind.EIP, "pool")
WRITE = StatusWrite(ref=POOL, status=EipStatus(usage=1))


def answer(version: int) -> dict[str, Any]:
    return {"metadata": {"resourceVersion": str(version)}}


def read(status: object, version: str = "7") -> Shown:
    document = {"metadata": {"name": "pool", "resourceVersion": version}, "status": status}
    return shown(Kind.EIP, msgspec.json.encode(document))


def test_a_report_is_read_with_our_conditions_only() -> None:
    ours, theirs = ({"type": type_, "status": "True", "reason": "R"} for type_ in ("Valid", "Theirs"))
    status = {"usage": 1, "conditions": [theirs, ours], "sync": "something of OpenELB's"}
    assert read(status) == Shown(
        POOL, 7, EipStatus(usage=1, conditions=(Condition(type="Valid", status="True", reason="R"),))
    )


@pytest.mark.parametrize("status", [None, {"usage": "many"}, []])
def test_what_cannot_be_read_is_no_report(status: object) -> None:
    assert read(status) == Shown(POOL, 7, None)


def test_an_edit_that_came_after_our_write_is_put_right() -> None:
    reports = Reports()
    reports.note(WRITE, answer(5))
    assert reports.correction(Shown(POOL, 6, EipStatus(usage=99))) == WRITE
    assert reports.correction(Shown(POOL, 6, None)) == WRITE


def test_our_own_write_and_what_was_before_it_and_what_says_the_same_are_left_alone() -> None:
    reports = Reports()
    reports.note(WRITE, answer(5))
    assert reports.correction(Shown(POOL, 5, EipStatus(usage=1))) is None
    assert reports.correction(Shown(POOL, 4, EipStatus(usage=99))) is None
    assert reports.correction(Shown(POOL, 6, EipStatus(usage=1))) is None


def test_of_what_we_did_not_write_nothing_is_said() -> None:
    assert Reports().correction(Shown(POOL, 6, EipStatus(usage=99))) is None


def test_a_new_leader_defends_what_the_one_before_it_wrote() -> None:
    reports = Reports()
    reports.recall([(POOL, EipStatus(usage=1))])
    assert reports.correction(Shown(POOL, 6, EipStatus(usage=99))) == WRITE


def test_speakers_look_after_their_own_reports() -> None:
    reports = Reports()
    node1 = ref(Kind.SPEAKER, "node1")
    reports.note(StatusWrite(ref=node1, status=SpeakerStatus()), answer(5))
    assert reports.correction(Shown(node1, 6, None)) is None
