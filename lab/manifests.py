"""Edits of the lab's manifests, as somebody with an editor would make them.

A file is replaced in one step, so that whoever follows the folder never reads half of it. Nothing else is
known here about what the objects mean.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from lab.errors import LabError

Object = dict[str, Any]


def edit(folder: Path, kind: str, name: str, change: Callable[[Object], None]) -> None:
    """Apply `change` to one object, in the file where it stands. Raises LabError if it is nowhere."""
    file, documents, found = _find(folder, kind, name)
    change(found)
    _replace(file, yaml.safe_dump_all(documents, sort_keys=False))


def remove(folder: Path, kind: str, name: str) -> None:
    """Take one object out of the file where it stands. Raises LabError if it is nowhere."""
    file, documents, found = _find(folder, kind, name)
    _replace(file, yaml.safe_dump_all([doc for doc in documents if doc is not found], sort_keys=False))


def objects(folder: Path) -> tuple[Object, ...]:
    """All objects of a folder, file by file."""
    files = sorted(folder.rglob("*.yaml"))
    return tuple(doc for file in files for doc in yaml.safe_load_all(file.read_text()) if doc)


def find(folder: Path, kind: str) -> tuple[str, ...]:
    """The names of all objects of a kind, sorted."""
    return tuple(sorted(doc["metadata"]["name"] for doc in objects(folder) if doc["kind"] == kind))


def serving(folder: Path, service: str) -> tuple[str, ...]:
    """The nodes that have a pod of a Service, sorted."""
    slices = (item for item in objects(folder) if item["kind"] == "EndpointSlice")
    found = {
        endpoint["nodeName"]
        for item in slices
        if item["metadata"]["labels"]["kubernetes.io/service-name"] == service
        for endpoint in item["endpoints"]
    }
    return tuple(sorted(found))


def write(folder: Path, name: str, documents: Sequence[Object]) -> None:
    """Write a file of its own for these objects."""
    _replace(folder / f"{name}.yaml", yaml.safe_dump_all(documents, sort_keys=False))


def delete(folder: Path, name: str) -> None:
    """Delete a file that `write` wrote; harmless when it is not there."""
    (folder / f"{name}.yaml").unlink(missing_ok=True)


def _find(folder: Path, kind: str, name: str) -> tuple[Path, list[Object], Object]:
    """The file that holds an object, all that it holds, and the object itself."""
    for file in sorted(folder.rglob("*.yaml")):
        documents = [doc for doc in yaml.safe_load_all(file.read_text()) if doc]
        for doc in documents:
            if doc["kind"] == kind and doc["metadata"]["name"] == name:
                return file, documents, doc
    raise LabError(f"no {kind} {name} stands in {folder}")


def _replace(file: Path, text: str) -> None:
    temporary = file.with_suffix(".new")
    temporary.write_text(text)
    os.replace(temporary, file)  # noqa: PTH105  (the atomic one, by the name that says so)
