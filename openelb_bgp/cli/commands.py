"""The names of the commands, and what `--help` says of them. Imports nothing, so that it says it at once."""

COMMANDS = {
    "run": "Controller and speaker of one machine, over a folder of manifests.",
    "controller": "Give addresses to Services and keep every status true.",
    "speaker": "Announce this node's addresses.",
    "sidecar": "Run gobgpd or keepalived beside a speaker, and restart it.",
    "get": "Show objects with their status, as kubectl get would.",
    "plan": "Show what a node would announce, and why not the rest.",
    "layer2": "Show who answers for each address, and who comes next.",
    "vip": "Show who is VRRP master of each address, and who comes next.",
    "validate": "Check manifests as admission would.",
    "completion": "Print what a shell needs to complete commands and options.",
    "health": "Say whether a daemon works, by exit code 0 or 1.",
}

_HELP = """\
Usage: openelb-bgp [OPTIONS] COMMAND [ARGS]...

  LoadBalancer Services for clusters without a cloud: by BGP, ARP or VRRP.

Options:
  --version   Show the version and exit.
  -h, --help  Show this message and exit.

Commands:
"""


def help_text() -> str:
    """What `--help` prints."""
    width = max(map(len, COMMANDS))
    return _HELP + "".join(f"  {name:<{width}}  {text}\n" for name, text in COMMANDS.items())
