"""In a cluster: what the router's kernel loses when everything of ours is killed with -9, at 1,000 Services.

A loss is a route that the kernel deletes, told by netlink, or one that is not there in the end.
"""

import time
from collections.abc import Callable, Sequence

from bench.cluster_site import LOAD_BALANCER, MINE, ClusterSite, cluster_site, endpoint_slice, service
from bench.results import Measure
from lab.cluster.api import Object
from lab.processes import Process
from lab.shell import wait_until

_NUMBER = 1_000
_LONG = 300.0
# Longer than gobgpd's deferral time and FRR's wait for an End-of-RIB that has come: what the router took for
# stale is gone by then.
_SETTLE = 15.0


def killed() -> Sequence[Measure]:
    """All speakers, then all gobgpds, then both controllers."""
    with cluster_site() as place:
        place.start()
        second = place.start_second_controller()
        place.claim(place.fill(_NUMBER))
        place.await_next_hops(_NUMBER, within=_LONG)
        wait_until(lambda: _reports_are_in(place), within=_LONG, what="the Speakers' reports")
        return [
            *_deaths("all speakers", place, lambda: _kill_speakers(place)),
            *_deaths("all gobgpds", place, lambda: _kill_gobgpds(place)),
            *_deaths("both controllers", place, lambda: _kill_controllers(place, second)),
        ]


def _deaths(whose: str, place: ClusterSite, kill: Callable[[], None]) -> list[Measure]:
    before, start = place.arrivals.gone, time.monotonic()
    kill()
    back = time.monotonic() - start
    time.sleep(_SETTLE)
    lost = place.arrivals.gone - before
    place.await_next_hops(place.arrivals.count(), within=_LONG)
    missing = max(0, _NUMBER - place.arrivals.count())
    return [
        Measure(what=f"{whose} killed: routes lost", value=max(lost, missing), unit="", bound=0.0),
        Measure(what=f"{whose} killed: until all is as before", value=back, unit="s"),
    ]


def _kill_speakers(place: ClusterSite) -> None:
    before = _started(place)
    for node in place.lab.nodes:
        _kill(place.lab.speaker(node))
    place.start_speakers()
    wait_until(
        lambda: before.isdisjoint(_started(place)) and _reports_are_in(place),
        within=_LONG,
        what="the new Speakers' reports",
    )


def _kill_gobgpds(place: ClusterSite) -> None:
    old = [place.lab.gobgpd(node) for node in place.lab.nodes]
    for process in old:
        _kill(process)
    # Their sidecars start new ones at once.
    wait_until(
        lambda: all(place.gobgpd_paths(node) == _NUMBER for node in place.lab.nodes),
        within=_LONG,
        what="the new gobgpds' paths",
    )
    wait_until(place.sessions_are_up, within=_LONG, what="the new sessions")


def _kill_controllers(place: ClusterSite, second: Process) -> None:
    """Returns when one that was started again gives an address."""
    for process in (place.controller, second):
        _kill(process)
    place.controller = place.lab.start_controller()
    place.start_second_controller()
    place.api.create(endpoint_slice("after"))
    place.api.create(service("after", annotations=MINE, **LOAD_BALANCER))
    place.arrivals.wait_for(_NUMBER + 1, within=_LONG)


def _kill(process: Process) -> None:
    process.kill()
    process.ended(within=10.0)


def _speakers(place: ClusterSite) -> list[Object]:
    return [one.get("status") or {} for one in place.api.items("Speaker")]


def _started(place: ClusterSite) -> set[str]:
    return {str(status.get("startedAt")) for status in _speakers(place)}


def _reports_are_in(place: ClusterSite) -> bool:
    counts = [(status.get("routes") or {}).get("announced") for status in _speakers(place)]
    return counts == [_NUMBER] * len(place.lab.nodes)
