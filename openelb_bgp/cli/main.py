"""`openelb-bgp`: answers `--help` and `--version` itself, and imports the rest only for a command.

click alone would take half of the time that an answer may take; commands and their options are in the other
modules of this room.
"""

import sys

from openelb_bgp import __version__
from openelb_bgp.cli.commands import help_text


def main() -> None:
    """The entry point. A bad flag costs one line on standard error and exit code 2."""
    if sys.argv[1:] in (["-h"], ["--help"]):
        sys.stdout.write(help_text())
        return
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"openelb-bgp, version {__version__}\n")
        return
    from openelb_bgp.cli.group import run

    run()


if __name__ == "__main__":
    main()
