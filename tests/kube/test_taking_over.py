"""Ours take OpenELB's place by the commands of docs/take-over.md, which these tests run as they stand there.

What OpenELB leaves is in `openelb_install`: its own objects, with webhooks that nobody answers and that fail
closed, and a dozen Services that hold addresses. No address moves, objects can be made at every moment,
nothing of theirs goes on running, and nothing hangs when it is deleted.
"""

import json
import re
import subprocess
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.cluster.api import Api, ApiError
from lab.cluster.kubelet import make_node
from tests.daemons.harness.openelb import program
from tests.daemons.harness.processes import Daemon
from tests.daemons.harness.waiting import wait_until

from .asking import asked_all_the_time
from .charts import on_the_path
from .component_account import NAMESPACE, account_of
from .harness.control_plane import ControlPlane
from .kubelets import Kubelets
from .openelb_install import addresses_of, openelb_05, openelb_06, pools, services
from .rendered import BASE, OVERLAYS, containers, pod_of, rendered

Object = dict[str, Any]
ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "take-over.md").read_text()
WORKLOADS = (("Deployment", "openelb-controller"), ("DaemonSet", "openelb-speaker"))
ALL = next(folder for folder in OVERLAYS if folder.name == "all")
HELD = addresses_of(services())
SOON = 60.0


def commands(heading: str, *, block: int = 0) -> list[str]:
    """The lines of a block of shell below a heading of the guide."""
    section = GUIDE.split(f"## {heading}\n")[1].split("\n## ")[0]
    blocks = [found[1] for found in re.finditer(r"```sh\n(.*?)```", section, flags=re.DOTALL)]
    return blocks[block].splitlines()


class Cluster:
    """A cluster in which OpenELB ran. `kubelets` run the pods of its namespace."""

    def __init__(self, plane: ControlPlane, kubelets: Kubelets, folder: Path) -> None:
        self.plane, self.api, self.kubelets, self.folder = plane, plane.api, kubelets, folder

    def install(self, objects: list[Object], *, verb: str) -> None:
        """Put OpenELB there by `apply` or `create`, and what users made, before its webhooks refuse that."""
        webhooks = [one for one in objects if one["kind"].endswith("WebhookConfiguration")]
        self._kubectl(verb, [one for one in objects if one not in webhooks])
        self.plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        for obj in (*pools(), *services()):
            self.api.create(obj)
            if "status" in obj:
                self.api.patch(
                    obj["kind"],
                    obj["metadata"]["name"],
                    {"status": obj["status"]},
                    namespace=obj["metadata"].get("namespace", ""),
                    subresource="status",
                )
        self._kubectl(verb, webhooks)

    def _kubectl(self, verb: str, objects: Iterable[Object]) -> None:
        self.plane.kubectl(verb, "-f", "-", stdin=yaml.safe_dump_all(objects))

    def follow(self, lines: Iterable[str]) -> None:
        """Run the lines of a block of the guide, as a user in a checkout would."""
        commands = on_the_path(self.plane.plane, self.folder)
        for line in lines:
            done = subprocess.run(
                ["bash", "-ec", f"set -o pipefail; {commands} {line}"],
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=SOON,
                check=False,
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"

    @property
    def addresses(self) -> dict[str, str]:
        """What every Service holds now."""
        return addresses_of(self.api.items("Service", namespace="default"))

    def images(self) -> set[str]:
        """What runs in our namespace, but for the pod that only lends its account to a process here."""
        pods = self.api.items("Pod", namespace=NAMESPACE)
        found = {
            container["image"]
            for pod in pods
            for container in (*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"])
        }
        return found - {"example.invalid/none"}

    def refusal(self, kind: str) -> str:
        """Why an object of that kind cannot be made now; empty if it can."""
        made = {
            "Eip": {"apiVersion": "network.kubesphere.io/v1alpha2", "spec": {"address": "203.0.113.1"}},
            "Service": {"apiVersion": "v1", "spec": {"ports": [{"port": 80}]}},
        }[kind]
        namespace = {} if kind == "Eip" else {"namespace": "default"}
        try:
            self.api.create({**made, "kind": kind, "metadata": {"name": "new", **namespace}}, dryRun="All")
        except ApiError as error:
            return error.message
        return ""

    @asynccontextmanager
    async def controller(self) -> AsyncIterator[Daemon]:
        """Our controller, with the rights of its pod."""
        account = account_of(self.plane, self.folder, "controller")
        environment = [f"{name}={value}" for name, value in account.environment().items()]
        flags = ("--webhook-port=0", "--metrics-addr=127.0.0.1:0", "--leader-elect")
        argv = ("env", *environment, str(program()), "controller", *flags)
        daemon = Daemon(argv, log=self.folder / "controller.log")
        daemon.start()
        try:
            yield daemon
        finally:
            daemon.end()


@pytest.fixture
def cluster(own_control_plane: ControlPlane, tmp_path: Path) -> Iterator[Cluster]:
    """Two nodes, and nothing installed yet."""
    for number in (1, 2):
        make_node(
            own_control_plane.api,
            f"node{number}",
            addresses=[f"192.0.2.1{number}"],
            labels={"kubernetes.io/os": "linux"},
        )
    with Kubelets(own_control_plane.api, NAMESPACE, watched="app=openelb,component=speaker") as kubelets:
        yield Cluster(own_control_plane, kubelets, tmp_path)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Object]:
    """The specs of our workloads and of the Service in a cluster that never saw OpenELB."""
    plane = ControlPlane(tmp_path_factory.mktemp("fresh"))
    try:
        plane.start()
        plane.kubectl("apply", "-k", str(BASE))
        return _specs(plane.api)
    finally:
        plane.stop()


def _specs(api: Api) -> dict[str, Object]:
    found = {name: api.get(kind, name, namespace=NAMESPACE)["spec"] for kind, name in WORKLOADS}
    service = api.get("Service", "openelb-controller", namespace=NAMESPACE)["spec"]
    return {**found, "service": {key: service[key] for key in ("selector", "ports")}}


async def _replaced(cluster: Cluster, fresh: dict[str, Object]) -> None:
    """What runs is ours alone, as if nothing had been there before."""
    assert _specs(cluster.api) == fresh
    await wait_until(lambda: cluster.images() == _images(BASE), within=SOON, what="nothing but ours")


def _images(folder: Path) -> set[str]:
    """Those of a kustomization's workloads."""
    pods = [pod_of(rendered(folder), kind, name) for kind, name in WORKLOADS]
    return {each["image"] for pod in pods for each in containers(pod).values()}


async def _kept_by_our_controller(cluster: Cluster) -> None:
    """Every address stays, what OpenELB put on objects goes, and each can be deleted."""
    async with cluster.controller() as controller:
        kinds = ("Eip", "BgpConf", "BgpPeer", "Service")

        def finalizers() -> list[str]:
            found = [obj for kind in kinds for obj in cluster.api.items(kind)]
            return [obj["metadata"]["name"] for obj in found if obj["metadata"].get("finalizers")]

        await wait_until(lambda: finalizers() == [], within=SOON, what="objects without finalizers")
        assert cluster.addresses == HELD
        pool = cluster.api.get("Eip", "pool")["status"]
        assert (pool["usage"], pool["poolSize"]) == (len(set(HELD.values())), 16)
        cluster.api.create(_new_service())
        await wait_until(lambda: "new" in cluster.addresses, within=SOON, what="an address for a new one")
        assert cluster.addresses == {**HELD, "new": "198.51.100.4"}
        cluster.plane.kubectl("delete", "service", "-n", "default", *HELD, "--timeout=30s")
        cluster.plane.kubectl("delete", "eip", "pool", "spare", "--timeout=30s")
        cluster.plane.kubectl("delete", "bgpconf/default", "bgppeer/router", "--timeout=30s")
        assert controller.alive, controller.output()[-2000:]


def _new_service() -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "new",
            "namespace": "default",
            "annotations": {
                "lb.kubesphere.io/v1alpha1": "openelb",
                "eip.openelb.kubesphere.io/v1alpha2": "pool",
            },
        },
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
    }


