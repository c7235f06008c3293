"""Many Services at once: from their delivery by the source until the last route is in the router's kernel.

Allocation and durable state are in it. Beside it: AddPathStream of as many paths by a bare client, with its
messages made beforehand, into a gobgpd of the same version and the same router.
"""

import statistics
import time
from collections.abc import Callable, Sequence

from bench import workload
from bench.bare import Bare, addresses, stream_messages
from bench.results import Measure
from bench.site import Site, site

_BOUND = 1.5
_WITHIN = 600.0
_FILE = "many"


def ten_thousand() -> Sequence[Measure]:
    """10,000, three times."""
    return _measure(10_000, rounds=3)


def fifty_thousand() -> Sequence[Measure]:
    """50,000, once."""
    return _measure(50_000, rounds=1)


def from_yaml() -> Sequence[Measure]:
    """10,000 out of a file of YAML, from the file's appearance on."""
    number = 10_000
    with site() as place, place.start_bare() as bare:
        _start(place)
        beside = _bare(place, bare, number)
        text = "---\n".join(workload.as_yaml(index) for index in range(number))
        start = time.monotonic()
        workload.put(place.manifests, f"{_FILE}.yaml", text)
        last = place.arrivals.wait_for(number, within=_WITHIN)
        delivered = _delivered(place, number)
        return [
            Measure(what="file → last route", value=last - start, beside=beside, unit="s"),
            Measure(what="of it reading", value=delivered - start, unit="s"),
            Measure(what="delivery → last route", value=last - delivered, beside=beside, unit="s"),
        ]


def _measure(number: int, *, rounds: int) -> Sequence[Measure]:
    with site() as place, place.start_bare() as bare:
        _start(place)
        text = workload.as_json(range(number))
        ours, beside = [], []
        for _ in range(rounds):
            beside.append(_bare(place, bare, number))
            ours.append(_ours(place, number, lambda: workload.put(place.manifests, f"{_FILE}.json", text)))
            (place.manifests / f"{_FILE}.json").unlink()
            place.arrivals.wait_for(0, within=_WITHIN)
    seconds, bare_seconds = statistics.median(ours), statistics.median(beside)
    return [
        Measure(what="delivery → last route", value=seconds, beside=bare_seconds, unit="s"),
        Measure(
            what="times a bare AddPathStream",
            value=statistics.median(one / other for one, other in zip(ours, beside, strict=True)),
            unit="×",
            bound=_BOUND,
        ),
    ]


def _start(place: Site) -> None:
    place.start_stamped("run")
    place.until_session()
    # A first Service proves that everything works.
    workload.put(place.manifests, "first.yaml", workload.as_yaml(99_999))
    place.arrivals.wait_for(1, within=30.0)
    (place.manifests / "first.yaml").unlink()
    place.arrivals.wait_for(0, within=30.0)


def _bare(place: Site, bare: Bare, number: int) -> float:
    messages = stream_messages(addresses(number))
    start = time.monotonic()
    bare.send(messages)
    seconds = place.arrivals.wait_for(number, within=_WITHIN) - start
    bare.send(stream_messages(addresses(number), withdraw=True))
    place.arrivals.wait_for(0, within=_WITHIN)
    return seconds


def _ours(place: Site, number: int, write: Callable[[], None]) -> float:
    write()
    last = place.arrivals.wait_for(number, within=_WITHIN)
    return last - _delivered(place, number)


def _delivered(place: Site, number: int) -> float:
    """When they left the source: all in one batch."""
    return max(at for at, services in place.deliveries() if services == number)
