"""What `kubectl kustomize` makes of our manifests. Nothing here needs a cluster."""

import copy
import functools
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from lab.cluster.programs import kube_program

Object = dict[str, Any]

MANIFESTS = Path(__file__).parents[2] / "manifests"
BASE = MANIFESTS / "base"
OVERLAYS = tuple(sorted(path.parent for path in MANIFESTS.glob("overlays/*/kustomization.yaml")))
SETS = (BASE, *OVERLAYS)
"""Every folder that somebody may apply."""


def rendered(folder: Path) -> list[Object]:
    """The objects of a kustomization, in the order of application."""
    return copy.deepcopy(list(_rendered(folder)))


def with_component(scratch: Path, name: str) -> list[Object]:
    """The base with one of our components, joined in an empty folder as a user would."""
    base, component = (os.path.relpath(path, scratch) for path in (BASE, MANIFESTS / "components" / name))
    (scratch / "kustomization.yaml").write_text(f"resources: [{base}]\ncomponents: [{component}]\n")
    return rendered(scratch)


@functools.cache
def _rendered(folder: Path) -> tuple[Object, ...]:
    text = subprocess.run(
        [kube_program("kubectl"), "kustomize", str(folder)], check=True, capture_output=True
    ).stdout
    return tuple(yaml.safe_load_all(text))


def identity(obj: Object) -> str:
    """Kind and name, with the namespace where there is one: `Role openelb-system/openelb-speaker`."""
    meta = obj["metadata"]
    return f"{obj['kind']} {'/'.join(filter(None, (meta.get('namespace'), meta['name'])))}"


def one(objects: Iterable[Object], kind: str, name: str) -> Object:
    """The only object of that kind and name."""
    (found,) = (obj for obj in objects if (obj["kind"], obj["metadata"]["name"]) == (kind, name))
    return found


def pod_of(objects: Iterable[Object], kind: str, name: str) -> Object:
    """The pod's spec of a workload."""
    spec: Object = one(objects, kind, name)["spec"]["template"]["spec"]
    return spec


def containers(pod: Object) -> dict[str, Object]:
    """All containers of a pod by name, native sidecars among them."""
    return {each["name"]: each for each in (*pod.get("initContainers", ()), *pod["containers"])}
