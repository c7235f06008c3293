"""Each process does its work with the rights that its pod has, and with no others."""

import http.client
import shutil
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from lab.cluster.api import Api
from lab.cluster.installation import SYSTEM, mount_account, our_pod, pod_environment
from lab.cluster.kubelet import service
from openelb_bgp.kube.certs import from_secret
from openelb_bgp.sidecar import client as sidecar
from tests.daemons.conftest import StartRouter
from tests.daemons.harness import kernel
from tests.daemons.harness.confs import NODE_ASN
from tests.daemons.harness.frr import Frr
from tests.daemons.harness.inside import call_inside
from tests.daemons.harness.kernel import RouteDeletions
from tests.daemons.harness.manifests import eip
from tests.daemons.harness.netns import Lan
from tests.daemons.harness.openelb import program
from tests.daemons.harness.waiting import wait_until
from tests.kube.container import Container, command_of, open_unprivileged_ports
from tests.kube.faulty_proxy import FaultyProxy
from tests.kube.harness.control_plane import GATEWAY, ControlPlane
from tests.kube.harness.ours import Seen, ready_cluster
from tests.kube.harness.rack import MANAGED
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
    # The state stands in for the API server.
    volumes = tuple(sorted(map(str, (pod.empty_dir, pod.eyes.state))))
    assert (pod.gobgpd.writable, pod.speaker.writable) == (volumes, volumes)
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


async def test_a_controller_that_is_not_root_allocates_and_answers_the_webhook_on_443(
    control_plane: ControlPlane, lan: Lan, folder: Path, namespace: str
) -> None:
    """In the network namespace of its pod, and with the token of its account."""
    api, space = ready_cluster(control_plane, "node1"), lan.nodes[0]
    spec = pod_of(rendered(BASE), "Deployment", "openelb-controller")
    open_unprivileged_ports(space, spec)
    account = mount_account(
        *(api, control_plane.plane, our_pod(api, "controller", node="node1", address=space.v4)),
        folder / "account",
    )
    seen, key = Seen(api), f"{namespace}/web"
    api.create(eip("pool", f"{WEB}-198.51.100.14", default=True))
    api.create(service("web", namespace=namespace, annotations=MANAGED))
    with FaultyProxy.in_lan(control_plane, lan):
        environment = [f"{name}={text}" for name, text in pod_environment(GATEWAY, 6443, account).items()]
        command = ("env", *environment, *command_of(spec, "openelb-controller", program=program(), paths={}))
        controller = Container(space, spec, "openelb-controller", command, log=folder / "log")
        controller.start()
        try:
            assert await seen.allocated(key, within=60) == [WEB]
            trusted = await wait_until(lambda: _trusted(api), within=40, what="the webhook's certificate")
            assert call_inside(space, lambda: _answers(trusted)) == 405
            assert controller.rights == {**_root(0), "Uid": "\t".join([str(CONTROLLER)] * 4)}
            assert controller.writable == ()
        finally:
            controller.end()


def _trusted(api: Api) -> bytes:
    found = api.find("Secret", "openelb-webhook", namespace=SYSTEM)
    return from_secret(found["data"]).trusted if found else b""


def _answers(trusted: bytes) -> int:
    """The status of a GET of the webhook, by the name of its Service."""
    name, trust = "openelb-controller.openelb-system.svc", ssl.create_default_context(cadata=trusted.decode())
    with (
        socket.create_connection(("127.0.0.1", 443), timeout=10) as raw,
        trust.wrap_socket(raw, server_hostname=name) as connection,
    ):
        client = http.client.HTTPConnection(name)
        client.sock = connection
        client.request("GET", "/validate-network-kubesphere-io-v1alpha2-eip")
        return client.getresponse().status


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
        "Seccomp": "2",
    }


async def _edited_without_loss(pod: NodePod, router: Frr, lan: Lan) -> None:
    with RouteDeletions(router.namespace) as deletions:
        pod.write(peer={"allowOwnAs": 1})
        await wait_until(lambda: router.resets(lan.nodes[0].v4), within=40, what="the reset")
        await wait_until(lambda: pod.eyes.http("/readyz")[0] == 200, within=40, what="the end of the edit")
    assert deletions.prefixes == ()
    assert "session_not_hung_up" not in pod.speaker.output()
