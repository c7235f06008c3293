"""The commands as click knows them: finds the one that is asked for and imports only that one."""

import sys
from importlib import import_module

import click

from openelb_bgp import __version__
from openelb_bgp.cli.commands import COMMANDS, help_text


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"openelb_bgp.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def get_help(self, ctx: click.Context) -> str:
        return help_text().rstrip("\n")


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="openelb-bgp")
def cli() -> None:
    """LoadBalancer Services for clusters without a cloud: by BGP, ARP or VRRP."""


def run() -> None:
    """Carry out the command of this process, and end it with the command's exit code."""
    try:
        sys.exit(cli.main(prog_name="openelb-bgp", standalone_mode=False))
    except click.ClickException as error:
        sys.stderr.write(f"openelb-bgp: {error.format_message()}\n")
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
