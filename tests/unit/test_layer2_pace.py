"""What costs as much for one address as for thousands is done at once, and then once in a moment."""

from openelb_bgp.layer2.pace import Pace


def done_at(*wanted: float) -> list[float]:
    """When it is done, looked at each tenth of the moment, and also whenever it is wanted."""
    pace, found = Pace(0.1), []
    for tick in range(200):
        now = tick / 100
        if (now in wanted and pace.wants(now)) or pace.is_due(now):
            pace.did(now)
            found.append(now)
    return found


def test_the_first_is_done_at_once() -> None:
    assert done_at(0.5) == [0.5]


def test_what_comes_within_a_moment_is_done_together_when_it_is_over() -> None:
    assert done_at(0.5, 0.51, 0.52, 0.57) == [0.5, 0.6]


def test_what_comes_after_a_rest_is_done_at_once_again() -> None:
    assert done_at(0.5, 0.8) == [0.5, 0.8]


def test_a_flood_costs_one_in_each_moment() -> None:
    assert done_at(*(tick / 100 for tick in range(50, 81))) == [0.5, 0.6, 0.7, 0.8]


def test_nothing_is_done_that_nobody_wants() -> None:
    assert done_at() == []
