"""Where the control plane's programs are: KUBEBUILDER_ASSETS, then the cache, etcd also in PATH."""

import os
import shutil
from pathlib import Path

from lab.errors import LabError

KUBE_VERSION = "1.34.4"
CONTAINERLAB_VERSION = "0.79.0"
HELM_VERSION = "3.19.5"
"""What `hack/setup` puts into the cache."""

_FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin")


def kube_program(name: str) -> str:
    """The path of etcd or of a Kubernetes program. Raises LabError with the remedy."""
    places = [_assets(), cache() / "kubernetes" / KUBE_VERSION]
    if name == "etcd":
        places = [_assets(), *map(Path, _FOLDERS)]
    for folder in places:
        if folder is not None and (found := shutil.which(folder / name)):
            return str(found)
    raise LabError(
        f"{name} is missing: `make setup` installs it (or name a folder that has it in KUBEBUILDER_ASSETS)"
    )


def helm() -> str:
    """The path of Helm. Raises LabError with the remedy."""
    found = shutil.which(cache() / "helm" / HELM_VERSION / "helm")
    if found is None:
        raise LabError("helm is missing: `make setup` installs it")
    return str(found)


def containerlab() -> str:
    """The path of containerlab. Raises LabError with the remedy."""
    found = shutil.which(cache() / "containerlab" / CONTAINERLAB_VERSION / "containerlab")
    if found is None:
        raise LabError("containerlab is missing: `make test-containerlab` installs it")
    return str(found)


def cache() -> Path:
    """Where the set-up keeps what it makes outside the checkout."""
    if chosen := os.environ.get("OPENELB_BGP_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "openelb-bgp"


def _assets() -> Path | None:
    chosen = os.environ.get("KUBEBUILDER_ASSETS")
    return Path(chosen) if chosen else None
