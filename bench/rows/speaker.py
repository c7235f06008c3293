"""A speaker as it lives on a node: what it holds in memory, what it costs idle, and how it starts."""

import time
from collections.abc import Sequence

from bench.bare import paths_in
from bench.results import Measure
from bench.site import cpu_seconds, resident_bytes, site
from lab.processes import Process
from lab.shell import wait_until

_MEGABYTE = 1e6
_WITHIN = 300.0
# Longer than the time between two comparisons with gobgpd (--resync, 30 s): one of them is in it.
_IDLE = 40.0
_SETTLE = 5.0


def hundred() -> Sequence[Measure]:
    """100 Services."""
    return _resting(100, memory=75.0)


def ten_thousand() -> Sequence[Measure]:
    """10,000 Services."""
    return _resting(10_000, memory=160.0)


def cold_start() -> Sequence[Measure]:
    """With 10,000 Services in YAML and their addresses in the state, and no gobgpd yet."""
    number = 10_000
    with site(services=number) as place:
        first = place.start("controller", "speaker")["speaker"]
        place.arrivals.wait_for(number, within=_WITHIN)
        place.lab.processes.stop(first.name)
        place.end_gobgpd()
        place.arrivals.wait_for(0, within=_WITHIN)
        start = time.monotonic()
        place.start("speaker")
        socket = place.runtime / "gobgpd" / "gobgp.sock"
        wait_until(lambda: paths_in(socket) == number, within=_WITHIN, what="the full RIB")
        full = time.monotonic() - start
        last = place.arrivals.wait_for(number, within=_WITHIN) - start
    return [
        Measure(what="start → full RIB", value=full, unit="s", bound=3.0),
        Measure(what="start → last route in the router", value=last, unit="s"),
    ]


def _resting(number: int, *, memory: float) -> Sequence[Measure]:
    with site(services=number, slices=2) as place:
        started = place.start("controller", "speaker")
        place.arrivals.wait_for(number, within=_WITHIN)
        # Reports and statuses follow the routes by some seconds.
        time.sleep(_SETTLE)
        speaker, controller = started["speaker"], started["controller"]
        busy = _busy(speaker, controller)
        return [
            Measure(what="memory", value=resident_bytes(speaker) / _MEGABYTE, unit="MB", bound=memory),
            Measure(what="processor, idle", value=busy[0], unit="%", bound=0.5),
            Measure(what="memory of the controller", value=resident_bytes(controller) / _MEGABYTE, unit="MB"),
            Measure(what="processor of the controller, idle", value=busy[1], unit="%"),
        ]


def _busy(*processes: Process) -> list[float]:
    """The share of a processor that each uses, in percent."""
    before = [cpu_seconds(one) for one in processes]
    start = time.monotonic()
    time.sleep(_IDLE)
    seconds = time.monotonic() - start
    used = zip(processes, before, strict=True)
    return [100 * (cpu_seconds(one) - spent) / seconds for one, spent in used]
