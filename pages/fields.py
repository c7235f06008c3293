"""Every field that a user may write in an Eip, a BgpConf or a BgpPeer, with all that is known of it. Pure.

All of it comes from where the decoder and the CRDs have it: the wire types, their Metas, and the CRDs' rules.
What the fields mean together is in `rules` too, and stands with the struct.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import inspect

from openelb_bgp.decode.wire.bgp_conf import BgpConfSpec
from openelb_bgp.decode.wire.bgp_peer import BgpPeerSpec
from openelb_bgp.decode.wire.common import LabelSelector
from openelb_bgp.decode.wire.described import ALL_MODES, Edit, Mode
from openelb_bgp.decode.wire.eip import EipSpec
from openelb_bgp.kube import rules
from openelb_bgp.model.meta import Kind


class Spec(msgspec.Struct, frozen=True):
    """What users write of one kind, and what its fields have where they say nothing themselves."""

    type: type[msgspec.Struct]
    modes: tuple[Mode, ...]
    edit: Edit | None = None


SPECS: Mapping[Kind, Spec] = {
    Kind.EIP: Spec(EipSpec, ALL_MODES),
    Kind.BGP_CONF: Spec(BgpConfSpec, (Mode.BGP,)),
    Kind.BGP_PEER: Spec(BgpPeerSpec, (Mode.BGP,), Edit.NEW_SESSION),
}


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """A field. One that holds others (`is_object`) has no default and no example of its own.

    `path` is as users write it, `[]` behind a list; `example` is the value as YAML would give it.
    """

    path: str
    description: str
    type: str
    rule: str
    default: str
    example: Any
    modes: tuple[Mode, ...]
    edit: Edit | None
    is_object: bool
    is_ours: bool

    def written(self) -> dict[str, Any]:
        """The example in its place, from `spec` on."""
        value = self.example
        for part in reversed(self.path.split(".")):
            value = {
                part.removesuffix("[]"): [value] if part.endswith("[]") and self._around(part) else value
            }
        return value  # type: ignore[no-any-return]

    def _around(self, part: str) -> bool:
        """Whether the list is one that the field is in, not the field itself."""
        return not self.path.endswith(part)


class _Outer(msgspec.Struct, frozen=True):
    """What a field takes from those that it is in."""

    path: str
    modes: tuple[Mode, ...]
    edit: Edit | None
    is_ours: bool = False


def fields_of(kind: Kind) -> tuple[Described, ...]:
    """The fields of a kind's spec, each before those that it holds."""
    spec = SPECS[kind]
    return tuple(_fields(spec.type, _Outer("spec", spec.modes, spec.edit)))


def _fields(type_: type[msgspec.Struct], outer: _Outer) -> Iterator[Described]:
    info = inspect.type_info(type_)
    assert isinstance(info, inspect.StructType)
    for field in info.fields:
        described = _field(type_, field, outer)
        yield described
        if described.is_object:
            inner = _Outer(described.path, described.modes, described.edit, described.is_ours)
            yield from _fields(_struct_in(field.type), inner)


def _field(owner: type[msgspec.Struct], field: inspect.Field, outer: _Outer) -> Described:
    assert isinstance(field.type, inspect.Metadata), f"{owner.__name__}.{field.name} has no doc()"
    extra: Mapping[str, Any] = field.type.extra or {}
    bare = _bare(field.type)
    is_list = isinstance(bare, inspect.VarTupleType)
    return Described(
        path=f"{outer.path}.{field.encode_name}{'[]' if is_list else ''}",
        description=(field.type.extra_json_schema or {}).get("description", ""),
        type=_type(bare),
        rule="; ".join(_rules(owner, field, bare)),
        default=extra.get("default", ""),
        example=extra.get("example"),
        modes=extra.get("modes", outer.modes),
        edit=extra.get("edit", outer.edit),
        is_object=_holds_fields(bare),
        is_ours=outer.is_ours or "ours" in extra,
    )


def _bare(info: inspect.Type) -> inspect.Type:
    """The type without what is said about it, and without None."""
    match info:
        case inspect.Metadata():
            return _bare(info.type)
        case inspect.UnionType():
            return _bare(next(one for one in info.types if not isinstance(one, inspect.NoneType)))
        case _:
            return info


def _holds_fields(bare: inspect.Type) -> bool:
    if isinstance(bare, inspect.VarTupleType):
        return _holds_fields(_bare(bare.item_type))
    return isinstance(bare, inspect.StructType) and bare.cls is not LabelSelector


def _struct_in(info: inspect.Type) -> type[msgspec.Struct]:
    bare = _bare(info)
    if isinstance(bare, inspect.VarTupleType):
        bare = _bare(bare.item_type)
    assert isinstance(bare, inspect.StructType)
    return bare.cls


def _type(bare: inspect.Type) -> str:
    match bare:
        case inspect.VarTupleType():
            return f"list of {_type(_bare(bare.item_type))}"
        case inspect.DictType():
            return f"map of text to {_type(_bare(bare.value_type))}"
        case inspect.StructType():
            return "LabelSelector" if bare.cls is LabelSelector else "object"
        case inspect.BoolType():
            return "boolean"
        case inspect.IntType():
            return "integer"
        case inspect.FloatType():
            return "number"
        case inspect.LiteralType():
            return "integer" if all(isinstance(one, int) for one in bare.values) else "text"
        case _:
            return "text"


def _rules(owner: type[msgspec.Struct], field: inspect.Field, bare: inspect.Type) -> Iterator[str]:
    extra = field.type.extra or {} if isinstance(field.type, inspect.Metadata) else {}
    if "required" in extra:
        yield "required"
    checks = rules.of_field(owner, field.encode_name)
    said = [rule.message for rule in (*checks.rules, *checks.item_rules)]
    yield from said or _of_type(bare)
    if "maxItems" in checks.limits:
        yield f"at most {checks.limits['maxItems']} entries"


def _of_type(bare: inspect.Type) -> Iterator[str]:
    match bare:
        case inspect.VarTupleType():
            yield from (f"each: {rule}" for rule in _of_type(_bare(bare.item_type)))
        case inspect.DictType():
            yield from (f"each value: {rule}" for rule in _of_type(_bare(bare.value_type)))
        case inspect.LiteralType():
            yield (
                f"one of {', '.join(map(str, bare.values))}" if len(bare.values) > 1 else str(bare.values[0])
            )
        case inspect.IntType() | inspect.FloatType() if bare.ge is not None and bare.le is not None:
            yield f"from {_number(bare.ge)} to {_number(bare.le)}"
        case inspect.IntType() | inspect.FloatType():
            yield "any whole number"
        case inspect.BoolType():
            yield "true or false"
        case inspect.StrType():
            yield "any text but the empty one" if bare.min_length else "any text"
        case inspect.StructType() if bare.cls is LabelSelector:
            yield "as Kubernetes has it: matchLabels, matchExpressions"


def _number(value: float) -> str:
    return f"{value:g}" if value != int(value) else str(int(value))
