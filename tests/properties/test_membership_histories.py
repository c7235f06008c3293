"""Membership on simulated LANs: whatever happened, a while after it is over everybody agrees on the truth."""

import random
from collections.abc import Callable

import pytest

from openelb_bgp.membership.core import Membership
from openelb_bgp.membership.timing import Timing
from openelb_bgp.model.members import Members
from tests.properties.seeds import TIMES, seeded
from tests.simulated_lan import Lan, Node

BOUND = 4.0
"""Seconds of quiet after which everybody sees the truth, at the default timing."""


def _steady(count: int, *, seed: int, loss: float = 0.0, codec: bool = False) -> Lan:
    lan = Lan(count, seed=seed, loss=loss, codec=codec)
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
    leaving = lan.nodes[0]
    assert leaving.core is not None
    leaving.core.leave(lan.now + leaving.skew)
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
    assert [_stable_for(lan, node) < BOUND for node in lan.nodes] == [True, False, False, False, False]


def _stable_for(lan: Lan, node: Node) -> float:
    """Seconds, as all others are told."""
    told = set()
    for other in lan.nodes:
        if other is not node and other.core is not None:
            since = other.core.members.others[node.name].interfaces["eth1"].stable_since
            assert since is not None
            told.add(round(lan.now + other.skew - since, 1))
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


Fault = Callable[[Lan, random.Random], None]


def _kill(lan: Lan, dice: random.Random) -> None:
    lan.kill(dice.choice(lan.nodes))


def _start(lan: Lan, dice: random.Random) -> None:
    node = dice.choice(lan.nodes)
    node.paused = False
    lan.start(node)


def _pause(lan: Lan, dice: random.Random) -> None:
    lan.pause(dice.choice(lan.nodes))


def _resume(lan: Lan, dice: random.Random) -> None:
    lan.resume(dice.choice(lan.nodes))


def _cut(lan: Lan, dice: random.Random) -> None:
    dice.choice(lan.nodes).nic_cut ^= True


def _split(lan: Lan, dice: random.Random) -> None:
    lan.partition({node.name: dice.randrange(2) for node in lan.nodes} if dice.random() < 0.5 else {})


def _one_way(lan: Lan, dice: random.Random) -> None:
    lan.make_deaf({tuple(node.name for node in dice.sample(lan.nodes, 2)) for _ in range(3)})  # type: ignore[misc]


def _management(lan: Lan, dice: random.Random) -> None:
    lan.has_management = dice.random() < 0.5


FAULTS: tuple[Fault, ...] = (
    _kill,
    _start,
    _start,
    _pause,
    _resume,
    _resume,
    _cut,
    _split,
    _one_way,
    _management,
)


def live_through(
    seed: int, *, count: int, faults: int, loss: float = 0.0, prepare: Callable[[Lan], None] | None = None
) -> Lan:
    """A history of random faults, at the end of which every link works both ways and nobody is paused.

    `prepare` sees the LAN before anybody has started.
    """
    dice = random.Random(seed)
    lan = Lan(count, seed=seed, loss=loss, delay=dice.choice([(0.0001, 0.001), (0.001, 0.05)]))
    if prepare is not None:
        prepare(lan)
    lan.start_all(within=dice.choice([0.1, 5.0]))
    for _ in range(faults):
        lan.run(dice.choice([0.05, 0.3, 1.0, 4.0]) * dice.random())
        dice.choice(FAULTS)(lan, dice)
    lan.loss, lan.has_management = 0.0, True
    lan.make_deaf(())
    lan.partition({})
    for node in lan.nodes:
        if node.paused:
            lan.resume(node)
    return lan


@pytest.mark.parametrize("count", [2, 3, 4, 5, 8])
def test_after_any_history_everybody_agrees_within_the_bound(count: int) -> None:
    # Half a minute of one core for all sizes.
    for seed in range(240 * TIMES // count):
        with seeded(seed):
            lan = live_through(seed, count=count, faults=12, loss=0.02)
            lan.run_until_true(most=BOUND)
            lan.run(4)
            assert lan.views() == lan.truths(), "did not stay in agreement"
