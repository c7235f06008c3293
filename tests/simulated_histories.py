"""Random histories of a simulated LAN, each from its seed: faults of all kinds, and then nothing any more."""

import random
from collections import Counter
from collections.abc import Callable, Sequence

from openelb_bgp.model.addresses import Address
from tests.simulated_lan import Lan
from tests.simulated_node import Node
from tests.simulated_owners import ADDRESSES, Owners
from tests.simulated_weather import FAIR, Weather

BOUND = 4.0
"""Seconds of quiet after which everybody sees the truth, at the default timing."""

Fault = Callable[[Lan, random.Random], None]


def _kill(lan: Lan, dice: random.Random) -> None:
    lan.kill(dice.choice(lan.nodes))


def _start(lan: Lan, dice: random.Random) -> None:
    """Under the same name, perhaps while the one before still ran."""
    lan.start(dice.choice(lan.nodes))


def _pause(lan: Lan, dice: random.Random) -> None:
    lan.pause(dice.choice(lan.nodes))


def _migrate(lan: Lan, dice: random.Random) -> None:
    """A virtual machine goes to another host: it stands still for a moment, and so does its clock."""
    node = dice.choice(lan.nodes)
    if not node.paused:
        lan.pause(node, with_clock=True)
        lan.run(0.4 * dice.random())
        lan.resume(node)


def _suspend(lan: Lan, dice: random.Random) -> None:
    """The same for much longer, and nobody tells its clock."""
    lan.pause(dice.choice(lan.nodes), with_clock=True)


def _resume(lan: Lan, dice: random.Random) -> None:
    paused = [node for node in lan.nodes if node.paused]
    if paused:
        lan.resume(dice.choice(paused))


def _jump(lan: Lan, dice: random.Random) -> None:
    lan.jump(dice.choice(lan.nodes), dice.choice([0.05, 0.3, 1.0, 60.0]) * dice.random())


def _cut(lan: Lan, dice: random.Random) -> None:
    """A cable of which the kernel notices nothing: behind the next switch."""
    node = dice.choice(lan.nodes)
    node.nic_cut ^= node.has_carrier


def _unplug(lan: Lan, dice: random.Random) -> None:
    node = dice.choice(lan.nodes)
    if not node.paused:
        lan.plug(node, into_lan=not node.has_carrier)


def _split(lan: Lan, dice: random.Random) -> None:
    lan.partition({node.name: dice.randrange(2) for node in lan.nodes} if dice.random() < 0.5 else {})


def _one_way(lan: Lan, dice: random.Random) -> None:
    lan.make_deaf({(one.name, other.name) for one, other in (_two(lan, dice) for _ in range(3))})


def _half_split(lan: Lan, dice: random.Random) -> None:
    """Some hear nothing of the others, who hear them."""
    deaf = {node.name for node in lan.nodes if dice.random() < 0.5}
    names = {node.name for node in lan.nodes}
    lan.make_deaf((speaks, hears) for hears in deaf for speaks in names - deaf)


def _two(lan: Lan, dice: random.Random) -> tuple[Node, Node]:
    one, other = dice.sample(lan.nodes, 2)
    return one, other


def _hear_again(lan: Lan, dice: random.Random) -> None:
    del dice
    lan.make_deaf(())


def _management(lan: Lan, dice: random.Random) -> None:
    lan.has_management = dice.random() < 0.5


FAULTS: tuple[Fault, ...] = (
    *(_kill, _start, _start, _start),
    *(_pause, _migrate, _resume, _resume, _resume, _jump),
    *(_cut, _cut, _unplug, _unplug),
    *(_split, _one_way, _half_split, _hear_again, _management),
)
WITH_SUSPENSIONS = (*FAULTS, _suspend, _resume)
DELAYS = ((0.0001, 0.001), (0.001, 0.05))


def any_weather(dice: random.Random) -> Weather:
    """One in which nobody dies of it."""
    return Weather(
        loss=dice.choice([0.0, 0.02, 0.05]),
        delay=dice.choice(DELAYS),
        twice=dice.choice([0.0, 0.1]),
        late=dice.choice([0.0, 0.02]),
    )


def live_through(
    seed: int,
    *,
    count: int,
    faults: int,
    kinds: Sequence[Fault] = FAULTS,
    prepare: Callable[[Lan], None] | None = None,
    seen: Counter[str] | None = None,
) -> Lan:
    """A history of random faults, at the end of which links carry everything and nobody is paused.

    `prepare` sees the LAN before anybody has started; `seen` is told what happened.
    """
    dice = random.Random(seed)
    lan = Lan(count, seed=seed, weather=any_weather(dice))
    if prepare is not None:
        prepare(lan)
    lan.start_all(within=dice.choice([0.1, 5.0]))
    lan.run(40.0 if dice.random() < 0.1 else 0.0)
    for _ in range(faults):
        lan.run(dice.choice([0.05, 0.3, 1.0, 4.0]) * dice.random())
        fault = dice.choice(kinds)
        fault(lan, dice)
        if seen is not None:
            seen[fault.__name__.strip("_")] += 1
    lan.run(max(0.0, *(node.begins_at - lan.now for node in lan.nodes)))
    _calm(lan)
    return lan


def end_with_one_owner(
    seed: int,
    *,
    count: int,
    faults: int,
    kinds: Sequence[Fault] = FAULTS,
    seen: Counter[str] | None = None,
    passing: float = 0.0,
) -> None:
    """A history after which all agree within the bound, and each address has one owner, for good.

    Some addresses ask for a node. Fails where it is otherwise, and after `passing` seconds more still is: an
    address may just be going to a node that has served for long enough now.
    """
    made: list[Owners] = []

    def prepare(lan: Lan) -> None:
        asked: dict[Address, str] = {
            address: f"node-{number % count}" for number, address in enumerate(ADDRESSES[:4])
        }
        made.append(Owners(lan, preferred=asked))

    lan = live_through(seed, count=count, faults=faults, kinds=kinds, prepare=prepare, seen=seen)
    (owners,) = made
    owners.run(BOUND)
    lan.expect_truth("after the bound")
    owners.announce()
    if passing and not owners.has_one_on_each_side():
        owners.run(passing)
    owners.expect_one_on_each_side("after the bound")
    owners.run(40)
    lan.expect_truth("when all are stable")
    owners.announce()
    owners.expect_one_on_each_side("when all are stable")


def _calm(lan: Lan) -> None:
    """Who is dead stays so, and a switch that is cut off from another does too."""
    lan.weather = FAIR._replace(delay=lan.weather.delay)
    lan.has_management = True
    lan.make_deaf(())
    lan.partition({})
    for node in lan.nodes:
        if node.paused:
            lan.resume(node)
        if not node.has_carrier:
            lan.plug(node, into_lan=True)
