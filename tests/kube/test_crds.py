"""Our definitions on a real API server: what they take, what they refuse, and in OpenELB's place."""

import copy
import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.cluster.api import Api, ApiError
from openelb_bgp.kube.crds import definitions
from openelb_bgp.report.columns import COLUMNS

from .harness.control_plane import ControlPlane
from .openelb_crds import openelb_crds

ROOT = Path(__file__).parents[2]
CRDS = ROOT / "manifests" / "crds"
CORPUS = ROOT / "tests" / "unit" / "corpus"
API_VERSION = "network.kubesphere.io/v1alpha2"
KINDS = ("Eip", "BgpConf", "BgpPeer", "Speaker")


def _install(plane: ControlPlane) -> None:
    plane.kubectl("apply", "-k", str(CRDS))
    names = [f"crd/{document['metadata']['name']}" for document in definitions().values()]
    plane.kubectl("wait", "--for=condition=Established", *names)


@pytest.fixture
def ours(control_plane: ControlPlane) -> Api:
    _install(control_plane)
    return control_plane.api


def _cases() -> list[dict[str, Any]]:
    return [
        {**case, "case": f"{file.stem}: {case['case']}"}
        for file in sorted(CORPUS.glob("*.yaml"))
        for case in yaml.safe_load_all(file.read_text())
        if case["object"].get("kind") in KINDS and case["object"].get("apiVersion") == API_VERSION
    ]


def _refusal(api: Api, document: dict[str, Any]) -> str | None:
    """What the API server says against a new object; kubectl's own strictness about unknown fields apart."""
    try:
        api.create(document, dryRun="All", fieldValidation="Ignore")
    except ApiError as error:
        return error.message
    return None


def test_the_schema_refuses_what_decoding_cannot_use_and_takes_the_rest(ours: Api) -> None:
    wrong = {}
    for case in _cases():
        refusal = _refusal(ours, case["object"])
        expected = ("fatal" in case) is not ("schema" in case)
        if (refusal is not None) is not expected:
            wrong[case["case"]] = refusal
    assert wrong == {}


def test_each_exception_in_the_corpus_says_which_way_and_why() -> None:
    noted = {case["case"]: case for case in _cases() if "schema" in case}
    assert len(noted) > 10
    for name, case in noted.items():
        verb, colon, why = case["schema"].partition(": ")
        assert (verb, colon) == ("accepts" if "fatal" in case else "refuses", ": "), name
        assert why


def test_a_refusal_says_what_to_write_and_shows_no_password(ours: Api) -> None:
    peer = {
        "apiVersion": API_VERSION,
        "kind": "BgpPeer",
        "metadata": {"name": "leaf"},
        "spec": {
            "conf": {"neighborAddress": "router", "peerAs": -1, "authPassword": "hunter2" * 20},
            "timers": {"config": {"holdTime": "9s"}},
        },
    }
    said = _refusal(ours, peer)
    assert said is not None
    assert "hunter2" not in said
    for remedy in (
        "write an IP address, such as 192.0.2.1 or fe80::1%eth0",
        "write a number from 0 to 4294967295",
        "agree on a password of at most 80 bytes with the neighbour",
        "write seconds as text, from 0 to 65535",
    ):
        assert remedy in said


def test_what_is_applied_comes_back_unchanged(ours: Api) -> None:
    good = [case["object"] for case in _cases() if "fatal" not in case and "left_out" not in case]
    samples = [
        one
        for file in sorted((ROOT / "manifests" / "samples").rglob("*.yaml"))
        for one in yaml.safe_load_all(file.read_text())
        if one and one["kind"] in KINDS
    ]
    for document in [*good, *samples]:
        if ": null" in json.dumps(document):
            # The API server drops what is null, as it did for OpenELB.
            continue
        wanted = copy.deepcopy(document)
        wanted["metadata"] = {**wanted["metadata"], "name": "applied"}
        wanted.pop("status", None)
        ours.delete(wanted["kind"], "applied")
        made = ours.create(wanted)
        assert made.get("spec") == wanted.get("spec")
        assert {key: made["metadata"].get(key) for key in wanted["metadata"]} == wanted["metadata"]


def test_kubectl_prints_openelbs_columns_and_ours_with_wide(ours: Api, control_plane: ControlPlane) -> None:
    ours.create(
        {
            "apiVersion": API_VERSION,
            "kind": "Eip",
            "metadata": {
                "name": "lan",
                "annotations": {"eip.openelb.kubesphere.io/is-default-eip": "true"},
            },
            "spec": {"address": "192.0.2.0/24", "protocol": "layer2"},
        }
    )
    ours.patch(
        "Eip",
        "lan",
        {"status": {"usage": 3, "poolSize": 256, "announcedBy": "1 node: n1"}},
        subresource="status",
    )
    plain = control_plane.kubectl("get", "eip").splitlines()
    assert [line.split() for line in plain] == [
        ["NAME", "CIDR", "USAGE", "TOTAL"],
        ["lan", "192.0.2.0/24", "3", "256"],
    ]
    wide = control_plane.kubectl("get", "eip", "-o", "wide").splitlines()
    assert wide[0].split() == [column.title for column in COLUMNS["Eip"]]
    assert wide[1].split()[4:] == ["layer2", "true", "1", "node:", "n1"]
    assert "eip.network.kubesphere.io/lan" in control_plane.kubectl("get", "networking", "-o", "name")


def test_kubectl_explains_every_field(ours: Api, control_plane: ControlPlane) -> None:
    said = control_plane.kubectl("explain", "bgppeer.spec.conf.peerAs")
    assert "0 takes whatever eBGP AS it shows" in said


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
_CONDITION = {"type": "Valid", "status": "False", "reason": "Invalid", "message": "x"}


def test_bad_objects_stored_before_get_their_reason_and_stay_editable(
    own_control_plane: ControlPlane,
) -> None:
    api = own_control_plane.api
    _install_openelb(own_control_plane)
    before = [api.create({"apiVersion": API_VERSION, **one}) for one in STORED]
    _replace_openelb(own_control_plane)
    for one in before:
        kind, name = one["kind"], one["metadata"]["name"]
        _write_status(api, kind, name, {"conditions": [_CONDITION]})
        finalizers = ["finalizer.ipam.kubesphere.io/v1alpha1"]
        api.patch(kind, name, {"metadata": {"labels": {"a": "b"}, "finalizers": finalizers}})
        api.delete(kind, name)
        after = api.get(kind, name)
        assert after.get("spec") == one.get("spec")
        assert after["status"] == {"conditions": [_CONDITION]}
        api.patch(kind, name, {"metadata": {"finalizers": None}})
        assert api.find(kind, name) is None


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
    _install(plane)
    deadline = time.monotonic() + 20
    for probe in _PROBES:
        document = {"apiVersion": API_VERSION, "metadata": {"name": "probe"}, **probe}
        while _refusal(plane.api, document) is None:
            assert time.monotonic() < deadline, f"{document} is still accepted"
            time.sleep(0.05)


def _write_status(api: Api, kind: str, name: str, status: dict[str, Any]) -> None:
    """As the controller writes it."""
    document = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "status": status}
    api.apply(document, manager="openelb-controller", subresource="status")
