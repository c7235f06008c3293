"""One lab: its topology, its namespaces and everything that runs in them, built, opened and removed.

Composition only: how each thing works is in its own module. The steps of the tour drive a `Lab`.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lab import daemons, kubeproxy, state
from lab.errors import LabError
from lab.frr import Router
from lab.namespaces import Namespace, build, namespaces_of
from lab.processes import Process
from lab.shell import wait_until
from lab.topology import Node, Topology, load

TOPOLOGIES = Path(__file__).resolve().parent.parent / "manifests" / "lab"
_MANIFESTS_IN_NODE = "/etc/openelb-bgp"


class Lab:
    """A lab that is there: made by `up`, or found again by `open_lab`."""

    def __init__(self, folder: state.LabFolder, topology: Topology) -> None:
        self.folder = folder
        self.topology = topology
        self.paths = daemons.Paths(folder.path)
        self.processes = folder.processes
        self._spaces = namespaces_of(folder.id, topology)

    @property
    def id(self) -> str:
        """Four hex digits."""
        return self.folder.id

    @property
    def nodes(self) -> tuple[str, ...]:
        """The names of the Kubernetes nodes."""
        return tuple(node.name for node in self.topology.in_group("node"))

    @property
    def routers(self) -> Mapping[str, Router]:
        """The FRR routers by name."""
        return {
            node.name: Router(node, self._spaces[node.name], self.processes)
            for node in self.topology.in_group("router")
        }

    @property
    def client(self) -> Namespace:
        """Where requests come from."""
        return self._spaces[self.topology.in_group("client")[0].name]

    def space(self, node: str) -> Namespace:
        """The namespace of a node of the topology."""
        return self._spaces[node]

    def process(self, name: str) -> Process:
        """A process by its name in `daemons`, alive or not. Raises LabError if it was never started."""
        found = self.processes.find(name)
        if found is None:
            raise LabError(f"{name} was never started in lab {self.folder.path.name}")
        return found

    def build(self) -> None:
        """Namespaces, links, routers and pods; no speakers yet."""
        build(self.topology, lab_id=self.id)
        for pod in self.topology.in_group("backend"):
            self._start(daemons.backend(pod.name, port=_port(pod)), node=pod.name)
        for router in self.routers.values():
            router.start()
        for pod in self.topology.in_group("backend"):
            wait_until(lambda pod=pod: self._listens(pod), within=10.0, what=f"{pod.name}'s server")  # type: ignore[misc]

    def start_daemons(self) -> None:
        """The controller, and a gobgpd and a speaker for each node, over a copy of the manifests of their
        own.
        """
        self.copy_manifests()
        self.paths.state.mkdir(exist_ok=True)
        home = self.topology.in_group("controller")[0].name
        self._start(daemons.controller(self.paths), node=home)
        for node in self.nodes:
            self.paths.runtime(node).mkdir(parents=True, exist_ok=True)
            self.start_gobgpd(node)
            self.start_speaker(node)

    def start_gobgpd(self, node: str) -> None:
        """Start a node's gobgpd sidecar."""
        self._start(daemons.gobgpd(self.paths, node), node=node)

    def start_speaker(self, node: str) -> None:
        """Start a node's speaker."""
        self._start(daemons.speaker(self.paths, node), node=node)

    def copy_manifests(self) -> None:
        """Lay out the folder that the daemons read, from the one that the topology binds into its nodes."""
        source = self.topology.in_group("node")[0].bound(_MANIFESTS_IN_NODE)
        if source is None:
            raise LabError(f"topology {self.topology.name}: its nodes bind nothing to {_MANIFESTS_IN_NODE}")
        shutil.copytree(source, self.paths.manifests, dirs_exist_ok=True)

    def program_kubeproxy(self, addresses: Mapping[str, tuple[str, ...]]) -> None:
        """Make all nodes forward the Services' addresses (by namespace/name) as the manifests say now."""
        exposed = kubeproxy.services(kubeproxy.read(self.paths.manifests), addresses)
        for node in self.nodes:
            kubeproxy.program(self.space(node), kubeproxy.render(exposed, node=node))

    def _start(self, command: daemons.Command, *, node: str) -> Process:
        argv = self.space(node).argv(*command.argv)
        return self.processes.start(command.name, argv, env=command.env)

    def _listens(self, pod: Node) -> bool:
        process = self.process(pod.name)
        if not process.alive():
            raise LabError(f"the server of {pod.name} ended at once:\n{process.tail()}")
        return f":{_port(pod)} " in self.space(pod.name).run("ss", "-Hltn")


@contextmanager
def held_lab(file: Path) -> Iterator[Lab]:
    """A new lab for the `with` block, built up to its pods.

    On leaving the block it is removed, unless it was marked as kept; what a killed process left behind is
    removed by the next call. Raises LabError.
    """
    clean_up()
    topology = load(file)
    owners = tuple(node.name for node in topology.nodes if node.shares_network_of is None)
    held = state.create(lab=topology.name, topology=file.resolve(), nodes=owners)
    try:
        lab = Lab(held.folder, topology)
        lab.build()
        yield lab
    finally:
        if not held.folder.kept:
            state.destroy(held.folder)
        held.release()


def open_lab(folder: state.LabFolder) -> Lab:
    """A lab that is up."""
    return Lab(folder, load(folder.topology_file()))


def take_down(folder: state.LabFolder) -> None:
    """Remove a lab. Raises LabError while another process builds or drives it."""
    held = state.hold(folder)
    state.destroy(folder)
    held.release()


def clean_up() -> tuple[str, ...]:
    """Remove what crashed labs left behind; their names."""
    removed = []
    for folder in state.leftovers():
        take_down(folder)
        removed.append(folder.path.name)
    return tuple(removed)


def _port(pod: Node) -> int:
    return int(pod.env.get("WHOAMI_PORT_NUMBER", "80"))
