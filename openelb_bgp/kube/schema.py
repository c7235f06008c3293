"""Structural schemas (OpenAPI v3 as CustomResourceDefinitions have it) from wire structs and statuses. Pure.

How strict a schema is follows from whose a field is. A field of ours is checked whole: no object from
OpenELB's days has it. One of OpenELB's is checked only where a bad value makes the object useless (`vital`),
or where OpenELB itself could not have read it; the rest is left to `decode`, which leaves such a field out
and says so, because a stored object must stay writable. Nothing has a default: what was applied comes back
unchanged.

What fields mean together, and the syntax of texts, is in `rules`.
"""

import functools
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import inspect

from openelb_bgp.decode import scalars
from openelb_bgp.decode.wire.common import LabelSelector
from openelb_bgp.model.conditions import Condition
from openelb_bgp.model.statuses import MessageCounts, PeerState

from . import rules

Schema = dict[str, Any]

_UINT32 = 2**32 - 1

# OpenELB wrote text and numbers where we write numbers and text; both must stay readable in a stored status.
_INT_OR_STRING = frozenset(
    {(PeerState, "peerType"), *((MessageCounts, field) for field in MessageCounts.__struct_fields__)}
)


class _Place(msgspec.Struct, frozen=True):
    """What the Metas on the way to a type say; `strict` is off in statuses, which only we write."""

    strict: bool
    ours: bool = False
    vital: bool = False
    remedy: str = ""

    def of(self, info: inspect.Type) -> "_Place":
        """The place of a field: what is ours or vital outside is so inside."""
        extra = (info.extra or {}) if isinstance(info, inspect.Metadata) else {}
        return _Place(
            strict=self.strict,
            ours=self.ours or "ours" in extra,
            vital=self.vital or "vital" in extra,
            remedy=extra.get("remedy", ""),
        )


def of_spec(type_: type[msgspec.Struct]) -> Schema:
    """The schema of what users write."""
    return _struct(type_, _Place(strict=True))


def of_status(type_: type[msgspec.Struct]) -> Schema:
    """The schema of what we report: types only, so that no status of an earlier version is in the way."""
    return _struct(type_, _Place(strict=False))


def _struct(type_: type[msgspec.Struct], place: _Place) -> Schema:
    properties: Schema = {}
    required: list[str] = []
    for field in _fields(type_):
        name = field.encode_name
        properties[name] = _field(type_, field, place.of(field.type))
        if field.required or "required" in _extra(field.type):
            required.append(name)
    schema: Schema = {"description": _described(type_), "type": "object"}
    if required:
        schema["required"] = sorted(required)
    schema["properties"] = dict(sorted(properties.items()))
    return _with_rules(schema, rules.of_struct(type_)) if place.strict else schema


def _field(owner: type[msgspec.Struct], field: inspect.Field, place: _Place) -> Schema:
    if (owner, field.encode_name) in _INT_OR_STRING:
        return {"x-kubernetes-int-or-string": True}
    schema = _any(field.type, place)
    if isinstance(field.type, inspect.Metadata) and (said := field.type.extra_json_schema or {}):
        schema = {
            "description": said["description"],
            **{k: v for k, v in schema.items() if k != "description"},
        }
    if place.strict:
        checks = rules.of_field(owner, field.encode_name)
        schema = _with_rules({**schema, **checks.limits}, checks.rules)
        if checks.item_rules or checks.item_limits:
            schema["items"] = _with_rules({**schema["items"], **checks.item_limits}, checks.item_rules)
    return schema


def _any(info: inspect.Type, place: _Place) -> Schema:
    match info:
        case inspect.Metadata():
            return _any(info.type, place)
        case inspect.UnionType():
            return _any(next(one for one in info.types if not isinstance(one, inspect.NoneType)), place)
        case inspect.StructType():
            atomic = {"x-kubernetes-map-type": "atomic"} if info.cls is LabelSelector else {}
            return _struct(info.cls, place) | atomic
        case inspect.ListType() | inspect.VarTupleType():
            return _list(info.item_type, place)
        case inspect.DictType():
            return {"type": "object", "additionalProperties": _any(info.value_type, place)}
        case inspect.LiteralType():
            return _choice(info, place)
        case inspect.IntType() | inspect.FloatType():
            return _number(info, place)
        case inspect.BoolType():
            return {"type": "boolean"}
        case inspect.StrType():
            least = {"minLength": info.min_length} if info.min_length and place.strict else {}
            return {"type": "string", **least}
        case _:
            raise TypeError(f"{info} has no structural schema")


def _list(item: inspect.Type, place: _Place) -> Schema:
    schema: Schema = {"type": "array", "items": _any(item, place)}
    if isinstance(item, inspect.StructType) and item.cls is Condition:
        schema |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
    return schema


def _choice(info: inspect.LiteralType, place: _Place) -> Schema:
    if all(isinstance(value, str) for value in info.values):
        enum = {"enum": sorted(map(str, info.values))} if place.ours or place.vital else {}
        return {"type": "string", **enum}
    # OpenELB read all its numbers of this sort as uint32.
    remedy = place.remedy or scalars.verdict(None, info)[1]
    return _bounded({"type": "integer"}, low=0, high=_UINT32, message=remedy)


def _number(info: inspect.IntType | inspect.FloatType, place: _Place) -> Schema:
    schema: Schema = {"type": "integer" if isinstance(info, inspect.IntType) else "number"}
    if not place.strict or info.ge is None or info.le is None:
        return schema
    remedy = place.remedy or scalars.verdict(info.ge - 1, info)[1]
    if place.ours or place.vital:
        return _bounded(schema, low=info.ge, high=info.le, message=remedy)
    # OpenELB read uint32: it failed on everything else, and took whatever that holds.
    return _bounded(schema, low=0, high=_UINT32, message=remedy) if info.ge >= 0 else schema


def _bounded(schema: Schema, *, low: float, high: float, message: str) -> Schema:
    number = float if schema["type"] == "number" else int
    rule = rules.Rule(f"self >= {number(low)} && self <= {number(high)}", message)
    return _with_rules(schema, (rule,))


def _with_rules(schema: Schema, found: tuple[rules.Rule, ...]) -> Schema:
    if not found:
        return schema
    key = "x-kubernetes-validations"
    return {**schema, key: [*schema.get(key, ()), *(rule.document() for rule in found)]}


def _described(type_: type[msgspec.Struct]) -> str:
    """The first paragraph of the docstring, with fields by their names on the wire."""
    text = " ".join((type_.__doc__ or "").partition("\n\n")[0].split())
    for field in _fields(type_):
        text = text.replace(f"`{field.name}`", f"`{field.encode_name}`")
    return text


def _extra(info: inspect.Type) -> Mapping[str, Any]:
    return (info.extra or {}) if isinstance(info, inspect.Metadata) else {}


@functools.cache
def _fields(type_: type[msgspec.Struct]) -> tuple[inspect.Field, ...]:
    info = inspect.type_info(type_)
    assert isinstance(info, inspect.StructType)
    return info.fields
