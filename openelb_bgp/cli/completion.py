"""`openelb-bgp completion`: what a shell needs in order to complete our commands and options."""

import click
from click.shell_completion import get_completion_class

PROGRAM = "openelb-bgp"
VARIABLE = "_OPENELB_BGP_COMPLETE"
"""By which the script asks for the answers: click's own name for it."""

SHELLS = ("bash", "zsh", "fish")

_HOW = """\
Print the script that completes our commands and options in that shell.

\b
  bash:  echo 'eval "$(openelb-bgp completion bash)"' >> ~/.bashrc
  zsh:   echo 'eval "$(openelb-bgp completion zsh)"' >> ~/.zshrc
  fish:  openelb-bgp completion fish > ~/.config/fish/completions/openelb-bgp.fish
"""


@click.command(help=_HOW, short_help="Print what a shell needs to complete commands and options.")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> int:
    """Print the script of that shell."""
    from .group import cli

    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(cli, {}, PROGRAM, VARIABLE).source())
    return 0
