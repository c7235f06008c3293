"""Membership on simulated LANs: whatever happened, a while after it is over everybody agrees on the truth."""

import pytest

from openelb_bgp.membership.core import Membership
from openelb_bgp.membership.timing import Timing
from openelb_bgp.model.members import Members
from tests.properties.seeds import TIMES, seeded
from tests.simulated_histories import BOUND, live_through
from tests.simulated_lan import Lan
from tests.simulated_node import Node
from tests.simulated_weather import Weather


def _steady(count: int, *, seed: int, loss: float = 0.0, codec: bool = False) -> Lan:
    lan = Lan(count, seed=seed, weather=Weather(loss=loss), codec=codec)
    lan.start_all()
    lan.run_until_true(most=BOUND)
    lan.run(2.5)
    return lan


@pytest.mark.parametrize("count", [1, 2, 3, 4, 10, 30])
def test_all_who_start_find_each_other(count: int) -> None:
    assert set(_steady(count, seed=count, codec=True).views().values()) == {
        frozenset(f"node-{index}" for index in range(count))
    }


@pytest.mark.parametrize("count", [2, 3, 4, 10, 20])
def test_a_death_is_known_to_all_within_a_second(count: int) -> None:
    lan = _steady(count, seed=count)
    for node in lan.nodes[: min(3, count // 2)]:
        lan.kill(node)
        assert lan.run_until_true(most=1.0, step=0.01) < 1.0
        lan.run(3)


@pytest.mark.parametrize("count", [2, 4, 9])
def test_a_cut_nic_is_a_death_there_and_its_own_node_knows_that_it_is_alone(count: int) -> None:
    """The management network lives on, and says nothing for the LAN."""
    lan = _steady(count, seed=count)
    lan.nodes[0].nic_cut = True
    assert lan.run_until_true(most=1.2, step=0.01) < 1.2
    lan.nodes[0].nic_cut = False
    lan.run_until_true(most=BOUND)


@pytest.mark.parametrize("count", [2, 3, 4, 9])
def test_a_node_whose_cable_is_back_hears_the_others_before_it_counts_there(count: int) -> None:
    """Else it would take everything for itself until it does."""
    lan = _steady(count, seed=count)
    node = lan.nodes[0]
    lan.plug(node, into_lan=False)
    lan.run(5)
    assert node.name not in lan.view(node)
    seen: list[frozenset[str]] = []
    lan.watchers.append(lambda one, _: seen.append(lan.view(one)) if one is node else None)
    lan.plug(node, into_lan=True)
    lan.run_until_true(most=BOUND)
    counted = [view for view in seen if node.name in view]
    assert counted[-1] == lan.truth(node)
    assert min(map(len, counted)) >= count - 1


def test_a_node_whose_cable_is_back_on_a_lan_without_others_counts_there_after_a_round() -> None:
    lan = _steady(3, seed=3)
    node = lan.nodes[0]
    lan.plug(node, into_lan=False)
    lan.run(5)
    lan.plug(node, into_lan=True)
    node.nic_cut = True
    assert lan.run_until_true(most=1.2, step=0.01) > 0.5


@pytest.mark.parametrize("count", [2, 3, 4, 9, 16])
def test_in_a_partition_each_side_sees_itself_and_after_it_all_see_all(count: int) -> None:
    lan = _steady(count, seed=count)
    lan.partition({node.name: node.index % 2 for node in lan.nodes})
    lan.run_until_true(most=BOUND)
    lan.run(10)
    lan.partition({})
    lan.run_until_true(most=BOUND)


@pytest.mark.parametrize("count", [2, 3, 9])
def test_a_node_that_was_paused_is_void_before_it_is_anything(count: int) -> None:
    lan = _steady(count, seed=count)
    node = lan.nodes[0]
    seen: list[Members] = []
    lan.watchers.append(lambda one, members: seen.append(members) if one is node else None)
    lan.pause(node)
    lan.run_until_true(most=1.2)
    lan.run(60)
    lan.resume(node)
    lan.run_until_true(most=BOUND)
    assert seen[0].void and not seen[-1].void


def test_a_pause_too_short_to_be_noticed_by_others_costs_nobody_anything() -> None:
    lan = _steady(5, seed=5)
    flaps = _deaths(lan)
    lan.pause(lan.nodes[0])
    lan.run(0.45)
    lan.resume(lan.nodes[0])
    lan.run(5)
    assert flaps == [] and lan.views() == lan.truths()


def test_one_that_hears_nobody_is_given_up_by_all() -> None:
    """It cannot tell that from being alone on the LAN, but it can hear so by the management network."""
    lan = _steady(5, seed=5)
    deaf = lan.nodes[0]
    lan.make_deaf((node.name, deaf.name) for node in lan.nodes[1:])
    lan.run(BOUND)
    assert {lan.view(node) for node in lan.nodes[1:]} == {frozenset(node.name for node in lan.nodes[1:])}


def test_one_that_nobody_hears_knows_it_and_serves_nothing() -> None:
    lan = _steady(5, seed=5)
    mute = lan.nodes[0]
    lan.make_deaf((mute.name, node.name) for node in lan.nodes[1:])
    lan.run(BOUND)
    others = frozenset(node.name for node in lan.nodes[1:])
    assert {lan.view(node) - {mute.name} for node in lan.nodes[1:]} == {others}
    assert mute.name not in lan.view(mute) and all(mute.name not in lan.view(node) for node in lan.nodes[1:])


def test_a_link_that_fails_between_two_only_is_no_death() -> None:
    lan = _steady(5, seed=5)
    lan.make_deaf([("node-0", "node-1"), ("node-1", "node-0")])
    lan.run(BOUND)
    assert set(lan.views().values()) == {frozenset(node.name for node in lan.nodes)}


def test_a_process_that_starts_again_under_its_name_is_never_dead_and_another_instance() -> None:
    lan = _steady(4, seed=4)
    flaps = _deaths(lan)
    before = _instance(lan.nodes[1], "node-0")
    lan.kill(lan.nodes[0])
    lan.run(0.3)
    lan.start(lan.nodes[0])
    lan.run(BOUND)
    assert (flaps, lan.views()) == ([], lan.truths())
    assert {_instance(node, "node-0") for node in lan.nodes[1:]}.isdisjoint({before})


def test_a_goodbye_is_heard_by_all_at_once_and_the_leaving_answers_on() -> None:
    lan = _steady(10, seed=10)
    lan.say_goodbye(lan.nodes[0])
    lan.run(0.05)
    said = [node.core.members.others["node-0"].leaving for node in lan.nodes[1:] if node.core is not None]
    assert said == [True] * 9 and lan.views() == lan.truths()


def test_a_node_that_is_alone_and_has_no_key_serves_and_does_nothing_more() -> None:
    alone = Membership("node-0", boot=1, timing=Timing(), now=0.0)
    alone.configure(0.0, peers={}, interfaces=(Lan(1, seed=1).nodes[0].local,), keyed=False)
    now, polls = 0.0, 0
    while (at := alone.wake_at) is not None or not polls:
        now = now if at is None else max(now, at)
        alone.poll(now)
        polls += 1
        assert polls < 20, f"at {now} it asks to be woken at {alone.wake_at}, again and again"
    assert not alone.members.void and alone.members.own["eth1"].alive and alone.take() == []


def test_without_a_management_network_a_lan_that_knows_itself_goes_on() -> None:
    lan = _steady(6, seed=6)
    lan.has_management = False
    lan.run(10)
    assert lan.views() == lan.truths()
    lan.kill(lan.nodes[0])
    assert lan.run_until_true(most=1.2, step=0.01) < 1.2


def test_the_smaller_part_of_a_partition_says_that_it_has_just_come_back() -> None:
    lan = _steady(5, seed=5)
    lan.run(40)
    lan.partition({"node-0": 1})
    lan.run(20)
    lan.partition({})
    lan.run_until_true(most=BOUND)
    # Since when it serves it says in its record, which follows at once.
    lan.run(0.05)
    assert [_stable_for(lan, node) < BOUND for node in lan.nodes] == [True, False, False, False, False]


@pytest.mark.parametrize("seconds", [1.0, 60.0])
def test_a_clock_that_jumps_makes_nobody_older(seconds: float) -> None:
    """Else its node would take others for settled who are not, and leave addresses to them."""
    lan = _steady(3, seed=3)
    lan.run(10)
    lan.jump(lan.nodes[0], seconds)
    lan.run_until_true(most=BOUND)
    lan.run(2)
    assert [_stable_for(lan, node) > 10 for node in lan.nodes] == [False, True, True]


def test_who_was_away_tells_a_new_process_of_the_one_before() -> None:
    """Though it knows no more how old that is: only who hears of it can outdo it."""
    lan = _steady(2, seed=2)
    away, other = lan.nodes
    lan.start(other)
    lan.run(BOUND)
    before = _instance(away, other.name)
    lan.pause(away)
    lan.jump(away, 60)
    lan.start(other)
    lan.run(0.3)
    lan.resume(away)
    lan.run(BOUND)
    assert (lan.views(), _instance(away, other.name) != before) == (lan.truths(), True)


def _stable_for(lan: Lan, node: Node) -> float:
    """Seconds, as all others are told."""
    told = set()
    for other in lan.nodes:
        if other is not node and other.core is not None:
            since = other.core.members.others[node.name].interfaces["eth1"].stable_since
            assert since is not None
            told.add(round(other.clock.reads(lan.now) - since, 1))
    assert max(told) - min(told) < 0.2
    return max(told)


def _instance(node: Node, name: str) -> int:
    assert node.core is not None
    return node.core.members.others[name].instance


def _deaths(lan: Lan) -> list[tuple[str, str]]:
    """Who sees whom dead, from now on."""
    found: list[tuple[str, str]] = []

    def watch(node: Node, members: Members) -> None:
        dead = [name for name, one in members.others.items() if not one.interfaces["eth1"].alive]
        found.extend((node.name, name) for name in dead)

    lan.watchers.append(watch)
    return found


@pytest.mark.parametrize("count", [2, 3, 4, 5, 8])
def test_after_any_history_everybody_agrees_within_the_bound(count: int) -> None:
    # Half a minute of one core for all sizes.
    for seed in range(240 * TIMES // count):
        with seeded(seed):
            lan = live_through(seed, count=count, faults=12)
            lan.run_until_true(most=BOUND)
            lan.run(4)
            assert lan.views() == lan.truths(), "did not stay in agreement"
