"""The page about the commands: what each is for, its arguments and its flags, from click and argparse."""

import argparse
from collections.abc import Iterable, Iterator
from importlib import import_module

import click

from openelb_bgp import settings
from openelb_bgp.cli.commands import COMMANDS
from openelb_bgp.sidecar.command import parser as sidecar_parser

from .tables import table

_HEAD = """\
# Commands and flags

`openelb-bgp COMMAND --help` says the same in the shell, `openelb-bgp --version` which one it is. Flags are
written as Go's programs take them, too: `--enable-layer2=false`, `-v 4`.
"""
_FLAG = ("flag", "where absent", "what it does")


def page() -> str:
    """The whole page."""
    return "\n".join(_page()).rstrip("\n") + "\n"


def _page() -> Iterator[str]:
    yield _HEAD
    for name, text in COMMANDS.items():
        yield f"## {name}"
        yield ""
        yield text
        yield ""
        yield from _sidecar() if name == "sidecar" else _command(name)
    yield from _exit_codes()
    yield from _accepted()


def _command(name: str) -> Iterator[str]:
    command = import_module(f"openelb_bgp.cli.{name}").command
    assert isinstance(command, click.Command)
    said = [line for line in (command.help or "").split("\n\n")[1:] if line]
    for paragraph in said:
        yield " ".join(paragraph.split())
        yield ""
    yield "```sh"
    yield " ".join(["openelb-bgp", name, "[OPTIONS]", *_arguments(command)])
    yield "```"
    yield ""
    if options := [_option(one) for one in _options(command)]:
        yield from table(_FLAG, options)


def _arguments(command: click.Command) -> Iterator[str]:
    for one in command.params:
        if isinstance(one, click.Argument):
            name = one.metavar or (one.name or "").upper()
            yield name if one.required or name.startswith("[") else f"[{name}]"


def _options(command: click.Command) -> Iterator[click.Option]:
    yield from (one for one in command.params if isinstance(one, click.Option) and not one.hidden)


def _option(one: click.Option) -> tuple[str, str, str]:
    names = ", ".join(f"`{name}`" for name in (*one.opts, *one.secondary_opts))
    choices = (
        f" One of {', '.join(map(str, one.type.choices))}." if isinstance(one.type, click.Choice) else ""
    )
    return names, _default(one), (one.help or "") + choices


def _default(one: click.Option) -> str:
    if isinstance(one.default, bool):
        return str(one.default).lower()
    # click marks "no default" by an object of its own.
    return f"`{one.default}`" if isinstance(one.default, str | int | float) or _is_path(one) else ""


def _is_path(one: click.Option) -> bool:
    return one.default in (settings.DEFAULT_STATE, settings.DEFAULT_RUNTIME)


def _sidecar() -> Iterator[str]:
    for name, parser in _daemons(sidecar_parser()):
        yield f"### sidecar {name}"
        yield ""
        yield from table(_FLAG, (_action(one) for one in parser._actions if one.dest != "help"))
        yield " ".join((parser.epilog or "").split())
        yield ""


def _daemons(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def _action(one: argparse.Action) -> tuple[str, str, str]:
    default = "" if one.default in (None, False, []) or one.required else f"`{one.default}`"
    names = ", ".join(f"`{name}`" for name in one.option_strings) or f"`{one.dest}`"
    return names, "required" if one.required else default, (one.help or "").replace("%(default)s", default)


def _exit_codes() -> Iterator[str]:
    yield "## Exit codes"
    yield ""
    yield from table(("code", "meaning"), ((f"{code:d}", text) for code, text in settings.EXIT_CODES.items()))


def _accepted() -> Iterator[str]:
    yield "## Accepted for OpenELB's sake"
    yield ""
    yield "Arguments of OpenELB go on working. What has no effect here is said once in the log."
    yield ""
    yield from table(("flag or variable", "what is said"), _remarks(settings.ABOUT_FLAGS.items()))
    yield "With `--files` besides:"
    yield ""
    yield from table(("flag", "what is said"), _remarks(settings.ABOUT_FLAGS_WITH_FILES.items()))


def _remarks(said: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    yield from ((f"`{name}`", text) for name, text in said)
