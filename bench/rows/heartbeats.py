"""What it costs a node to know who is alive: traffic in virtual time, and a real process on a real LAN.

The traffic does not depend on how many members there are, once these are more than a node has watchers.
"""

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.heartbeats import cost
from bench.results import Measure
from tests.daemons.harness.netns import make_lan
from tests.daemons.harness.processes import Daemon

_NODES = 6
_PATIENCE, _SECONDS = 60.0, 20.0
_TICKS = os.sysconf("SC_CLK_TCK")


def at_rest() -> Sequence[Measure]:
    """While everybody lives and nobody comes or goes."""
    measures = []
    for count in (10, 100):
        found = cost(count, seconds=10.0)
        measures += [
            Measure(what=f"datagrams sent a second, {count} members", value=found.datagrams, unit="/s"),
            Measure(what=f"the same in bytes, {count} members", value=found.octets / 1000, unit="kB/s"),
        ]
    return [*measures, Measure(what=f"CPU, {_NODES} members", value=100 * _cpu(), unit="%", bound=1.0)]


def _cpu() -> float:
    """Seconds of CPU a second of one process among its like, interpreter and kernel included."""
    lan = make_lan(routers=0, nodes=_NODES)
    with ExitStack() as ends, tempfile.TemporaryDirectory() as folder:
        ends.callback(lan.remove)
        key = Path(folder, "key")
        key.write_text("a-key-for-the-benchmark")
        daemons = []
        for index, node in enumerate(lan.nodes):
            others = [(i, other.v4) for i, other in enumerate(lan.nodes) if i != index]
            peers = [f"--peer=n{i}={address}" for i, address in others]
            module = (
                "-m",
                "tests.daemons.harness.member",
                f"n{index}",
                f"--key-file={key}",
                "--interval=0.2",
            )
            daemon = Daemon(node.argv(sys.executable, *module, *peers), log=Path(folder, f"n{index}.log"))
            ends.callback(daemon.end)
            daemon.start()
            daemons.append(daemon)
        _wait_for_all(daemons[0])
        before = _used(daemons[0].pids[-1])
        time.sleep(_SECONDS)
        return (_used(daemons[0].pids[-1]) - before) / _SECONDS


def _wait_for_all(first: Daemon) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not all(f'"n{i}"' in first.output()[-2000:] for i in range(1, _NODES)):
        assert time.monotonic() < deadline, first.output()
        time.sleep(0.2)
    # What follows a start is over soon.
    time.sleep(3.0)


def _used(pid: int) -> float:
    """Seconds of CPU so far, user and system (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
