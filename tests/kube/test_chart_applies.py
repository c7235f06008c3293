"""What the chart gives is taken by Helm's own check and by a real API server, over a matrix of values."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from .charts import CHART, NAMESPACE, OPENELBS, settings, template, templated, try_helm
from .harness.cleaning import make_namespace
from .harness.control_plane import ControlPlane
from .prometheus_kinds import prometheus_crds
from .rendered import MANIFESTS

_ONE_NODE: Mapping[str, Any] = {
    "controller.replicas": 1,
    "controller.claimAll": True,
    "ignoreExcludeLB": True,
    "logLevel": 3,
}
_MONITORED: Mapping[str, Any] = {
    "controller.monitorEnable": True,
    "controller.monitorPort": 9090,
    "speaker.monitorEnable": True,
    "speaker.monitorPort": 9091,
    "serviceMonitor.labels": {"release": "prometheus"},
    "serviceMonitor.interval": "30s",
    "serviceMonitor.scrapeTimeout": "10s",
    "prometheusRule.enabled": True,
    "dashboard.enabled": True,
}
_PLACED: Mapping[str, Any] = {
    "speaker.nodeSelector": {"edge": "true"},
    "speaker.affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [{"key": "edge", "operator": "Exists"}]}]
            }
        }
    },
    "speaker.tolerations": [{"key": "edge", "operator": "Equal", "value": "yes", "effect": "NoExecute"}],
    "speaker.podLabels": {"team": "net"},
    "speaker.podAnnotations": {"note": "1"},
    "speaker.maxUnavailable": 1,
    "speaker.resources.limits": {"cpu": 1, "memory": "1Gi"},
    "controller.tolerations": [],
    "controller.affinity": {"podAntiAffinity": None},
}
MATRIX: Mapping[str, Mapping[str, Any]] = {
    "as it is": {},
    "bgp alone": {"speaker.layer2": False, "speaker.vip": False},
    "layer2": {"speaker.vip": False, "gobgpd.quietEdits": True},
    "vip": {"speaker.layer2": False, "speaker.bindPort": 7000},
    "without keepalived": {"keepalived.enabled": False},
    "without speakers": {"speaker.enable": False, **_MONITORED},
    "without the webhook": {"webhook.enabled": False, **_MONITORED},
    "a webhook elsewhere": {"controller.webhookPort": 9443, "controller.extraArgs": ["--claim-all=false"]},
    "monitored": _MONITORED,
    "placed": _PLACED,
    "one node": _ONE_NODE,
    "from a mirror": {
        "global.imageRegistry": "mirror.example:5000",
        "global.imagePullSecrets": ["pull", {"name": "too"}],
        "image.digest": f"sha256:{'0' * 64}",
        "gobgpd.image.pullPolicy": "Always",
    },
}
OLDER = {"1.25.0", "1.29.0"}


@pytest.fixture
def cluster(control_plane: ControlPlane) -> ControlPlane:
    """A control plane with our namespace and every definition that the chart's objects are of."""
    make_namespace(control_plane.api, NAMESPACE)
    control_plane.kubectl("apply", "-k", str(MANIFESTS / "crds"))
    for definition in prometheus_crds():
        control_plane.kubectl("apply", "-f", "-", stdin=json.dumps(definition))
    control_plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    return control_plane


def _taken(cluster: ControlPlane, values: Mapping[str, Any], *flags: str) -> None:
    """`helm template … | kubectl apply --dry-run=server -f -`: every object, none with a warning."""
    text = template(values, *flags).stdout
    done = cluster.try_kubectl("apply", "--dry-run=server", "-f", "-", stdin=text)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == len(templated(values, *flags)) > 10
    assert not [line for line in lines if not line.endswith("(server dry run)")]


@pytest.mark.parametrize("given", MATRIX.values(), ids=MATRIX)
def test_an_api_server_takes_what_these_values_give(cluster: ControlPlane, given: Mapping[str, Any]) -> None:
    _taken(cluster, settings(given))


def test_an_api_server_takes_what_a_values_file_of_openelb_gives(cluster: ControlPlane) -> None:
    _taken(cluster, OPENELBS)


@pytest.mark.parametrize("version", sorted(OLDER))
def test_an_api_server_takes_what_older_clusters_are_given(cluster: ControlPlane, version: str) -> None:
    _taken(cluster, {}, "--kube-version", version)


@pytest.mark.parametrize("given", [{}, OPENELBS, *map(settings, MATRIX.values())], ids=repr)
def test_helm_finds_nothing_to_complain_of(given: Mapping[str, Any]) -> None:
    done = try_helm("lint", "--strict", str(CHART), "--values", "-", stdin=json.dumps(given))
    assert done.returncode == 0, done.stdout + done.stderr
    said = [line for line in done.stdout.splitlines() if line.startswith("[")]
    assert said == ["[INFO] Chart.yaml: icon is recommended"]
