"""What heartbeats cost, and how well they work, on simulated LANs: the table of docs/layer2.md.

`python -m bench.heartbeats [--nodes 10 100 500] [--minutes 60 10 2]`, or `make simulate`. Time is virtual and
the core is the real one, so only the processor's seconds depend on the machine. Of each size one column is
printed, row by row as it is known.
"""

import argparse
import time
from collections.abc import Iterator

import msgspec

from bench.percentiles import percentile
from openelb_bgp.membership.timing import Timing
from openelb_bgp.model.members import Members
from tests.simulated_lan import Lan
from tests.simulated_node import NIC, Node
from tests.simulated_weather import FAIR, Weather

_HEADERS = 28 + 14
"""Bytes of Ethernet, IPv4 and UDP around each datagram."""
_PATIENCE = 10.0
"""Seconds after which something is not coming any more."""
_MANY = 200
"""So many nodes are more than most clusters have; a come-back among them takes long to simulate."""
LOSSES = (0.01, 0.05)


def _steady(count: int, *, codec: bool = False) -> Lan:
    lan = Lan(count, seed=1, codec=codec)
    lan.start_introduced()
    lan.run_until_true(most=_PATIENCE)
    # What follows a start is told, and who was watched meanwhile is left alone.
    lan.run(8.0)
    return lan


class Cost(msgspec.Struct, frozen=True):
    """Of one node while nothing happens: datagrams and bytes a second each way, CPU seconds a second."""

    datagrams: float
    octets: float
    cpu: float

    def __str__(self) -> str:
        traffic = f"{self.datagrams:.0f} datagrams/s, {self.octets / 1000:.1f} kB/s each way"
        return f"{traffic}, {self.cpu:.2%} of a core"


def cost(count: int, *, seconds: float) -> Cost:
    """Without what the kernel does for it."""
    return cost_on(_steady(count, codec=True), seconds=seconds)


def cost_on(lan: Lan, *, seconds: float) -> Cost:
    """The same, of a LAN at rest."""
    count = len(lan.nodes)
    sent = sum(node.sent for node in lan.nodes)
    size = sum(node.sent_bytes for node in lan.nodes)
    began = time.process_time()
    lan.run(seconds)
    used = (time.process_time() - began) / seconds / count
    datagrams = (sum(node.sent for node in lan.nodes) - sent) / seconds / count
    octets = (sum(node.sent_bytes for node in lan.nodes) - size) / seconds / count + datagrams * _HEADERS
    return Cost(datagrams, octets, used)


class Detection(msgspec.Struct, frozen=True):
    """Of each death the seconds until one other node knew of it, and until all did."""

    first: list[float]
    last: list[float]

    def __str__(self) -> str:
        return f"first {_spread(self.first)}, all {_spread(self.last)} ({len(self.first)} deaths)"


def _spread(seconds: list[float]) -> str:
    middle, most = (percentile(seconds, percent) / 1000 for percent in (50, 95))
    return f"p50 {middle:.2f} p95 {most:.2f} max {max(seconds):.2f} s"


def detection(lan: Lan, *, deaths: int) -> Detection:
    """One death after the other, at any moment; of few nodes, who died comes back before the next."""
    first: list[float] = []
    last: list[float] = []
    for index in range(deaths):
        victim = lan.nodes[index * 7 % len(lan.nodes)]
        lan.run(lan.random.random())
        died, knew = lan.now, _note_deaths_of(lan, victim)
        lan.kill(victim)
        others = len(lan.running())
        while len(knew) < others:
            assert lan.now < died + _PATIENCE, f"after {_PATIENCE} s only {sorted(knew)} know"
            lan.run(0.02)
        lan.watchers.clear()
        first.append(min(knew.values()) - died)
        last.append(max(knew.values()) - died)
        if len(lan.nodes) < _MANY:
            lan.start(victim)
        lan.run(4.0)
    return Detection(first, last)


