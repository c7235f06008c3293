"""The manual page says what the command line says."""

import click

from hack.write_man import PAGE, page
from openelb_bgp.cli.commands import COMMANDS
from openelb_bgp.cli.group import cli


def test_the_page_is_what_the_command_line_gives() -> None:
    assert PAGE.read_text() == page(), "run `make man`"


def test_every_command_and_every_option_that_is_shown_is_in_it() -> None:
    said = page().replace(r"\-", "-")
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        assert f".SS {name}" in said
        shown = (one for one in command.params if isinstance(one, click.Option) and not one.hidden)
        assert not [flag for option in shown for flag in option.opts if flag not in said], name


def test_no_line_is_taken_for_a_request_of_roff() -> None:
    requests = {"TH", "SH", "SS", "PP", "TP", "B", "nf", "fi", "br", '\\"'}
    begun = {line[1:].split(" ")[0] for line in page().splitlines() if line.startswith((".", "'"))}
    assert begun <= requests
