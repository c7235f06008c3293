"""A node with a speaker and its gobgpd, a router, and a controller, around a control plane.

The controller runs beside the API server, the speaker in the node's network namespace, which reaches the API
server through a proxy that a test may break.
"""

from pathlib import Path
from typing import Any

from lab.cluster.api import STRATEGIC, Object
from lab.cluster.kubelet import make_node, make_pod
from lab.cluster.kubelet import service as service_manifest
from openelb_bgp.host.boot import read_boot_id
from openelb_bgp.model import keys
from tests.daemons.harness import kernel
from tests.daemons.harness.confs import NODE_ASN, ROUTER_ASN
from tests.daemons.harness.frr import Frr, bgp_config
from tests.daemons.harness.gobgp import NEW, gobgpd_binary
from tests.daemons.harness.manifests import bgp_conf, bgp_peer, eip
from tests.daemons.harness.netns import Lan
from tests.daemons.harness.waiting import wait_until
from tests.kube.faulty_proxy import FaultyProxy
from tests.kube.harness.control_plane import GATEWAY, ControlPlane
from tests.kube.harness.ours import Ours, Seen, controller, ready_cluster

POOL = "198.51.100.1-198.51.100.14"
MANAGED = {keys.MANAGED_ANNOTATION: keys.MANAGED_VALUE}


class Rack:
    """`node1` of a LAN in a cluster with a BgpConf, a BgpPeer for the router, and a default pool."""

    def __init__(self, control_plane: ControlPlane, lan: Lan, folder: Path, *, namespace: str) -> None:
        self.control_plane, self.lan, self.namespace = control_plane, lan, namespace
        self.api = ready_cluster(control_plane)
        self.seen = Seen(self.api)
        self.space = lan.nodes[0]
        self.router = Frr(
            lan.routers[0],
            bgp_config(lan.routers[0], asn=ROUTER_ASN, neighbors={self.space.v4: NODE_ASN}),
            folder,
        )
        self.proxy = FaultyProxy.in_lan(control_plane, lan)
        make_node(self.api, "node1", addresses=[self.space.v4, self.space.v6])
        # Nobody is in kube-proxy's place: what counts is that kubelet found the node ready on this boot.
        booted = {"status": {"nodeInfo": {"bootID": read_boot_id()}}}
        self.api.patch("Node", "node1", booted, subresource="status", content_type=STRATEGIC)
        self.controller = controller(control_plane, folder)
        self.speaker = Ours(
            *(control_plane, folder, "speaker"),
            *("--runtime-dir", str(folder / "run"), "--gobgpd", str(gobgpd_binary(NEW))),
            *("--metrics-addr=127.0.0.1:9953", "--resync=5", "--request-timeout=2"),
            host=GATEWAY,
            port=6443,
            space=self.space,
        )

    async def open(self, *, within: float = 60.0) -> None:
        """Start everything; returns once the router has the route of Service `web`, `within` seconds."""
        self.proxy.__enter__()
        await self.router.start()
        for obj in (
            bgp_conf(),
            bgp_peer("router", self.lan.routers[0].v4),
            eip("pool", POOL, default=True),
            self.service("web"),
        ):
            self.api.create(obj)
        self.pod("web-1", app="web")
        self.controller.start()
        self.speaker.start()
        await self.routed("web", within=within)

    def close(self) -> None:
        """Stop what this started; gobgpd goes with its namespace."""
        self.speaker.daemon.end()
        self.controller.daemon.end()
        self.router.stop()
        self.proxy.__exit__()

    def service(self, name: str, **spec: Any) -> Object:
        """A Service of ours whose pods have the label `app`."""
        return service_manifest(
            name, namespace=self.namespace, annotations=MANAGED, selector={"app": name}, **spec
        )

    def pod(self, name: str, *, app: str, number: int = 10) -> Object:
        """A pod of such a Service on the node."""
        return make_pod(
            self.api,
            name,
            namespace=self.namespace,
            node="node1",
            addresses=[f"10.244.1.{number}"],
            labels={"app": app},
        )

    def key(self, service: str) -> str:
        """Its namespace and name."""
        return f"{self.namespace}/{service}"

    def hops(self, service: str) -> list[str]:
        """The next hops of the Service's first address in the router's kernel."""
        addresses = self.seen.addresses(self.key(service))
        return kernel.next_hops(self.router.namespace, addresses[0]) if addresses else []

    async def routed(self, service: str, *, within: float = 40.0) -> None:
        """Return once the router has a route to the Service by the node."""
        await wait_until(
            lambda: self.hops(service) == [self.space.v4], within=within, what=f"the route to {service}"
        )

    async def announced(self, service: str, *, within: float = 40.0) -> None:
        """Return once its condition says so."""
        await wait_until(
            lambda: self.seen.condition(self.key(service), "Announced").get("status") == "True",
            within=within,
            what=f"{service} Announced",
        )
