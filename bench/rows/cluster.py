"""In a cluster: from one write in the API server to the route in the router's kernel, with three speakers.

Beside it: what gobgpd and FRR need by themselves for such a change of a route, and what a bare client needs
to write and to see such a change of an object. All in the same run, in turns, on the same cores.
"""

import random
import time
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address

from bench.bare import Bare, addresses, stream_messages
from bench.cluster_site import (
    ADDRESSES,
    BARE_NEXT_HOPS,
    LOAD_BALANCER,
    MINE,
    NAMESPACE,
    SOMEBODYS_STATUS,
    ClusterSite,
    cluster_site,
    endpoint_slice,
    name_of,
    service,
)
from bench.percentiles import SHOWN, percentile
from bench.results import Measure
from bench.sightings import Sightings, addressed, deleted, versioned

SAMPLES = 100
_WARM_UP = 10
_WITHIN = 30.0
_HEALTH_PORT = 30999

Sample = Callable[[int], float]
"""Does something for the n-th time; returns how long it took, in seconds."""


def created() -> Sequence[Measure]:
    """One Service after the other is created."""
    with (
        cluster_site() as place,
        place.start_bare() as bare,
        Sightings(place.api, "Service", addressed) as seen,
    ):
        place.start()

        def status(number: int) -> float:
            name = f"bare-{number:05}"
            start = time.monotonic()
            place.api.create(service(name, annotations={}, **LOAD_BALANCER))
            place.api.patch("Service", name, SOMEBODYS_STATUS, namespace=NAMESPACE, subresource="status")
            return seen.wait_for_one(name, within=_WITHIN) - start

        def ours(number: int) -> float:
            name, before = name_of(number), place.arrivals.count()
            place.api.create(endpoint_slice(name))
            start = time.monotonic()
            place.api.create(service(name, annotations=MINE, **LOAD_BALANCER))
            return place.arrivals.wait_for(before + 1, within=_WITHIN) - start

        return _compared(_bare_addition(place, bare), status, ours, "create, status, watch")


def deleted_ones() -> Sequence[Measure]:
    """One Service after the other is deleted."""
    with (
        cluster_site() as place,
        place.start_bare() as bare,
        Sightings(place.api, "Service", deleted) as seen,
    ):
        place.start()
        numbers = range(_WARM_UP + SAMPLES)
        for number in numbers:
            place.api.create(endpoint_slice(name_of(number)))
            place.api.create(service(name_of(number), annotations=MINE, **LOAD_BALANCER))
            place.api.create(service(f"bare-{number:05}", annotations={}, **LOAD_BALANCER))
        place.arrivals.wait_for(len(numbers), within=_WITHIN)
        bare.send(stream_messages(addresses(len(numbers))))
        place.arrivals.wait_for(2 * len(numbers), within=_WITHIN)

        def route(number: int) -> float:
            message = stream_messages([addresses(number + 1)[-1]], withdraw=True)
            return _until_gone(place, lambda: bare.send(message))

        def sight(number: int) -> float:
            name, start = f"bare-{number:05}", time.monotonic()
            place.api.delete("Service", name, namespace=NAMESPACE)
            return seen.wait_for_one(name, within=_WITHIN) - start

        def ours(number: int) -> float:
            name = name_of(number)
            return _until_gone(place, lambda: place.api.delete("Service", name, namespace=NAMESPACE))

        return _compared(route, sight, ours, "delete, watch")


def moved() -> Sequence[Measure]:
    """The one endpoint of a Local Service moves between two nodes."""
    with (
        cluster_site() as place,
        place.start_bare() as bare,
        Sightings(place.api, "EndpointSlice", versioned) as seen,
    ):
        place.start()
        place.answer_health_checks(_HEALTH_PORT)
        address = _local_service(place)
        place.api.create(service("bare", annotations={}))
        place.api.create(endpoint_slice("bare", nodes=[_node(0)]))

        def route(number: int) -> float:
            start, there = time.monotonic(), addresses(1)[0]
            next_hop = BARE_NEXT_HOPS[number % 2]
            bare.add(there, next_hop=next_hop)
            return _until_at(place, there, next_hop) - start

        def sight(number: int) -> float:
            start = time.monotonic()
            written = place.api.replace(endpoint_slice("bare", nodes=[_node(number + 1)]))
            return seen.wait_for_one(versioned("", written), within=_WITHIN) - start

        def ours(number: int) -> float:
            start = time.monotonic()
            place.api.replace(endpoint_slice("local", nodes=[_node(number + 1)]))
            return _until_at(place, address, ADDRESSES[(number + 1) % 2]) - start

        return _compared(route, sight, ours, "write, watch")


def _local_service(place: ClusterSite) -> int:
    """Make the Service with its endpoint on the first node; returns its address."""
    policy = {"externalTrafficPolicy": "Local", "healthCheckNodePort": _HEALTH_PORT}
    place.api.create(endpoint_slice("local", nodes=[_node(0)]))
    place.api.create(service("local", annotations=MINE, **LOAD_BALANCER, **policy))
    place.arrivals.wait_for(1, within=_WITHIN)
    address, _ = place.arrivals.newest()
    _until_at(place, address, ADDRESSES[0])
    return address


def _node(number: int) -> str:
    return ("node1", "node2")[number % 2]


def _bare_addition(place: ClusterSite, bare: Bare) -> Sample:
    def addition(number: int) -> float:
        start, before = time.monotonic(), place.arrivals.count()
        bare.add(addresses(number + 1)[-1])
        return place.arrivals.wait_for(before + 1, within=_WITHIN) - start

    return addition


def _until_at(place: ClusterSite, address: int, next_hop: str) -> float:
    return place.arrivals.wait_for_next_hop(address, int(IPv4Address(next_hop)), within=_WITHIN)


def _until_gone(place: ClusterSite, work: Callable[[], object]) -> float:
    """Seconds until the router has one route less."""
    start, before = time.monotonic(), place.arrivals.count()
    work()
    place.arrivals.wait_for(before - 1, within=_WITHIN)
    return place.arrivals.gone_at - start


def _compared(route: Sample, sight: Sample, ours: Sample, bare_client: str) -> list[Measure]:
    """Take all three in turns; `bare_client` says what the second does."""
    chance = random.Random(1)
    taken: tuple[list[float], ...] = ([], [], [])
    for number in range(_WARM_UP + SAMPLES):
        for sample, times in zip((route, sight, ours), taken, strict=True):
            times.append(sample(number))
            # Out of step with the timers of FRR and of our own.
            time.sleep(chance.uniform(0.05, 0.15))
    measures, above = [], []
    for percent in SHOWN:
        at_route, at_sight, value = (percentile(times[_WARM_UP:], percent) for times in taken)
        measures.append(Measure(what=f"p{percent}", value=value, beside=at_route + at_sight, unit="ms"))
        measures.append(Measure(what=f"p{percent} of bare gobgpd and FRR", value=at_route, unit="ms"))
        measures.append(Measure(what=f"p{percent} of {bare_client}", value=at_sight, unit="ms"))
        bound = {50: 15.0, 95: 40.0}.get(percent)
        if bound is not None:
            what = f"p{percent} above the sum of both"
            above.append(Measure(what=what, value=value - at_route - at_sight, unit="ms", bound=bound))
    return [*measures, *above]
