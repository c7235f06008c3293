"""What breaks in a lab's LAN, each as a context that mends it again: a cable, a node that stands still, the
trunk between the switches.

What happens to processes alone is in `processes.py`; single switches of a kernel are in `kernel.py`.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from lab import kernel
from lab.errors import LabError
from lab.lab import Lab
from lab.processes import observed
from lab.topology import Endpoint

LAN = "eth1"
"""The interface of every host on the LAN."""


@contextmanager
def unplugged(lab: Lab, node: str, interface: str = LAN) -> Iterator[None]:
    """The cable of a node is pulled: its kernel sees the carrier go."""
    with _down(lab, _far_end(lab, node, interface)):
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
    processes = [found for pid in space.pids() if (found := observed(pid))]
    for process in processes:
        process.kill(signal.SIGSTOP)
    kernel.silence(space, interface)
    try:
        yield
    finally:
        kernel.unsilence(space)
        for process in processes:
            process.kill(signal.SIGCONT)


def _far_end(lab: Lab, node: str, interface: str) -> Endpoint:
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