async def test_from_06_by_kubectl_apply(cluster: Cluster, fresh: dict[str, Object]) -> None:
    cluster.install(openelb_06(), verb="apply")
    await _speakers_run(cluster)
    assert "failed calling webhook" in cluster.refusal("Eip")
    cluster.kubelets.count()
    with asked_all_the_time(cluster.plane.api) as asked:
        # The first object that is applied lets Eips be made: nobody answers OpenELB's webhook here.
        first = yaml.safe_dump(rendered(BASE)[0])
        cluster.plane.kubectl("apply", "-f", "-", stdin=first)
        await wait_until(lambda: cluster.refusal("Eip") == "", within=SOON, what="an Eip that may be made")
        cluster.follow(commands("From 0.6, installed with kubectl apply"))
        await _replaced(cluster, fresh)
    assert (asked.refused_later("Eip"), asked.refused("Service")) == ([], [])
    assert cluster.kubelets.least >= 1
    await _kept_by_our_controller(cluster)
    cluster.follow(commands("From 0.6, installed with kubectl apply", block=1))
    assert cluster.plane.kubectl("-n", NAMESPACE, "get", "jobs", "-o", "name") == ""


async def test_from_06_by_kubectl_create(cluster: Cluster, fresh: dict[str, Object]) -> None:
    cluster.install(openelb_06(), verb="create")
    await _speakers_run(cluster)
    refused = cluster.plane.try_kubectl("apply", "-k", str(BASE))
    assert "may not specify more than 1 handler type" in refused.stderr
    cluster.kubelets.count()
    with asked_all_the_time(cluster.plane.api) as asked:
        cluster.follow(commands("From 0.6, installed with kubectl create"))
        await _replaced(cluster, fresh)
    assert (asked.refused_later("Eip"), asked.refused("Service")) == ([], [])
    assert cluster.kubelets.least >= 1
    await _kept_by_our_controller(cluster)


