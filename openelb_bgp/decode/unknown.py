"""What to say about a key that stands where it means nothing: where it belongs, or what was meant.

A label or annotation under one of our prefixes that is none of ours is a typing error too; so is a value that
switches nothing on or off. Whoever wrote it waits for something that will not happen.
"""

import difflib
import functools
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import inspect

from openelb_bgp.model import keys
from openelb_bgp.model.meta import Kind

from .findings import Findings

_ANNOTATION = "metadata.annotations"
_LABEL = "metadata.labels"

# Where each key that users write belongs. EIP_ANNOTATION is a label too, but that one we write ourselves.
_HOMES: Mapping[str, tuple[str, tuple[Kind, ...]]] = {
    keys.MANAGED_ANNOTATION: (_ANNOTATION, (Kind.SERVICE,)),
    keys.EIP_ANNOTATION: (_ANNOTATION, (Kind.SERVICE,)),
    keys.ADDRESS_ANNOTATION: (_ANNOTATION, (Kind.SERVICE,)),
    keys.PROTOCOL_ANNOTATION: (_ANNOTATION, (Kind.SERVICE,)),
    keys.ALLOW_SHARED_ANNOTATION: (_ANNOTATION, (Kind.SERVICE,)),
    keys.PREFERRED_NODE_ANNOTATION: (_ANNOTATION, (Kind.SERVICE,)),
    keys.DEFAULT_EIP_ANNOTATION: (_ANNOTATION, (Kind.EIP,)),
    keys.RACK_LABEL: (_LABEL, (Kind.NODE,)),
    keys.EXCLUDE_LABEL: (_LABEL, (Kind.NODE,)),
    keys.DRAIN_ANNOTATION: (_ANNOTATION, (Kind.NODE,)),
    keys.CNI_LABEL: (_LABEL, (Kind.BGP_CONF, Kind.BGP_PEER)),
}
_HOME_KEYS = frozenset(_HOMES)

# Written by us, or by OpenELB; whoever finds them on an object has not mistyped anything.
_WRITTEN = frozenset({keys.ALLOCATED_ANNOTATION, keys.SHARED_AT_TAKEOVER_ANNOTATION})
_NOT_OFFERED = (keys.NODE_PROXY_PREFIX, "layer2.openelb.kubesphere.io/")
_SWITCH = ("true", "false")
# What a key may say, where that is one of a few words.
_VALUES: Mapping[str, tuple[str, ...]] = {
    keys.MANAGED_ANNOTATION: (keys.MANAGED_VALUE,),
    keys.DEFAULT_EIP_ANNOTATION: _SWITCH,
    keys.DRAIN_ANNOTATION: _SWITCH,
}
_WITH_KEYS = frozenset({Kind.SERVICE, Kind.NODE, Kind.EIP, Kind.BGP_CONF, Kind.BGP_PEER})


def report_misplaced(document: Mapping[Any, Any], kind: Kind, findings: Findings, *, whole: bool) -> None:
    """Write down each of our keys that is a label where it should be an annotation, or the other way about.

    With `whole` also those directly under metadata and spec; leave that out where unknown fields are
    reported anyway.
    """
    metadata = document.get("metadata")
    if isinstance(metadata, dict):
        report_misplaced_keys(
            labels=metadata.get("labels"),
            annotations=metadata.get("annotations"),
            kind=kind,
            findings=findings,
        )
    if whole:
        _report_in(metadata, "metadata", kind, findings)
        _report_in(document.get("spec"), "spec", kind, findings)


def report_misplaced_keys(*, labels: object, annotations: object, kind: Kind, findings: Findings) -> None:
    """The same for an object of which only these two are there."""
    _report_in(labels, _LABEL, kind, findings)
    _report_in(annotations, _ANNOTATION, kind, findings)


def _report_in(holder: object, path: str, kind: Kind, findings: Findings) -> None:
    wrong = _wrong_keys(kind, path)
    if not isinstance(holder, dict):
        return
    if not wrong.isdisjoint(holder):
        for key in sorted(wrong.intersection(holder)):
            findings.left_out(f"{path}[{key}]", None, "means nothing there", remedy_for_key(key))
    if kind in _WITH_KEYS and path in (_LABEL, _ANNOTATION):
        _report_mistyped(holder, path, wrong, findings)


