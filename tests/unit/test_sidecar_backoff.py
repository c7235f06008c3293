"""When a daemon that ended is started again."""

from openelb_bgp.sidecar.backoff import SHORT_LIFE, Lives


def test_a_crash_is_followed_by_a_start_at_once() -> None:
    lives = Lives()
    assert [lives.ended(lived=3600.0) for _ in range(100)] == [0.0] * 100
    assert not lives.crash_loop


def test_short_lives_in_a_row_are_a_crash_loop_with_growing_delays() -> None:
    lives = Lives()
    delays = [lives.ended(lived=0.1) for _ in range(12)]
    assert delays == [0.0, 0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0, 10.0]
    assert lives.crash_loop


def test_two_short_lives_are_no_crash_loop_yet() -> None:
    lives = Lives()
    lives.ended(lived=0.1)
    lives.ended(lived=0.1)
    assert not lives.crash_loop


def test_a_long_life_ends_the_crash_loop() -> None:
    lives = Lives()
    for _ in range(5):
        lives.ended(lived=0.1)
    assert lives.ended(lived=SHORT_LIFE) == 0.0
    assert not lives.crash_loop


def test_a_daemon_that_stays_up_ends_the_crash_loop_without_dying() -> None:
    lives = Lives()
    for _ in range(5):
        lives.ended(lived=0.1)
    lives.steady()
    assert not lives.crash_loop
    assert lives.ended(lived=0.1) == 0.0


def test_a_long_life_without_an_api_counts_as_a_short_one() -> None:
    lives = Lives()
    delays = [lives.ended(lived=10.0, came_up=False) for _ in range(3)]
    assert delays == [0.0, 0.0, 0.25]
    assert lives.crash_loop


def test_the_delay_stays_bounded_however_long_it_goes_on() -> None:
    lives = Lives()
    assert max(lives.ended(lived=0.0) for _ in range(5000)) == 10.0
