"""Objects as text: kubectl's tables, YAML, JSON or names, once or as a stream of what changes."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import yaml

from openelb_bgp.report.columns import table

from .kinds import Object, ShownKind, fit_to_show
from .table import aligned, widths_of

Found = Sequence[tuple[ShownKind, Sequence[Object]]]


def printed(found: Found, *, output: str, now: float, namespaces: bool, one: bool) -> str:
    """What `get` prints, without the last line break; empty when there is nothing.

    `output` is empty, wide, yaml, json or name; `one` says that a single object was asked for by name.
    """
    objects = [fit_to_show(each) for _, some in found for each in some]
    if output in ("yaml", "json"):
        return _dumped(objects[0] if one and len(objects) == 1 else _listed(objects), output)
    if output == "name":
        return "\n".join(kind.name_of(each) for kind, some in found for each in some)
    tables = [
        "\n".join(
            _lines(kind, some, wide=output == "wide", now=now, namespaces=namespaces, full=len(found) > 1)
        )
        for kind, some in found
        if some
    ]
    return "\n\n".join(tables)


class Follower:
    """Turns successive versions of a list into the lines that are new."""

    def __init__(self, kind: ShownKind, *, output: str, namespaces: bool) -> None:
        self._kind = kind
        self._output = output
        self._namespaces = namespaces and kind.namespaced
        self._before: dict[tuple[str, str], Object] | None = None
        self._widths: list[int] = []

    def lines(self, objects: Iterable[Object], *, now: float) -> Iterator[str]:
        """What to print for a version: everything at first, then objects that changed or went."""
        current = {_identity(one): one for one in objects}
        before = self._before
        self._before = current
        changed = [one for key, one in current.items() if before is None or before.get(key) != one]
        gone = [one for key, one in (before or {}).items() if key not in current]
        if self._output in ("yaml", "json"):
            for one in changed:
                mark = "---\n" if self._output == "yaml" else ""
                yield mark + _dumped(fit_to_show(one), self._output)
        elif self._output == "name":
            yield from map(self._kind.name_of, [*changed, *gone])
        elif changed or gone:
            yield from self._rows([*changed, *gone], now)

    def _rows(self, objects: Sequence[Object], now: float) -> Iterator[str]:
        made = table(
            self._kind.kind,
            objects,
            now=now,
            wide=self._output == "wide",
            namespaces=self._namespaces,
        )
        rows = made.rows if self._widths else (made.titles, *made.rows)
        self._widths = widths_of(rows, self._widths)
        yield from aligned(rows, self._widths)


def _lines(
    kind: ShownKind, objects: Sequence[Object], *, wide: bool, now: float, namespaces: bool, full: bool
) -> list[str]:
    """A table; `full` names tell the kind too, as kubectl does for several kinds at once."""
    made = table(kind.kind, objects, now=now, wide=wide, namespaces=namespaces and kind.namespaced)
    rows = made.rows
    if full and "NAME" in made.titles:
        column = made.titles.index("NAME")
        rows = tuple(
            (*row[:column], kind.name_of(one), *row[column + 1 :])
            for row, one in zip(rows, objects, strict=True)
        )
    return aligned([made.titles, *rows])


def _identity(one: Object) -> tuple[str, str]:
    metadata = one["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def _listed(objects: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"apiVersion": "v1", "items": list(objects), "kind": "List", "metadata": {"resourceVersion": ""}}


def _dumped(value: Mapping[str, Any], output: str) -> str:
    if output == "json":
        return json.dumps(value, indent=4, ensure_ascii=False)
    text: str = yaml.safe_dump(dict(value), sort_keys=False, allow_unicode=True)
    return text.rstrip("\n")