def _report_mistyped(holder: Mapping[Any, Any], path: str, wrong: frozenset[str], findings: Findings) -> None:
    """Write down keys that look like ours and are not, and values that mean nothing to a key of ours."""
    for key, value in holder.items():
        if not isinstance(key, str) or ("kubesphere.io/" not in key and "openelb" not in key):
            continue
        if remedy := _remedy_for_mistyped(key):
            findings.left_out(f"{path}[{key}]", None, "is no key that means anything to us", remedy)
        allowed = _VALUES.get(key, ())
        if allowed and key not in wrong and isinstance(value, str) and value not in allowed:
            remedy = f"write {' or '.join(allowed)}, in lower case"
            findings.left_out(f"{path}[{key}]", value, "means nothing", remedy)


@functools.lru_cache(maxsize=1024)
def _remedy_for_mistyped(key: str) -> str:
    """What was probably meant by a key under a prefix like ours; empty for a key of ours or of others."""
    if key in _HOME_KEYS or key in _WRITTEN or key.startswith(_NOT_OFFERED):
        return ""
    prefix = key.partition("/")[0]
    is_ours = prefix == "lb.kubesphere.io" or "openelb" in prefix.split(".")
    # KubeSphere has many keys of its own: of these only what differs by a letter or two was meant for us.
    near = difflib.get_close_matches(key, sorted(_HOME_KEYS), n=1, cutoff=0.75 if is_ours else 0.92)
    if near:
        return f"did you mean {near[0]}?"
    return "remove it, or look up its name in the reference" if is_ours else ""


@functools.cache
def _wrong_keys(kind: Kind, path: str) -> frozenset[str]:
    """Which of our keys have no business at a path of a kind."""
    right = {key for key, (home, kinds) in _HOMES.items() if home == path and kind in kinds}
    if path == _LABEL:
        right.add(keys.EIP_LABEL)
    return _HOME_KEYS - right


def remedy_for_key(key: str) -> str:
    """Where one of our own label and annotation keys belongs."""
    home, kinds = _HOMES[key]
    article = "an" if kinds[0] is Kind.EIP else "a"
    return f"write it in {home} of {article} {' or '.join(kinds)}"


def remedy_for_field(key: str, *, path: str, siblings: tuple[str, ...], root: type[msgspec.Struct]) -> str:
    """What was probably meant by a field that the struct at `path` does not have."""
    if key in _HOME_KEYS:
        return remedy_for_key(key)
    near = difflib.get_close_matches(key, siblings, n=1, cutoff=0.75)
    if not near:
        near = [one for one in siblings if one.lower() == key.lower()]
    if near:
        return f"did you mean {near[0]}?"
    homes = [home for home in _homes_of_fields(root).get(key, ()) if home.rpartition(".")[0] != path]
    if len(homes) == 1:
        return f"it belongs at {homes[0]}"
    return "remove it, or look up its name in the reference"


@functools.cache
def _homes_of_fields(root: type[msgspec.Struct]) -> Mapping[str, tuple[str, ...]]:
    homes: dict[str, tuple[str, ...]] = {}
    for path in _paths(inspect.type_info(root), ""):
        name = path.rpartition(".")[2]
        homes[name] = (*homes.get(name, ()), path)
    return homes


def _paths(info: inspect.Type, path: str) -> Iterator[str]:
    """The paths of all fields below a type."""
    match info:
        case inspect.Metadata():
            yield from _paths(info.type, path)
        case inspect.UnionType():
            for one in info.types:
                yield from _paths(one, path)
        case inspect.ListType() | inspect.VarTupleType():
            yield from _paths(info.item_type, f"{path}[]")
        case inspect.StructType():
            for field in info.fields:
                inner = f"{path}.{field.encode_name}" if path else field.encode_name
                yield inner
                yield from _paths(field.type, inner)
