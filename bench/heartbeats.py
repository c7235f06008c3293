"""What heartbeats cost, and how well they work, on simulated LANs: the table of docs/layer2.md.

`python -m bench.heartbeats [--nodes 10 100 500] [--hours N]`. Time is virtual and the core is the real
one, so only the processor's seconds depend on the machine.
"""

import argparse
import time
from statistics import median

import msgspec

from openelb_bgp.model.members import Members
from tests.simulated_lan import NIC, Lan, Node

_HEADERS = 28 + 14
"""Bytes of Ethernet, IPv4 and UDP around each datagram."""


def _steady(count: int, *, seed: int, loss: float = 0.0, codec: bool = False) -> Lan:
    lan = Lan(count, seed=seed, loss=loss, codec=codec)
    lan.start_all(within=2.0)
    lan.run_until_true(most=20.0)
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
    return cost_on(_steady(count, seed=1, codec=True), seconds=seconds)


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


def detection(lan: Lan, *, deaths: int) -> str:
    """Seconds from a death until one other node knows, and until all do."""
    first: list[float] = []
    last: list[float] = []
    for index in range(deaths):
        victim = lan.nodes[index % len(lan.nodes)]
        knew = _note_deaths_of(lan, victim)
        lan.run(lan.random.random())
        died = lan.now
        lan.kill(victim)
        lan.run_until_true(most=10.0, step=0.002)
        lan.watchers.clear()
        first.append(min(knew) - died)
        last.append(lan.now - died)
        lan.start(victim)
        lan.run_until_true(most=10.0)
        lan.run(3.0)
    middle = f"first p50 {median(first):.2f} s, all p50 {median(last):.2f} s"
    return f"{middle}, worst {max(last):.2f} s"


def _note_deaths_of(lan: Lan, victim: Node) -> list[float]:
    knew: list[float] = []

    def watch(node: Node, members: Members) -> None:
        if not members.others[victim.name].interfaces[NIC].alive:
            knew.append(lan.now)

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
    return f"split seen after {split:.2f} s, heal after {healed:.2f} s"


def false_deaths(lan: Lan, *, loss: float, node_hours: float) -> str:
    """How often a node that lives is given up by the majority, by loss alone."""
    count = len(lan.nodes)
    found: set[tuple[str, float]] = set()
    dead: dict[str, bool] = {}

    def watch(node: Node, members: Members) -> None:
        for name, one in members.others.items():
            alive = one.interfaces[NIC].alive
            if not alive and not dead.get(name):
                found.add((name, lan.now))
            dead[name] = not alive

    lan.watchers.append(watch)
    lan.loss = loss
    lan.run(node_hours * 3600 / count)
    lan.loss = 0.0
    lan.watchers.clear()
    per_hour = len(found) / (node_hours / count)
    return f"{per_hour:.1f} an hour in the cluster ({len(found)} in {node_hours:g} hours of nodes)"


def everything(count: int, *, node_hours: float) -> None:
    """All of one size, line by line as it is known."""
    lan = _steady(count, seed=1)
    # Signed only while that is measured: it makes no other difference, and takes as long as all else.
    lan.codec = True
    print(count, "cost", cost_on(lan, seconds=500 / count), flush=True)
    lan.codec = False
    print(count, "detection", detection(lan, deaths=max(3, min(20, 500 // count))), flush=True)
    if count <= 100:
        print(count, "partition", partition(lan), flush=True)
    for loss in (0.01, 0.05):
        print(count, f"loss {loss:.0%}", false_deaths(lan, loss=loss, node_hours=node_hours), flush=True)


def main() -> None:
    """Print everything, line by line as it is known."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--nodes", type=int, nargs="+", default=[10, 100, 500], help="sizes of the LAN")
    parser.add_argument("--hours", type=float, default=5.0, help="of nodes, at each loss")
    arguments = parser.parse_args()
    for count in arguments.nodes:
        everything(count, node_hours=arguments.hours)


if __name__ == "__main__":
    main()
