"""A CNI that speaks BGP to the same router is never disturbed, whoever came first, and when it restarts.

In its role is a second gobgpd on the node. Speaker and sidecar see no processes but their own, as in a pod.
"""

import signal
import sys
from collections.abc import AsyncIterator
from ipaddress import IPv4Network
from pathlib import Path

import msgspec
import pytest

from openelb_bgp.bgp.model import GracefulRestart, PathAttrs, PathKey
from openelb_bgp.bgp.model import Path as BgpPath
from openelb_bgp.model.meta import Kind
from tests.daemons.conftest import StartRouter
from tests.daemons.harness import kernel
from tests.daemons.harness.confs import NODE_ASN, changed, peer, speaker
from tests.daemons.harness.frr import Frr
from tests.daemons.harness.gobgp import NEW, Gobgpd, gobgpd_binary
from tests.daemons.harness.house import WEB, problem
from tests.daemons.harness.kernel import RouteDeletions
from tests.daemons.harness.manifests import bgp_conf, cluster
from tests.daemons.harness.netns import Lan
from tests.daemons.harness.openelb import OWN_PIDS, OpenElb
from tests.daemons.harness.processes import Daemon
from tests.daemons.harness.waiting import stays, wait_until

PODS = "10.244.1.0/24"
_PODS = BgpPath(PathKey(IPv4Network(PODS), 1), PathAttrs())


class Cni:
    """Another BGP speaker of the node, which announces the node's pods to the router."""

    def __init__(self, gobgpd: Gobgpd, lan: Lan, router: Frr) -> None:
        self.gobgpd, self.lan, self.router = gobgpd, lan, router
        self.begun = False

    async def start(self) -> None:
        """Start it, or start it again as a CNI that does graceful restart."""
        conf = peer(self.lan.routers[0])
        restart = msgspec.structs.replace(
            conf.graceful_restart or GracefulRestart(), local_restarting=self.begun
        )
        self.begun = True
        async with await self.gobgpd.start() as client:
            await client.start(speaker(self.lan.nodes[0]))
            await client.add_paths([_PODS])
            await client.add_peer(changed(conf, graceful_restart=restart))

    def kill(self) -> None:
        """As a crash, or an upgrade of it, does."""
        self.gobgpd.daemon.end(signal.SIGKILL)

    async def is_up(self) -> None:
        """Return when the router has its route, by a session of its own."""
        node, space = self.lan.nodes[0].v4, self.router.namespace
        await wait_until(
            lambda: self.router.established(node) and kernel.next_hops(space, PODS) == [node],
            within=60,
            what="the CNI's route",
        )

    def sessions(self) -> int:
        """How many sessions the router has had with this node, whoever's."""
        return int(self.router.neighbor(self.lan.nodes[0].v4).get("connectionsEstablished", 0))


@pytest.fixture
async def router(lan: Lan, start_router: StartRouter) -> Frr:
    return await start_router(lan.routers[0], neighbors={lan.nodes[0].v4: NODE_ASN})


@pytest.fixture
async def cni(gobgpd: Gobgpd, lan: Lan, router: Frr) -> AsyncIterator[Cni]:
    found = Cni(gobgpd, lan, router)
    yield found
    found.kill()


@pytest.fixture
async def ours(lan: Lan, tmp_path: Path) -> AsyncIterator[OpenElb]:
    """Our speaker, not started yet, with its sidecar in a container of its own."""
    node = lan.nodes[0]
    speaker = OpenElb(node, tmp_path, own_pids=True)
    speaker.write("cluster", bgp_conf(listenPort=1790), *cluster(lan)[1:])
    speaker.runtime.mkdir()
    argv = [*OWN_PIDS, sys.executable, "-P", "-m", "openelb_bgp.sidecar", "gobgpd"]
    argv += ["--dir", str(speaker.runtime), "--gobgpd", str(gobgpd_binary(NEW))]
    kept = Daemon(node.argv(*argv), log=tmp_path / "sidecar.log")
    kept.start()
    yield speaker
    speaker.daemon.end()
    kept.end()


async def left_to_it(ours: OpenElb) -> None:
    """Return when ours says that the router is another's."""
    said = await problem(
        ours, "BgpPeer router", "leave this router to it", reason="PeerInUseByOther", within=60
    )
    assert "a process that cannot be seen from here" in said


async def test_a_router_to_which_the_cni_speaks_is_not_dialled(cni: Cni, ours: OpenElb, router: Frr) -> None:
    await cni.start()
    await cni.is_up()
    with RouteDeletions(router.namespace) as deletions:
        ours.start()
        await left_to_it(ours)
        # Longer than it takes ours to dial several times.
        await stays(lambda: cni.sessions() == 1, during=8, what="the CNI's session")
    assert (deletions.prefixes, router.resets(cni.lan.nodes[0].v4)) == ((), 0)
    condition = ours.condition(Kind.BGP_PEER, "router", "Ready")
    assert (condition["status"], condition["reason"]) == ("False", "PeerInUseByOther")


async def test_ours_gives_way_to_a_cni_that_comes_later(cni: Cni, ours: OpenElb, router: Frr) -> None:
    ours.start()
    await ours.announced("shop/web", within=60)
    await wait_until(lambda: kernel.next_hops(router.namespace, WEB), within=10, what="our route")
    await cni.start()
    await cni.is_up()
    with RouteDeletions(router.namespace) as deletions:
        await left_to_it(ours)
        # One of ours and one of the CNI's, and no fight for it.
        await stays(lambda: cni.sessions() == 2, during=8, what="the CNI's session")
    assert PODS not in deletions.prefixes
    assert kernel.next_hops(router.namespace, WEB) == []


async def test_a_cni_that_restarts_finds_its_session_and_its_routes_as_they_were(
    cni: Cni, ours: OpenElb, router: Frr
) -> None:
    await cni.start()
    await cni.is_up()
    ours.start()
    await left_to_it(ours)
    with RouteDeletions(router.namespace) as deletions:
        cni.kill()
        # A restart takes a while, and ours must not use it.
        await stays(lambda: cni.sessions() == 1, during=6, what="no session but the one before")
        await cni.start()
        await wait_until(lambda: cni.sessions() == 2, within=60, what="the CNI's session")
        await cni.is_up()
        await stays(lambda: cni.sessions() == 2, during=5, what="the CNI's session")
    assert deletions.prefixes == ()
