"""On the LAN: how long the addresses of a struck node are out, for clients' kernels and for their requests.

Twenty strikes, always at the node that has most. Each counts with the slowest of the node's addresses, so a
figure is that of the last client that was helped. Two clients ask for the addresses all the while.
"""

from collections.abc import Sequence
from functools import partial

from bench.percentiles import percentile
from bench.results import Measure
from lab.lab import Lab, held_lab
from lab.steps.lan.crowd import Crowd, assemble
from lab.steps.lan.failover import Failover, Strike, busiest, fail_over, slowest
from lab.steps.lan.look import LAYER2
from lab.steps.lan.strikes import paused, speaker_killed, unplugged
from lab.tours import TOURS, Tour

STRIKES = 20
GRATUITOUS = 30_000.0
"""The default interval of gratuitous announcements, ms: as long as two may at most answer for one address."""
FEW = Crowd(LAYER2, like="shop", count=12)
RATE = 200.0
"""Requests a second of each client."""
_STAY = 0.5


def measured(tour: Tour, crowd: Crowd, strike: Strike) -> Sequence[Measure]:
    """The figures of one kind of strike."""
    with held_lab(tour.topology, name=tour.name) as lab:
        lab.copy_manifests(*tour.more)
        lab.start_daemons()
        found = [_struck(lab, crowd, strike) for _ in range(STRIKES)]
    learned = [max(slowest(one.learned)) for one in found]
    unanswered = [_unanswered(one) for one in found]
    return [
        *_percentiles("the clients' tables have another node", learned),
        *_percentiles("requests without an answer", unanswered),
        Measure(
            what="the longest for which two answered once a node was back",
            value=1000 * max(one.both for one in found),
            unit="ms",
            bound=GRATUITOUS,
        ),
    ]


def _struck(lab: Lab, crowd: Crowd, strike: Strike) -> Failover:
    # One that is back has to prove steady before it has addresses again, so they are struck in turn.
    held = assemble(lab, crowd)
    return fail_over(lab, held, busiest(held), strike, stay=_STAY, rate=RATE)


def _unanswered(found: Failover) -> float:
    """Seconds from the strike to the last request that was lost, 0 if none was."""
    return max((lost.sent - found.struck for lost in found.tally.lost), default=0.0)


def _percentiles(what: str, seconds: Sequence[float]) -> list[Measure]:
    return [
        Measure(what=f"{what}: p50", value=percentile(seconds, 50), unit="ms", bound=1000.0),
        Measure(what=f"{what}: p95", value=percentile(seconds, 95), unit="ms"),
    ]


layer2_speaker_killed = partial(measured, TOURS["layer2"], FEW, speaker_killed)
layer2_link_cut = partial(measured, TOURS["layer2"], FEW, unplugged)
layer2_node_paused = partial(measured, TOURS["layer2"], FEW, paused)
