"""`openelb-bgp`: finds the command and imports only that one, so that `--help` answers at once."""

import sys
from importlib import import_module

import click

from openelb_bgp import __version__

_COMMANDS = {
    "run": "Controller and speaker for one machine, over a folder of manifests.",
    "controller": "Give addresses to Services and keep every status true.",
    "speaker": "Announce this node's addresses.",
    "sidecar": "Run gobgpd beside a speaker, and restart it when it ends.",
    "get": "Show objects with their status, as kubectl get would.",
    "plan": "Show what a node would announce, and why not the rest.",
    "validate": "Check manifests as admission would.",
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = import_module(f"openelb_bgp.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="openelb-bgp")
def cli() -> None:
    """LoadBalancer Services for clusters without a cloud, announced by BGP."""


def main() -> None:
    """The entry point. A bad flag costs one line on standard error and exit code 2."""
    try:
        sys.exit(cli.main(prog_name="openelb-bgp", standalone_mode=False))
    except click.ClickException as error:
        sys.stderr.write(f"openelb-bgp: {error.format_message()}\n")
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)


if __name__ == "__main__":
    main()
