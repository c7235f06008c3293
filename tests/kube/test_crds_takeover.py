"""Our definitions in OpenELB's place: what was stored stays, stays editable, and hears what is wrong."""

import json
import random
import time
from pathlib import Path
from typing import Any

import yaml

from lab.cluster.api import Api, ApiError
from lab.cluster.kubelet import service
from openelb_bgp.decode import decode
from openelb_bgp.kube.crds import definitions
from tests.daemons.harness.waiting import wait_until

from .component_account import account_of, controller_daemon
from .harness.control_plane import ControlPlane
from .openelb_crds import openelb_crds
from .test_crds_mutations import mutants

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "tests" / "unit" / "corpus"
API_VERSION = "network.kubesphere.io/v1alpha2"
SOON = 60.0

STORED: tuple[dict[str, Any], ...] = (
    {"kind": "Eip", "metadata": {"name": "nonsense"}, "spec": {"address": "all of them"}},
    {
        "kind": "Eip",
        "metadata": {"name": "slash"},
        "spec": {"address": "192.0.2.0/24", "protocol": "vip", "interface": "a/b"},
    },
    {"kind": "BgpConf", "metadata": {"name": "default"}, "spec": {"as": -1, "listenAddresses": ["eth0"]}},
    {"kind": "BgpPeer", "metadata": {"name": "nobody"}},
    {"kind": "BgpPeer", "metadata": {"name": "empty"}, "spec": {}},
    {
        "kind": "BgpPeer",
        "metadata": {"name": "wrong"},
        "spec": {
            "conf": {"neighborAddress": "router", "peerAs": -5, "authPassword": "x" * 5000},
            "timers": {"config": {"holdTime": "9s"}},
            "nodeSelector": {"matchExpressions": [{"key": "a", "operator": "Equals"}] * 300},
            "ebgpMultihop": {"multihopTtl": -1},
        },
    },
)


# What OpenELB's definitions take and ours refuse: it shows which are in force.
_PROBES = (
    {"kind": "Eip", "spec": {"address": "x"}},
    {"kind": "BgpConf", "spec": {"as": 0}},
    {"kind": "BgpPeer", "spec": {}},
)


async def test_bad_objects_stored_before_get_their_reason_stay_editable_and_hold_up_nobody(
    own_control_plane: ControlPlane, tmp_path: Path
) -> None:
    api = own_control_plane.api
    _install_openelb(own_control_plane)
    before = [one for one in (_stored(api, each) for each in _all_bad()) if one]
    assert len(before) > 100
    _replace_openelb(own_control_plane)
    pool = {"apiVersion": API_VERSION, "kind": "Eip", "metadata": {"name": "good"}}
    api.create({**pool, "spec": {"address": "198.18.0.0/24"}})
    wanted = {"lb.kubesphere.io/v1alpha1": "openelb", "eip.openelb.kubesphere.io/v1alpha2": "good"}
    api.create(service("good", annotations=wanted))
    controller = controller_daemon(account_of(own_control_plane, tmp_path, "controller"), tmp_path)
    controller.start()
    try:
        await wait_until(lambda: _address(api, "good"), within=SOON, what="the address of a good Service")
        await wait_until(lambda: not _without_reason(api, before), within=SOON)
        assert controller.alive
    finally:
        controller.end()
    for one in before:
        kind, name = one["kind"], one["metadata"]["name"]
        finalizers = ["finalizer.ipam.kubesphere.io/v1alpha1"]
        api.patch(kind, name, {"metadata": {"labels": {"a": "b"}, "finalizers": finalizers}})
        api.delete(kind, name)
        assert api.get(kind, name).get("spec") == one.get("spec")
        api.patch(kind, name, {"metadata": {"finalizers": None}})
        assert api.find(kind, name) is None


def _address(api: Api, name: str) -> str:
    status = api.get("Service", name, namespace="default")["status"]
    return next((entry["ip"] for entry in status.get("loadBalancer", {}).get("ingress", ())), "")


def _all_bad() -> list[dict[str, Any]]:
    """Those written here, those of the corpus, and mutants of the samples, by names of their own."""
    made = mutants(random.Random(9))
    several = [{**next(made), "metadata": {"name": f"mutant-{number}"}} for number in range(500)]
    return [*STORED, *_bad_of_corpus(), *several]


def _bad_of_corpus() -> list[dict[str, Any]]:
    """Everything that decoding cannot use, by names of their own."""
    found = [
        case["object"]
        for file in sorted(CORPUS.glob("*.yaml"))
        for case in yaml.safe_load_all(file.read_text())
        if "fatal" in case and case["object"].get("apiVersion") == API_VERSION
    ]
    return [
        {**one, "metadata": {"name": f"bad-{index}"}, "spec": one.get("spec")}
        for index, one in enumerate(found)
        if one["kind"] in ("Eip", "BgpConf", "BgpPeer")
    ]


