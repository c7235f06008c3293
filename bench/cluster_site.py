"""Where the cluster's rows measure: the lab of `cluster.clab.yml` in cluster mode, with what runs in it.

Objects are made and followed by the lab's own client of the API server, which knows nothing of ours.
"""

import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.arrivals import Arrivals
from bench.bare import Bare, gobgpd_argv
from bench.site import keep_logs, last_words
from lab import daemons
from lab.cluster.api import Api, Object
from lab.errors import LabError
from lab.health import HEALTHZ
from lab.lab import KUBERNETES, Lab, held_lab
from lab.processes import Process
from lab.shell import wait_until
from openelb_bgp.model import keys

NAMESPACE = "shop"
MINE = {keys.MANAGED_ANNOTATION: keys.MANAGED_VALUE}
"""What a Service carries that is ours."""
AT_ONCE = 32

_TOPOLOGY = Path(__file__).resolve().parent / "cluster" / "cluster.clab.yml"
_REPOSITORY = _TOPOLOGY.parents[2]
_BARE = "10.30.9.2"
_METRICS = {"controller": 50052, "speaker": 50053}


class ClusterSite:
    """Three nodes, their router, and an API server; `arrivals` are the routes in the router's kernel."""

    def __init__(self, lab: Lab, arrivals: Arrivals) -> None:
        self.lab, self.arrivals = lab, arrivals
        assert lab.cluster is not None
        self.api: Api = lab.cluster.api

    def start(self) -> None:
        """Start what a cluster with OpenELB runs; returns when all sessions are up."""
        self.controller = self.lab.start_controller()
        for node in self.lab.nodes:
            self._start_kube_proxy(node)
            self.lab.start_speaker(node)
        wait_until(self._sessions_are_up, within=60.0, what="the nodes' sessions")

    def speaker(self) -> Process:
        """The first node's speaker."""
        return self.lab.speaker(self.lab.nodes[0])

    def start_bare(self) -> Bare:
        """A gobgpd in `bare` with its session up, and the client that drives it. Close it."""
        socket = self.lab.paths.root / "bare.sock"
        argv = self.lab.space("bare").argv(*gobgpd_argv(daemons.gobgpd_binary(), socket))
        self.lab.processes.start("bare-gobgpd", argv)
        wait_until(socket.exists, within=10.0, what="the bare gobgpd's socket")
        bare = Bare.connect(socket, router="10.30.9.1", address=_BARE)
        wait_until(
            lambda: _BARE in self.lab.routers["leaf"].established(), within=30.0, what="the bare session"
        )
        return bare

    def requests(self) -> float:
        """How many requests the controller and the first speaker have sent to the API server so far."""
        return self._requests("controller", "controller") + self._requests(self.lab.nodes[0], "speaker")

    def await_next_hops(self, routes: int, *, within: float = 600.0) -> float:
        """Wait until so many routes lead to every node; returns when they did, to a fifth of a second."""
        space, wanted = self.lab.space("leaf"), len(self.lab.nodes)
        deadline = time.monotonic() + within
        while True:
            text = space.run("ip", "-o", "-4", "route", "show", "proto", "bgp")
            now = time.monotonic()
            complete = sum(line.count("nexthop ") == wanted for line in text.splitlines())
            if complete == routes:
                return now
            if now > deadline:
                raise LabError(f"{complete} routes have all next hops after {within:g} s, not {routes}")
            time.sleep(0.2)

    def _start_kube_proxy(self, node: str) -> None:
        argv = (sys.executable, "-m", "lab.backend", "kube-proxy", str(HEALTHZ))
        env = {"PYTHONPATH": str(_REPOSITORY)}
        self.lab.processes.start(f"{node}-kube-proxy", self.lab.space(node).argv(*argv), env=env)

    def _sessions_are_up(self) -> bool:
        return {"10.30.1.2", "10.30.2.2", "10.30.3.2"} <= set(self.lab.routers["leaf"].established())

    def _requests(self, space: str, component: str) -> float:
        url = f"http://127.0.0.1:{_METRICS[component]}/metrics"
        text = self.lab.space(space).call(lambda: urllib.request.urlopen(url, timeout=5).read().decode())
        lines = [line for line in text.splitlines() if line.startswith("openelb_bgp_kube_requests_total{")]
        return sum(float(line.rpartition(" ")[2]) for line in lines)


class Addressed:
    """When each Service got an address in its status, as a watcher sees it, while this is entered."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._at: dict[str, float] = {}
        self._changed = threading.Condition()
        self._closed = False

    def __enter__(self) -> Self:
        listed = self._api.request("GET", self._api.path("Service"), query={"limit": "1"})
        version = listed["metadata"]["resourceVersion"]
        threading.Thread(target=self._follow, args=(version,), name="addressed", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True

    def wait_for(self, count: int, *, within: float) -> float:
        """Wait until so many have one; returns when the last got it."""
        return self._wait(lambda: len(self._at) >= count, within) and max(self._at.values())

    def wait_for_one(self, name: str, *, within: float) -> float:
        """Wait until that one has; returns when."""
        return self._wait(lambda: name in self._at, within) and self._at[name]

    def _wait(self, true: Callable[[], bool], within: float) -> bool:
        with self._changed:
            if not self._changed.wait_for(true, within):
                raise LabError(f"{len(self._at)} Services have an address after {within:g} s")
        return True

    def _follow(self, version: str) -> None:
        while not self._closed:
            try:
                for _, service in self._api.watch("Service", resourceVersion=version):
                    version = service["metadata"]["resourceVersion"]
                    self._take(service, time.monotonic())
            except OSError:
                # Silent for a while: from there on again.
                continue

    def _take(self, service: Object, now: float) -> None:
        if service["status"].get("loadBalancer", {}).get("ingress"):
            with self._changed:
                self._at.setdefault(service["metadata"]["name"], now)
                self._changed.notify_all()


def service(name: str, *, annotations: dict[str, str], **spec: Any) -> Object:
    """A Service without a selector: its endpoints are written beside it."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE, "annotations": annotations},
        "spec": {"ports": [{"name": "http", "port": 80, "targetPort": 8080}], **spec},
    }


LOAD_BALANCER = {"type": "LoadBalancer", "allocateLoadBalancerNodePorts": False}


def endpoint_slice(name: str, number: int = 0) -> Object:
    """An EndpointSlice of a Service, with two ready endpoints."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{name}-{number}",
            "namespace": NAMESPACE,
            "labels": {keys.SERVICE_NAME_LABEL: name},
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "protocol": "TCP", "port": 8080}],
        "endpoints": [
            {"addresses": [f"10.244.{node}.10"], "nodeName": f"node{node}", "conditions": {"ready": True}}
            for node in (1, 2)
        ],
    }


def all_at_once(work: Callable[[Any], Any], items: Iterable[Any]) -> None:
    """Do it for all items, so many at a time; the first failure is raised."""
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        for _ in pool.map(work, items):
            pass


@contextmanager
def cluster_site() -> Iterator[ClusterSite]:
    """A site for the `with` block, removed afterwards. Its API server runs; nothing of ours does yet.

    Raises LabError.
    """
    with held_lab(_TOPOLOGY, mode=KUBERNETES) as lab:
        lab.start_cluster()
        with Arrivals(lab.space("leaf")) as arrivals:
            try:
                yield ClusterSite(lab, arrivals)
            except LabError as error:
                keep_logs(lab)
                raise LabError(f"{error}\n{last_words(lab)}") from error
