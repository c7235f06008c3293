"""What the daemon's image weighs, and how long the command line takes to answer inside a container.

Where nothing has changed since `make test-containers`, its images are measured; else they are built first.
"""

import statistics
from collections.abc import Sequence

from bench.results import Measure
from lab.engine import images
from lab.engine.engine import held_engine
from lab.engine.standins import BASE

_MEGABYTES_AT_MOST = 150.0
_MILLISECONDS_AT_MOST = 300.0
_ROUNDS = 15
_TIMED = """\
import subprocess, sys, time
for _ in range(int(sys.argv[1])):
    start = time.monotonic()
    subprocess.run(["openelb-bgp", "--help"], check=True, stdout=subprocess.DEVNULL)
    print(1000 * (time.monotonic() - start))
"""


def daemon() -> Sequence[Measure]:
    """The image above its base, and `--help` in a container: the first answer, and the usual one."""
    with held_engine() as engine:
        images.build(engine)
        size = (images.unpacked(engine, images.DAEMON) - images.unpacked(engine, BASE)) / 1e6
        command = ("run", "--rm", "--entrypoint", "python", images.DAEMON, "-c", _TIMED, str(_ROUNDS))
        first, *later = map(float, engine.docker(*command).split())
    return [
        Measure(what="unpacked, above its base", value=size, unit="MB", bound=_MEGABYTES_AT_MOST),
        Measure(what="the first --help", value=first, unit="ms", bound=_MILLISECONDS_AT_MOST),
        Measure(what="--help", value=statistics.median(later), unit="ms"),
    ]
