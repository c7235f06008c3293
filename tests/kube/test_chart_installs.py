"""Helm with our chart on a real API server: install, upgrade, take over, uninstall, and its notes."""

import base64
import copy
import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.cluster.api import Api
from tests.daemons.harness.manifests import bgp_conf, bgp_peer, eip
from tests.daemons.harness.waiting import wait_until

from .charts import CHART, NAMESPACE, OPENELBS, RELEASE, on_the_path, settings, templated, try_helm
from .harness.control_plane import ControlPlane
from .rendered import BASE, MANIFESTS, Object, identity, rendered

CONTROLLER = ("Deployment", "openelb-controller")
SPEAKER = ("DaemonSet", "openelb-speaker")
BUNDLE = base64.b64encode(b"-----BEGIN CERTIFICATE-----\n").decode()

Helm = Callable[..., str]


@pytest.fixture
def plane(own_control_plane: ControlPlane) -> ControlPlane:
    return own_control_plane


@pytest.fixture
def try_(plane: ControlPlane, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs helm against the API server: its verb, what follows the release and the chart, and the values."""

    def run(
        verb: str, *flags: str, chart: Path | None = CHART, values: Mapping[str, Any] | None = None
    ) -> subprocess.CompletedProcess[str]:
        argv = [verb, RELEASE, *([str(chart)] if chart else []), "--namespace", NAMESPACE, *flags]
        argv += [] if values is None else ["--values", "-"]
        stdin = json.dumps(values or {})
        return try_helm(*argv, stdin=stdin, folder=tmp_path, kubeconfig=plane.plane.admin_kubeconfig)

    return run


@pytest.fixture
def helm(try_: Callable[..., subprocess.CompletedProcess[str]]) -> Helm:
    """The same, and what Helm says; fails the test if Helm fails."""

    def run(*arguments: str, **options: Any) -> str:
        done = try_(*arguments, **options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def _specs(api: Api) -> list[Object]:
    """What both workloads run: where it stays the same, nothing is rolled out."""
    return [api.get(kind, name, namespace=NAMESPACE)["spec"] for kind, name in (CONTROLLER, SPEAKER)]


def _found(plane: ControlPlane, objects: list[Object]) -> set[str]:
    """Which of these are there."""
    argv = ("get", "--ignore-not-found", "-f", "-", "-o", "yaml")
    found = yaml.safe_load(plane.kubectl(*argv, stdin=yaml.safe_dump_all(objects))) or {}
    return {identity(obj) for obj in found.get("items", [found] if found else [])}


async def test_a_release_is_installed_upgraded_and_gone_and_pools_stay(
    plane: ControlPlane, helm: Helm
) -> None:
    api, everything = plane.api, templated({}, "--include-crds")
    helm("install", "--create-namespace")
    assert _found(plane, everything) == {identity(obj) for obj in everything}
    _as_the_controller_leaves_it(api)
    api.create(eip("pool", "198.51.100.0/28"))

    helm("upgrade", values=settings({"speaker.layer2": False, "logLevel": 1}))
    args = api.get(*SPEAKER, namespace=NAMESPACE)["spec"]["template"]["spec"]["containers"][0]["args"]
    assert "--enable-layer2=false" in args
    # What is the controller's to write is not taken away by an upgrade.
    assert _webhook_bundles(api) == [BUNDLE] * 3
    assert api.get("Role", "openelb-speaker-secrets", namespace=NAMESPACE)["rules"]

    helm("uninstall", chart=None)
    definitions = {identity(obj) for obj in everything if obj["kind"] == "CustomResourceDefinition"}
    await wait_until(lambda: _found(plane, everything) == definitions, within=60, what="all of it to go")
    assert api.get("Eip", "pool")["spec"]["address"] == "198.51.100.0/28"


def _as_the_controller_leaves_it(api: Api) -> None:
    """The CA in its webhooks, and the rules of the one Role that it writes."""
    webhooks = api.get("ValidatingWebhookConfiguration", "openelb-admission")["webhooks"]
    for webhook in webhooks:
        webhook["clientConfig"]["caBundle"] = BUNDLE
    api.patch("ValidatingWebhookConfiguration", "openelb-admission", {"webhooks": webhooks})
    rules = [
        {
            "apiGroups": [""],
            "resources": ["secrets"],
            "resourceNames": ["openelb-membership"],
            "verbs": ["list"],
        }
    ]
    api.patch("Role", "openelb-speaker-secrets", {"rules": rules}, namespace=NAMESPACE)


def _webhook_bundles(api: Api) -> list[str]:
    found = api.get("ValidatingWebhookConfiguration", "openelb-admission")["webhooks"]
    return [one["clientConfig"].get("caBundle", "") for one in found]


def test_upgrading_to_the_same_values_rolls_nothing_out(plane: ControlPlane, helm: Helm) -> None:
    helm("install", "--create-namespace")
    before = _specs(plane.api)
    helm("upgrade")
    assert _specs(plane.api) == before


def test_what_kubectl_applied_is_taken_over_without_a_rollout(
    plane: ControlPlane, helm: Helm, try_: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    plane.kubectl("apply", "-f", str(MANIFESTS / "install.yaml"))
    plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    before = _specs(plane.api)
    refused = try_("install")
    assert "cannot be imported into the current release" in refused.stderr
    helm("install", "--take-ownership")
    assert _specs(plane.api) == before


def test_a_release_can_be_taken_over_by_kubectl_again(plane: ControlPlane, helm: Helm) -> None:
    helm("install", "--create-namespace", values=settings({"keepalived.enabled": False}))
    before = _specs(plane.api)
    plane.kubectl("apply", "--server-side", "--force-conflicts", "-k", str(BASE))
    assert _specs(plane.api) == before
    plane.kubectl("-n", NAMESPACE, "delete", "secret", "-l", f"owner=helm,name={RELEASE}")
    assert _found(plane, rendered(BASE)) == {identity(obj) for obj in rendered(BASE)}


def test_a_second_release_is_refused(
    plane: ControlPlane, helm: Helm, tmp_path: Path, try_: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    helm("install", "--create-namespace")
    argv = ("install", "another", str(CHART), "--namespace", "elsewhere", "--create-namespace")
    refused = try_helm(*argv, folder=tmp_path, kubeconfig=plane.plane.admin_kubeconfig)
    assert refused.returncode != 0
    assert f'must equal "another": current value is "{RELEASE}"' in refused.stderr


def test_the_notes_say_what_is_missing_until_nothing_is(
    plane: ControlPlane, helm: Helm, tmp_path: Path
) -> None:
    commands = on_the_path(plane.plane, tmp_path)
    first = helm("install", "--create-namespace")
    assert "for BGP, layer2, vip." in first
    assert (
        "kubectl -n openelb-system rollout status deployment/openelb-controller daemonset/openelb-speaker"
        in first
    )
    assert "there is no Eip" in first
    assert "NOTE: " not in first
    _run_as_written(_as_shown(first), commands)
    second = helm("upgrade")
    assert "no BgpConf named default" in second
    _run_as_written(_as_shown(second), commands)
    third = helm("upgrade")
    assert "no BgpPeer that names a router" in third
    _run_as_written(_as_shown(third), commands)
    last = helm("upgrade")
    assert "missing" not in last
    assert "kubectl get eip,bgpconfs,bgppeers,speakers" in last


def _as_shown(notes: str) -> str:
    """The command of the notes that hands a first object to kubectl, as somebody copies it."""
    begun = notes.index("kubectl apply -f - <<END\n")
    return notes[begun : notes.index("\nEND\n", begun)] + "\nEND"


def test_pools_of_layer2_alone_miss_no_bgp(plane: ControlPlane, helm: Helm) -> None:
    helm("install", "--create-namespace")
    plane.api.create(eip("lan", "192.0.2.0/28", protocol="layer2"))
    assert "missing" not in helm("upgrade")


def test_definitions_that_are_not_the_charts_are_named_with_the_command_that_helps(
    plane: ControlPlane, helm: Helm, tmp_path: Path
) -> None:
    older = copy.deepcopy(
        next(one for one in rendered(MANIFESTS / "crds") if "eips." in one["metadata"]["name"])
    )
    spec = older["spec"]["versions"][1]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    del spec["properties"]["serviceSelector"]
    plane.api.create(older)
    said = helm("install", "--create-namespace")
    assert "NOT THIS CHART'S (eips.network.kubesphere.io)" in said
    shown = try_helm("show", "crds", str(CHART), folder=tmp_path).stdout
    plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=shown)
    assert "NOT THIS CHART'S" not in helm("upgrade")


def test_the_notes_say_what_of_a_values_file_has_no_effect_or_is_dangerous(helm: Helm) -> None:
    notes = [
        line
        for line in helm("install", "--create-namespace", values=OPENELBS).splitlines()
        if "NOTE: " in line
    ]
    assert [" ".join(line.split()[1:4]) for line in notes] == [
        "speaker.apiHosts opens gobgpd's",
        "controller.image names OpenELB's",
        "speaker.image names OpenELB's",
        "admission has no",
        "customImage has no",
    ]


def test_a_namespace_that_takes_no_speaker_is_told(plane: ControlPlane, helm: Helm) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "baseline"}
    plane.api.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}
    )
    assert "kubectl label --overwrite namespace openelb-system" in helm("install")


def test_the_install_file_is_applied_in_one_go(plane: ControlPlane) -> None:
    lines = plane.kubectl("apply", "-f", str(MANIFESTS / "install.yaml")).splitlines()
    assert len(lines) == len(list(yaml.safe_load_all((MANIFESTS / "install.yaml").read_text())))
    for made in (bgp_conf(), bgp_peer("router", "192.0.2.1"), eip("pool", "198.51.100.0/28")):
        plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        plane.api.create(made)


async def test_the_guides_commands_work_in_their_order(plane: ControlPlane, tmp_path: Path) -> None:
    """But for waiting for pods: nothing runs them here."""
    text = (MANIFESTS.parent / "docs" / "helm.md").read_text()
    lines = [line for block in text.split("```sh\n")[1:] for line in block.split("```")[0].splitlines()]
    assert len(lines) == 11
    for line in lines:
        if "rollout status" not in line:
            _run_as_written(line, on_the_path(plane.plane, tmp_path))
    everything = templated({}, "--include-crds")
    await wait_until(lambda: _found(plane, everything) == set(), within=60, what="all of it to go")


def _run_as_written(line: str, commands: str) -> None:
    argv = ["bash", "-ec", f"set -o pipefail; {commands} {line}"]
    done = subprocess.run(argv, cwd=MANIFESTS.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
