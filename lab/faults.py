"""What breaks in a lab's LAN, each as a context that mends it again: a cable, a node that stands still, the
trunk between the switches.

What happens to processes alone is in `processes.py`; single switches of a kernel are in `kernel.py`.
"""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from lab import kernel
from lab.errors import LabError
from lab.lab import Lab
from lab.namespaces import Namespace
from lab.processes import Process, observed
from lab.topology import Endpoint

LAN = "eth1"
"""The interface of every host on the LAN."""


@contextmanager
def unplugged(lab: Lab, node: str, interface: str = LAN) -> Iterator[None]:
    """The cable of a node is pulled: its kernel sees the carrier go."""
    with _down(lab, far_end(lab, node, interface)):
        yield


@contextmanager
def partitioned(lab: Lab) -> Iterator[None]:
    """The switches' trunk is cut: no host loses its carrier, and half of the others has gone."""
    switches = {node.name for node in lab.topology.in_group("switch")}
    for link in lab.topology.links:
        if {link.a.node, link.b.node} <= switches:
            with _down(lab, link.a):
                yield
            return
    raise LabError(f"topology {lab.topology.name} has no link between two switches")


@contextmanager
def paused(lab: Lab, node: str, interface: str = LAN) -> Iterator[None]:
    """A node stands still as a suspended virtual machine: no process runs, no frame is answered or passed on.

    What arrives meanwhile still piles up in packet sockets, as it does in a virtual machine's queues.
    """
    space = lab.space(node)
    processes = _processes(space)
    for process in processes:
        process.kill(signal.SIGSTOP)
    kernel.silence(space, interface)
    try:
        yield
    finally:
        kernel.unsilence(space)
        for process in processes:
            process.kill(signal.SIGCONT)


@contextmanager
def powered_off(lab: Lab, node: str, interface: str = LAN) -> Iterator[None]:
    """The power of a node fails; at the end it boots, its speaker is started, and nothing of before is left.

    Its carrier stays, as behind a switch of its own.
    """
    space = lab.space(node)
    # Silent first: a child that loses its parent may still say goodbye, as keepalived's does.
    kernel.silence(space, interface)
    for process in _processes(space):
        process.kill()
    for process in _processes(space):
        process.ended(within=5.0)
    try:
        yield
    finally:
        for address in _service_addresses(space, interface):
            space.run("ip", "address", "delete", address, "dev", interface)
        kernel.unsilence(space)
        lab.start_speaker(node)


def _processes(space: Namespace) -> list[Process]:
    return [found for pid in space.pids() if (found := observed(pid))]


def _service_addresses(space: Namespace, interface: str) -> list[str]:
    """The addresses that stand alone, as daemons put them: no boot would bring them back."""
    (link,) = json.loads(space.run("ip", "-json", "address", "show", "dev", interface))
    return [
        f"{entry['local']}/{entry['prefixlen']}"
        for entry in link["addr_info"]
        if entry["prefixlen"] == (32 if entry["family"] == "inet" else 128)
    ]


def far_end(lab: Lab, node: str, interface: str = LAN) -> Endpoint:
    """What the cable of a node is plugged into. Raises LabError."""
    here = Endpoint(node, interface)
    for link in lab.topology.links:
        if here in (link.a, link.b):
            return link.b if link.a == here else link.a
    raise LabError(f"nothing is plugged into {interface} of {node}")


@contextmanager
def _down(lab: Lab, end: Endpoint) -> Iterator[None]:
    space = lab.space(end.node)
    kernel.set_link(space, end.interface, up=False)
    try:
        yield
    finally:
        kernel.set_link(space, end.interface, up=True)
