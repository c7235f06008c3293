"""The control plane of the tests: what it must not get wrong, or the other tests prove nothing."""

import asyncio
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.cluster.api import Api, ApiError
from lab.cluster.installation import mount_account, our_pod
from lab.cluster.kubelet import (
    AccountFolder,
    brief_token,
    make_node,
    make_pod,
    pod_token,
    remove_pod,
    service,
    set_pod_ready,
    stop_pod,
)
from lab.cluster.programs import kube_program
from lab.errors import LabError
from tests.daemons.harness.waiting import wait_until
from tests.kube.harness.cleaning import clean
from tests.kube.harness.control_plane import ControlPlane

_CRASH = """
import os, sys
from pathlib import Path
from tests.kube.harness.control_plane import ControlPlane
made = ControlPlane(Path(sys.argv[1]))
made.start()
print(*made.etcd.pids, *made.api_server.pids, *made.controller_manager.pids, flush=True)
os.kill(os.getpid(), 9)
"""
_WHO_AM_I = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
_REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}


def _endpoints(api: Api, namespace: str) -> dict[str, tuple[str, bool, bool]]:
    """Address → node, ready, terminating."""
    return {
        one["addresses"][0]: (
            one["nodeName"],
            one["conditions"]["ready"],
            one["conditions"]["terminating"],
        )
        for part in api.items("EndpointSlice", namespace=namespace)
        for one in part.get("endpoints") or ()
    }


async def test_endpoint_slices_follow_pods(api: Api, namespace: str) -> None:
    make_node(api, "node1", addresses=["192.0.2.11"])
    make_node(api, "node2", addresses=["192.0.2.12"])
    api.create(service("web", namespace=namespace, selector={"app": "web"}))

    async def become(wanted: dict[str, tuple[str, bool, bool]]) -> None:
        await wait_until(lambda: _endpoints(api, namespace) == wanted, within=30, what=f"endpoints {wanted}")

    for number in (1, 2):
        make_pod(
            api,
            f"web-{number}",
            namespace=namespace,
            node=f"node{number}",
            addresses=[f"10.244.{number}.10"],
            labels={"app": "web"},
        )
    await become({"10.244.1.10": ("node1", True, False), "10.244.2.10": ("node2", True, False)})
    set_pod_ready(api, "web-1", namespace=namespace, ready=False)
    stop_pod(api, "web-2", namespace=namespace)
    await become({"10.244.1.10": ("node1", False, False), "10.244.2.10": ("node2", False, True)})
    remove_pod(api, "web-2", namespace=namespace)
    await become({"10.244.1.10": ("node1", False, False)})


def test_a_node_is_ready_and_has_no_taint(api: Api) -> None:
    node = make_node(api, "node1", addresses=["192.0.2.11", "fd00::11"], labels={"rack": "a"})
    assert node["spec"].get("taints") is None
    assert node["metadata"]["labels"] == {"rack": "a"}
    assert [one["address"] for one in node["status"]["addresses"]] == ["192.0.2.11", "fd00::11", "node1"]
    assert {one["type"]: one["status"] for one in node["status"]["conditions"]} == {"Ready": "True"}


