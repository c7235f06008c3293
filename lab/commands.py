"""What the lab's command lines have in common. The commands are in `cli.py` and `containers/cli.py`."""

from typing import Any

import click

from lab.errors import LabError


class Commands(click.Group):
    """Turns what may go wrong in the lab into one message and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Raises ClickException for what was a LabError."""
        try:
            return super().invoke(ctx)
        except LabError as exc:
            raise click.ClickException(str(exc)) from exc
