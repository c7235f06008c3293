"""What to say about a key that stands where it means nothing: where it belongs, or what was meant."""

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


def report_misplaced(
    document: Mapping[Any, Any],
    kind: Kind,
    findings: Findings,
    *,
    places: tuple[tuple[str, ...], ...] = (("metadata",), ("spec",)),
) -> None:
    """Write down each of our keys that stands as a label where it is an annotation, or the other way about.

    `places` are the mappings where none of our keys belongs; leave out those whose unknown fields are
    reported anyway.
    """
    for place in (*places, ("metadata", "labels"), ("metadata", "annotations")):
        holder: object = document
        for step in place:
            holder = holder.get(step) if isinstance(holder, Mapping) else None
        if isinstance(holder, Mapping) and not _HOME_KEYS.isdisjoint(holder):
            _report_in(holder, ".".join(place), kind, findings)


def _report_in(holder: Mapping[Any, Any], path: str, kind: Kind, findings: Findings) -> None:
    for key in sorted(_HOME_KEYS.intersection(holder)):
        home, kinds = _HOMES[key]
        if (path == home and kind in kinds) or (path == _LABEL and key == keys.EIP_LABEL):
            continue
        findings.left_out(f"{path}[{key}]", None, "means nothing there", remedy_for_key(key))


def remedy_for_key(key: str) -> str:
    """Where one of our own label and annotation keys belongs."""
    home, kinds = _HOMES[key]
    return f"write it in {home} of a {' or '.join(kinds)}"


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
