"""The names in the manifests are OpenELB's, so that ours replace theirs and never stand beside them."""

from pathlib import Path

import pytest

from openelb_bgp.kube.webhook import PATHS
from openelb_bgp.model import keys
from tests.kube.rendered import BASE, SETS, Object, identity, one, pod_of, rendered

CONTROLLER = {"app": "openelb", "component": "controller"}
SPEAKER = {"app": "openelb", "component": "speaker"}


@pytest.fixture(params=SETS, ids=lambda folder: folder.name)
def objects(request: pytest.FixtureRequest) -> list[Object]:
    return rendered(request.param)


def test_the_controller_has_openelbs_names_and_selector(objects: list[Object]) -> None:
    deployment = one(objects, "Deployment", "openelb-controller")
    assert deployment["metadata"]["namespace"] == keys.DEFAULT_NAMESPACE == "openelb-system"
    assert deployment["spec"]["selector"] == {"matchLabels": CONTROLLER}
    assert deployment["spec"]["template"]["metadata"]["labels"] == CONTROLLER
    pod = deployment["spec"]["template"]["spec"]
    assert (pod["serviceAccountName"], pod["containers"][0]["name"]) == (
        "openelb-controller",
        "openelb-controller",
    )


def test_the_speaker_has_openelbs_names_and_selector(objects: list[Object]) -> None:
    daemon_set = one(objects, "DaemonSet", "openelb-speaker")
    assert daemon_set["metadata"]["namespace"] == keys.DEFAULT_NAMESPACE
    assert daemon_set["spec"]["selector"] == {"matchLabels": SPEAKER}
    assert daemon_set["spec"]["template"]["metadata"]["labels"] == SPEAKER
    pod = daemon_set["spec"]["template"]["spec"]
    assert (pod["serviceAccountName"], pod["containers"][0]["name"]) == ("openelb-speaker", "openelb-speaker")


def test_gobgpd_is_a_native_sidecar_where_the_cluster_has_them() -> None:
    pod = pod_of(rendered(BASE), "DaemonSet", "openelb-speaker")
    assert [one["name"] for one in pod["containers"]] == ["openelb-speaker"]
    assert [(one["name"], one["restartPolicy"]) for one in pod["initContainers"]] == [("gobgpd", "Always")]


def test_before_native_sidecars_gobgpd_stands_beside_the_speaker_and_outlives_it() -> None:
    objects = rendered(BASE.parent / "overlays" / "before-1.30")
    pod = pod_of(objects, "DaemonSet", "openelb-speaker")
    assert "initContainers" not in pod
    assert [one["name"] for one in pod["containers"]] == ["openelb-speaker", "gobgpd"]
    gobgpd = pod["containers"][1]
    assert "restartPolicy" not in gobgpd
    assert gobgpd["lifecycle"] == {"preStop": {"exec": {"command": ["sleep", "10"]}}}
    assert not [one["kind"] for one in objects if one["kind"].startswith("ValidatingAdmissionPolicy")]


def test_the_webhook_is_reached_by_openelbs_service_and_path(objects: list[Object]) -> None:
    service = one(objects, "Service", "openelb-controller")
    assert (service["spec"]["selector"], [port["port"] for port in service["spec"]["ports"]]) == (
        CONTROLLER,
        [443],
    )
    webhooks = one(objects, "ValidatingWebhookConfiguration", "openelb-admission")["webhooks"]
    assert [each["name"] for each in webhooks] == [
        f"validate.{kind}.network.kubesphere.io" for kind in ("eip", "bgpconf", "bgppeer")
    ]
    assert [each["clientConfig"]["service"]["path"] for each in webhooks] == list(PATHS)
    assert {(each["failurePolicy"], each["timeoutSeconds"]) for each in webhooks} == {("Ignore", 2)}
    assert webhooks[0] == {
        "name": "validate.eip.network.kubesphere.io",
        "admissionReviewVersions": ["v1"],
        "clientConfig": {
            "service": {
                "name": "openelb-controller",
                "namespace": "openelb-system",
                "path": "/validate-network-kubesphere-io-v1alpha2-eip",
                "port": 443,
            }
        },
        "rules": [
            {
                "apiGroups": [keys.GROUP],
                "apiVersions": [keys.VERSION],
                "operations": ["CREATE", "UPDATE", "DELETE"],
                "resources": ["eips"],
                "scope": "Cluster",
            }
        ],
        "failurePolicy": "Ignore",
        "matchPolicy": "Equivalent",
        "sideEffects": "None",
        "timeoutSeconds": 2,
    }


def test_the_webhook_that_fails_open_is_applied_before_anything_can_be_refused(objects: list[Object]) -> None:
    assert identity(objects[0]) == "ValidatingWebhookConfiguration openelb-admission"


def test_both_modes_beside_bgp_are_on_unless_an_overlay_switches_them_off() -> None:
    modes = {folder.name: _modes(folder) for folder in SETS}
    assert modes == {
        "all": {"layer2": "true", "keepalived-vip": "true"},
        "base": {"layer2": "true", "keepalived-vip": "true"},
        "before-1.30": {"layer2": "true", "keepalived-vip": "true"},
        "bgp-only": {"layer2": "false", "keepalived-vip": "false"},
        "layer2": {"layer2": "true", "keepalived-vip": "false"},
        "vip": {"layer2": "false", "keepalived-vip": "true"},
    }


def _modes(folder: Path) -> dict[str, str]:
    speaker = pod_of(rendered(folder), "DaemonSet", "openelb-speaker")["containers"][0]
    flags = (flag.removeprefix("--enable-") for flag in speaker["args"] if "--enable-" in flag)
    return dict(flag.split("=") for flag in flags)


def test_everything_carries_openelbs_label_and_lives_in_its_namespace(objects: list[Object]) -> None:
    ours = [one for one in objects if one["kind"] not in ("Namespace", "CustomResourceDefinition")]
    assert {
        identity(one) for one in ours if one["metadata"].get("labels", {}).get("app") != "openelb"
    } == set()
    elsewhere = {
        identity(one)
        for one in ours
        if one["metadata"].get("namespace", "openelb-system") != "openelb-system"
    }
    # By name, one ConfigMap.
    assert elsewhere == {"Role kube-system/openelb-controller", "RoleBinding kube-system/openelb-controller"}
