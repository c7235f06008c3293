"""What pages name is there: commands, their flags, targets of make, files and links, in either language.

Blocks of commands are run by other tests; here it is the prose, the tables, and what no lab can run.
"""

import argparse
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest

from lab.cli import main as lab_main
from lab.containers.cli import main as containers_main
from lab.lab import FILES, KUBERNETES
from lab.tours import TOURS
from openelb_bgp.cli.commands import COMMANDS
from openelb_bgp.cli.group import cli
from openelb_bgp.sidecar.command import parser
from pages.sessions import blocks

TOP = Path(__file__).parents[2]
PAGES = sorted([*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md")])
FOREIGN: Mapping[str, str] = {
    "--advertise-loadbalancer-ip": "kube-router",
    "--cascade": "kubectl",
    "--disable": "K3s",
    "--kube-version": "helm",
    "--nodes": "bench.heartbeats",
    "--run-router": "kube-router",
    "--take-ownership": "helm",
    "--v6-rr-semantics": "FRR",
    "--values": "helm",
}
"""Flags that pages name by themselves, and whose they are."""
ALWAYS = {"--help", "-h", "--version"}

_FENCES = re.compile(r"^ *(```|~~~).*?^ *\1\s*?$", re.MULTILINE | re.DOTALL)
_FLAG = re.compile(r"(?<!\S)(--[a-z][a-z0-9-]*|-[a-zA-Z])(?![\w-])")
_LINK = re.compile(r"(?<!!)\[[^\]\[]*\]\(([^()\s#]+)(?:#[^()\s]*)?\)")
_TARGET = re.compile(r"^([a-z][a-z-]*):.*?## ", re.MULTILINE)
_ROOMS = ("bench", "docs", "hack", "lab", "manifests", "openelb_bgp", "pages", "protos", "tests")
_PATH = re.compile(rf"(?<!\w)(?:{'|'.join(_ROOMS)})/[\w./*-]*")


class Named(NamedTuple):
    """Code in a page, from its text or a line of a block; `where` tells of it."""

    page: Path
    code: str
    in_text: bool

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(TOP)}: {self.code}"


def _prose(page: Path) -> str:
    return _FENCES.sub("", page.read_text())


@cache
def _named() -> tuple[Named, ...]:
    return tuple(_found())


def _found() -> Iterator[Named]:
    for page in PAGES:
        for code in re.findall(r"`([^`\n]+)`", _prose(page)):
            yield Named(page, code, in_text=True)
        for block in blocks(page.read_text()):
            for line in block.text.replace("\\\n", " ").splitlines():
                yield Named(page, line, in_text=False)


def _calls(program: str) -> Iterator[tuple[str, list[str]]]:
    """Each call of a program that a page names: where, and its words up to the end of the command."""
    call = re.compile(rf"(?:^|[\s/(])({program})((?: +[^\s|;&)#]+)*)")
    for named in _named():
        for found in call.finditer(named.code):
            yield named.where, found[2].split()


def _flags_of(command: click.Command) -> set[str]:
    options = (one for one in command.params if isinstance(one, click.Option))
    return {flag for option in options for flag in (*option.opts, *option.secondary_opts)} | ALWAYS


def _parsers(top: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield top
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.values()


@cache
def _commands() -> Mapping[str, set[str]]:
    """The flags of every command of `openelb-bgp`."""
    context = click.Context(cli)
    found = {name: cli.get_command(context, name) for name in COMMANDS}
    flags = {name: _flags_of(command) for name, command in found.items() if command}
    return flags | {"sidecar": {flag for one in _parsers(parser()) for flag in one._option_string_actions}}


def _flags(words: list[str]) -> set[str]:
    return {found[1] for word in words if (found := _FLAG.match(word))}


def _unknown_flags(words: list[str]) -> set[str]:
    name = next((word for word in words if word[0] != "-"), "")
    return _flags(words) - _commands().get(name, ALWAYS)


def test_every_command_that_a_page_calls_is_there() -> None:
    called = {where: words[0] for where, words in _calls("openelb-bgp") if words and words[0].isalnum()}
    assert len(set(called.values())) >= 10
    assert {where: name for where, name in called.items() if name not in COMMANDS and name != "COMMAND"} == {}


def test_every_flag_that_a_page_gives_a_command_is_one_of_that_command() -> None:
    unknown = {where: flags for where, words in _calls("openelb-bgp") if (flags := _unknown_flags(words))}
    assert unknown == {}


def test_every_flag_that_a_page_names_by_itself_is_ours_or_told_to_be_anothers() -> None:
    ours = {flag for flags in _commands().values() for flag in flags}
    named = [(one.where, _FLAG.match(one.code)) for one in _named() if one.in_text]
    flags = {where: found[1] for where, found in named if found}
    assert {where: flag for where, flag in flags.items() if flag not in ours | set(FOREIGN)} == {}
    assert set(FOREIGN) - set(flags.values()) == set()


def test_every_target_that_a_page_makes_is_in_the_makefile() -> None:
    makefile = (TOP / "Makefile").read_text()
    targets, made = set(_TARGET.findall(makefile)), list(_calls("make"))
    variables: Mapping[str, Callable[[str], bool]] = {
        "LAB": lambda value: set(value.split("|")) <= set(TOURS),
        "MODE": lambda value: set(value.split("|")) <= {FILES, KUBERNETES},
        "AT": str.isalnum,
    }
    wrong = []
    for where, words in made:
        given = dict(word.split("=", 1) for word in words if "=" in word)
        named = {word for word in words if "=" not in word}
        bad = [key for key, value in given.items() if key not in variables or not variables[key](value)]
        if bad or not named <= targets:
            wrong.append(where)
    assert len(made) > 40
    assert wrong == []


@pytest.mark.parametrize(
    ("program", "group"), [(r"-m lab", lab_main), (r"-m lab\.containers", containers_main)]
)
def test_every_command_of_the_lab_that_a_page_names_is_there(program: str, group: click.Group) -> None:
    called = {where: words for where, words in _calls(program) if words}
    assert {where: words for where, words in called.items() if words[0] not in group.commands} == {}


def test_every_file_that_a_page_names_is_there() -> None:
    made_later = {"bench/results/latest.json"}
    named = [(one.where, path) for one in _named() if one.in_text for path in _PATH.findall(one.code)]
    missing = {where: path for where, path in named if not list(TOP.glob(path)) and path not in made_later}
    assert len(named) > 50
    assert missing == {}


def _values(schema: Mapping[str, Any], node: Mapping[str, Any], prefix: str) -> Iterator[str]:
    """The paths of all values that a node of the chart's schema has."""
    if reference := node.get("$ref"):
        yield from _values(schema, schema["definitions"][reference.removeprefix("#/definitions/")], prefix)
    for name, inner in node.get("properties", {}).items():
        yield f"{prefix}{name}"
        yield from _values(schema, inner, f"{prefix}{name}.")


def test_every_value_of_the_chart_that_its_page_names_is_in_the_schema() -> None:
    schema = json.loads((TOP / "manifests" / "chart" / "values.schema.json").read_text())
    known = set(_values(schema, schema, ""))
    value = re.compile(rf"(?:{'|'.join(schema['properties'])})(?:\.\w+)*")
    named = {one.code for one in _named() if one.page.name == "helm.md" and value.fullmatch(one.code)}
    assert len(named) > 15
    assert named - known == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    links = [link for link in _LINK.findall(_prose(page)) if not re.match(r"[a-z]+:", link)]
    assert [link for link in links if not (page.parent / link).exists()] == []
