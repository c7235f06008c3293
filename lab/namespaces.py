"""Network namespaces: made, wired and removed with `ip`; code run inside one.

Knows topologies, not what runs in them. Every namespace is called `oelb-LAB-NODE`; nothing outside of those
is ever touched: veth pairs are born with both ends in their namespaces.
"""

import ctypes
import os
import shlex
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from lab.errors import CommandFailed, LabError
from lab.shell import run
from lab.topology import Node, Topology

T = TypeVar("T")

_FOLDER = Path("/run/netns")
_PREFIX = "oelb"
_CLONE_NEWNET = 0x40000000
_LISTENED_ON = "50052-50053"
"""Ports of our daemons that lie among those from which the kernel takes outgoing connections' own."""
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Namespace:
    """A named network namespace, there or not."""

    name: str

    @property
    def path(self) -> Path:
        """The file that holds the namespace."""
        return _FOLDER / self.name

    def exists(self) -> bool:
        """Whether it is there."""
        return self.path.exists()

    def argv(self, *command: str) -> tuple[str, ...]:
        """`command`, to be run inside."""
        return ("ip", "netns", "exec", self.name, *command)

    def run(self, *command: str, stdin: str = "", timeout: float = 30.0) -> str:
        """Run a command inside to its end. Raises as `shell.run` does."""
        return run(self.argv(*command), stdin=stdin, timeout=timeout)

    def pids(self) -> tuple[int, ...]:
        """The processes that are inside at this moment."""
        if not self.exists():
            return ()
        return tuple(int(pid) for pid in run(("ip", "netns", "pids", self.name)).split())

    def holds(self, pid: int) -> bool:
        """Whether this process is inside; False once it has ended."""
        try:
            return Path(f"/proc/{pid}/ns/net").stat().st_ino == self.path.stat().st_ino
        except OSError:
            return False

    def call(self, function: Callable[[], T]) -> T:
        """Run Python code inside, in a thread of its own; sockets that it opens stay there."""
        with ThreadPoolExecutor(max_workers=1) as pool:
            return pool.submit(self._enter_and_call, function).result()

    def _enter_and_call(self, function: Callable[[], T]) -> T:
        self.enter_thread()
        return function()

    def enter_thread(self) -> None:
        """Move the calling thread inside for good: only for threads that end after their work."""
        with self.path.open() as handle:
            if _libc.setns(handle.fileno(), _CLONE_NEWNET):
                error = ctypes.get_errno()
                raise LabError(f"cannot enter namespace {self.name}: {os.strerror(error)}")


@dataclass(frozen=True, slots=True)
class Here(Namespace):
    """The namespace that this process is in, as in a container: there is nothing to enter."""

    name: str = "here"

    def argv(self, *command: str) -> tuple[str, ...]:
        """`command` as it is."""
        return command

    def enter_thread(self) -> None:
        """Stay."""


def namespace_of(lab_id: str, node: str) -> Namespace:
    """The namespace of a node; one that shares another's network has none of its own."""
    return Namespace(f"{_PREFIX}-{lab_id}-{node}")


def namespaces_of(lab_id: str, topology: Topology) -> Mapping[str, Namespace]:
    """Each node's namespace, by node name."""
    return {node.name: namespace_of(lab_id, node.shares_network_of or node.name) for node in topology.nodes}


def build(topology: Topology, *, lab_id: str) -> None:
    """Make all namespaces and links, then run each node's `exec`.

    Raises CommandFailed with the line that failed; what was made until then stays, for `remove`.
    """
    owners = [node for node in topology.nodes if node.shares_network_of is None]
    spaces = namespaces_of(lab_id, topology)
    _ip_batch(f"netns add {spaces[node.name].name}" for node in owners)
    for node in owners:
        # Before the links: the kernel copies `conf.default` into an interface at its birth.
        spaces[node.name].call(lambda node=node: _set_sysctls(node))  # type: ignore[misc]
    _ip_batch(
        f"link add name {link.a.interface} netns {spaces[link.a.node].name} "
        f"type veth peer name {link.b.interface} netns {spaces[link.b.node].name}"
        for link in topology.links
    )
    with ThreadPoolExecutor(max_workers=4) as pool:
        # list(): an exception of a worker is raised here. All links come up before the first `exec`: a route
        # by one whose other end is still down is refused where such routes are to be ignored.
        list(pool.map(lambda node: _links_up(node, spaces[node.name], topology), owners))
        list(pool.map(lambda node: configure(node, spaces[node.name]), owners))


def remove(namespaces: Iterable[Namespace]) -> None:
    """Delete namespaces; those that are not there are left out. Their veth pairs go with them."""
    present = [space for space in namespaces if space.exists()]
    _ip_batch(f"netns delete {space.name}" for space in present)


def _ip_batch(lines: Iterable[str]) -> None:
    text = "\n".join(lines)
    if text:
        run(("ip", "-batch", "-"), stdin=text + "\n")


def _set_sysctls(node: Node) -> None:
    # A new namespace inherits from the host whether bridged frames pass its firewall: a switch does not
    # filter.
    for name in ("bridge-nf-call-iptables", "bridge-nf-call-ip6tables"):
        file = Path("/proc/sys/net/bridge") / name
        if file.exists():
            file.write_text("0")
    # Else an outgoing connection may hold the port that a daemon is about to listen on.
    Path("/proc/sys/net/ipv4/ip_local_reserved_ports").write_text(_LISTENED_ON)
    for name, value in node.sysctls.items():
        file = Path("/proc/sys") / name.replace(".", "/")
        try:
            file.write_text(value)
        except OSError as exc:
            raise LabError(f"node {node.name}: cannot set {name} to {value}: {exc}") from exc


def _links_up(node: Node, space: Namespace, topology: Topology) -> None:
    ends = [end for link in topology.links for end in (link.a, link.b) if end.node == node.name]
    interfaces = ["lo", *(end.interface for end in ends)]
    space.run("ip", "-batch", "-", stdin="".join(f"link set {name} up\n" for name in interfaces))


def configure(node: Node, space: Namespace) -> None:
    """Run a node's `exec`. Raises LabError with the line that failed."""
    # No shell syntax in `exec`, as in containerlab: every word is quoted again.
    script = "\n".join(shlex.join(shlex.split(line)) for line in node.exec)
    try:
        space.run("sh", "-ex", stdin=script)
    except CommandFailed as exc:
        raise LabError(f"node {node.name}: an exec line failed; the last one below\n{exc}") from exc
