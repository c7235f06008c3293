"""Our definitions on a real API server: what they take, what they refuse, and in OpenELB's place."""

import copy
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from lab.cluster.api import Api, ApiError
from openelb_bgp.kube.crds import definitions
from openelb_bgp.model.statuses import GobgpStatus, SpeakerStatus, SpeakerSummary
from openelb_bgp.report.columns import COLUMNS

from .harness.control_plane import ControlPlane

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


def _disagreements(api: Api) -> dict[str, str | None]:
    """The cases of the corpus that the API server judges otherwise, and what it says."""
    wrong = {}
    for case in _cases():
        refusal = _refusal(api, case["object"])
        expected = ("fatal" in case) is not ("schema" in case)
        if (refusal is not None) is not expected:
            wrong[case["case"]] = refusal
    return wrong


def test_the_schema_refuses_what_decoding_cannot_use_and_takes_the_rest(ours: Api) -> None:
    assert _disagreements(ours) == {}


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


def test_peers_and_the_conf_show_whether_they_are_ready_and_why_not(
    ours: Api, control_plane: ControlPlane
) -> None:
    conditions = [
        {"type": "Valid", "status": "True", "reason": "Valid"},
        {"type": "Ready", "status": "False", "reason": "NotEstablished", "message": "hold timer"},
    ]
    for kind, name, spec in (
        ("BgpConf", "default", {"as": 50000, "listenPort": 17900}),
        ("BgpPeer", "leaf", {"conf": {"neighborAddress": "192.0.2.1", "peerAs": 50001}}),
    ):
        ours.create({"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec})
        ours.patch(kind, name, {"status": {"conditions": conditions}}, subresource="status")
    confs = control_plane.kubectl("get", "bgpconf", "-o", "wide").splitlines()
    assert confs[0].split() == [column.title for column in COLUMNS["BgpConf"]]
    assert confs[1].split()[:4] == ["default", "50000", "False", "NotEstablished"]
    assert confs[1].split()[5:] == ["17900", "hold", "timer"]
    peers = control_plane.kubectl("get", "bgppeers").splitlines()
    assert peers[0].split() == [column.title for column in COLUMNS["BgpPeer"] if not column.wide]
    assert peers[1].split()[:5] == ["leaf", "192.0.2.1", "50001", "False", "NotEstablished"]


def test_a_speaker_is_read_at_a_glance(ours: Api, control_plane: ControlPlane) -> None:
    status = SpeakerStatus(
        gobgp=GobgpStatus(version="4.8.0", asn=65000, router_id="192.0.2.11"),
        standing_in_for=("n3",),
        summary=SpeakerSummary(sessions="1/2", routes="12/12", problems=1),
    )
    document = {"apiVersion": API_VERSION, "kind": "Speaker", "metadata": {"name": "n1"}}
    ours.create(document)
    ours.apply({**document, "status": msgspec.to_builtins(status)}, subresource="status")
    plain = [line.split() for line in control_plane.kubectl("get", "speakers").splitlines()]
    assert plain == [
        ["NAME", "AS", "SESSIONS", "ROUTES", "PROBLEMS", "AGE"],
        ["n1", "65000", "1/2", "12/12", "1"],
    ]
    wide = control_plane.kubectl("get", "speakers", "-o", "wide").splitlines()
    assert wide[1].split()[5:] == ["192.0.2.11", "4.8.0", '["n3"]']


def test_kubectl_explains_every_field(ours: Api, control_plane: ControlPlane) -> None:
    said = control_plane.kubectl("explain", "bgppeer.spec.conf.peerAs")
    assert "0 or absent takes whatever eBGP AS it shows" in said


def test_an_older_api_server_takes_and_keeps_the_same_rules(own_control_plane: ControlPlane) -> None:
    """As old a one as this one can play: 1.31. What 1.30 takes is held to in tests/unit/test_crds.py."""
    own_control_plane.api_server.end()
    own_control_plane.start_api_server("--emulated-version=1.31")
    assert '"emulationMinor": "31"' in own_control_plane.kubectl("get", "--raw", "/version")
    _install(own_control_plane)
    own_control_plane.kubectl("apply", "-f", str(ROOT / "manifests" / "base" / "speaker-policy.yaml"))
    assert _disagreements(own_control_plane.api) == {}
