"""How long the command line takes to answer, a whole process each time."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.results import Measure

_ROUNDS = 41
_BOUND = 60.0


def help_text() -> Sequence[Measure]:
    """`openelb-bgp --help`, in turns with a Python that does nothing."""
    ours = (str(Path(sys.executable).parent / "openelb-bgp"), "--help")
    nothing = (sys.executable, "-c", "pass")
    runs = [(_run(ours), _run(nothing)) for _ in range(_ROUNDS)]
    wall, wall_beside = (statistics.median(1000 * pair[one][0] for pair in runs) for one in (0, 1))
    cpu, cpu_beside = (statistics.median(1000 * pair[one][1] for pair in runs) for one in (0, 1))
    return [
        Measure(what="--help", value=wall, beside=wall_beside, unit="ms", bound=_BOUND),
        Measure(what="of it processor time", value=cpu, beside=cpu_beside, unit="ms"),
    ]


def _run(argv: Sequence[str]) -> tuple[float, float]:
    """Seconds by the clock, and of processor time."""
    before = os.times()
    start = time.monotonic()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    seconds = time.monotonic() - start
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return seconds, spent
