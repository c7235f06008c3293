"""The map of the code has every room that there is and no other, in the order of their imports."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
PACKAGE = TOP / "openelb_bgp"
PAGE = (TOP / "docs" / "architecture.md").read_text()
WORDS = {"get", "model"}
"""In the rows of rooms: a command, and another room."""


def _section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def _rows(title: str) -> Iterator[tuple[str, str]]:
    """The first cell of each row of a section's table, and the rest."""
    for line in _section(title).splitlines():
        if line.startswith("| `"):
            first, rest = line.strip("| ").split(" | ", 1)
            yield first, rest


def _named(text: str) -> list[str]:
    return re.findall(r"`([a-z0-9_/.]+)`", text)


def _modules(room: str) -> set[str]:
    """The modules of a room and its folders."""
    inside = PACKAGE / room
    return {file.stem for file in inside.glob("*.py")} | {
        f"{one.name}/" for one in inside.iterdir() if one.is_dir()
    }


def test_the_rooms_are_those_of_the_package() -> None:
    named = [room for first, _ in _rows("Rooms, bottom to top") for room in _named(first)]
    folders = {f"{one.parent.name}/" for one in PACKAGE.glob("*/__init__.py")}
    files = {one.name for one in PACKAGE.glob("*.py")} - {"__init__.py", "_version.py"}
    assert sorted(named) == sorted(folders | files)


@pytest.mark.parametrize(("room", "text"), [row for row in _rows("Rooms, bottom to top") if "/" in row[0]])
def test_the_modules_of_a_room_are_there(room: str, text: str) -> None:
    known = _modules(room.strip("`/")) | WORDS
    assert [word for word in _named(text) if word not in known and not (PACKAGE / word).exists()] == []


def test_the_modules_of_a_bgp_plan_are_there_and_each_stands_once() -> None:
    named = [word for first, _ in _rows("BGP: how a plan is made") for word in _named(first)]
    assert [word for word in named if word not in _modules("bgp")] == []
    assert len(set(named)) == len(named)


def test_the_order_of_the_rooms_that_contributors_read_is_that_of_the_linter() -> None:
    said = (TOP / "CONTRIBUTING.md").read_text().split("**Rooms import downwards only**: ")[1].split(".\n")[0]
    linter = tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in linter if one["type"] == "layers")
    order = [{room.strip() for room in layer.split("|")} for layer in layers if layer != "_version"]
    assert [set(_named(step)) for step in said.split("→")] == order