def _note_deaths_of(lan: Lan, victim: Node) -> dict[str, float]:
    """By node when it knew."""
    knew: dict[str, float] = {}

    def watch(node: Node, members: Members) -> None:
        if not members.others[victim.name].interfaces[NIC].alive:
            knew.setdefault(node.name, lan.now)

    lan.watchers.append(watch)
    return knew


def partition(lan: Lan) -> str:
    """Seconds until each side of an even partition sees itself, and after it all see all."""
    lan.partition({node.name: lan.random.randrange(2) for node in lan.nodes})
    split = lan.run_until_true(most=60.0, step=0.02)
    lan.run(15.0)
    lan.partition({})
    healed = lan.run_until_true(most=60.0, step=0.02)
    lan.run(5.0)
    return f"each side sees itself after {split:.2f} s, healed all see all after {healed:.2f} s"


class FalseDeaths(msgspec.Struct, frozen=True):
    """`found` were given up though they lived, by whomever, or gave themselves up.

    `calculated` is how often an hour a single watcher does so, wherever in the cluster. For a failover most
    watchers of a node have to do so at the same time.
    """

    found: int
    hours: float
    calculated: float

    def __str__(self) -> str:
        rate = f"{self.found / self.hours:.2f} an hour ({self.found} in {60 * self.hours:g} min)"
        return f"{rate}; one watcher alone, by calculation: {self.calculated:.2g} an hour"


def false_deaths(lan: Lan, *, loss: float, hours: float) -> FalseDeaths:
    """How often, by loss alone, in each direction."""
    found = 0
    doubters: dict[str, set[str]] = {node.name: set() for node in lan.running()}

    def watch(node: Node, members: Members) -> None:
        nonlocal found
        seen = {name: one.interfaces[NIC].alive for name, one in members.others.items() if name in doubters}
        seen[node.name] = members.own[NIC].alive and not members.void
        for name, alive in seen.items():
            found += not alive and not doubters[name]
            doubters[name] = doubters[name] - {node.name} if alive else doubters[name] | {node.name}

    lan.weather = Weather(loss=loss)
    lan.watchers.append(watch)
    lan.run(3600 * hours)
    lan.watchers.clear()
    lan.weather = FAIR
    return FalseDeaths(found, hours, calculated(len(lan.nodes), loss, lan.timing))


def calculated(count: int, loss: float, timing: Timing) -> float:
    """How often an hour a watcher gives up somebody that lives: all questions of one silence are lost.

    A silence begins with a question that is lost after one that was not, of which there is one an interval.
    """
    fails = 1 - (1 - loss) ** 2
    questions = round((timing.bound - timing.interval) / timing.retry)
    pairs = count * min(count - 1, timing.watchers)
    return pairs * 3600 / timing.interval * (1 - fails) * fails**questions


def rows(count: int, *, minutes: float) -> Iterator[str]:
    """All of one size."""
    lan = _steady(count)
    # Signed only while that is measured: it makes no other difference, and takes as long as all else.
    lan.sign()
    yield f"at rest: {cost_on(lan, seconds=500 / count)}"
    lan.codec = False
    yield f"a death is known: {detection(lan, deaths=max(5, min(200, 2000 // count)))}"
    if count < _MANY:
        yield partition(lan)
    for loss in LOSSES:
        yield f"given up though alive, {loss:.0%} lost: {false_deaths(lan, loss=loss, hours=minutes / 60)}"


def main() -> None:
    """Print everything, line by line as it is known."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--nodes", type=int, nargs="+", default=[10, 100, 500], help="sizes of the LAN")
    minutes = parser.add_argument("--minutes", type=float, nargs="+", default=[60.0, 10.0, 2.0])
    minutes.help = "of each size, at each loss; the last one for those that follow"
    given = parser.parse_args()
    for index, count in enumerate(given.nodes):
        began = time.process_time()
        for row in rows(count, minutes=given.minutes[min(index, len(given.minutes) - 1)]):
            print(f"{count} nodes: {row}", flush=True)
        print(f"{count} nodes: {time.process_time() - began:.0f} s of processor time for this", flush=True)


if __name__ == "__main__":
    main()
