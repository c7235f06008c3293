"""From a Service's file to the route in the router's kernel, beside a bare AddPath in the same run."""

import random
import time
from collections.abc import Sequence

from bench import workload
from bench.bare import Bare, addresses
from bench.percentiles import SHOWN, percentile
from bench.results import Measure
from bench.site import Site, site

SAMPLES = 100
_WARM_UP = 10
_WITHIN = 10.0


def in_one() -> Sequence[Measure]:
    """With controller and speaker in one process."""
    return _measure("run")


def apart() -> Sequence[Measure]:
    """With controller and speaker in processes of their own."""
    return _measure("controller", "speaker")


def _measure(*roles: str) -> Sequence[Measure]:
    with site() as place, place.start_bare() as bare:
        place.start(*roles)
        place.until_session()
        chance = random.Random(1)
        ours, beside = [], []
        for number in range(_WARM_UP + SAMPLES):
            beside.append(_bare(place, bare, number))
            _pause(chance)
            ours.append(_ours(place, number))
            _pause(chance)
        return _compared(ours[_WARM_UP:], beside[_WARM_UP:])


def _bare(place: Site, bare: Bare, number: int) -> float:
    start, before = time.monotonic(), place.arrivals.count()
    bare.add(addresses(number + 1)[-1])
    return place.arrivals.wait_for(before + 1, within=_WITHIN) - start


def _ours(place: Site, number: int) -> float:
    text = workload.as_yaml(number)
    file = place.manifests / f"{workload.name_of(number)}.yaml"
    before = place.arrivals.count()
    start = time.monotonic()
    file.write_text(text)
    return place.arrivals.wait_for(before + 1, within=_WITHIN) - start


def _pause(chance: random.Random) -> None:
    # Out of step with the timers of FRR and of our own: 50 ms to 150 ms.
    time.sleep(chance.uniform(0.05, 0.15))


def _compared(ours: Sequence[float], beside: Sequence[float]) -> list[Measure]:
    values = {percent: (percentile(ours, percent), percentile(beside, percent)) for percent in SHOWN}
    measures = [
        Measure(what=f"p{percent}", value=value, beside=other, unit="ms")
        for percent, (value, other) in values.items()
    ]
    bounds = {50: 10.0, 95: 25.0}
    above = [
        Measure(
            what=f"p{percent} above a bare AddPath",
            value=values[percent][0] - values[percent][1],
            unit="ms",
            bound=bound,
        )
        for percent, bound in bounds.items()
    ]
    return [*measures, *above]
