"""Writes what of the Helm chart follows from the other manifests, and manifests/install.yaml (`make chart`).

Definitions, alerts and dashboard are copied: Helm takes files from no other place. Rights and admission are
templates made from the base: they differ by the namespace, and by what switches them off. Both workloads, in
which values have many a say, are written by hand; a test renders them beside the base.
"""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from lab.cluster.programs import kube_program

MANIFESTS = Path(__file__).resolve().parent.parent / "manifests"
CONDITIONS: Mapping[str, str] = {
    "admission.yaml": ".Values.webhook.enabled",
    "controller-rbac.yaml": "",
    "speaker-policy.yaml": 'and .Values.speaker.enable (include "openelb.modern" .)',
    "speaker-rbac.yaml": ".Values.speaker.enable",
}
"""The files of the base that become templates, and when each is rendered; empty: always."""

_NAMESPACE = re.compile(r"(namespace: |system:serviceaccount:)openelb-system\b")
_INSTALL_HEAD = """\
# Made by `make chart` from manifests/overlays/all: edit that. Everything in one file, with every mode on, for
# Kubernetes 1.30 and later: kubectl apply -f install.yaml
"""


def templates() -> dict[str, str]:
    """The templates made from the base, by their names."""
    return {name: _template(name, condition) for name, condition in CONDITIONS.items()}


def _template(name: str, condition: str) -> str:
    text = _NAMESPACE.sub(r"\1{{ .Release.Namespace }}", (MANIFESTS / "base" / name).read_text())
    head = f"# Made by `make chart` from manifests/base/{name}: edit that.\n"
    return head + (f"{{{{- if {condition} }}}}\n{text}{{{{- end }}}}\n" if condition else text)


def definitions() -> dict[str, str]:
    """The definitions' files, by their names; `helm show crds` prints them end to end, as they are."""
    found = sorted((MANIFESTS / "crds").glob("*_*.yaml"))
    return {path.name: f"---\n{path.read_text()}" for path in found}


def observability() -> dict[str, str]:
    """The files of alerts and dashboard, by their names."""
    return {path.name: path.read_text() for path in sorted((MANIFESTS / "grafana").iterdir())}


def install_file() -> str:
    """The overlay with every mode, as kubectl renders it."""
    argv = [kube_program("kubectl"), "kustomize", str(MANIFESTS / "overlays" / "all")]
    return _INSTALL_HEAD + subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def main() -> None:
    """Write every file."""
    for folder, files in (
        ("templates", templates()),
        ("crds", definitions()),
        ("files", observability()),
    ):
        (MANIFESTS / "chart" / folder).mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (MANIFESTS / "chart" / folder / name).write_text(text)
    (MANIFESTS / "install.yaml").write_text(install_file())


if __name__ == "__main__":
    main()
