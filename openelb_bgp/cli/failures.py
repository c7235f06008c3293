"""How a command fails: one line on standard error, and the exit code that stands for the cause."""

import click

from openelb_bgp.settings import ExitCode


class BadUsage(click.ClickException):
    """A flag, a name or a folder that cannot be used."""

    exit_code = int(ExitCode.USAGE)


class Failed(click.ClickException):
    """What was asked for could not be done."""

    exit_code = int(ExitCode.FAILED)


class StateFailed(click.ClickException):
    """The state cannot be read."""

    exit_code = int(ExitCode.STATE)
