"""Manifests and statuses merged into Kubernetes objects, as `get` prints them. Reads only.

Here objects are what was written, field by field, not what we make of them.
"""

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncGenerator, Iterator, Mapping
from pathlib import Path
from typing import Any

from openelb_bgp.decode import api_version_of, kind_of
from openelb_bgp.decode.metadata import ref_of
from openelb_bgp.model.meta import Kind, ObjectRef, patched
from openelb_bgp.ports import Clock
from openelb_bgp.report.times import rfc3339
from openelb_bgp.runtime.loop import WakeUp

from . import peek
from .database import KeptEvent
from .documents import Document, documents
from .doorbell import Doorbell
from .errors import FilesError, StateError
from .rows import Row
from .tree import survey
from .watch import FolderWatch

POLL = 1.0


def objects(directory: Path, state: Path, kind: Kind) -> list[dict[str, Any]]:
    """All objects of a kind, as Kubernetes would show them, by namespace and name.

    Labels, annotations and status of ours are laid over the manifest's; Speakers come from the state alone.
    Where a manifest does not say when it was created, the time of its file does.
    Raises FilesError when there is no such folder, StateError when the state cannot be read.
    """
    rows = {row.ref: row for row in peek.rows(state) if row.ref.kind is kind and not row.is_gone}
    found = {} if kind is Kind.SPEAKER else _written(directory, kind)
    merged = {ref: _merged(document, rows.get(ref)) for ref, document in found.items()}
    if kind is Kind.SPEAKER:
        merged = {ref: _merged(_bare(ref), row) for ref, row in rows.items()}
    return [merged[ref] for ref in sorted(merged)]


async def changes(
    directory: Path, state: Path, kind: Kind, clock: Clock
) -> AsyncGenerator[list[dict[str, Any]], None]:
    """The objects of a kind now, and again whenever they read differently. Raises as `objects` does."""
    wake = WakeUp()
    watch = FolderWatch(directory, wake.set)
    watch.start()
    try:
        with _ear(state, wake):
            before = None
            while True:
                wake.clear()
                watch.take()
                _follow(watch, directory)
                now = await asyncio.to_thread(objects, directory, state, kind)
                if now != before:
                    yield now
                before = now
                await wake.wait_within(POLL, clock)
    finally:
        watch.close()


def events(state: Path) -> list[dict[str, Any]]:
    """The events that are kept, as Kubernetes Events, the oldest first. Raises StateError."""
    return [_event(number, kept) for number, kept in enumerate(peek.events(state))]


def _written(directory: Path, kind: Kind) -> dict[ObjectRef, dict[str, Any]]:
    """What the manifests say, the first by path where several name one object."""
    found: dict[ObjectRef, dict[str, Any]] = {}
    for document, written_at in _documents(directory):
        if kind_of(document.value) is kind:
            found.setdefault(ref_of(document.value, kind), _dated(document.value, written_at))
    return {ref: value for ref, value in found.items() if ref.key.name}


def _dated(value: dict[str, Any], written_at: float) -> dict[str, Any]:
    metadata = _mapping(value.get("metadata"))
    # `kubectl create --dry-run` writes null there.
    created = metadata.get("creationTimestamp") or rfc3339(written_at)
    return {**value, "metadata": {**metadata, "creationTimestamp": created}}


def _documents(directory: Path) -> Iterator[tuple[Document, float]]:
    seen = survey(directory)
    if seen is None:
        raise FilesError(f"{directory} is not a folder that can be read; name another with --files")
    for file in sorted(seen.files):
        # Who edits it just now has taken it away or not finished it.
        with contextlib.suppress(OSError):
            data = (directory / file).read_bytes()
            written_at = seen.files[file].modified_ns / 1e9
            for part in documents(data, is_json=file.endswith(".json")):
                if isinstance(part, Document):
                    yield part, written_at


def _merged(document: Mapping[str, Any], row: Row | None) -> dict[str, Any]:
    """A document with the row laid over it; metadata is completed as an API server does it."""
    ref = ref_of(document, _kind(document))
    metadata = {**_mapping(document.get("metadata"))}
    if ref.key.namespace:
        metadata["namespace"] = ref.key.namespace
    merged = {**document, "metadata": metadata}
    if row is None or row.status is None:
        return merged
    for field, patch in (("labels", row.labels), ("annotations", row.annotations)):
        if laid := patched(_mapping(metadata.get(field)), patch):
            metadata[field] = dict(laid)
        else:
            metadata.pop(field, None)
    if row.finalizers and "finalizers" in metadata:
        metadata["finalizers"] = [one for one in metadata["finalizers"] or () if one not in row.finalizers]
    metadata["resourceVersion"] = str(row.revision)
    return {**merged, "status": json.loads(row.status)}


def _bare(ref: ObjectRef) -> dict[str, Any]:
    metadata = {"name": ref.key.name}
    return {"apiVersion": api_version_of(ref.kind), "kind": ref.kind.value, "metadata": metadata}


def _kind(document: Mapping[str, Any]) -> Kind:
    return Kind(document["kind"])


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _event(number: int, kept: KeptEvent) -> dict[str, Any]:
    """An Event of the core group (Kubernetes API reference, Event v1 core)."""
    event, ref = kept.event, kept.event.ref
    namespace = ref.key.namespace or "default"
    involved = {
        "apiVersion": api_version_of(ref.kind),
        "kind": ref.kind.value,
        "name": ref.key.name,
        "namespace": ref.key.namespace,
    }
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{ref.key.name}.{number}", "namespace": namespace},
        "involvedObject": {key: value for key, value in involved.items() if value},
        "reason": event.reason,
        "message": event.message,
        "type": "Warning" if event.warning else "Normal",
        "count": kept.count,
        "firstTimestamp": rfc3339(kept.first),
        "lastTimestamp": rfc3339(kept.last),
    }


def _follow(watch: FolderWatch, directory: Path) -> None:
    if (seen := survey(directory)) is not None:
        watch.follow(seen.folders)


@contextlib.contextmanager
def _ear(state: Path, wake: WakeUp) -> Iterator[None]:
    """Hear commits at once where the state lets us; otherwise the poll finds them."""
    try:
        doorbell = Doorbell.hang(state, f"view-{os.getpid()}")
    except StateError:
        yield
        return
    doorbell.listen(wake.set)
    try:
        yield
    finally:
        doorbell.close()
