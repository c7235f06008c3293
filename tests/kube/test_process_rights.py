"""Each process does its work with the rights that its pod has, and with no others."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from openelb_bgp.sidecar import client as sidecar
from tests.daemons.conftest import StartRouter
from tests.daemons.harness import kernel
from tests.daemons.harness.confs import NODE_ASN
from tests.daemons.harness.frr import Frr
from tests.daemons.harness.kernel import RouteDeletions
from tests.daemons.harness.manifests import cluster, node
from tests.daemons.harness.netns import Lan
from tests.daemons.harness.openelb import OpenElb, program
from tests.daemons.harness.waiting import wait_until
from tests.kube.container import Container, command_of, open_unprivileged_ports
from tests.kube.node_pod import WEB, NodePod
from tests.kube.rendered import BASE, Object, pod_of, rendered, with_component

NET_BIND_SERVICE, NET_RAW, SYS_PTRACE = 1 << 10, 1 << 13, 1 << 19
"""linux/capability.h"""

CONTROLLER = 65532

StartPod = Callable[..., Awaitable[NodePod]]


@pytest.fixture
def lan(new_lan: Callable[..., Lan]) -> Lan:
    return new_lan(nodes=2)


@pytest.fixture
async def router(lan: Lan, start_router: StartRouter) -> Frr:
    return await start_router(lan.routers[0], neighbors={lan.nodes[0].v4: NODE_ASN})


@pytest.fixture
async def start_pod(lan: Lan, router: Frr, tmp_path: Path) -> AsyncIterator[StartPod]:
    """Starts the pod of that spec; it announces when this returns."""
    async with AsyncExitStack() as stack:

        async def start(pod: Object, *, forbid_getfd: bool = False) -> NodePod:
            made = NodePod(lan, tmp_path, pod, forbid_getfd=forbid_getfd)
            stack.callback(made.close)
            made.write()
            made.start()
            await wait_until(lambda: _hops(router), within=60, what="the route")
            return made

        yield start


async def test_with_its_one_capability_each_gobgpd_listens_on_179_and_the_speaker_stands_in(
    start_pod: StartPod, router: Frr, lan: Lan
) -> None:
    pod = await start_pod(_speaker_pod())
    both = [one.v4 for one in lan.nodes]
    # The second is there only if the speaker can ask it by ARP.
    await wait_until(lambda: _hops(router) == both, within=40, what="the stand-in's next hop")
    assert (pod.gobgpd.rights, pod.speaker.rights) == (_root(NET_BIND_SERVICE), _root(NET_RAW))
    assert (pod.empty_dir / "gobgpd").stat().st_mode & 0o777 == 0o700
    assert not pod.eyes.problems("ProbingImpossible")
    # By these its connections are known from those of a CNI.
    assert (await sidecar.dump(pod.empty_dir)).sockets


async def test_without_net_raw_the_speaker_says_which_capability_is_missing(
    start_pod: StartPod, router: Frr, lan: Lan
) -> None:
    spec = _speaker_pod()
    spec["containers"][0]["securityContext"]["capabilities"].pop("add")
    pod = await start_pod(spec)
    said = await wait_until(lambda: pod.eyes.problems("ProbingImpossible"), within=40, what="the problem")
    assert ["NET_RAW" in message for message in said.values()] == [True]
    assert _hops(router) == [lan.nodes[0].v4]


async def test_an_edit_that_resets_the_session_costs_no_route_where_the_sidecar_may_hang_up(
    start_pod: StartPod, router: Frr, lan: Lan
) -> None:
    """As under CRI-O: pidfd_getfd(2) is allowed, and the parent of a daemon of its own user may trace it."""
    pod = await start_pod(_speaker_pod())
    await _edited_without_loss(pod, router, lan)


async def test_where_the_runtime_forbids_that_the_edit_is_made_and_the_log_says_what_it_costs(
    start_pod: StartPod, router: Frr, lan: Lan
) -> None:
    """As under containerd and Docker, whose profile opens pidfd_getfd(2) to CAP_SYS_PTRACE only."""
    pod = await start_pod(_speaker_pod(), forbid_getfd=True)
    with pytest.raises(sidecar.OrderRefused, match="Operation not permitted"):
        await sidecar.hang_up(pod.empty_dir, lan.routers[0].v4)
    pod.write(peer={"allowOwnAs": 1})
    await wait_until(lambda: "session_not_hung_up" in pod.speaker.output(), within=40, what="the log's line")
    await wait_until(lambda: router.resets(lan.nodes[0].v4) and _hops(router), within=30, what="the route")


async def test_the_component_quiet_edits_grants_what_opens_it_there(
    start_pod: StartPod, router: Frr, lan: Lan, tmp_path: Path
) -> None:
    objects = with_component(tmp_path, "quiet-edits")
    pod = await start_pod(pod_of(objects, "DaemonSet", "openelb-speaker"))
    assert pod.gobgpd.rights == _root(NET_BIND_SERVICE | SYS_PTRACE)
    await _edited_without_loss(pod, router, lan)


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that belongs to the controller's user; pytest's own are root's alone."""
    with tempfile.TemporaryDirectory(prefix="oelb-") as made:
        shutil.chown(made, CONTROLLER, CONTROLLER)
        yield Path(made)


async def test_a_controller_that_is_not_root_allocates_and_listens_on_443(lan: Lan, folder: Path) -> None:
    space, spec = lan.nodes[0], pod_of(rendered(BASE), "Deployment", "openelb-controller")
    open_unprivileged_ports(space, spec)
    eyes = OpenElb(space, folder, command="controller")
    eyes.write("all", node("node1", space.v4), *cluster(lan))
    command = command_of(spec, "openelb-controller", program=program(), paths={":50052": "127.0.0.1:443"})
    source = ("--files", str(eyes.manifests), "--state", str(eyes.state))
    controller = Container(space, spec, "openelb-controller", (*command, *source), log=folder / "log")
    controller.start()
    try:
        await wait_until(lambda: eyes.addresses("shop/web") == [WEB], within=40, what="the address")
        assert eyes.http("/readyz", port=443) == (200, "ok\n")
        assert controller.rights == {**_root(0), "Uid": "\t".join([str(CONTROLLER)] * 4)}
    finally:
        controller.end()


def _speaker_pod() -> Object:
    return pod_of(rendered(BASE), "DaemonSet", "openelb-speaker")


def _hops(router: Frr) -> list[str]:
    return kernel.next_hops(router.namespace, WEB)


def _root(bounding: int) -> dict[str, str]:
    granted = f"{bounding:016x}"
    return {
        "Uid": "0\t0\t0\t0",
        "CapEff": granted,
        "CapBnd": granted,
        "CapAmb": f"{0:016x}",
        "NoNewPrivs": "1",
    }


async def _edited_without_loss(pod: NodePod, router: Frr, lan: Lan) -> None:
    with RouteDeletions(router.namespace) as deletions:
        pod.write(peer={"allowOwnAs": 1})
        await wait_until(lambda: router.resets(lan.nodes[0].v4), within=40, what="the reset")
        await wait_until(lambda: pod.eyes.http("/readyz")[0] == 200, within=40, what="the end of the edit")
    assert deletions.prefixes == ()
    assert "session_not_hung_up" not in pod.speaker.output()
