"""Text of a manifest → its documents, each with the line it begins in, or where and why it does not parse.

Values are what a JSON parser would make: dict, list, str, int, float, bool, None. What the documents mean is
`decode`'s matter. Built on libyaml's events: 60 % of the time of PyYAML's own construction, lines for free,
and no recursion (200,000 brackets overflow the stack of PyYAML's composer, and the process is gone).
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from yaml import CSafeLoader
from yaml.error import MarkedYAMLError, YAMLError
from yaml.events import DocumentEndEvent, StreamEndEvent
from yaml.reader import ReaderError

from .builder import DEEPEST, Builder


class Document(msgspec.Struct, frozen=True):
    """One object as it was written; `line` counts from 1."""

    value: dict[str, Any]
    line: int


class Flaw(msgspec.Struct, frozen=True):
    """Something that is no document. `line` and `column` count from 1, 0 where it is not known.

    `broken` says that the text does not parse there: what it held is unknown, whereas a flaw that is not
    concerns one document that says nothing.
    """

    line: int
    column: int
    problem: str
    broken: bool = True


def documents(data: bytes, *, is_json: bool) -> Iterator[Document | Flaw]:
    """Every object in the text, those of a `List` one by one, in their order.

    Behind a part that does not parse, reading goes on at the next `---`.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        yield Flaw(line, 0, f"byte {error.start} is not UTF-8")
        return
    if is_json and (listed := _json_list(text)) is not None:
        yield from _items(listed.kind, listed.api_version, map(_json_item, listed.items), [], 1)
        return
    for value, line, item_lines in _json(text) if is_json else _yaml(text):
        if isinstance(value, Flaw):
            yield value
        else:
            yield from _objects(value, line, item_lines)


_Raw = tuple[Any, int, list[int]]


def _objects(value: object, line: int, item_lines: list[int]) -> Iterator[Document | Flaw]:
    """A document, or the items of a list of them."""
    if value is None:
        return
    if not isinstance(value, dict):
        yield Flaw(line, 0, "is not a Kubernetes object, which is a mapping", broken=False)
        return
    kind = value.get("kind")
    items = value.get("items")
    if not (isinstance(kind, str) and kind.endswith("List") and isinstance(items, list)):
        yield Document(value, line)
        return
    yield from _items(kind, value.get("apiVersion"), items, item_lines, line)


def _items(
    kind: str, version: object, items: Iterable[object], item_lines: list[int], line: int
) -> Iterator[Document | Flaw]:
    # The API server leaves kind and version out of a ServiceList's items; `kubectl get` writes a plain List.
    implied = {"apiVersion": version, "kind": kind.removesuffix("List")} if kind != "List" else {}
    for index, item in enumerate(items):
        at = item_lines[index] if index < len(item_lines) else line
        if isinstance(item, dict):
            yield from _objects({**implied, **item}, at, [])
        else:
            yield Flaw(at, 0, f"items[{index}] is not a Kubernetes object, which is a mapping", broken=False)


class _JsonList(msgspec.Struct):
    """A List whose items are not read yet: one by one, thirty thousand of them need little memory."""

    kind: str
    items: list[msgspec.Raw]
    api_version: Any = msgspec.field(default=None, name="apiVersion")


def _json_list(text: str) -> _JsonList | None:
    """The text as a List; None where it is none, or does not parse."""
    try:
        found = msgspec.json.decode(text, type=_JsonList)
    except (msgspec.MsgspecError, RecursionError):
        return None
    return found if found.kind.endswith("List") else None


def _json_item(raw: msgspec.Raw) -> object:
    try:
        return json.loads(bytes(raw))
    except RecursionError:
        return None


def _json(text: str) -> Iterator[_Raw]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        yield Flaw(error.lineno, error.colno, error.msg), error.lineno, []
    except RecursionError:
        yield Flaw(1, 0, f"is nested deeper than {DEEPEST} levels"), 1, []
    else:
        yield value, 1, []


def _yaml(text: str) -> Iterator[_Raw]:
    """The documents of a stream; after an error the rest is read as a stream of its own."""
    start, lines_before = 0, 0
    while True:
        try:
            for value, line, item_lines in _stream(text[start:] if start else text):
                yield value, line + lines_before, [one + lines_before for one in item_lines]
            return
        except YAMLError as error:
            flaw, offset = _flaw(error, text[start:])
        except RecursionError:
            flaw, offset = Flaw(1, 0, "is nested too deeply"), len(text)
        yield msgspec.structs.replace(flaw, line=flaw.line + lines_before), 0, []
        following = text.find("\n---", max(start + offset - 1, start))
        if following < 0:
            return
        lines_before += text.count("\n", start, following + 1)
        start = following + 1


def _flaw(error: YAMLError, text: str) -> tuple[Flaw, int]:
    """What an error says, and the offset in the text where it lies."""
    if isinstance(error, MarkedYAMLError) and (mark := error.problem_mark or error.context_mark) is not None:
        said = ", ".join(part for part in (error.problem, error.context) if part)
        return Flaw(mark.line + 1, mark.column + 1, said), mark.index
    if isinstance(error, ReaderError):
        at = int(error.position)
        return Flaw(text.count("\n", 0, at) + 1, 0, f"a character that YAML forbids: {error.reason}"), at
    return Flaw(1, 0, str(error)), len(text)


def _stream(text: str) -> Iterator[_Raw]:
    """Every document of a stream that parses to its end."""
    next_event = CSafeLoader(text).get_event
    builder = Builder()
    while (event := next_event()).__class__ is not StreamEndEvent:
        builder.take(event)
        if event.__class__ is DocumentEndEvent:
            yield builder.value, builder.line, builder.item_lines
            builder = Builder()
