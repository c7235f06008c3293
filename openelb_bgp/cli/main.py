"""`openelb-bgp`: answers `--help` itself, and imports what carries out commands only for a command.

click alone would take half of the time that an answer may take; commands and their options are in the other
modules of this room.
"""

import sys

COMMANDS = {
    "run": "Controller and speaker of one machine, over a folder of manifests.",
    "controller": "Give addresses to Services and keep every status true.",
    "speaker": "Announce this node's addresses.",
    "sidecar": "Run gobgpd beside a speaker, and restart it when it ends.",
    "get": "Show objects with their status, as kubectl get would.",
    "plan": "Show what a node would announce, and why not the rest.",
    "validate": "Check manifests as admission would.",
}

_HELP = """\
Usage: openelb-bgp [OPTIONS] COMMAND [ARGS]...

  LoadBalancer Services for clusters without a cloud, announced by BGP.

Options:
  --version   Show the version and exit.
  -h, --help  Show this message and exit.

Commands:
"""


def help_text() -> str:
    """What `--help` prints."""
    width = max(map(len, COMMANDS))
    return _HELP + "".join(f"  {name:<{width}}  {text}\n" for name, text in COMMANDS.items())


def main() -> None:
    """The entry point. A bad flag costs one line on standard error and exit code 2."""
    if sys.argv[1:] in (["-h"], ["--help"]):
        sys.stdout.write(help_text())
        return
    from openelb_bgp.cli.group import run

    run()


if __name__ == "__main__":
    main()
