"""In a cluster: from an object in the API server to the route in the router's kernel, with three speakers.

Beside it: what a bare client needs for the same requests and for writing one status each, and, for a single
Service, what gobgpd and FRR need by themselves. All in the same run, on the same cores.
"""

import random
import time
from collections.abc import Sequence

from bench.bare import Bare, addresses
from bench.cluster_site import (
    LOAD_BALANCER,
    MINE,
    NAMESPACE,
    Addressed,
    ClusterSite,
    all_at_once,
    cluster_site,
    endpoint_slice,
    service,
)
from bench.percentiles import SHOWN, percentile
from bench.results import Measure
from bench.site import cpu_seconds, resident_bytes

SAMPLES = 100
_WARM_UP = 10
_WITHIN, _LONG = 30.0, 900.0
_MEGABYTE = 1e6
_SETTLE, _IDLE = 20.0, 60.0
_STATUS = {"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}]}}}


def latency() -> Sequence[Measure]:
    """One Service after the other."""
    with cluster_site() as place, place.start_bare() as bare, Addressed(place.api) as addressed:
        place.start()
        chance = random.Random(1)
        ours, routes, statuses = [], [], []
        for number in range(_WARM_UP + SAMPLES):
            routes.append(_bare_route(place, bare, number))
            _pause(chance)
            statuses.append(_bare_status(place, addressed, number))
            _pause(chance)
            ours.append(_ours(place, number))
            _pause(chance)
    return _compared(ours[_WARM_UP:], routes[_WARM_UP:], statuses[_WARM_UP:])


def thousand() -> Sequence[Measure]:
    """1,000 Services at once."""
    with cluster_site() as place:
        place.start()
        return _at_once(place, 1_000)


def ten_thousand() -> Sequence[Measure]:
    """10,000 Services at once, then 20,000 EndpointSlices, and a rest."""
    with cluster_site() as place:
        place.start()
        measures = _at_once(place, 10_000)
        all_at_once(lambda number: place.api.create(endpoint_slice(_name(number), 1)), range(10_000))
        time.sleep(_SETTLE)
        return [*measures, *_at_rest(place)]


def _at_once(place: ClusterSite, number: int) -> list[Measure]:
    """ClusterIPs that are there become LoadBalancers: first as somebody else's, then as ours."""
    names = [_name(one) for one in range(number)]
    all_at_once(lambda name: place.api.create(service(name, annotations={})), names)
    all_at_once(lambda name: place.api.create(endpoint_slice(name)), names)

    def somebody_elses(name: str) -> None:
        place.api.patch("Service", name, {"spec": LOAD_BALANCER}, namespace=NAMESPACE)
        place.api.patch("Service", name, _STATUS, namespace=NAMESPACE, subresource="status")

    with Addressed(place.api) as addressed:
        start = time.monotonic()
        all_at_once(somebody_elses, names)
        bare = addressed.wait_for(number, within=_LONG) - start
    back = {"spec": {"type": "ClusterIP", "allocateLoadBalancerNodePorts": None}}
    all_at_once(lambda name: place.api.patch("Service", name, back, namespace=NAMESPACE), names)

    change = {"metadata": {"annotations": MINE}, "spec": LOAD_BALANCER}
    before = cpu_seconds(place.controller), cpu_seconds(place.speaker())
    with Addressed(place.api) as addressed:
        start = time.monotonic()
        all_at_once(lambda name: place.api.patch("Service", name, change, namespace=NAMESPACE), names)
        patched = time.monotonic() - start
        last_address = addressed.wait_for(number, within=_LONG) - start
    last_route = place.arrivals.wait_for(number, within=_LONG) - start
    complete = place.await_next_hops(number, within=_LONG) - start
    after = cpu_seconds(place.controller), cpu_seconds(place.speaker())
    return [
        Measure(what="first patch → last address in a status", value=last_address, beside=bare, unit="s"),
        Measure(what="times a bare client", value=last_address / bare, unit="×", bound=1.3),
        Measure(what="first patch → last route, all next hops", value=complete, beside=bare, unit="s"),
        Measure(what="times a bare client", value=complete / bare, unit="×", bound=1.5),
        Measure(what="first patch → last route, first next hop", value=last_route, unit="s"),
        Measure(what="of it the client's patches", value=patched, unit="s"),
        Measure(what="processor of the controller", value=after[0] - before[0], unit="s"),
        Measure(what="processor of a speaker", value=after[1] - before[1], unit="s"),
    ]


def _at_rest(place: ClusterSite) -> list[Measure]:
    controller, speaker = place.controller, place.speaker()
    requests, start = place.requests(), time.monotonic()
    spent = cpu_seconds(controller), cpu_seconds(speaker)
    time.sleep(_IDLE)
    seconds = time.monotonic() - start
    used = cpu_seconds(controller) - spent[0], cpu_seconds(speaker) - spent[1]
    asked = 60 * (place.requests() - requests) / seconds
    return [
        Measure(
            what="memory of a speaker", value=resident_bytes(speaker) / _MEGABYTE, unit="MB", bound=160.0
        ),
        Measure(
            what="memory of the controller",
            value=resident_bytes(controller) / _MEGABYTE,
            unit="MB",
            bound=160.0,
        ),
        Measure(what="processor of a speaker, idle", value=100 * used[1] / seconds, unit="%", bound=0.5),
        Measure(what="processor of the controller, idle", value=100 * used[0] / seconds, unit="%"),
        Measure(what="requests of both in a minute, idle", value=asked, unit=""),
    ]


def _bare_route(place: ClusterSite, bare: Bare, number: int) -> float:
    start, before = time.monotonic(), place.arrivals.count()
    bare.add(addresses(number + 1)[-1])
    return place.arrivals.wait_for(before + 1, within=_WITHIN) - start


def _bare_status(place: ClusterSite, addressed: Addressed, number: int) -> float:
    name = f"bare-{number:05}"
    start = time.monotonic()
    place.api.create(service(name, annotations={}, **LOAD_BALANCER))
    place.api.patch("Service", name, _STATUS, namespace=NAMESPACE, subresource="status")
    return addressed.wait_for_one(name, within=_WITHIN) - start


def _ours(place: ClusterSite, number: int) -> float:
    name, before = _name(number), place.arrivals.count()
    place.api.create(endpoint_slice(name))
    start = time.monotonic()
    place.api.create(service(name, annotations=MINE, **LOAD_BALANCER))
    return place.arrivals.wait_for(before + 1, within=_WITHIN) - start


def _name(number: int) -> str:
    return f"shop-{number:05}"


def _pause(chance: random.Random) -> None:
    # Out of step with the timers of FRR and of our own: 50 ms to 150 ms.
    time.sleep(chance.uniform(0.05, 0.15))


def _compared(ours: Sequence[float], routes: Sequence[float], statuses: Sequence[float]) -> list[Measure]:
    measures, above = [], []
    for percent in SHOWN:
        value, route, status = (percentile(one, percent) for one in (ours, routes, statuses))
        measures.append(Measure(what=f"p{percent}", value=value, beside=route + status, unit="ms"))
        measures.append(Measure(what=f"p{percent} of a bare AddPath", value=route, unit="ms"))
        measures.append(Measure(what=f"p{percent} of create, status, watch", value=status, unit="ms"))
        bound = {50: 15.0, 95: 40.0}.get(percent)
        if bound is not None:
            what = f"p{percent} above the sum of both"
            above.append(Measure(what=what, value=value - route - status, unit="ms", bound=bound))
    return [*measures, *above]
