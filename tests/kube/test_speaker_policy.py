"""What somebody could do with a speaker's stolen token: what that speaker does, and nothing else."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.cluster.api import Api, ApiError
from lab.cluster.kubelet import make_node
from openelb_bgp.kube.secrets_role import rules_for
from tests.daemons.harness.waiting import wait_until

from .component_account import NAMESPACE, account_of
from .harness.control_plane import ControlPlane

MANIFESTS = Path(__file__).parents[2] / "manifests"
API_VERSION = "network.kubesphere.io/v1alpha2"
POLICY = "openelb-speaker"
SOON = 30.0


@pytest.fixture
def stolen(control_plane: ControlPlane, tmp_path: Path) -> Api:
    """A client with the token of the speaker on node1; node2 has a speaker, too."""
    control_plane.kubectl("apply", "-k", str(MANIFESTS / "crds"))
    control_plane.kubectl("wait", "--for=condition=Established", "crd/speakers.network.kubesphere.io")
    account = account_of(control_plane, tmp_path, "speaker", node="node1")
    make_node(control_plane.api, "node2", addresses=["192.0.2.12"])
    control_plane.kubectl("apply", "-f", str(MANIFESTS / "base" / "speaker-policy.yaml"))
    control_plane.api.create(_speaker("node2"))
    return control_plane.client(account.token)


@pytest.fixture
async def kept(stolen: Api) -> Api:
    """The same, once the API server keeps the policy: it takes one up a moment later."""
    await wait_until(lambda: _refusal(lambda: stolen.apply(_speaker("node2"))), within=SOON)
    return stolen


def _speaker(name: str, **status: Any) -> dict[str, Any]:
    document = {"apiVersion": API_VERSION, "kind": "Speaker", "metadata": {"name": name}}
    return {**document, "status": status} if status else document


def _event(name: str, component: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": "default"},
        "involvedObject": {"kind": "Eip", "name": "lan", "apiVersion": API_VERSION},
        "reason": "ConfigSpeaker",
        "message": "x",
        "type": "Normal",
        "source": {"component": component},
    }


def _refusal(attempt: Callable[[], object]) -> str:
    """What the API server says against it; empty where it lets it be done."""
    try:
        attempt()
    except ApiError as error:
        assert error.status == 403, error
        return error.message
    return ""


def _listed(kept: Api, name: str) -> list[dict[str, Any]]:
    """One Secret, as speakers ask for it."""
    return kept.items("Secret", namespace=NAMESPACE, fieldSelector=f"metadata.name={name}")


async def test_it_writes_its_own_speaker_and_its_own_events(kept: Api) -> None:
    kept.apply(_speaker("node1"))
    kept.apply(_speaker("node1", startedAt="2026-01-01T00:00:00Z"), subresource="status")
    assert kept.items("Speaker")[0]["status"] == {"startedAt": "2026-01-01T00:00:00Z"}
    kept.create(_event("ours", "openelb-speaker"))
    kept.patch("Event", "ours", {"count": 2}, namespace="default")
    kept.delete("Speaker", "node1")


async def test_it_can_touch_no_other_nodes_speaker(kept: Api, api: Api) -> None:
    attempts = {
        "make": lambda: kept.apply(_speaker("node3")),
        "create": lambda: kept.create(_speaker("node3")),
        "apply": lambda: kept.apply(_speaker("node2")),
        "label": lambda: kept.patch("Speaker", "node2", {"metadata": {"labels": {"a": "b"}}}),
        "report": lambda: kept.apply(_speaker("node2", draining=True), subresource="status"),
        "delete": lambda: kept.delete("Speaker", "node2"),
        "delete all": lambda: kept.delete_all("Speaker"),
    }
    said = {name: _refusal(attempt) for name, attempt in attempts.items()}
    assert [name for name, text in said.items() if not text] == []
    assert "a speaker writes the Speaker of its own node only; this token is of node node1" in said["label"]
    assert "status" not in api.get("Speaker", "node2")


async def test_it_can_speak_for_nobody_else_in_events(kept: Api, api: Api) -> None:
    api.create(_event("theirs", "kubelet"))
    attempts = {
        "create": lambda: kept.create(_event("forged", "kubelet")),
        "nameless": lambda: kept.create({**_event("forged", "kubelet"), "source": {}}),
        "patch": lambda: kept.patch("Event", "theirs", {"message": "y"}, namespace="default"),
        "take over": lambda: kept.patch(
            "Event", "theirs", {"source": {"component": "openelb-speaker"}}, namespace="default"
        ),
        "delete": lambda: kept.delete("Event", "theirs", namespace="default"),
    }
    assert [name for name, attempt in attempts.items() if not _refusal(attempt)] == []
    assert api.get("Event", "theirs", namespace="default")["message"] == "x"


async def test_it_reads_only_the_secrets_that_peers_name_and_writes_nothing_of_the_cluster(
    kept: Api, api: Api
) -> None:
    for name in ("bgp", "other", "openelb-webhook"):
        metadata = {"name": name, "namespace": NAMESPACE}
        api.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {}})
    api.patch("Role", "openelb-speaker-secrets", {"rules": rules_for(["bgp"])}, namespace=NAMESPACE)
    await wait_until(lambda: not _refusal(lambda: _listed(kept, "bgp")), within=SOON)
    eip = {
        "apiVersion": API_VERSION,
        "kind": "Eip",
        "metadata": {"name": "lan"},
        "spec": {"address": "192.0.2.1"},
    }
    api.create(eip)
    pod = {"containers": [{"name": "x", "image": "x"}]}
    mine = {"namespace": NAMESPACE}
    attempts = {
        "read another Secret": lambda: kept.get("Secret", "other", **mine),
        "list another Secret": lambda: _listed(kept, "other"),
        "read the webhook's key": lambda: _listed(kept, "openelb-webhook"),
        "list Secrets": lambda: kept.items("Secret", **mine),
        "list all Secrets": lambda: kept.items("Secret"),
        "write the Secret": lambda: kept.patch("Secret", "bgp", {"data": None}, **mine),
        "widen its Role": lambda: kept.patch("Role", "openelb-speaker-secrets", {"rules": []}, **mine),
        "make an Eip": lambda: kept.create({**eip, "spec": {"address": "192.0.2.2"}}),
        "edit an Eip": lambda: kept.patch("Eip", "lan", {"spec": {"disable": True}}),
        "report on an Eip": lambda: kept.patch("Eip", "lan", {"status": {"usage": 1}}, subresource="status"),
        "delete an Eip": lambda: kept.delete("Eip", "lan"),
        "label its Node": lambda: kept.patch("Node", "node1", {"metadata": {"labels": {"a": "b"}}}),
        "run a pod": lambda: kept.create(
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", **mine}, "spec": pod}
        ),
        "take the Lease": lambda: kept.create(
            {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "x", **mine}}
        ),
        "switch the webhook off": lambda: kept.delete("ValidatingWebhookConfiguration", "openelb-admission"),
        "lift the policy": lambda: kept.delete("ValidatingAdmissionPolicy", POLICY),
        "unbind the policy": lambda: kept.delete("ValidatingAdmissionPolicyBinding", POLICY),
        "get another token": lambda: kept.request(
            "POST",
            f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/openelb-controller/token",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
        ),
    }
    assert [name for name, attempt in attempts.items() if not _refusal(attempt)] == []


async def test_the_policy_is_of_sound_expressions(kept: Api, api: Api) -> None:
    """kube-controller-manager checks their types, and warns of what cannot be evaluated."""

    def checked() -> dict[str, Any] | None:
        status: dict[str, Any] = api.get("ValidatingAdmissionPolicy", POLICY).get("status", {})
        return status if "observedGeneration" in status else None

    status = await wait_until(checked, within=SOON)
    assert status.get("typeChecking", {}) == {}


async def test_whoever_is_no_speaker_is_not_concerned(kept: Api, api: Api) -> None:
    api.create(_event("theirs", "kubelet"))
    api.patch("Speaker", "node2", {"metadata": {"labels": {"a": "b"}}})
    api.delete("Speaker", "node2")
