"""On the LAN while nothing is broken and the machine has too much to do: addresses that move all the same.

Each move is one too many: its owner lives and could have gone on. Two clients ask for the addresses all the
while, and somebody asks twenty times a second who has them.
"""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from subprocess import DEVNULL, Popen

from bench.results import Measure
from bench.rows.failover import FEW, RATE
from lab.lab import held_lab
from lab.steps.lan.crowd import assemble
from lab.steps.lan.watch import Watch
from lab.tours import TOURS

_SECONDS = 150.0
_OTHERS = 4
"""Processes a core that compute without a pause, each in a session of its own as other containers' are."""


def layer2_under_load() -> Sequence[Measure]:
    """While they are kept busy by others."""
    tour = TOURS["layer2"]
    with held_lab(tour.topology, name=tour.name) as lab:
        lab.copy_manifests(*tour.more)
        lab.start_daemons()
        held = assemble(lab, FEW)
        with Watch(lab, tuple(held), rate=RATE) as watch, _others():
            began = time.monotonic()
            time.sleep(_SECONDS)
            moves = watch.moves(began)
        tally = watch.tally()
    return [
        Measure(
            what=f"moves of {len(held)} addresses in {_SECONDS:g} s", value=len(moves), bound=0.0, unit=""
        ),
        Measure(what="requests meanwhile", value=tally.sent, unit=""),
        Measure(what="of them without an answer", value=len(tally.lost), unit=""),
    ]


@contextmanager
def _others() -> Iterator[None]:
    with ExitStack() as ends:
        for _ in range(_OTHERS * (os.cpu_count() or 1)):
            argv = (sys.executable, "-c", "while True: pass")
            other = ends.enter_context(Popen(argv, stdin=DEVNULL, start_new_session=True))
            ends.callback(other.kill)
        yield
