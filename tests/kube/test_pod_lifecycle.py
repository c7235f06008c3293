"""What each end of a speaker's pod does to the routes: by the signals that a kubelet and a host send.

The table in docs/operations.md says the same in words. A runtime stops gobgpd's container by SIGKILL, because
its image says so; a host that goes down without its kubelet sends SIGTERM to every process.
"""

import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.daemons.conftest import StartRouter
from tests.daemons.harness import kernel
from tests.daemons.harness.confs import NODE_ASN
from tests.daemons.harness.frr import Frr
from tests.daemons.harness.kernel import RouteDeletions
from tests.daemons.harness.netns import Lan
from tests.daemons.harness.waiting import stays, wait_until
from tests.kube.node_pod import WEB, NodePod
from tests.kube.rendered import BASE, MANIFESTS, pod_of, rendered


@pytest.fixture
def lan(new_lan: Callable[..., Lan]) -> Lan:
    return new_lan(nodes=2)


@pytest.fixture
async def router(lan: Lan, start_router: StartRouter) -> Frr:
    return await start_router(lan.routers[0], neighbors={lan.nodes[0].v4: NODE_ASN})


@pytest.fixture
def pod(lan: Lan, tmp_path: Path) -> NodePod:
    return NodePod(lan, tmp_path, pod_of(rendered(BASE), "DaemonSet", "openelb-speaker"))


@asynccontextmanager
async def announced(pod: NodePod, router: Frr, **conf: Any) -> AsyncIterator[NodePod]:
    """The pod, while the router has its route; `conf` goes into BgpConf."""
    pod.write(conf=conf)
    pod.start()
    try:
        await wait_until(lambda: hops(router), within=60, what="the route")
        yield pod
    finally:
        pod.close()


@pytest.fixture
async def announcing(pod: NodePod, router: Frr) -> AsyncIterator[NodePod]:
    """The pod of the base, of which the router has the route."""
    async with announced(pod, router):
        yield pod


def hops(router: Frr) -> list[str]:
    return kernel.next_hops(router.namespace, WEB)


async def test_a_rollout_costs_no_route(announcing: NodePod, router: Frr) -> None:
    with RouteDeletions(router.namespace) as deletions:
        announcing.speaker.end(signal.SIGTERM)
        announcing.gobgpd.end(signal.SIGKILL)
        announcing.replace()
        await wait_until(lambda: router.resets(announcing.node.v4), within=40, what="the new session")
        await wait_until(lambda: announcing.eyes.http("/readyz")[0] == 200, within=40, what="the new pod")
        await stays(lambda: hops(router), during=2, what="the route")
    assert deletions.prefixes == ()


async def test_a_speakers_container_that_dies_and_returns_is_not_noticed(
    announcing: NodePod, router: Frr
) -> None:
    with RouteDeletions(router.namespace) as deletions:
        announcing.speaker.end(signal.SIGKILL)
        announcing.speaker.start()
        await wait_until(lambda: announcing.eyes.http("/readyz")[0] == 200, within=40, what="the speaker")
    assert (deletions.prefixes, router.resets(announcing.node.v4)) == ((), 0)


async def test_gobgpds_container_that_is_killed_and_returns_costs_no_route(
    announcing: NodePod, router: Frr
) -> None:
    with RouteDeletions(router.namespace) as deletions:
        announcing.gobgpd.end(signal.SIGKILL)
        announcing.gobgpd.start()
        await wait_until(lambda: router.resets(announcing.node.v4), within=40, what="the new session")
        await wait_until(lambda: announcing.eyes.http("/readyz")[0] == 200, within=40, what="its paths")
        await stays(lambda: hops(router), during=2, what="the route")
    assert deletions.prefixes == ()


async def test_of_a_daemonset_that_is_deleted_the_routes_stay_for_the_restart_time_and_then_go(
    pod: NodePod, router: Frr
) -> None:
    async with announced(pod, router, gracefulRestart={"restartTime": 5}):
        pod.speaker.end(signal.SIGTERM)
        pod.gobgpd.end(signal.SIGKILL)
        await stays(lambda: hops(router), during=2, what="the route")
        await wait_until(lambda: not hops(router), within=30, what="the end of the restart time")


async def test_a_node_that_its_kubelet_shuts_down_is_withdrawn_before_its_pods_end(
    announcing: NodePod, router: Frr
) -> None:
    """The kubelet first says that its node is not ready, then ends the pods."""
    announcing.write(going=("node1",))
    await wait_until(lambda: not hops(router), within=5, what="the withdrawal")
    assert router.resets(announcing.node.v4) == 0
    announcing.speaker.end(signal.SIGTERM)
    announcing.gobgpd.end(signal.SIGKILL)
    await stays(lambda: not hops(router), during=1, what="no route")


async def test_the_last_of_a_cluster_that_is_shut_down_keeps_its_routes_until_it_is_told_to_end(
    announcing: NodePod, router: Frr
) -> None:
    announcing.write(going=("node1", "node2"))
    await stays(lambda: hops(router), during=2, what="the route of the last")
    announcing.speaker.end(signal.SIGTERM)
    assert not hops(router)


async def test_a_host_that_goes_down_without_its_kubelet_says_goodbye(
    announcing: NodePod, router: Frr
) -> None:
    announcing.speaker.send(signal.SIGTERM)
    announcing.gobgpd.send(signal.SIGTERM)
    await wait_until(lambda: not hops(router), within=3, what="the goodbye")


async def test_without_native_sidecars_gobgpd_goes_on_until_its_hook_ends(
    lan: Lan, router: Frr, tmp_path: Path
) -> None:
    """The kubelet tells both at once; gobgpd's hook keeps it for 10 s, which are not waited for here."""
    objects = rendered(MANIFESTS / "overlays" / "before-1.30")
    pod = NodePod(lan, tmp_path, pod_of(objects, "DaemonSet", "openelb-speaker"))
    async with announced(pod, router):
        with RouteDeletions(router.namespace) as deletions:
            pod.speaker.end(signal.SIGTERM)
            await stays(lambda: hops(router), during=1, what="the route")
            pod.gobgpd.end(signal.SIGKILL)
            pod.replace()
            await wait_until(lambda: router.resets(pod.node.v4), within=40, what="the new session")
            await wait_until(lambda: pod.eyes.http("/readyz")[0] == 200, within=40, what="the new pod")
        assert deletions.prefixes == ()
