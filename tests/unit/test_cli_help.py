"""What `openelb-bgp --help` says, and what it must not cost."""

import subprocess
import sys
from collections.abc import Sequence

import click
import pytest

from openelb_bgp.cli.commands import COMMANDS, help_text
from openelb_bgp.cli.group import cli


def _said(*arguments: str) -> tuple[int, str]:
    argv = [sys.executable, "-m", "openelb_bgp.cli.main", *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["-h", "--help"]])
def test_help_reads_the_same_however_it_is_asked_for(arguments: Sequence[str]) -> None:
    assert _said(*arguments) == (0, help_text())


def test_help_fits_a_terminal_of_80_columns() -> None:
    assert max(map(len, help_text().splitlines())) <= 80


def test_help_says_of_each_command_what_the_command_says_itself() -> None:
    context = click.Context(cli)
    commands = {name: cli.get_command(context, name) for name in cli.list_commands(context)}
    assert {name: one.get_short_help_str(limit=80) for name, one in commands.items() if one} == COMMANDS


def test_help_imports_nothing_but_the_standard_library() -> None:
    code = "from openelb_bgp.cli.main import main, sys; sys.argv = ['', '-h']; main(); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    modules = {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert not modules & {"click", "msgspec", "structlog", "grpc", "aiohttp", "yaml", "rich", "asyncio"}
