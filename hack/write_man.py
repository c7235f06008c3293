"""Writes the manual page, docs/openelb-bgp.1, from what the command line says of itself; `make man` calls it.

The wheel brings it to share/man. It stands in version control, so that nothing of ours runs at build time.
"""

from collections.abc import Iterator
from pathlib import Path

import click

from openelb_bgp.cli.commands import COMMANDS
from openelb_bgp.cli.group import cli

PAGE = Path(__file__).resolve().parent.parent / "docs" / "openelb-bgp.1"


def page() -> str:
    """The page in roff, as man(7) describes it."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield r".\" Made by `make man` from openelb_bgp/cli: edit that."
    yield '.TH OPENELB-BGP 1 "" "openelb-bgp" "User Commands"'
    yield from (".SH NAME", rf"openelb-bgp \- {_text(cli.help or '')}")
    yield from (".SH SYNOPSIS", r".B openelb-bgp", r"[\-h] [\-\-version] \fICOMMAND\fR [\fIARGS\fR ...]")
    yield ".SH COMMANDS"
    context = click.Context(cli, info_name="openelb-bgp")
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        yield from _command(command, click.Context(command, info_name=name, parent=context))
    yield from _files()


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f".SS {_text(' '.join([context.info_name or '', *command.collect_usage_pieces(context)]))}"
    yield from _paragraphs(command.help or COMMANDS[context.info_name or ""])
    for parameter in command.get_params(context):
        # None of hidden ones, and of arguments.
        if record := parameter.get_help_record(context):
            flags, says = record
            yield from (".TP", rf"\fB{_text(flags.strip())}\fR", _text(says) or ".br")
    if command.epilog:
        yield from (".PP", _text(command.epilog))


def _paragraphs(text: str) -> Iterator[str]:
    """Those of a help text; one that begins with \\b is laid out already."""
    for block in text.strip().split("\n\n"):
        if block.startswith("\b"):
            yield from (".nf", *map(_text, block.removeprefix("\b\n").splitlines()), ".fi")
        else:
            yield from (".PP", _text(" ".join(block.split())))


def _files() -> Iterator[str]:
    yield ".SH ENVIRONMENT"
    for name, says in (
        ("OPENELB_NAMESPACE", "Our namespace; openelb-system where it is not set."),
        ("NODE_NAME", "The node that a speaker speaks for, where --node-name is not given."),
        ("KUBECONFIG", "The cluster to work for, where --kubeconfig is not given."),
    ):
        yield from (".TP", rf"\fB{name}\fR", _text(says))


def _text(text: str) -> str:
    """Text with what roff would take for its own escaped; a line does not begin with a dot or a quote."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped


def main() -> None:
    """Write the page."""
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
