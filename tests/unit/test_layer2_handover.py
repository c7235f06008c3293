"""What is handed over to another living node: until it is heard, and not back and forth."""

import msgspec
import pytest

from openelb_bgp.layer2.handover import MOMENT, PATIENCE, Handover
from openelb_bgp.layer2.owned import Ownership, Spot
from openelb_bgp.layer2.planned import Layer2Plan
from openelb_bgp.layer2.ranks import ordered
from openelb_bgp.model.facts import Facts
from tests.unit.layer2_world import NOW, Lan, address

HEIR, OWN = ordered(["n1", "n2"], address(0))
SPOT = Spot(address(0), "eth0")
HELD = {SPOT: Ownership()}


def seen(lan: Lan) -> tuple[Layer2Plan, Facts]:
    """What this node plans, and from what: the other one is the owner."""
    return lan.plan(OWN), lan.facts(OWN)


@pytest.fixture
def lan() -> Lan:
    return Lan(count=2, services=1)


def test_what_goes_to_a_living_node_is_answered_for_until_that_is_heard(lan: Lan) -> None:
    handover = Handover()
    handover.review({}, HELD, *seen(lan), now=NOW)
    assert handover.leaving == HELD
    assert handover.heard(SPOT, HEIR, now=NOW + 0.1)
    assert handover.leaving == {}


def test_what_the_new_owner_has_announced_already_is_left_at_once(lan: Lan) -> None:
    handover = Handover()
    assert not handover.heard(SPOT, HEIR, now=NOW)
    handover.review({}, HELD, *seen(lan), now=NOW + 0.1)
    assert handover.leaving == {}


def test_a_new_owner_that_is_not_heard_is_waited_for_a_moment(lan: Lan) -> None:
    handover = Handover()
    handover.review({}, HELD, *seen(lan), now=NOW)
    assert not handover.is_over(NOW + MOMENT - 0.1)
    assert handover.is_over(NOW + MOMENT)
    handover.review({}, {}, *seen(lan), now=NOW + MOMENT)
    assert (handover.leaving, handover.is_over(NOW + MOMENT)) == ({}, False)


def test_an_owner_that_has_had_it_all_along_is_told_once(lan: Lan) -> None:
    handover, (plan, facts) = Handover(), seen(lan)
    handover.review({}, HELD, plan, facts, now=NOW)
    told = [handover.to_tell(facts, now=NOW + after) for after in (0.1, 0.4, 0.5)]
    mac = facts.members.others[HEIR].interfaces["eth0"].mac
    assert told == [[], [(SPOT, mac)], []]
    assert handover.leaving == HELD


@pytest.mark.parametrize("who", ["silent", "leaving", "void"])
def test_what_goes_to_nobody_who_stays_is_not_answered_for(lan: Lan, who: str) -> None:
    plan = lan.plan(OWN)
    getattr(lan, who).add(HEIR)
    handover = Handover()
    handover.review({}, HELD, plan, lan.facts(OWN), now=NOW)
    assert handover.leaving == {}


def test_a_node_that_knows_of_nobody_answers_for_nothing(lan: Lan) -> None:
    plan = lan.plan(OWN)
    lan.void.add(OWN)
    handover = Handover()
    handover.review({}, HELD, plan, lan.facts(OWN), now=NOW)
    assert handover.leaving == {}


def test_what_is_ours_again_is_not_being_left(lan: Lan) -> None:
    handover = Handover()
    handover.review({}, HELD, *seen(lan), now=NOW)
    handover.review(HELD, {}, *seen(lan), now=NOW + 0.1)
    assert handover.leaving == {}


def test_what_another_has_just_announced_is_not_taken_from_it_at_once(lan: Lan) -> None:
    handover, facts = Handover(), lan.facts(OWN)
    handover.heard(SPOT, HEIR, now=NOW)
    assert handover.is_taken(SPOT, facts, now=NOW + 0.1)
    handover.review({}, {}, lan.plan(OWN), facts, now=NOW + 0.1)
    assert handover.is_over(NOW + MOMENT)
    assert not handover.is_taken(SPOT, facts, now=NOW + MOMENT)


@pytest.mark.parametrize("who", ["silent", "leaving", "void"])
def test_what_was_announced_by_who_dies_or_ends_is_taken_at_once(lan: Lan, who: str) -> None:
    handover = Handover()
    handover.heard(SPOT, HEIR, now=NOW)
    getattr(lan, who).add(HEIR)
    assert not handover.is_taken(SPOT, lan.facts(OWN), now=NOW + 0.1)


def test_who_comes_first_insists_unless_it_is_told_better_meanwhile(lan: Lan) -> None:
    handover = Handover()
    handover.insist(SPOT, now=NOW)
    handover.insist(SPOT, now=NOW + 0.3)
    found = [handover.due(NOW + after) for after in (PATIENCE - 0.1, PATIENCE, PATIENCE + 1)]
    assert found == [[], [SPOT], []]
    handover.insist(SPOT, now=NOW + 3)
    handover.review({}, HELD, *seen(lan), now=NOW + 3.1)
    assert handover.due(NOW + 3 + PATIENCE) == []


def test_a_claim_that_is_old_says_nothing_of_a_later_handover(lan: Lan) -> None:
    handover, (plan, facts) = Handover(), seen(lan)
    handover.heard(SPOT, HEIR, now=NOW)
    later = NOW + MOMENT
    handover.review({}, HELD, plan, msgspec.structs.replace(facts, now=later), now=later)
    assert handover.leaving == HELD
