"""In which order an owner asks for what it holds itself."""

from openelb_bgp.layer2.owned import Spot
from openelb_bgp.layer2.rivals import EVERY, Rounds
from tests.unit.layer2_world import NOW, address


def spots(count: int) -> list[Spot]:
    return [Spot(address(number), "eth0") for number in range(count)]


def asked(rounds: Rounds, *, start: float, end: float, suspected: tuple[Spot, ...] = ()) -> list[list[Spot]]:
    """What is taken from NOW + start until NOW + end."""
    steps = range(int(start / EVERY), int(end / EVERY))
    return [rounds.take(suspected=suspected, now=NOW + step * EVERY) for step in steps]


def test_what_has_been_won_is_asked_for_once_its_burst_is_over_and_then_every_minute() -> None:
    rounds, held = Rounds(), spots(3)
    rounds.keep(held, now=NOW)
    took = asked(rounds, start=0, end=130)
    assert [step for step, one in enumerate(took) if one] == [5, 65, 125]
    assert sorted(took[5]) == held


def test_of_many_ten_are_asked_for_in_a_second_and_each_once_a_round() -> None:
    rounds, held = Rounds(), spots(1000)
    rounds.keep(held, now=NOW)
    took = asked(rounds, start=5, end=5 + 100)
    assert {len(one) for one in took} == {10}
    assert sorted(one for each in took for one in each) == sorted(held)
    assert rounds.seconds == 100


def test_where_a_rival_is_suspected_it_is_asked_for_soon_before_all_others() -> None:
    rounds, held = Rounds(), spots(1000)
    rounds.keep(held, now=NOW)
    asked(rounds, start=0, end=105)
    took = asked(rounds, start=105, end=120, suspected=(held[0],))
    assert [step for step, one in enumerate(took) if held[0] in one] == [0, 10]
    assert took[0][0] == held[0]


def test_what_was_lost_is_not_asked_for() -> None:
    rounds, held = Rounds(), spots(2)
    rounds.keep(held, now=NOW)
    rounds.keep(held[1:], now=NOW + 1)
    assert rounds.take(suspected=(held[0],), now=NOW + 10) == held[1:]
