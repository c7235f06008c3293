"""Reads a JSON-like value into a wire struct field by field, so that one bad field hides no other.

msgspec stops at the first error; this walk follows the same types (`msgspec.inspect`), writes every defect
down with its path, and leaves the bad field at its default. It knows types, ranges and unknown fields; what
fields mean together is decided by the module of each kind.
"""

import functools
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from .findings import HIDDEN, Findings, kind_of_value
from .scalars import as_time, verdict
from .unknown import remedy_for_field

T = TypeVar("T", bound=msgspec.Struct)
Item = TypeVar("Item")

_BAD: Any = object()
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


class _Kept(tuple[Any, ...]):
    """The good items of a list that had bad ones, and where each of them stood in it."""

    indices: tuple[int, ...]

    def __new__(cls, numbered_items: list[tuple[int, Any]]) -> "_Kept":
        kept = super().__new__(cls, (item for _, item in numbered_items))
        kept.indices = tuple(index for index, _ in numbered_items)
        return kept


class _Place(msgspec.Struct, frozen=True):
    """Where the walk is, and what the Meta of the field says of it."""

    path: str
    vital: bool = False
    secret: bool = False
    remedy: str = ""

    def at(self, path: str, info: inspect.Type) -> "_Place":
        """A place inside this one: what is vital or secret outside is so inside."""
        extra = (info.extra or {}) if isinstance(info, inspect.Metadata) else {}
        return _Place(
            path,
            vital=self.vital or "vital" in extra,
            secret=self.secret or "secret" in extra,
            remedy=extra.get("remedy", ""),
        )


def walk(value: object, type_: type[T], findings: Findings, *, unknown: bool) -> T:
    """The struct with everything in `value` that is right; defects go to `findings`.

    With `unknown`, fields that the structs do not have are written down. Every field of `type_` itself must
    have a default.
    """
    read: T = _Walker(type_, findings, unknown=unknown).struct(value, type_, _Place(""))
    return type_() if read is _BAD else read


def numbered(items: tuple[Item, ...] | None) -> Iterable[tuple[int, Item]]:
    """The items of a list on the wire, each with its index as the user wrote the list."""
    if isinstance(items, _Kept):
        return zip(items.indices, items, strict=True)
    return enumerate(items or ())


def join(path: str, key: object) -> str:
    """The path of a key below a path: dotted, or in brackets where the key is an index or no plain word."""
    if isinstance(key, str) and _PLAIN_KEY.fullmatch(key):
        return f"{path}.{key}" if path else key
    return f"{path}[{key}]"


class _Walker:
    """One walk through one document; `root` is the document's type."""

    def __init__(self, root: type[msgspec.Struct], findings: Findings, *, unknown: bool) -> None:
        self._root = root
        self._findings = findings
        self._unknown = unknown

    def struct(self, value: object, type_: type[msgspec.Struct], place: _Place) -> Any:
        """The struct, or _BAD where it is none, or where a field without a default is missing or bad."""
        if not isinstance(value, dict):
            return self._wrong_shape(value, place, "a mapping", "write its fields below it")
        known = _fields(type_)
        if self._unknown:
            self._report_unknown(value, known, place.path)
        arguments: dict[str, Any] = {}
        for name, field in known.items():
            read = self._field(value.get(name), field, place.at(join(place.path, name), field.type))
            if read is not _BAD:
                arguments[field.name] = read
            elif field.required:
                return _BAD
        return type_(**arguments)

    def _field(self, value: object, field: inspect.Field, place: _Place) -> Any:
        if value is not None:
            return self._any(value, field.type, place)
        return self._wrong(None, place, "is missing", "write it") if field.required else _BAD

    def _any(self, value: object, info: inspect.Type, place: _Place) -> Any:
        match info:
            case inspect.Metadata():
                return self._any(value, info.type, place)
            case inspect.UnionType():
                # `X | None` is the only union that wire structs use.
                return self._any(value, next(x for x in info.types if not _is_none(x)), place)
            case inspect.StructType():
                return self.struct(value, info.cls, place)
            case inspect.ListType() | inspect.VarTupleType():
                return self._sequence(value, info.item_type, place)
            case inspect.DictType():
                return self._mapping(value, info.value_type, place)
            case inspect.AnyType():
                return value
            case _:
                return self._scalar(value, info, place)

    def _sequence(self, value: object, item_type: inspect.Type, place: _Place) -> Any:
        if not isinstance(value, list | tuple):
            return self._wrong_shape(value, place, "a list", "write a list")
        read = (
            (index, self._any(item, item_type, place.at(f"{place.path}[{index}]", item_type)))
            for index, item in enumerate(value)
        )
        good = [(index, item) for index, item in read if item is not _BAD]
        return _Kept(good) if len(good) < len(value) else tuple(item for _, item in good)

    def _mapping(self, value: object, value_type: inspect.Type, place: _Place) -> Any:
        if not isinstance(value, dict):
            return self._wrong_shape(value, place, "a mapping", "write `key: value` below it")
        good = {}
        for key, item in value.items():
            inner = place.at(join(place.path, key), value_type)
            if not isinstance(key, str):
                self._wrong(None, inner, f"the key is {kind_of_value(key)}, not text", "put it in quotes")
            elif (read := self._any(item, value_type, inner)) is not _BAD:
                good[key] = read
        return good

    def _scalar(self, value: object, info: inspect.Type, place: _Place) -> Any:
        problem, remedy = verdict(value, info)
        if problem:
            return self._wrong(value, place, problem, place.remedy or remedy)
        return as_time(value) if isinstance(info, inspect.DateTimeType) else value

    def _wrong(self, value: object, place: _Place, problem: str, remedy: str) -> Any:
        value = HIDDEN if place.secret and value is not None else value
        self._findings.add(place.path, value, problem, remedy, fatal=place.vital)
        return _BAD

    def _wrong_shape(self, value: object, place: _Place, wanted: str, remedy: str) -> Any:
        # What stands here may be a secret that slipped a level up, so only its sort is told.
        problem = f"is {kind_of_value(value)}, not {wanted}"
        return self._wrong(None, place, problem, place.remedy or remedy)

    def _report_unknown(
        self, value: Mapping[Any, Any], known: Mapping[str, inspect.Field], path: str
    ) -> None:
        for key in value:
            if not isinstance(key, str) or key not in known:
                remedy = remedy_for_field(str(key), path=path, siblings=tuple(known), root=self._root)
                self._findings.left_out(join(path, key), None, "is not a field of this kind", remedy)


def _is_none(info: inspect.Type) -> bool:
    return isinstance(info, inspect.NoneType)


@functools.cache
def _fields(type_: type[msgspec.Struct]) -> Mapping[str, inspect.Field]:
    info = inspect.type_info(type_)
    assert isinstance(info, inspect.StructType)
    return {field.encode_name: field for field in info.fields}
