"""Mappings of which the next version costs what changes in it, not what it holds.

A Table is one version, and never changes. Versions share the large dict that they come from, and each lays a
small one of its own over it. So a Draft of the next one copies little, and `identity.changed_keys` finds what
differs between two of them without looking at what they share. A layer that has grown is folded into the
dict.
"""

from collections.abc import (
    ItemsView,
    Iterable,
    Iterator,
    KeysView,
    Mapping,
    MutableMapping,
    Sequence,
    ValuesView,
)
from functools import partial
from math import isqrt
from typing import Any, Generic, NamedTuple, TypeVar

Name = TypeVar("Name")
Value = TypeVar("Value")

_GONE: Any = object()
_UNTOLD: Any = object()
_LEAST = 16
"""So large a layer is never folded: copying it costs nothing."""
_WORTH_KNOWING = 4
"""Where more than this part of a dict has changed, looking at all of it is as quick."""


class Layers(NamedTuple):
    """What a Table is made of, for whoever compares two.

    `generation` is the same object for all that share a dict. That dict was made from the one of the
    generation `before`, by changing what it holds under the names in `folded`.
    """

    layer: Mapping[Any, Any]
    generation: object
    before: object
    folded: Sequence[Any]


class _Base(Generic[Name, Value]):
    """The dict that versions share. It does not keep the one before it alive."""

    __slots__ = ("before", "entries", "folded", "generation")

    def __init__(
        self, entries: dict[Name, Value], before: object = None, folded: Sequence[Name] = ()
    ) -> None:
        self.entries = entries
        self.generation = object()
        self.before = before
        self.folded = folded


class Table(Mapping[Name, Value]):
    """A mapping that is never changed; `draft` begins the next version.

    What was there keeps its place in the order, what is new comes last.
    """

    __slots__ = ("_base", "_layer", "_size", "get")
    get: Any

    def __init__(self, entries: Mapping[Name, Value] | Iterable[tuple[Name, Value]] = ()) -> None:
        self._become(_Base(dict(entries)), {})

    @classmethod
    def of(cls, entries: Mapping[Name, Value]) -> "Table[Name, Value]":
        """The mapping itself if it is a Table, else a first version with its entries."""
        return entries if isinstance(entries, Table) else cls(entries)

    def _become(self, base: _Base[Name, Value], layer: dict[Name, Value], size: int | None = None) -> None:
        self._base, self._layer = base, layer
        self._size = len(base.entries) if size is None else size
        # Without a layer nothing stands between the reader and the dict. A method of ours would be a cycle.
        self.get = partial(_found, layer, base.entries) if layer else base.entries.get

    def draft(self) -> "Draft[Name, Value]":
        """The next version, to be changed and finished."""
        return Draft(self, self._base, self._layer)

    def with_all(self, entries: Mapping[Name, Value]) -> "Table[Name, Value]":
        """The version with these entries laid over it."""
        draft = self.draft()
        draft.update(entries)
        return draft.finish()

    def without(self, names: Iterable[Name]) -> "Table[Name, Value]":
        """The version that lacks these names."""
        draft = self.draft()
        for name in names:
            draft.pop(name)
        return draft.finish()

    @property
    def layers(self) -> Layers:
        """What it is made of."""
        base = self._base
        return Layers(self._layer, base.generation, base.before, base.folded)

    def __getitem__(self, name: Name) -> Value:
        found: Value = self.get(name, _GONE)
        if found is _GONE:
            raise KeyError(name)
        return found

    def __contains__(self, name: object) -> bool:
        return self.get(name, _GONE) is not _GONE

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Name]:
        return iter(self._whole())

    def keys(self) -> KeysView[Name]:
        """A view of the names."""
        return self._whole().keys()

    def values(self) -> ValuesView[Value]:
        """A view of the values."""
        return self._whole().values()

    def items(self) -> ItemsView[Name, Value]:
        """A view of both."""
        return self._whole().items()

    def _whole(self) -> dict[Name, Value]:
        """Both layers as one, which nobody may change."""
        return _merged(self._base.entries, self._layer, self._size)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if isinstance(other, Table):
            return self._whole() == other._whole()
        return self._whole() == dict(other) if isinstance(other, Mapping) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Table({self._whole()!r})"


class Draft(MutableMapping[Name, Value]):
    """A Table in the making; of no use once it is finished."""

    __slots__ = ("_base", "_entries", "_layer", "_size", "_table", "_written")

    def __init__(self, table: Table[Name, Value], base: _Base[Name, Value], layer: dict[Name, Value]) -> None:
        self._table, self._base, self._entries = table, base, base.entries
        self._layer = layer.copy()
        self._size = len(table)
        self._written = False

    def finish(self) -> Table[Name, Value]:
        """The version as it stands; the one before it if nothing was changed."""
        if not self._written:
            return self._table
        base, layer = self._base, self._layer
        made: Table[Name, Value] = Table.__new__(Table)
        if len(layer) <= max(_LEAST, isqrt(len(self._entries))):
            made._become(base, layer, self._size)
            return made
        entries = _merged(self._entries, layer, self._size)
        few = len(layer) <= len(entries) // _WORTH_KNOWING
        made._become(_Base(entries, base.generation, [*layer]) if few else _Base(entries), {})
        return made

    # Written out each time: drafts are asked and told a hundred thousand times in a cycle, and a call costs
    # as much as the look.

    def get(self, name: Any, default: Any = None) -> Any:
        """As of a dict."""
        found = self._layer.get(name, _UNTOLD)
        if found is _UNTOLD:
            return self._entries.get(name, default)
        return default if found is _GONE else found

    def __getitem__(self, name: Name) -> Value:
        found: Any = self._layer.get(name, _UNTOLD)
        if found is _UNTOLD:
            return self._entries[name]
        if found is _GONE:
            raise KeyError(name)
        value: Value = found
        return value

    def __contains__(self, name: object) -> bool:
        found = self._layer.get(name, _UNTOLD)  # type: ignore[arg-type]
        return name in self._entries if found is _UNTOLD else found is not _GONE

    def __setitem__(self, name: Name, value: Value) -> None:
        before: Any = self._layer.get(name, _UNTOLD)
        if before is _UNTOLD:
            before = self._entries.get(name, _GONE)
        if before is not value:
            self._layer[name] = value
            self._written = True
            if before is _GONE:
                self._size += 1

    def __delitem__(self, name: Name) -> None:
        if self.pop(name, _GONE) is _GONE:
            raise KeyError(name)

    def pop(self, name: Name, default: Any = None) -> Any:
        """Take an entry out; returns it, or the default where there is none."""
        found: Any = self._layer.get(name, _UNTOLD)
        if found is _UNTOLD:
            found = self._entries.get(name, _GONE)
        if found is _GONE:
            return default
        if name in self._entries:
            self._layer[name] = _GONE
        else:
            del self._layer[name]
        self._size -= 1
        self._written = True
        return found

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Name]:
        return iter(_merged(self._entries, self._layer, self._size))


def _found(layer: Mapping[Any, Any], entries: Mapping[Any, Any], name: object, default: Any = None) -> Any:
    found = layer.get(name, _UNTOLD)
    if found is _UNTOLD:
        return entries.get(name, default)
    return default if found is _GONE else found


def _merged(entries: dict[Name, Value], layer: dict[Name, Value], size: int) -> dict[Name, Value]:
    """What both say together; `entries` itself where the layer says nothing."""
    if not layer:
        return entries
    whole = entries.copy()
    whole.update(layer)
    if len(whole) == size:
        return whole
    return {name: value for name, value in whole.items() if value is not _GONE}
