"""What 200 speakers cost the API server: requests, bytes on its wire, processor time of its own.

They are watchers of one process (`bench.watchers`) with a Node, a ready Pod and a Speaker each; the
controller and three whole speakers run beside them, at 1,000 Services.
"""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.cluster_site import (
    LOAD_BALANCER,
    MINE,
    ClusterSite,
    all_at_once,
    cluster_site,
    endpoint_slice,
    service,
)
from bench.results import Measure
from bench.site import cpu_seconds
from lab.cluster.api import Object
from lab.cluster.installation import our_pod
from lab.cluster.kubelet import make_node
from lab.shell import wait_until

_WATCHERS, _SERVICES, _MORE = 200, 1_000, 100
_LONG = 600.0
_SETTLE, _IDLE = 20.0, 60.0
_REPOSITORY = Path(__file__).resolve().parents[2]


class _Cost(NamedTuple):
    """What the API server has seen and used so far.

    `refused` are those of the requests that were told to come later (429); the bytes are those on its wire.
    """

    requests: float
    refused: float
    megabytes: float
    seconds: float


def watched() -> Sequence[Measure]:
    """All of them start, rest, hear of 100 Services, and report once."""
    with cluster_site() as place:
        place.start()
        place.claim(place.fill(_SERVICES))
        place.await_next_hops(_SERVICES, within=_LONG)
        time.sleep(_SETTLE)
        nodes = _make_nodes(place)
        time.sleep(_SETTLE)
        started = _cost_of(place, lambda: _start_watchers(place))
        time.sleep(_SETTLE)
        rested = _cost_of(place, lambda: time.sleep(_IDLE))
        created = _cost_of(place, lambda: _create(place))
        reported = _cost_of(place, lambda: _report(place, nodes))
    return [
        *_measures("200 speakers list everything", started, 1),
        *_measures("a minute at rest", rested, 1),
        *_measures("a Service made and announced", created, _MORE),
        *_measures("a report of each speaker", reported, 1),
    ]


def _measures(what: str, cost: _Cost, of: int) -> list[Measure]:
    return [
        Measure(what=f"{what}: requests", value=cost.requests / of, unit=""),
        *(
            [Measure(what="of them told to come later", value=cost.refused / of, unit="")]
            if cost.refused
            else []
        ),
        Measure(what=f"{what}: bytes", value=cost.megabytes / of, unit="MB"),
        Measure(what=f"{what}: processor", value=cost.seconds / of, unit="s"),
    ]


def _cost_of(place: ClusterSite, work: Callable[[], object]) -> _Cost:
    before = _cost(place)
    work()
    return _Cost(*(now - then for now, then in zip(_cost(place), before, strict=True)))


def _cost(place: ClusterSite) -> _Cost:
    _, text = place.api.raw("GET", "/metrics")
    # A watch is counted in the total when it ends, and in the other while it lasts.
    names = ("apiserver_request_total{", "apiserver_longrunning_requests{")
    counts = [line for line in text.splitlines() if line.startswith(names)]
    requests, refused = (
        sum(float(line.rpartition(" ")[2]) for line in counts if part in line) for part in ("{", 'code="429"')
    )
    space = place.lab.space("controller")
    files = [f"/sys/class/net/eth1/statistics/{way}_bytes" for way in ("rx", "tx")]
    size = sum(int(number) for number in space.run("cat", *files).split())
    return _Cost(requests, refused, size / 1e6, cpu_seconds(place.lab.process("kube-apiserver")))


def _make_nodes(place: ClusterSite) -> Sequence[str]:
    """A Node, a ready Pod and a Speaker for each watcher; the Speaker says what a real one says."""
    status = place.api.get("Speaker", place.lab.nodes[0])["status"]
    names = [f"watcher{number:03}" for number in range(_WATCHERS)]

    def make(item: tuple[int, str]) -> None:
        number, name = item
        address = f"10.40.{number // 250}.{number % 250 + 1}"
        make_node(place.api, name, addresses=[address])
        our_pod(place.api, "speaker", node=name, address=address)
        place.api.create(_speaker(name))
        _write(place, name, status)

    all_at_once(make, enumerate(names))
    return names


def _start_watchers(place: ClusterSite) -> None:
    cluster, done = place.lab.cluster, place.lab.paths.root / "watchers.listed"
    assert cluster is not None
    node = place.lab.nodes[0]
    environment = {
        **cluster.pod_environment("speaker", node=node, address=""),
        "PYTHONPATH": str(_REPOSITORY),
    }
    argv = (sys.executable, "-m", "bench.watchers", str(_WATCHERS), str(done))
    place.lab.processes.start("watchers", place.lab.space("bare").argv(*argv), env=environment)
    wait_until(done.exists, within=_LONG, what="the watchers' lists")


def _create(place: ClusterSite) -> None:
    before = place.arrivals.count()
    for number in range(_MORE):
        place.api.create(endpoint_slice(f"more-{number}"))
        place.api.create(service(f"more-{number}", annotations=MINE, **LOAD_BALANCER))
    place.await_next_hops(before + _MORE, within=_LONG)
    # Conditions, Events and reports are in it.
    time.sleep(_SETTLE)


def _report(place: ClusterSite, names: Sequence[str]) -> None:
    status = place.api.get("Speaker", place.lab.nodes[0])["status"]
    all_at_once(lambda name: _write(place, name, status), names)
    time.sleep(_SETTLE)


def _speaker(name: str) -> Object:
    return {"apiVersion": "network.kubesphere.io/v1alpha2", "kind": "Speaker", "metadata": {"name": name}}


def _write(place: ClusterSite, name: str, status: Object) -> None:
    place.api.patch("Speaker", name, {"status": status}, subresource="status")
