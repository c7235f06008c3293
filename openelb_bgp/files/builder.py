"""libyaml's events → one document of dict, list, str, int, float, bool and None.

What Kubernetes would not read the same way is refused at its place: a key that stands there twice, a tag, a
document that aliases blow up. Events come as PyYAML makes them; their stubs know less than they hold.
"""

from typing import Any, NoReturn

from yaml.error import MarkedYAMLError
from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from .scalars import plain

# Deeper or more often repeated than any manifest; what reads the document later recurses over it.
DEEPEST = 100
_MOST_NODES_BY_ALIAS = 1_000_000

_NO_KEY = object()
_MERGE = "<<"
_TEXT_TAG = "tag:yaml.org,2002:str"
_RESOLVED_TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("int", "float", "bool", "null"))
_COLLECTION_TAGS = frozenset({"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})


class _Frame:
    """A mapping or a sequence that is still open."""

    __slots__ = ("anchor", "key", "merged", "nodes_before", "value")

    def __init__(self, value: Any, anchor: str | None, nodes_before: int) -> None:
        self.value = value
        self.key: Any = _NO_KEY
        self.merged: list[Any] | None = None
        self.anchor = anchor
        self.nodes_before = nodes_before


class Builder:
    """Makes one document of its events.

    `value` is the document, `line` where it begins (from 1), and `item_lines` where each entry of a
    top-level `items` does. A million events a second: what most of them need comes first in each method.
    """

    def __init__(self) -> None:
        self.value: Any = None
        self.line = 1
        self.item_lines: list[int] = []
        self._open: list[_Frame] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._nodes = 0
        self._takers = {
            ScalarEvent: self._scalar,
            MappingStartEvent: self._mapping,
            SequenceStartEvent: self._sequence,
            MappingEndEvent: self._end,
            SequenceEndEvent: self._end,
            AliasEvent: self._alias,
        }

    def take(self, event: Any) -> None:
        """Take one event in; others than nodes and their ends mean nothing."""
        taker = self._takers.get(event.__class__)
        if taker is not None:
            taker(event)

    def _scalar(self, event: Any) -> None:
        self._nodes += 1
        value = event.value
        frame = self._open[-1] if self._open else None
        if frame is not None and frame.key is _NO_KEY and frame.value.__class__ is dict:
            self._key(frame, value, event)
            return
        tag = event.tag
        if (tag is None and event.implicit[0]) or tag in _RESOLVED_TAGS:
            value = plain(value)
        elif tag is not None and tag not in (_TEXT_TAG, "!"):
            _fail(f"the tag {tag} means nothing to Kubernetes", event.start_mark)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, 1)
        if len(self._open) <= 2:
            self._note_line(event)
        self._add(value, event)

    def _key(self, frame: _Frame, key: str, event: Any) -> None:
        if key == _MERGE and event.implicit[0]:
            frame.merged = frame.merged or []
        elif key in frame.value:
            _fail(f"the key {key} stands here twice", event.start_mark)
        if event.anchor is not None:
            self._anchors[event.anchor] = (key, 1)
        frame.key = key

    def _mapping(self, event: Any) -> None:
        self._begin({}, event)

    def _sequence(self, event: Any) -> None:
        self._begin([], event)

    def _begin(self, value: Any, event: Any) -> None:
        if event.tag is not None and event.tag not in _COLLECTION_TAGS:
            _fail(f"the tag {event.tag} means nothing to Kubernetes", event.start_mark)
        depth = len(self._open)
        if depth <= 2:
            self._note_line(event)
        elif depth >= DEEPEST:
            _fail(f"is nested deeper than {DEEPEST} levels", event.start_mark)
        self._open.append(_Frame(value, event.anchor, self._nodes))
        self._nodes += 1

    def _end(self, event: Any) -> None:
        frame = self._open.pop()
        if frame.merged:
            _merge(frame.value, frame.merged, event.start_mark)
        if frame.anchor is not None:
            self._anchors[frame.anchor] = (frame.value, self._nodes - frame.nodes_before)
        self._add(frame.value, event)

    def _alias(self, event: Any) -> None:
        found = self._anchors.get(event.anchor)
        if found is None:
            _fail(f"the alias *{event.anchor} has no complete anchor before it", event.start_mark)
        self._note_line(event)
        self._nodes += found[1]
        # Every alias is small, but what walks the value meets each of them anew ("billion laughs").
        if self._nodes > _MOST_NODES_BY_ALIAS and found[1] > 1:
            _fail("aliases make this document too large", event.start_mark)
        self._add(found[0], event)

    def _note_line(self, event: Any) -> None:
        if not self._open:
            self.line = event.start_mark.line + 1
        elif len(self._open) == 2 and self._open[0].key == "items":
            self.item_lines.append(event.start_mark.line + 1)

    def _add(self, value: Any, event: Any) -> None:
        """Put a finished value into what is open around it."""
        if not self._open:
            self.value = value
            return
        frame = self._open[-1]
        key = frame.key
        if frame.value.__class__ is list:
            frame.value.append(value)
        elif key is _NO_KEY:
            # A mapping, a sequence or an alias where a key stands.
            if not isinstance(value, str):
                _fail("a key must be a text", event.start_mark)
            frame.key = value
        elif frame.merged is not None and key == _MERGE:
            frame.merged.append(value)
            frame.key = _NO_KEY
        else:
            frame.value[key] = value
            frame.key = _NO_KEY


def _merge(into: dict[str, Any], merged: list[Any], mark: Any) -> None:
    """YAML's merge key: what the mapping says itself wins, then the earlier of the merged ones."""
    for value in merged:
        for one in value if isinstance(value, list) else [value]:
            if not isinstance(one, dict):
                _fail("the merge key << takes a mapping or a list of mappings", mark)
            for key, inherited in one.items():
                into.setdefault(key, inherited)


def _fail(problem: str, mark: Any) -> NoReturn:
    raise MarkedYAMLError(problem=problem, problem_mark=mark)
