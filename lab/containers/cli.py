"""The command line inside a container: `python -m lab.containers ROLE NODE`.

The roles are those of a topology's groups. With `--wire` the network is made the node's first, as docker
compose needs it; containerlab does that itself.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path

import click

from lab import backend as pod
from lab.commands import Commands
from lab.containers.client import Client
from lab.containers.wiring import wire
from lab.desk import FolderDesk
from lab.errors import LabError
from lab.follow import follow
from lab.lab import TOPOLOGIES
from lab.namespaces import Here
from lab.show import Screen, terminal
from lab.topology import Node, Topology, load
from lab.tour import take

_MANIFESTS = Path("/etc/openelb-bgp")
_STATE = Path("/var/lib/openelb-bgp")
_FRR = Path("/usr/lib/frr")
_WIRED = Path("/run/wired")
"""There once the network is the node's; for health checks."""


@click.group(cls=Commands)
def main() -> None:
    """One node of a lab, in a container."""
    # Nothing here has anything to bring to an end, and PID 1 is only ended by signals that it asks for.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


def _role(command: Callable[[Node, Topology], None]) -> click.Command:
    """A command that takes the name of its node, and the lab whose topology has it."""

    @main.command(command.__name__)
    @click.argument("name", metavar="NODE")
    @click.option("--lab", default="ecmp", show_default=True, help="The topology that has it.")
    @click.option("--wire", "is_to_wire", is_flag=True, help="Give it the topology's interfaces first.")
    @wraps(command)
    def run(name: str, lab: str, is_to_wire: bool) -> None:
        topology = load(TOPOLOGIES / f"{lab}.clab.yml")
        node = _node(topology, name)
        if is_to_wire:
            _WIRED.unlink(missing_ok=True)
            wire(node, Here())
            _WIRED.touch()
        command(node, topology)

    return run


def _node(topology: Topology, name: str) -> Node:
    for node in topology.nodes:
        if node.name == name:
            return node
    raise LabError(f"topology {topology.name} has no node {name}")


@main.command()
def idle() -> None:
    """Be there: a switch, or a host to look around from."""
    signal.pause()


@_role
def host(node: Node, topology: Topology) -> None:
    """A host to look around from, in its place in the network."""
    signal.pause()


@_role
def wired(node: Node, topology: Topology) -> None:
    """Nothing more: for `docker compose exec`, after a link was down."""


@_role
def proxy(node: Node, topology: Topology) -> None:
    """What kube-proxy does in a node."""
    asyncio.run(follow(FolderDesk(_MANIFESTS, _STATE), {node.name: Here()}))


@_role
def backend(node: Node, topology: Topology) -> None:
    """A pod behind a Service."""
    asyncio.run(pod.serve(node.name, int(node.env["WHOAMI_PORT_NUMBER"])))


@_role
def router(node: Node, topology: Topology) -> None:
    """FRR, with the configuration in /etc/frr, watched as in its own images."""
    folder = "install -d -o frr -g frr /run/frr"
    # watchfrr itself cuts a start short that takes 20 seconds, before the configuration is read.
    start = f"{_FRR}/watchfrr.sh start all"
    script = f"{folder}; {start}; . {_FRR}/frrcommon.sh; exec {_FRR}/watchfrr $(daemon_list)"
    os.execv("/bin/bash", ["bash", "-c", script])


@_role
def client(node: Node, topology: Topology) -> None:
    """Send requests once the lab answers, and show where they came in and who answered them."""
    asking = Client(topology, FolderDesk(_MANIFESTS, _STATE), Here())
    if not take(Screen(terminal()), asking.steps()):
        sys.exit(1)
