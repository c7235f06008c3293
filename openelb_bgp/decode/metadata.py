"""Reads ObjectMeta into the model's Meta, and tells which kind a document is."""

import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from openelb_bgp.model import keys
from openelb_bgp.model.meta import EMPTY, Key, Kind, Meta, ObjectRef

from .findings import Findings, shown
from .wire.common import ObjectMeta

_GROUPS = {
    Kind.EIP: (keys.GROUP, keys.VERSION),
    Kind.BGP_CONF: (keys.GROUP, keys.VERSION),
    Kind.BGP_PEER: (keys.GROUP, keys.VERSION),
    Kind.SPEAKER: (keys.GROUP, keys.VERSION),
    Kind.ENDPOINT_SLICE: ("discovery.k8s.io", "v1"),
}
_CORE = ("", "v1")
_KINDS: Mapping[str, Kind] = {kind.value: kind for kind in Kind}

# RFC 1123 subdomain, as Kubernetes names objects; a Service's or a Namespace's name is stricter still.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_LONGEST_NAME = 253


def kind_of(document: object) -> Kind | None:
    """The kind of a document if it is one that we read, else None.

    A version that we do not read, or none at all, is still that kind, so that `decode` can say what is
    wrong; another API group's kind of the same name (Knative's Service) is not.
    """
    if not isinstance(document, dict):
        return None
    name, version = document.get("kind"), document.get("apiVersion")
    kind = _KINDS.get(name) if isinstance(name, str) else None
    if kind is None or not isinstance(version, str):
        return kind
    group = version.rpartition("/")[0]
    return kind if group == _group_version(kind)[0] else None


def api_version_of(kind: Kind) -> str:
    """What `apiVersion` has to say for a kind."""
    group, version = _group_version(kind)
    return f"{group}/{version}" if group else version


def check_version(document: Mapping[Any, Any], kind: Kind, findings: Findings) -> None:
    """Write down an apiVersion that is not the one we read."""
    wanted = api_version_of(kind)
    found = document.get("apiVersion")
    if found == wanted:
        return
    problem = "is missing" if found is None else f"is not a version of {kind} that is served"
    findings.fatal("apiVersion", found, problem, f"write {wanted}")


def ref_of(document: Mapping[Any, Any], kind: Kind) -> ObjectRef:
    """The reference to a document as far as it names itself; what is no text becomes empty."""
    metadata = document.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    name, namespace = (_text(metadata.get(field)) for field in ("name", "namespace"))
    return ObjectRef(kind, Key(_namespace(kind, namespace), name))


def meta(wire: ObjectMeta | None, kind: Kind, findings: Findings) -> Meta:
    """The model's Meta. A name that no object can have is fatal."""
    wire = wire or ObjectMeta()
    key = key_of(wire.name, wire.namespace, kind, findings)
    return Meta(
        name=key.name,
        namespace=key.namespace,
        labels=interned(wire.labels),
        annotations=interned(wire.annotations),
        uid=wire.uid or "",
        created=_seconds(wire.creation_timestamp),
        deleting=wire.deletion_timestamp is not None,
        finalizers=tuple(wire.finalizers or ()),
        resource_version=wire.resource_version or "",
        generation=wire.generation or 0,
    )


def key_of(name: str | None, namespace: str | None, kind: Kind, findings: Findings) -> Key:
    """An object's names, as written in its metadata. One that no object can have is fatal."""
    if not (name and len(name) <= _LONGEST_NAME and _NAME.fullmatch(name)):
        problem = "is not a name" if name else "is missing"
        findings.fatal(
            "metadata.name", name, problem, "write lower-case letters, digits, `-` and `.` (RFC 1123)"
        )
    if namespace and kind.namespaced and not _NAME.fullmatch(namespace):
        findings.fatal("metadata.namespace", namespace, "is not a name", "write the name of a namespace")
    # A Service's slices and often its selector name it too.
    return Key(_namespace(kind, namespace), sys.intern(name or ""))


def _group_version(kind: Kind) -> tuple[str, str]:
    return _GROUPS.get(kind, _CORE)


def _namespace(kind: Kind, written: str | None) -> str:
    # kubectl puts an object without a namespace into `default`.
    return sys.intern(written or "default") if kind.namespaced else ""


def _text(value: object) -> str:
    return shown(value) if isinstance(value, str) else ""


def interned(wire: dict[str, str] | None) -> Mapping[str, str]:
    """Labels, annotations or a selector, with texts that are one object each wherever they stand."""
    # The same few keys stand on tens of thousands of objects, and many of the same values.
    return {sys.intern(key): sys.intern(value) for key, value in wire.items()} if wire else EMPTY


def _seconds(time: datetime | None) -> float:
    """Seconds since the epoch; YAML without a zone is UTC, as everywhere in Kubernetes."""
    if time is None:
        return 0.0
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
