"""Where the cluster's rows measure: the lab of `cluster.clab.yml` in cluster mode, with what runs in it.

Objects are made and followed by the lab's own client of the API server, which knows nothing of ours.
"""

import asyncio
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from bench.arrivals import Arrivals
from bench.bare import Bare, gobgpd_argv, paths_in
from bench.site import keep_logs, last_words
from lab import daemons
from lab.cluster.api import Api, Object
from lab.errors import LabError
from lab.health import HEALTHZ
from lab.lab import KUBERNETES, Lab, held_lab
from lab.processes import Process
from lab.shell import wait_until
from openelb_bgp.model import keys
from openelb_bgp.sidecar import client as sidecar

NAMESPACE = "shop"
MINE = {keys.MANAGED_ANNOTATION: keys.MANAGED_VALUE}
"""What a Service carries that is ours."""
SOMEBODYS_STATUS = {"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}]}}}
"""A status as somebody else would write it."""
AT_ONCE = 32

_TOPOLOGY = Path(__file__).resolve().parent / "cluster" / "cluster.clab.yml"
_REPOSITORY = _TOPOLOGY.parents[2]
ADDRESSES = ("10.30.1.2", "10.30.2.2", "10.30.3.2")
"""The nodes', in their order."""
_BARE = "10.30.9.2"
BARE_NEXT_HOPS = (_BARE, "10.30.9.3")
"""What the bare gobgpd can name as next hop."""
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
            self._start_listener(node, "kube-proxy", HEALTHZ)
            self.lab.start_speaker(node)
        wait_until(self.sessions_are_up, within=60.0, what="the nodes' sessions")
        self.lab.expect_alive()

    def fill(self, number: int, *, slices: int = 1) -> Sequence[str]:
        """Make so many Services of the type ClusterIP, with EndpointSlices; their names."""
        names = [name_of(one) for one in range(number)]
        # An API server that has to choose the address counts all that there are, each time.
        taken = {one["spec"].get("clusterIP") for one in self.api.items("Service")}
        free = (address for one in range(2 * number) if (address := _cluster_ip(one)) not in taken)
        made = [
            service(name, annotations={}, clusterIP=address)
            for name, address in zip(names, free, strict=False)
        ]
        all_at_once(self.api.create, made)
        self.add_slices(names, range(slices))
        return names

    def add_slices(self, names: Sequence[str], numbers: range) -> None:
        """Make the EndpointSlices of these numbers for each of the Services."""
        made = [endpoint_slice(name, number) for number in numbers for name in names]
        all_at_once(self.api.create, made)

    def claim(self, names: Sequence[str]) -> None:
        """Let the Services become LoadBalancers of ours."""
        change = {"metadata": {"annotations": MINE}, "spec": LOAD_BALANCER}
        all_at_once(lambda name: self.api.patch("Service", name, change, namespace=NAMESPACE), names)

    def end_daemons(self) -> None:
        """End every speaker and every gobgpd for good, so that the router forgets them."""
        for node in self.lab.nodes:
            speaker = self.lab.speaker(node)
            speaker.kill()
            speaker.ended(within=10.0)
            asyncio.run(sidecar.stop(self.lab.paths.runtime(node), withdraw=True))

    def start_speakers(self) -> None:
        """Start every node's speaker; a gobgpd that is there is adopted."""
        for node in self.lab.nodes:
            self.lab.start_speaker(node)

    def gobgpd_paths(self, node: str) -> int:
        """How many paths a node's gobgpd has."""
        return paths_in(self.lab.paths.runtime(node) / "gobgpd" / "gobgp.sock")

    def speaker(self) -> Process:
        """The first node's speaker."""
        return self.lab.speaker(self.lab.nodes[0])

    def start_second_controller(self) -> Process:
        """Start another, as the Deployment has two: one leads, it stands by."""
        cluster = self.lab.cluster
        assert cluster is not None
        environment = cluster.pod_environment("controller", node=self.lab.nodes[1], address=_BARE)
        command = daemons.controller_in_pod(environment)
        argv = self.lab.space("bare").argv(*command.argv)
        return self.lab.processes.start("second-controller", argv, env=command.env)

    def answer_health_checks(self, port: int) -> None:
        """Answer on a healthCheckNodePort of every node, as a kube-proxy that is never late."""
        for node in self.lab.nodes:
            self._start_listener(node, "health-check", port)

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

    def _start_listener(self, node: str, name: str, port: int) -> None:
        argv = (sys.executable, "-m", "lab.backend", name, str(port))
        env = {"PYTHONPATH": str(_REPOSITORY)}
        self.lab.processes.start(f"{node}-{name}", self.lab.space(node).argv(*argv), env=env)

    def sessions_are_up(self) -> bool:
        """Whether the router has a session with every node."""
        return set(ADDRESSES) <= set(self.lab.routers["leaf"].established())

    def _requests(self, space: str, component: str) -> float:
        url = f"http://127.0.0.1:{_METRICS[component]}/metrics"
        text = self.lab.space(space).call(lambda: urllib.request.urlopen(url, timeout=5).read().decode())
        lines = [line for line in text.splitlines() if line.startswith("openelb_bgp_kube_requests_total{")]
        return sum(float(line.rpartition(" ")[2]) for line in lines)


def _cluster_ip(number: int) -> str:
    return str(IPv4Address("10.96.16.0") + number)


def name_of(number: int) -> str:
    """The name of the `number`-th Service."""
    return f"shop-{number:05}"


def service(name: str, *, annotations: dict[str, str], **spec: Any) -> Object:
    """A Service without a selector: its endpoints are written beside it."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE, "annotations": annotations},
        "spec": {"ports": [{"name": "http", "port": 80, "targetPort": 8080}], **spec},
    }


LOAD_BALANCER = {"type": "LoadBalancer", "allocateLoadBalancerNodePorts": False}


def endpoint_slice(name: str, number: int = 0, *, nodes: Sequence[str] = ("node1", "node2")) -> Object:
    """An EndpointSlice of a Service, with a ready endpoint on each of the nodes."""
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
            {"addresses": [f"10.244.{place}.10"], "nodeName": node, "conditions": {"ready": True}}
            for place, node in enumerate(nodes, 1)
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
