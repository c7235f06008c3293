"""When owned addresses are announced: bursts, what is seldom, and the pace."""

from collections import Counter
from ipaddress import ip_address

from openelb_bgp.layer2.announcing import RATE, Announcing, Job
from openelb_bgp.layer2.owned import Ownership, Spot
from openelb_bgp.layer2.packets import Form

ONE, TWO = Spot(ip_address("192.0.2.1"), "eth0"), Spot(ip_address("192.0.2.2"), "eth0")
SIX = Spot(ip_address("2001:db8::1"), "eth0")
SELDOM = Ownership(garp_interval=100.0)


def sent(announcing: Announcing, *, start: float, end: float) -> list[tuple[float, Job]]:
    """What is sent when it is due, with the seconds since `start`."""
    found: list[tuple[float, Job]] = []
    now = start
    while now <= end:
        found += [(round(now - start, 3), job) for job in announcing.take(now)]
        due = announcing.next_at(now)
        if due is None:
            return found
        now = max(due, now + 0.0001)
    return found


def test_an_ipv4_address_that_was_won_is_announced_in_all_forms_within_20_ms_and_again() -> None:
    announcing = Announcing(lambda: 0.0)
    announcing.start(ONE, SELDOM, now=1000.0)
    assert sent(announcing, start=1000.0, end=1050.0) == [
        (0.0, Job(ONE, Form.ARP_REQUEST)),
        (0.01, Job(ONE, Form.ARP_TO_GATEWAY)),
        (0.02, Job(ONE, Form.ARP_REPLY)),
        (0.3, Job(ONE, Form.ARP_REQUEST)),
        (0.31, Job(ONE, Form.ARP_TO_GATEWAY)),
        (1.2, Job(ONE, Form.ARP_REQUEST)),
        (1.21, Job(ONE, Form.ARP_REPLY)),
        (3.0, Job(ONE, Form.ARP_REQUEST)),
    ]


def test_an_ipv6_address_that_was_won_is_advertised_four_times() -> None:
    announcing = Announcing(lambda: 0.0)
    announcing.start(SIX, SELDOM, now=5.0)
    assert sent(announcing, start=5.0, end=50.0) == [
        (at, Job(SIX, Form.ADVERTISEMENT)) for at in (0.0, 0.3, 1.2, 3.0)
    ]


def test_after_the_burst_it_is_announced_within_each_interval() -> None:
    for jitter, instants in ((0.0, [3.0, 13.0, 23.0, 33.0]), (1.0, [3.0, 10.5, 18.0, 25.5, 33.0])):
        announcing = Announcing(lambda jitter=jitter: jitter)  # type: ignore[misc]
        announcing.start(ONE, Ownership(garp_interval=10.0), now=0.0)
        late = [at for at, _ in sent(announcing, start=0.0, end=40.0) if at >= 3.0]
        assert late == instants


def test_what_was_lost_is_not_announced_though_it_was_queued() -> None:
    announcing = Announcing(lambda: 0.0)
    for spot in (ONE, TWO):
        announcing.start(spot, SELDOM, now=0.0)
    announcing.stop(ONE)
    assert {job.spot for _, job in sent(announcing, start=0.0, end=500.0)} == {TWO}


def test_what_was_lost_and_won_again_is_announced_in_one_burst() -> None:
    announcing = Announcing(lambda: 0.0)
    announcing.start(ONE, SELDOM, now=0.0)
    list(announcing.take(0.0))
    announcing.stop(ONE)
    announcing.start(ONE, SELDOM, now=0.1)
    assert len(sent(announcing, start=0.1, end=50.0)) == 8


def test_another_interval_holds_from_the_next_announcement_on() -> None:
    announcing = Announcing(lambda: 0.0)
    announcing.start(ONE, SELDOM, now=0.0)
    sent(announcing, start=0.0, end=3.0)
    announcing.change(ONE, Ownership(garp_interval=5.0))
    assert [at for at, _ in sent(announcing, start=0.0, end=112.0)] == [103.0, 108.0]


def test_of_many_each_is_announced_once_before_any_is_in_another_form_at_1000_a_second() -> None:
    announcing = Announcing(lambda: 0.0)
    spots = [Spot(ip_address("198.18.0.0") + number, "eth0") for number in range(800)]
    for spot in spots:
        announcing.start(spot, SELDOM, now=0.0)
    found = sent(announcing, start=0.0, end=30.0)
    assert [job for _, job in found[:800]] == [Job(spot, Form.ARP_REQUEST) for spot in spots]
    assert found[799][0] <= 0.8
    assert Counter(job.spot for _, job in found) == Counter(dict.fromkeys(spots, 8))


def test_in_no_second_an_interface_is_sent_more_than_its_rate_and_a_first_handful() -> None:
    announcing = Announcing(lambda: 0.0)
    for number in range(2000):
        announcing.start(Spot(ip_address("198.18.0.0") + number, "eth0"), SELDOM, now=0.0)
    instants = [at for at, _ in sent(announcing, start=0.0, end=10.0)]
    for second in range(10):
        assert sum(second <= at < second + 1 for at in instants) <= RATE + 50


def test_one_interface_does_not_wait_for_another() -> None:
    announcing = Announcing(lambda: 0.0)
    for number in range(1000):
        announcing.start(Spot(ip_address("198.18.0.0") + number, "eth0"), SELDOM, now=0.0)
    other = Spot(ip_address("203.0.113.1"), "eth1")
    announcing.start(other, SELDOM, now=0.0)
    assert Job(other, Form.ARP_REQUEST) in set(announcing.take(0.0))


def test_nothing_is_due_where_nothing_is_owned() -> None:
    announcing = Announcing(lambda: 0.0)
    announcing.start(ONE, SELDOM, now=0.0)
    announcing.stop(ONE)
    assert (list(announcing.take(9.0)), announcing.next_at(9.0)) == ([], None)
