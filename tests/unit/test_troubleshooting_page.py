"""The page on troubleshooting names every Reason, and no other word in the same form."""

import re

from openelb_bgp.model.reasons import Reason
from tests.pages import DOCS

# Events of ours, and a VRRP term: they look like Reasons.
_OTHERS = frozenset({"AssignIPFailed", "AddressMoved", "VipMasterChanged"})


def _named() -> set[str]:
    text = (DOCS / "troubleshooting.md").read_text()
    return set(re.findall(r"`((?:[A-Z][a-zA-Z0-9]*[a-z][a-zA-Z0-9]*))`", text))


def test_every_reason_is_reached_from_a_symptom() -> None:
    assert {reason.value for reason in Reason} - _named() == set()


def test_no_word_stands_there_as_a_reason_that_is_none() -> None:
    known = {reason.value for reason in Reason} | _OTHERS
    assert {word for word in _named() if word not in known} == {"Speaker"} & _named()
