"""In a cluster: many Services at once, and what a cluster with that many costs at rest and at a start.

Beside it: what a bare client needs for the same requests and for writing one status each, in the same run.
"""

import time
from collections.abc import Sequence

from bench.cluster_site import (
    LOAD_BALANCER,
    NAMESPACE,
    SOMEBODYS_STATUS,
    ClusterSite,
    all_at_once,
    cluster_site,
)
from bench.results import Measure
from bench.sightings import Sightings, addressed
from bench.site import cpu_seconds, resident_bytes
from lab.errors import LabError
from lab.shell import wait_until

_LONG = 900.0
_MEGABYTE = 1e6
_IDLE = 60.0
_LOOK, _AT_MOST = 10.0, 15.0
"""The seconds between two looks, and how many requests then pass for rest: the Lease is renewed every 2 s."""


def thousand() -> Sequence[Measure]:
    """1,000 Services at once, and then a start of all speakers."""
    with cluster_site() as place:
        place.start()
        names = place.fill(1_000)
        measures = _at_once(place, names)
        _until_at_rest(place)
        return [*measures, *_cold_start(place, len(names))]


def ten_thousand() -> Sequence[Measure]:
    """10,000 Services at once, then 20,000 EndpointSlices, a rest, and a start of all speakers."""
    with cluster_site() as place:
        place.start()
        names = place.fill(10_000)
        measures = _at_once(place, names)
        place.add_slices(names, range(1, 2))
        _until_at_rest(place)
        return [*measures, *_at_rest(place), *_cold_start(place, len(names))]


def _at_once(place: ClusterSite, names: Sequence[str]) -> list[Measure]:
    """ClusterIPs that are there become LoadBalancers: first as somebody else's, then as ours."""
    number, bare = len(names), _somebody_elses(place, names)
    before = cpu_seconds(place.controller), cpu_seconds(place.speaker())
    with Sightings(place.api, "Service", addressed) as seen:
        start = time.monotonic()
        place.claim(names)
        patched = time.monotonic() - start
        last_address = seen.wait_for(number, within=_LONG) - start
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


def _somebody_elses(place: ClusterSite, names: Sequence[str]) -> float:
    """Seconds that a bare client needs for a patch and a status each; afterwards all is as it was."""

    def patch(name: str) -> None:
        place.api.patch("Service", name, {"spec": LOAD_BALANCER}, namespace=NAMESPACE)
        place.api.patch("Service", name, SOMEBODYS_STATUS, namespace=NAMESPACE, subresource="status")

    with Sightings(place.api, "Service", addressed) as seen:
        start = time.monotonic()
        all_at_once(patch, names)
        seconds = seen.wait_for(len(names), within=_LONG) - start
    back = {"spec": {"type": "ClusterIP", "allocateLoadBalancerNodePorts": None}}
    all_at_once(lambda name: place.api.patch("Service", name, back, namespace=NAMESPACE), names)
    return seconds


def _until_at_rest(place: ClusterSite) -> None:
    """Wait until conditions and Events have followed the addresses."""
    deadline, before = time.monotonic() + _LONG, place.requests()
    while time.monotonic() < deadline:
        time.sleep(_LOOK)
        now = place.requests()
        if now - before <= _AT_MOST:
            return
        before = now
    raise LabError(f"the controller has not come to rest after {_LONG:g} s")


def _at_rest(place: ClusterSite) -> list[Measure]:
    controller, speaker = place.controller, place.speaker()
    requests, start = place.requests(), time.monotonic()
    spent = cpu_seconds(controller), cpu_seconds(speaker)
    time.sleep(_IDLE)
    seconds = time.monotonic() - start
    used = cpu_seconds(controller) - spent[0], cpu_seconds(speaker) - spent[1]
    asked = 60 * (place.requests() - requests) / seconds
    held = {"controller": resident_bytes(controller), "speaker": resident_bytes(speaker)}
    return [
        *(
            Measure(what=f"memory of the {name}", value=size / _MEGABYTE, unit="MB", bound=160.0)
            for name, size in held.items()
        ),
        Measure(what="processor of a speaker, idle", value=100 * used[1] / seconds, unit="%", bound=0.5),
        Measure(what="processor of the controller, idle", value=100 * used[0] / seconds, unit="%", bound=0.5),
        Measure(what="requests of both in a minute, idle", value=asked, unit=""),
    ]


def _cold_start(place: ClusterSite, number: int) -> list[Measure]:
    """All three speakers, each with its gobgpd, at the same time, on these cores."""
    place.end_daemons()
    place.arrivals.wait_for(0, within=_LONG)
    start = time.monotonic()
    place.start_speakers()
    wait_until(lambda: _has_all(place, number), within=_LONG, what="every gobgpd's full table")
    full = time.monotonic() - start
    complete = place.await_next_hops(number, within=_LONG) - start
    return [
        Measure(what="start of all speakers → every gobgpd has all paths", value=full, unit="s"),
        Measure(what="start of all speakers → all routes, all next hops", value=complete, unit="s"),
        Measure(what="processor of a speaker meanwhile", value=cpu_seconds(place.speaker()), unit="s"),
    ]


def _has_all(place: ClusterSite, number: int) -> bool:
    return all(place.gobgpd_paths(node) == number for node in place.lab.nodes)
