"""A node of the LAN is struck under requests: how fast the others have its addresses, what that costs, and
whether it stays quiet once it is back. Shared by both modes, by the tours and by the benchmark.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from statistics import median

from lab.lab import Lab
from lab.steps.lan.watch import RATE, Taken, Watch
from lab.steps.step import Finding, expect
from lab.traffic import TIMEOUT, Tally

Strike = Callable[[Lab, str], AbstractContextManager[None]]
"""Breaks something of a node while it is entered."""

STAY = 2.0
"""Seconds of requests after the addresses have moved, and after the node is back."""
_SLOWEST = 5.0
"""Seconds within which the last address must have moved, on a machine with other things to do."""


@dataclass(frozen=True, slots=True)
class Failover:
    """What became of the addresses of a node that was struck; times are seconds after that."""

    victim: str
    taken: Mapping[str, Taken]
    learned: Mapping[str, Mapping[str, float]]
    """By client and address: when its kernel sent elsewhere."""
    tally: Tally
    struck: float
    """When it was struck, on the monotonic clock."""
    both: float
    """The longest time from then on, seconds, for which two nodes answered for one address."""
    stale: int
    """How often the node answered after its return for what was another's."""

    @property
    def last(self) -> float:
        """When the last address was answered by another node."""
        return max(taken.after for taken in self.taken.values())

    @property
    def lost(self) -> Tally:
        """The requests without an answer."""
        return Tally(self.tally.lost)


def fail_over(
    lab: Lab,
    held: Mapping[str, str],
    victim: str,
    strike: Strike,
    *,
    stay: float = STAY,
    rate: float = RATE,
) -> Failover:
    """Strike the victim while all clients ask for its addresses, of those `held`; mend it again."""
    mine = [address for address, node in held.items() if node == victim]
    expect(bool(mine), expected=f"{victim} has an address", seen=held)
    with Watch(lab, mine, rate=rate) as watch:
        with ExitStack() as broken:
            struck = time.monotonic()
            broken.enter_context(strike(lab, victim))
            taken = watch.await_taken(struck, victim=victim)
            time.sleep(stay)
        back = time.monotonic()
        time.sleep(stay)
        learned = watch.learned(struck, not_of=victim)
        both, stale = watch.two_answered(struck), watch.stale(back, by=victim)
    return Failover(victim, taken, learned, watch.tally(), struck, both, stale)


def busiest(held: Mapping[str, str]) -> str:
    """The node that has most of these addresses: after other faults it may be any."""
    return Counter(held.values()).most_common(1)[0][0]


def expect_failover(found: Failover, *, both: float, loses: bool = True) -> None:
    """StepFailed unless all addresses moved soon, and requests were lost only meanwhile, if `loses` at all.

    `both` is for how long two nodes may answer for one address, seconds.
    """
    expect(found.last <= _SLOWEST, expected=f"all taken within {_SLOWEST:g} s", seen=f"{found.last:.2f} s")
    latest = found.struck + max(found.last, *slowest(found.learned)) + TIMEOUT if loses else 0.0
    outside = [one for one in found.tally.lost if not found.struck - TIMEOUT <= one.sent <= latest]
    expect(
        not outside,
        expected="requests lost only until the addresses had moved" if loses else "no request lost",
        seen=[(round(one.sent - found.struck, 2), one.address, one.error) for one in outside],
    )
    expect(
        found.both <= both,
        expected=f"two nodes answer for one address for at most {both:g} s",
        seen=f"{found.both:.2f} s",
    )


def slowest(learned: Mapping[str, Mapping[str, float]]) -> list[float]:
    """When the last address was learned, by client."""
    return [max(times.values(), default=0.0) for times in learned.values()]


def told(found: Failover, sentence: str) -> Finding:
    """The finding: a row for each heir."""
    rows = []
    for heir in sorted({taken.node for taken in found.taken.values()}):
        own = {address: taken.after for address, taken in found.taken.items() if taken.node == heir}
        tables = [[times[address] for address in own if address in times] for times in found.learned.values()]
        rows.append((heir, len(own), _span(list(own.values())), *(_span(times) for times in tables)))
    places = ("on the wire", *(f"in {client}'s table" for client in found.learned))
    columns = (f"from {found.victim} to", "addresses", *(f"{place}: median, last" for place in places))
    return Finding(sentence, columns, rows, found.tally)


def cost(found: Failover) -> str:
    """What to say of the requests that were lost."""
    if not found.tally.lost:
        return f"of {found.tally.sent} requests none was lost"
    return (
        f"{len(found.tally.lost)} of {found.tally.sent} requests were lost, over {found.tally.outage:.1f} s"
    )


def _span(seconds: Sequence[float]) -> str:
    """Median and last of some times."""
    if not seconds:
        return ""
    return f"{median(seconds):.2f}, {max(seconds):.2f} s"
