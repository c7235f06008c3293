"""What Helm makes of our chart. Rendering needs no cluster; what does is given a kubeconfig."""

import json
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lab.cluster.plane import Plane
from lab.cluster.programs import helm

from .rendered import MANIFESTS, Object

Values = Mapping[str, Any]

CHART = MANIFESTS / "chart"
RELEASE = "openelb"
NAMESPACE = "openelb-system"

OPENELBS: Values = {
    "global": {"imageRegistry": "mirror.example", "tag": None, "imagePullSecrets": ["pull-secret"]},
    "admission": {
        "image": {
            "repository": "kubesphere/kube-webhook-certgen",
            "tag": "v1.1.1",
            "pullPolicy": "IfNotPresent",
        }
    },
    "controller": {
        "monitorEnable": False,
        "monitorPort": 50052,
        "webhookPort": 9443,
        "image": {
            "repository": "kubesphere/openelb-controller",
            "tag": "v0.6.0",
            "pullPolicy": "IfNotPresent",
        },
        "resources": {
            "limits": {"cpu": "500m", "memory": "500Mi"},
            "requests": {"cpu": "100m", "memory": "100Mi"},
        },
        "tolerations": [
            {"key": "CriticalAddonsOnly", "operator": "Exists"},
            {"effect": "NoSchedule", "key": "node-role.kubernetes.io/master"},
        ],
    },
    "speaker": {
        "enable": True,
        "vip": True,
        "layer2": True,
        "memberlistSecret": "",
        "apiHosts": ":50051",
        "monitorEnable": False,
        "monitorPort": 50052,
        "image": {"repository": "kubesphere/openelb-speaker", "tag": "v0.6.0", "pullPolicy": "Always"},
        "resources": {
            "limits": {"cpu": "500m", "memory": "500Mi"},
            "requests": {"cpu": "100m", "memory": "100Mi"},
        },
        "nodeSelector": {"kubernetes.io/os": "linux"},
    },
    "customImage": {"enable": True, "forwardImage": "", "proxyImage": ""},
}
"""A values file of OpenELB 0.6's chart, in which nothing is left out, with both modes switched on."""


def try_helm(
    *arguments: str, stdin: str = "", folder: Path | None = None, kubeconfig: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """helm, run to its end. What it keeps goes into `folder`, where it keeps anything."""
    homes = _homes(folder or Path("/nonexistent"))
    return subprocess.run(
        (helm(), *arguments),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={"PATH": "/usr/bin:/bin", "KUBECONFIG": str(kubeconfig or "/dev/null"), **homes},
    )


def _homes(folder: Path) -> dict[str, str]:
    return {"HOME": str(folder), **{f"HELM_{name}_HOME": str(folder) for name in ("CACHE", "CONFIG", "DATA")}}


def on_the_path(plane: Plane, folder: Path) -> str:
    """Shell by which the words kubectl and helm mean the admin's of this control plane."""
    setting = (f"{name}={value}" for name, value in _homes(folder).items())
    commands = {
        "kubectl": plane.kubectl(),
        "helm": ("env", *setting, f"KUBECONFIG={plane.admin_kubeconfig}", helm()),
    }
    return " ".join(f'{name}() {{ {shlex.join(argv)} "$@"; }};' for name, argv in commands.items())


def template(values: Values, *flags: str, namespace: str = NAMESPACE) -> subprocess.CompletedProcess[str]:
    """`helm template` with these values."""
    argv = ("template", RELEASE, str(CHART), "--namespace", namespace, "--values", "-", *flags)
    return try_helm(*argv, stdin=json.dumps(values))


def templated(values: Values, *flags: str, namespace: str = NAMESPACE) -> list[Object]:
    """The objects that these values give."""
    done = template(values, *flags, namespace=namespace)
    assert done.returncode == 0, done.stderr
    return [obj for obj in yaml.safe_load_all(done.stdout) if obj]


def refusal(values: Values) -> str:
    """What Helm says of values that cannot be used."""
    done = template(values)
    assert done.returncode != 0, "Helm took them"
    return done.stderr


def setting(path: str, value: Any) -> dict[str, Any]:
    """The values in which one is set: `setting("speaker.vip", False)`."""
    for key in reversed(path.split(".")):
        value = {key: value}
    assert isinstance(value, dict)
    return value


def settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """The values in which several are set, each by its path."""
    merged: dict[str, Any] = {}
    for path, value in given.items():
        *folders, last = path.split(".")
        here = merged
        for folder in folders:
            here = here.setdefault(folder, {})
        here[last] = value
    return merged
