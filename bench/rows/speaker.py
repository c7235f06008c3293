"""A speaker as it lives on a node: what it holds in memory, what it costs idle, and how it starts.

The Services have their addresses already: the speaker comes up in a cluster that is there.
"""

import time
from collections.abc import Callable, Sequence

from bench import workload
from bench.bare import paths_in
from bench.results import Measure
from bench.site import Site, cpu_seconds, resident_bytes, site
from lab.processes import Process
from lab.shell import wait_until
from openelb_bgp.files import peek
from openelb_bgp.model.meta import Kind

_MEGABYTE = 1e6
_WITHIN = 300.0
# Longer than the time between two comparisons with gobgpd (--resync, 30 s): one of them is in it.
_IDLE = 45.0
_SETTLE = 15.0


def hundred() -> Sequence[Measure]:
    """100 Services, 200 EndpointSlices."""
    return _resting(100, memory=75.0)


def ten_thousand() -> Sequence[Measure]:
    """10,000 Services, 20,000 EndpointSlices."""
    return _resting(10_000, memory=160.0)


def cold_start() -> Sequence[Measure]:
    """10,000 Services as a JSON List, and as YAML in files of a hundred; no gobgpd runs yet."""
    numbers = range(10_000)
    listed, last = _start(lambda place: workload.put(place.manifests, "all.json", workload.as_json(numbers)))
    written, _ = _start(lambda place: workload.write_yaml(place.manifests, numbers))
    return [
        Measure(what="start → full RIB, manifests in JSON", value=listed, unit="s", bound=3.0),
        Measure(what="start → last route in the router", value=last, unit="s"),
        Measure(what="start → full RIB, manifests in YAML", value=written, unit="s"),
    ]


def _start(write: Callable[[Site], None]) -> tuple[float, float]:
    """Seconds from the start of a speaker until gobgpd has all paths, and the router all routes."""
    number = 10_000
    with site() as place:
        write(place)
        _allocate(place, number)
        start = time.monotonic()
        place.start("speaker")
        socket = place.runtime / "gobgpd" / "gobgp.sock"
        wait_until(lambda: paths_in(socket) == number, within=_WITHIN, what="the full RIB")
        full = time.monotonic() - start
        return full, place.arrivals.wait_for(number, within=_WITHIN) - start


def _resting(number: int, *, memory: float) -> Sequence[Measure]:
    with site() as place:
        workload.write_yaml(place.manifests, range(number), slices=2)
        controller = _allocate(place, number)
        speaker = place.start("speaker")["speaker"]
        place.arrivals.wait_for(number, within=_WITHIN)
        # Reports and statuses follow the routes by some seconds.
        time.sleep(_SETTLE)
        busy = _busy(speaker, controller)
        return [
            Measure(what="memory", value=resident_bytes(speaker) / _MEGABYTE, unit="MB", bound=memory),
            Measure(what="processor, idle", value=busy[0], unit="%", bound=0.5),
            Measure(what="memory of the controller", value=resident_bytes(controller) / _MEGABYTE, unit="MB"),
            Measure(what="processor of the controller, idle", value=busy[1], unit="%"),
        ]


def _allocate(place: Site, number: int) -> Process:
    """Let a controller give every Service its address."""
    controller = place.start("controller")["controller"]

    def allocated() -> bool:
        rows = peek.rows(place.state)
        return sum(row.ref.kind is Kind.SERVICE for row in rows) == number

    wait_until(allocated, within=_WITHIN, what=f"{number} addresses")
    return controller


def _busy(*processes: Process) -> list[float]:
    """The share of a processor that each uses, in percent."""
    before = [cpu_seconds(one) for one in processes]
    start = time.monotonic()
    time.sleep(_IDLE)
    seconds = time.monotonic() - start
    used = zip(processes, before, strict=True)
    return [100 * (cpu_seconds(one) - spent) / seconds for one, spent in used]
