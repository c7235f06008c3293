"""Forwarding first: in a cluster a router gets no route to a node before that was seen forwarding since boot.

Controller and speaker as in a cluster, in the node's namespace, with an HTTP server in kube-proxy's place.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from openelb_bgp.forwarding import KUBE_PROXY_PORT
from openelb_bgp.host.boot import read_boot_id
from openelb_bgp.model.meta import Kind
from openelb_bgp.settings import FilesSettings, SpeakerSettings
from openelb_bgp.sidecars import end_gobgpd
from tests.daemons.conftest import StartRouter
from tests.daemons.harness import kernel
from tests.daemons.harness.confs import NODE_ASN
from tests.daemons.harness.frr import Frr
from tests.daemons.harness.gobgp import NEW, gobgpd_binary
from tests.daemons.harness.in_cluster import speaker_as_in_cluster
from tests.daemons.harness.inside import run_inside
from tests.daemons.harness.kernel import RouteDeletions
from tests.daemons.harness.kube_proxy import KubeProxy
from tests.daemons.harness.manifests import Object, cluster, endpoints, node, service
from tests.daemons.harness.netns import Lan
from tests.daemons.harness.openelb import OpenElb
from tests.daemons.harness.waiting import stays, wait_until

WEB, DNS = "shop/web", "shop/dns"
DNS_PORT = 31000
ANNOUNCED = "network.kubesphere.io/Announced"


class Cluster:
    """The one node of a cluster and its router. `seen` prints statuses as operators read them."""

    def __init__(self, lan: Lan, router: Frr, folder: Path) -> None:
        self.lan, self.router = lan, router
        self.seen = OpenElb(lan.nodes[0], folder)
        self.kube_proxy = KubeProxy(lan.nodes[0])
        source = FilesSettings(files=self.seen.manifests, state=self.seen.state)
        self.settings = SpeakerSettings(
            source=source,
            node="node1",
            runtime_dir=self.seen.runtime,
            gobgpd=gobgpd_binary(NEW),
        )

    @contextlib.asynccontextmanager
    async def speaker(self) -> AsyncIterator[None]:
        """A speaker as in a cluster, and the controller; what gobgpd has stays when they end."""
        async with speaker_as_in_cluster(self.settings, controls=True):
            yield

    def routes(self) -> set[str]:
        """The Services to which the router's kernel has a route by the node."""
        here, found = self.lan.nodes[0].v4, kernel.routes(self.router.namespace)
        to_here = {prefix for prefix, hops in found.items() if [hop["gateway"] for hop in hops] == [here]}
        return {one for one in (WEB, DNS) if to_here.intersection(self.seen.addresses(one))}

    async def routed(self, *services: str) -> None:
        """Return when the router has routes to exactly these."""
        await wait_until(lambda: self.routes() == {*services}, within=10, what=f"routes to {services}")

    async def said(self, service: str, reason: str, *words: str) -> None:
        """Return when the Service's Announced has that reason and these words."""

        def found() -> bool:
            one = self.seen.condition(Kind.SERVICE, service, ANNOUNCED)
            return one.get("reason") == reason and all(word in one["message"] for word in words)

        await wait_until(found, within=10, what=f"{service}: {reason} {words}")


def local(name: str, port: int) -> Object:
    """A Service of the policy Local with that healthCheckNodePort."""
    made = service(name, local=True)
    made["spec"]["healthCheckNodePort"] = port
    return made


def this_node(lan: Lan, **status: Any) -> Object:
    """The Node as kubelet reports it on this boot."""
    made = node("node1", lan.nodes[0].v4)
    made["status"] |= {
        "conditions": [{"type": "Ready", "status": "True"}],
        "nodeInfo": {"bootID": read_boot_id()},
        **status,
    }
    return made


@pytest.fixture
async def one(lan: Lan, start_router: StartRouter, tmp_path: Path) -> AsyncIterator[Cluster]:
    router = await start_router(lan.routers[0], neighbors={lan.nodes[0].v4: NODE_ASN})
    found = Cluster(lan, router, tmp_path)
    found.seen.write("cluster", *cluster(lan), this_node(lan))
    yield found
    await end_gobgpd(found.settings)


async def inside(one: Cluster, scenario: Any) -> None:
    """Run a scenario in the node."""
    await asyncio.to_thread(run_inside, one.lan.nodes[0], scenario)


async def test_a_node_is_a_next_hop_once_kube_proxy_has_answered_and_a_local_service_once_its_port_has(
    one: Cluster,
) -> None:
    here = one.lan.nodes[0].v4

    async def scenario() -> None:
        proxy = one.kube_proxy
        await proxy.answer(KUBE_PROXY_PORT, 503)
        one.seen.write("dns", local("dns", DNS_PORT), endpoints("dns", "node1"))
        async with one.speaker():
            await wait_until(lambda: one.router.established(here), within=20, what="the session")
            await one.said(WEB, "ForwardingNotProven", "answers 503", "look at kube-proxy")
            assert one.seen.problems("ForwardingNotProven").keys() == {"Node node1"}
            await stays(lambda: one.routes() == set(), during=0.5, what="no route")
            await proxy.answer(KUBE_PROXY_PORT, 200)
            await one.routed(WEB)
            await one.said(WEB, "Announced")
            await one.said(DNS, "ForwardingNotProven", f"healthCheckNodePort {DNS_PORT}")
            await proxy.answer(DNS_PORT, 200)
            await one.routed(WEB, DNS)
            await one.said(DNS, "Announced")
            await wait_until(lambda: not one.seen.problems(), within=10, what="no problem")
        # Neither what it says now counts any more, nor is it asked.
        await proxy.answer(KUBE_PROXY_PORT, 503)
        await proxy.answer(DNS_PORT, 503)
        proxy.asked.clear()
        with RouteDeletions(one.router.namespace) as deletions:
            async with one.speaker():
                await stays(lambda: one.routes() == {WEB, DNS}, during=1.0, what="both routes")
        assert (deletions.prefixes, proxy.asked) == ((), [])
        assert one.router.resets(here) == 0

    await inside(one, scenario)


async def test_where_nobody_listens_the_node_is_believed_that_is_ready_since_its_boot(one: Cluster) -> None:
    async def scenario() -> None:
        one.seen.write("cluster", *cluster(one.lan), this_node(one.lan, nodeInfo={"bootID": "another"}))
        one.seen.write("dns", local("dns", DNS_PORT), endpoints("dns", "node1"))
        async with one.speaker():
            await one.said(WEB, "ForwardingNotProven", "has no listener")
            assert one.routes() == set()
            one.seen.write("cluster", *cluster(one.lan), this_node(one.lan))
            await one.routed(WEB, DNS)
            await wait_until(lambda: not one.seen.problems(), within=10, what="no problem")

    await inside(one, scenario)


async def test_an_endpoint_that_comes_is_announced_once_kube_proxy_knows_it(one: Cluster) -> None:
    async def scenario() -> None:
        proxy = one.kube_proxy
        await proxy.answer(KUBE_PROXY_PORT, 200)
        await proxy.answer(DNS_PORT, 503)
        one.seen.write("dns", local("dns", DNS_PORT), endpoints("dns", "node2"))
        async with one.speaker():
            await one.routed(WEB)
            assert DNS_PORT not in proxy.asked
            one.seen.write("dns", local("dns", DNS_PORT), endpoints("dns", "node1"))
            await one.said(DNS, "ForwardingNotProven", "answers 503")
            assert one.routes() == {WEB}
            await proxy.answer(DNS_PORT, 200)
            await one.routed(WEB, DNS)

    await inside(one, scenario)
