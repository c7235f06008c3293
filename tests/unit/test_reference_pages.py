"""The pages of the reference: those that are made are current, those that are written name everything."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from openelb_bgp.cli.commands import COMMANDS
from openelb_bgp.cli.group import cli
from openelb_bgp.layer2 import told
from openelb_bgp.model import keys
from openelb_bgp.model.reasons import Reason
from openelb_bgp.report import events
from openelb_bgp.vip import masters
from pages.reference import FOLDER, pages

TOP = Path(__file__).parents[2]
REFERENCE = TOP / FOLDER

# What Kubernetes and the system put there, for every program.
OTHERS = {"KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "XDG_CACHE_HOME", "HOME"}


def _rows(page: str) -> list[list[str]]:
    """The cells of each row of its tables, without their heads."""
    lines = [line for line in (REFERENCE / page).read_text().splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


@pytest.mark.parametrize(("name", "text"), pages().items(), ids=lambda one: one if len(one) < 20 else "")
def test_a_page_that_is_made_from_the_code_is_current(name: str, text: str) -> None:
    assert (REFERENCE / name).read_text() == text, "run `make reference`"


def test_every_reason_has_a_meaning_and_a_remedy_in_the_order_of_the_enum() -> None:
    rows = _rows("reasons.md")
    assert [row[0] for row in rows] == [f"`{reason}`" for reason in Reason]
    assert [row[0] for row in rows if len(row) != 3 or not all(row)] == []


def test_every_key_of_ours_is_told() -> None:
    said = (REFERENCE / "keys.md").read_text()
    ends = ("_ANNOTATION", "_LABEL", "_CONDITION", "_CLASS", "_PREFIX")
    ours = [value for name, value in vars(keys).items() if name.endswith(ends)]
    ours = [one for one in ours if one != keys.SERVICE_NAME_LABEL] + sorted(keys.FINALIZERS_OF_OPENELB)
    assert [one for one in ours if one not in said] == []


def test_every_event_that_is_no_reason_is_told() -> None:
    made = {value for value in vars(events).values() if isinstance(value, str) and value.isalpha()}
    made |= {told.ASSIGNED, told.MOVED, masters.MASTER_CHANGED, "AssignIP"}
    told_of = {row[0].strip("`") for row in _rows("events.md")}
    assert {one for one in made - {"Ready", "Valid"} if one[0].isupper()} <= told_of


def test_every_variable_that_is_read_is_told() -> None:
    source = "\n".join(file.read_text() for file in (TOP / "openelb_bgp").rglob("*.py"))
    read = set(re.findall(r"""environ(?:ment)?(?:\.get\(|\[)['"]([A-Z_]+)""", source)) - OTHERS
    said = " ".join(row[0] for row in _rows("keys.md"))
    assert {one for one in read if one != "TMPDIR" and f"`{one}`" not in said} == set()


def _flags(command: click.Command) -> Iterator[str]:
    for one in command.params:
        if isinstance(one, click.Option) and not one.hidden:
            yield from (*one.opts, *one.secondary_opts)


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "sidecar"])
def test_every_flag_is_told_with_what_it_does(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    section = pages()["commands.md"].split(f"\n## {name}\n")[1].split("\n## ")[0]
    rows = [line.split(" | ") for line in section.splitlines() if line.startswith("| `")]
    assert [flag for flag in _flags(command) if not any(f"`{flag}`" in row[0] for row in rows)] == []
    assert [row for row in rows if len(row[2].strip(" |")) < 5] == []