async def test_from_06_by_helm(cluster: Cluster, fresh: dict[str, Object]) -> None:
    cluster.install(openelb_06(helm=True), verb="create")
    cluster.api.create(_release())
    await _speakers_run(cluster)
    refused = cluster.plane.try_kubectl("apply", "--dry-run=server", "-k", str(BASE))
    assert "may not specify more than 1 handler type" in refused.stderr
    cluster.kubelets.count()
    first, *rest = commands("From 0.6, installed with Helm")
    # Nobody answers the webhook here: what it refuses it would refuse while its Service is away.
    assert "failed calling webhook" in cluster.refusal("Eip")
    cluster.follow([first])
    await wait_until(lambda: cluster.refusal("Eip") == "", within=SOON, what="an Eip that may be made")
    with asked_all_the_time(cluster.plane.api) as asked:
        cluster.follow(rest)
        await _replaced(cluster, fresh)
    assert (asked.refused("Eip"), asked.refused("Service")) == ([], [])
    assert cluster.kubelets.least >= 1
    assert cluster.api.items("Secret", namespace=NAMESPACE, labelSelector="owner=helm") == []
    await _kept_by_our_controller(cluster)


async def test_from_06_by_helm_to_our_chart(cluster: Cluster) -> None:
    cluster.install(openelb_06(helm=True), verb="create")
    cluster.api.create(_release())
    await _speakers_run(cluster)
    cluster.kubelets.count()
    first, *rest = commands("From 0.6, installed with Helm", block=1)
    cluster.follow([first])
    await wait_until(lambda: cluster.refusal("Eip") == "", within=SOON, what="an Eip that may be made")
    with asked_all_the_time(cluster.plane.api) as asked:
        cluster.follow(rest)
        await wait_until(lambda: cluster.images() == _images(ALL), within=SOON, what="nothing but ours")
    assert (asked.refused("Eip"), asked.refused("Service")) == ([], [])
    assert cluster.kubelets.least >= 1
    for kind, name in WORKLOADS:
        pod = cluster.api.get(kind, name, namespace=NAMESPACE)["spec"]["template"]["spec"]
        assert not [each for each in pod["volumes"] if "secret" in each], "OpenELB's certificate"
    await _kept_by_our_controller(cluster)


async def test_from_05_what_has_to_go_is_named_with_the_command_that_removes_it(
    cluster: Cluster, fresh: dict[str, Object]
) -> None:
    cluster.install(openelb_05(), verb="apply")
    assert "failed calling webhook" in cluster.refusal("Service")
    # Whoever begins in the wrong order: of ours the Service alone is refused.
    refused = cluster.plane.try_kubectl("apply", "-k", str(BASE)).stderr
    assert refused.count("Error from server") == 1 and "mutating.eip.network.kubesphere.io" in refused, (
        refused
    )
    async with cluster.controller() as controller:
        told = await wait_until(lambda: _told(cluster.api), within=SOON, what="three Events")
        logged = [json.loads(line) for line in controller.output().splitlines() if line.startswith("{")]
    assert told == {
        "kubectl delete mutatingwebhookconfiguration openelb-admission",
        f"kubectl -n {NAMESPACE} delete deployment openelb-manager",
        f"kubectl -n {NAMESPACE} delete daemonset openelb-keepalive-vip",
    }
    assert {line["remedy"] for line in logged if line.get("event") == "left_by_openelb"} == told
    cluster.follow([*sorted(told), "kubectl apply -k manifests/base"])
    assert cluster.refusal("Service") == ""
    await _replaced(cluster, fresh)


async def test_from_05_by_the_guide(cluster: Cluster, fresh: dict[str, Object]) -> None:
    cluster.install(openelb_05(), verb="apply")
    with asked_all_the_time(cluster.plane.api) as asked:
        cluster.follow(commands("From 0.4 and 0.5", block=1))
        await _replaced(cluster, fresh)
    assert (asked.refused_later("Eip"), asked.refused_later("Service")) == ([], [])
    await _kept_by_our_controller(cluster)
    cluster.follow(commands("From 0.4 and 0.5", block=2))
    left = [obj["metadata"]["name"] for obj in cluster.api.items("ServiceAccount", namespace=NAMESPACE)]
    assert sorted(left) == ["default", "openelb-controller", "openelb-speaker"]


async def _speakers_run(cluster: Cluster) -> None:
    def ready() -> bool:
        status = cluster.api.get("DaemonSet", "openelb-speaker", namespace=NAMESPACE).get("status", {})
        return bool(status.get("numberReady") == 2)

    await wait_until(ready, within=SOON, what="OpenELB's speakers")


def _told(api: Api) -> set[str]:
    """The commands that Events on our namespace name, once there are three."""
    events = api.items("Event", namespace="default", fieldSelector="reason=LeftByOpenELB")
    found = {one["message"].rpartition(": ")[2] for one in events}
    return found if len(found) == 3 else set()


def _release() -> Object:
    """What Helm remembers a release by."""
    labels = {"owner": "helm", "name": "openelb", "status": "deployed", "version": "1"}
    metadata = {"name": "sh.helm.release.v1.openelb.v1", "namespace": NAMESPACE, "labels": labels}
    return {"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1", "metadata": metadata}