def _stored(api: Api, document: dict[str, Any]) -> dict[str, Any] | None:
    """The object as it is kept by OpenELB's definition; None where that refuses it, or drops what is bad."""
    try:
        kept = api.create({"apiVersion": API_VERSION, **document}, fieldValidation="Ignore")
    except ApiError:
        return None
    return kept if decode(kept).invalid else None


def _without_reason(api: Api, documents: list[dict[str, Any]]) -> list[str]:
    """Which of them do not say yet that they are invalid, and why."""
    shown = {
        (kind, one["metadata"]["name"]): one.get("status", {}).get("conditions", ())
        for kind in ("Eip", "BgpConf", "BgpPeer")
        for one in api.items(kind)
    }
    return [
        f"{kind} {name}"
        for kind, name in ((one["kind"], one["metadata"]["name"]) for one in documents)
        if not any(
            (condition["type"], condition["status"]) == ("Valid", "False") and condition["message"]
            for condition in shown[kind, name]
        )
    ]


def test_a_status_of_openelbs_is_readable_without_the_password_and_gives_way_to_ours(
    own_control_plane: ControlPlane,
) -> None:
    api = own_control_plane.api
    _install_openelb(own_control_plane)
    spec = {"conf": {"neighborAddress": "192.0.2.1", "peerAs": 65001, "authPassword": "hunter2"}}
    api.create({"apiVersion": API_VERSION, "kind": "BgpPeer", "metadata": {"name": "leaf"}, "spec": spec})
    counts = {"update": "5", "withdrawPrefix": "1"}
    state = {
        "authPassword": "hunter2",
        "peerType": 1,
        "messages": {"received": counts},
        "sessionState": "ACTIVE",
    }
    api.patch(
        "BgpPeer",
        "leaf",
        {"status": {"nodesPeerStatus": {"n1": {"peerState": state}, "n2": {"peerState": state}}}},
        subresource="status",
    )
    _replace_openelb(own_control_plane)
    kept = {"peerType": 1, "messages": {"received": {"update": "5"}}, "sessionState": "ACTIVE"}
    assert api.get("BgpPeer", "leaf")["status"] == {
        "nodesPeerStatus": {"n1": {"peerState": kept}, "n2": {"peerState": kept}}
    }
    ours = {"peerType": "external", "messages": {"received": {"update": 6}}, "sessionState": "ESTABLISHED"}
    _write_status(api, "BgpPeer", "leaf", {"nodesPeerStatus": {"n1": {"peerState": ours}}})
    assert api.get("BgpPeer", "leaf")["status"]["nodesPeerStatus"]["n1"] == {"peerState": ours}


def test_objects_from_openelb_0_3_on_are_still_there(own_control_plane: ControlPlane) -> None:
    api = own_control_plane.api
    _install_openelb(own_control_plane, stored="v1alpha1")
    old = {"apiVersion": "network.kubesphere.io/v1alpha1", "kind": "Eip", "metadata": {"name": "old"}}
    api.create({**old, "spec": {"address": "192.0.2.0/24"}})
    _install_openelb(own_control_plane)
    _replace_openelb(own_control_plane)
    assert api.get("Eip", "old")["spec"] == {"address": "192.0.2.0/24"}
    crd = api.get("CustomResourceDefinition", "eips.network.kubesphere.io")
    assert crd["status"]["storedVersions"] == ["v1alpha1", "v1alpha2"]
    assert crd["metadata"]["annotations"].keys() == {"kubectl.kubernetes.io/last-applied-configuration"}


def _install_openelb(plane: ControlPlane, *, stored: str = "v1alpha2") -> None:
    for definition in openelb_crds(stored=stored):
        plane.kubectl("apply", "-f", "-", stdin=json.dumps(definition))
        plane.kubectl("wait", "--for=condition=Established", f"crd/{definition['metadata']['name']}")


def _replace_openelb(plane: ControlPlane) -> None:
    """Apply ours over theirs; the API server takes a changed definition up a moment later."""
    plane.kubectl("apply", "-k", str(ROOT / "manifests" / "crds"))
    names = [f"crd/{document['metadata']['name']}" for document in definitions().values()]
    plane.kubectl("wait", "--for=condition=Established", *names)
    deadline = time.monotonic() + 20
    for probe in _PROBES:
        document = {"apiVersion": API_VERSION, "metadata": {"name": "probe"}, **probe}
        while _is_taken(plane.api, document):
            assert time.monotonic() < deadline, f"{document} is still accepted"
            time.sleep(0.05)


def _is_taken(api: Api, document: dict[str, Any]) -> bool:
    try:
        api.create(document, dryRun="All")
    except ApiError:
        return False
    return True


def _write_status(api: Api, kind: str, name: str, status: dict[str, Any]) -> None:
    """As the controller writes it."""
    document = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "status": status}
    api.apply(document, manager="openelb-controller", subresource="status")