def test_a_pods_token_names_its_pod_and_node_and_may_nothing(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    api = control_plane.api
    make_node(api, "node1", addresses=["192.0.2.11"])
    pod = make_pod(api, "speaker-1", namespace=namespace, node="node1", addresses=["192.0.2.11"])
    folder = AccountFolder(tmp_path / "account").write(
        token=pod_token(api, pod), ca=control_plane.ca.read_text(), namespace=namespace
    )
    client = control_plane.client((folder / "token").read_text())
    user = client.request("POST", _WHO_AM_I, _REVIEW)["status"]["userInfo"]
    assert user["username"] == f"system:serviceaccount:{namespace}:default"
    assert user["extra"]["authentication.kubernetes.io/node-name"] == ["node1"]
    assert user["extra"]["authentication.kubernetes.io/pod-name"] == ["speaker-1"]
    with pytest.raises(ApiError, match="cannot list resource") as refused:
        client.items("Service")
    assert refused.value.status == 403


def test_a_token_expires_and_its_successor_is_found_in_the_folder(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    api, ca = control_plane.api, control_plane.ca.read_text()
    make_node(api, "node1", addresses=["192.0.2.11"])
    pod = make_pod(api, "speaker-1", namespace=namespace, node="node1", addresses=["192.0.2.11"])
    good = pod_token(api, pod)
    account = AccountFolder(tmp_path / "account")

    def who_am_i() -> int:
        token = (account.folder / "token").read_text()
        return control_plane.client(token).raw("POST", _WHO_AM_I, _REVIEW)[0]

    account.write(token=brief_token(control_plane.signer, good, seconds=-1), ca=ca, namespace=namespace)
    assert who_am_i() == 401
    account.write(token=brief_token(control_plane.signer, good, seconds=60), ca=ca, namespace=namespace)
    assert who_am_i() == 201
    assert sorted(path.name for path in account.folder.iterdir() if not path.name.startswith("..")) == [
        *("ca.crt", "namespace", "token")
    ]


def test_a_speaker_of_ours_reads_eips_and_no_secrets_by_its_pods_account(
    installed: ControlPlane, tmp_path: Path
) -> None:
    api = installed.api
    make_node(api, "node1", addresses=["192.0.2.11"])
    pod = our_pod(api, "speaker", node="node1", address="192.0.2.11")
    folder = mount_account(api, installed.plane, pod, tmp_path / "account")
    client = installed.client((folder / "token").read_text())
    assert client.items("Eip") == []
    with pytest.raises(ApiError, match="system:serviceaccount:openelb-system:openelb-speaker"):
        client.items("Secret")


def test_a_killed_api_server_comes_back_with_everything_at_the_same_place(
    own_control_plane: ControlPlane,
) -> None:
    api, url = own_control_plane.api, own_control_plane.url
    before = api.create(service("web"))
    own_control_plane.api_server.end()
    with pytest.raises(OSError):
        api.get("Service", "web", namespace="default")
    own_control_plane.start_api_server()
    assert (own_control_plane.url, api.get("Service", "web", namespace="default")) == (url, before)


def test_a_compaction_makes_old_versions_too_old_and_a_restore_brings_them_back(
    own_control_plane: ControlPlane,
) -> None:
    api = own_control_plane.api
    first = api.create(service("first"))["metadata"]["resourceVersion"]
    copy, saved = own_control_plane.save(), own_control_plane.revision
    for number in range(20):
        api.patch("Service", "first", {"metadata": {"labels": {"n": str(number)}}}, namespace="default")
    own_control_plane.compact()
    own_control_plane.api_server.end()
    own_control_plane.start_api_server()
    query = {"watch": "1", "resourceVersion": first, "timeoutSeconds": "1"}
    status, text = api.raw("GET", "/api/v1/services", query=query)
    assert (status, json.loads(text)["object"]["code"]) == (200, 410)
    api.create(service("second"))
    later = own_control_plane.revision

    own_control_plane.restore(copy)
    assert saved <= own_control_plane.revision < later
    names = [one["metadata"]["name"] for one in api.items("Service", namespace="default")]
    assert sorted(names) == ["first", "kubernetes"]


def test_nothing_that_a_test_made_meets_the_next(
    control_plane: ControlPlane, new_namespace: Callable[[], str]
) -> None:
    api, ours = control_plane.api, new_namespace()
    make_node(api, "node1", addresses=["192.0.2.11"])
    make_pod(api, "web-1", namespace=ours, node="node1", addresses=["10.244.1.10"])
    held = service("held", namespace=ours)
    held["metadata"]["finalizers"] = ["finalizer.lb.kubesphere.io/v1alpha1"]
    for made in (held, service("free")):
        api.create(made)
    clean(api)
    assert [one["metadata"]["name"] for one in api.items("Service")] == ["kubernetes"]
    assert (api.items("Node"), api.items("Pod")) == ([], [])
    assert new_namespace() != ours


def test_kubectl_prints_what_an_operator_sees(control_plane: ControlPlane) -> None:
    control_plane.api.create(service("web"))
    lines = control_plane.kubectl("get", "services", "--no-headers").splitlines()
    assert [line.split()[:2] for line in lines] == [["kubernetes", "ClusterIP"], ["web", "LoadBalancer"]]


async def test_nothing_outlives_a_test_process_that_crashes(tmp_path: Path) -> None:
    crash = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _CRASH, str(tmp_path)), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await crash.communicate()
    pids = output.decode().split()
    assert (crash.returncode, len(pids)) == (-signal.SIGKILL, 3)
    await wait_until(lambda: not any(map(_runs, pids)), within=30, what="the end of all three")


def test_a_missing_program_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OPENELB_BGP_CACHE", str(tmp_path))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    with pytest.raises(LabError, match="kube-apiserver is missing: `make setup` installs it"):
        kube_program("kube-apiserver")
    (tmp_path / "kube-apiserver").write_text("#!/bin/sh\n")
    (tmp_path / "kube-apiserver").chmod(0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    assert kube_program("kube-apiserver") == str(tmp_path / "kube-apiserver")


def _runs(pid: str) -> bool:
    try:
        return Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
