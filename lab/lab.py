"""One lab: its topology, its namespaces and everything that runs in them, built, opened and removed.

Composition only: how each thing works is in its own module. The steps of the tour drive a `Lab`.
"""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path

from lab import daemons, kubeproxy, manifests, state
from lab.cluster.cluster import ADDRESS, Cluster
from lab.cluster.desk import ClusterDesk
from lab.desk import Desk, FolderDesk, Pod
from lab.errors import LabError
from lab.frr import Router
from lab.namespaces import Namespace, build, namespaces_of
from lab.processes import Process, command_of, observed
from lab.shell import wait_until
from lab.topology import Node, Topology, load
from openelb_bgp.model.meta import Kind

TOPOLOGIES = Path(__file__).resolve().parent.parent / "manifests" / "lab"
FILES, KUBERNETES = "files", "kubernetes"
"""Where the objects of a lab are: in a folder, or in an API server."""
_MANIFESTS_IN_NODE = "/etc/openelb-bgp"


class Lab:
    """A lab that is there: made by `up`, or found again by `open_lab`."""

    def __init__(self, folder: state.LabFolder, topology: Topology) -> None:
        self.folder = folder
        self.topology = topology
        self.paths = daemons.Paths(folder.path)
        self.processes = folder.processes
        self._spaces = namespaces_of(folder.id, topology)
        self.cluster = self._cluster() if folder.mode == KUBERNETES else None

    @cached_property
    def desk(self) -> Desk:
        """The lab's objects; in cluster mode only once the daemons have been started."""
        if self.cluster is not None:
            return ClusterDesk(self.cluster.api)
        return FolderDesk(self.paths.manifests, self.paths.state)

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
            node.name: Router(node, self._spaces[node.name], self.processes, self.folder.path / "frr")
            for node in self.topology.in_group("router")
        }

    @property
    def client(self) -> Namespace:
        """Where requests come from."""
        return self.clients[0]

    @property
    def clients(self) -> tuple[Namespace, ...]:
        """All places that requests may come from."""
        return tuple(self._spaces[node.name] for node in self.topology.in_group("client"))

    def space(self, node: str) -> Namespace:
        """The namespace of a node of the topology."""
        return self._spaces[node]

    def process(self, name: str) -> Process:
        """A process by its name in `daemons`, alive or not. Raises LabError if it was never started."""
        found = self.processes.find(name)
        if found is None:
            raise LabError(f"{name} was never started in lab {self.folder.path.name}")
        return found

    def expect_alive(self) -> None:
        """Raises LabError with the end of its log if a process that was started has ended."""
        for process in self.processes.all():
            if not process.alive():
                raise LabError(f"{process.name} ended by itself; the end of its log:\n{process.tail()}")

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
        """The controller, kube-proxy's stand-in, and a speaker with its gobgpd in each node.

        The manifests are copied from the topology's folder, unless `copy_manifests` did so already.
        """
        if self.cluster is not None:
            self.start_cluster()
        elif not self.paths.manifests.exists():
            self.copy_manifests()
        self.start_controller()
        self.start_kubeproxy()
        for node in self.nodes:
            self.start_speaker(node)

    def start_cluster(self) -> None:
        """Start the control plane and put the manifests' objects into it, with a Pod behind each endpoint."""
        assert self.cluster is not None, "only a lab in cluster mode has one"
        if not self.paths.manifests.exists():
            self.copy_manifests()
        self.cluster.start(self.paths.manifests)
        for service in self.cluster.api.items("Service", namespace="default"):
            if selected := (service["spec"].get("selector") or {}).get("app"):
                self.desk.place_pods(
                    selected, dict.fromkeys(manifests.serving(self.paths.manifests, selected), Pod.READY)
                )

    def start_controller(self) -> Process:
        """Start the one controller."""
        if self.cluster is not None:
            environment = self.cluster.pod_environment("controller", node=self.nodes[0], address=ADDRESS)
            return self._start(daemons.controller_in_pod(environment), node=self._home)
        self.paths.state.mkdir(exist_ok=True)
        return self._start(daemons.controller(self.paths), node=self._home)

    def start_kubeproxy(self) -> Process:
        """Start what stands in for every node's kube-proxy."""
        return self._start(daemons.kubeproxy(self.paths), node=self._home)

    def start_speaker(self, node: str, *flags: str) -> Process:
        """Start a node's speaker; a gobgpd that is still there is adopted by it."""
        self.paths.runtime(node).mkdir(parents=True, exist_ok=True)
        command = daemons.speaker(self.paths, node, *flags)
        if self.cluster is not None:
            address = next(ip for ip, owner in self.node_by_address.items() if owner == node)
            environment = self.cluster.pod_environment("speaker", node=node, address=address)
            command = daemons.speaker_in_pod(self.paths, node, environment, *flags)
        return self._start(command, node=node)

    def start_run(self, node: str, *flags: str) -> Process:
        """Start `openelb-bgp run` in a node, in place of the controller and of that node's speaker."""
        self.paths.runtime(node).mkdir(parents=True, exist_ok=True)
        self.paths.state.mkdir(exist_ok=True)
        return self._start(daemons.run(self.paths, node, *flags), node=node)

    def speaker(self, node: str) -> Process:
        """A node's speaker."""
        return self.process(f"{node}-speaker")

    def gobgpd(self, node: str) -> Process:
        """The gobgpd that runs in a node now. Raises LabError if there is none."""
        found = self.find_gobgpd(node)
        if found is None:
            raise LabError(f"no gobgpd runs in {node}")
        return found

    def find_gobgpd(self, node: str) -> Process | None:
        """The gobgpd that runs in a node now, or None; it is its sidecar's child, so no record names it."""
        return next(iter(self._running(node, "gobgpd")), None)

    def keepalived(self, node: str) -> tuple[Process, ...]:
        """The processes of the keepalived that runs in a node now, parent and children."""
        return self._running(node, "keepalived")

    def _running(self, node: str, program: str) -> tuple[Process, ...]:
        pids = (pid for pid in self.space(node).pids() if command_of(pid) == program)
        return tuple(process for pid in pids if (process := observed(pid)))

    def forwards(self, node: str, addresses: Iterable[str]) -> bool:
        """Whether kube-proxy's rules for these addresses are in force in a node."""
        rules = self.space(node).run("nft", "list", "ruleset")
        return all(f" daddr {address} " in rules for address in addresses)

    def hands_on(self, node: str, address: str) -> bool:
        """Whether kube-proxy in a node sends connections to this address on to a pod."""
        rules = self.space(node).run("nft", "list", "ruleset").splitlines()
        return any(f" daddr {address} " in rule and " dnat " in rule for rule in rules)

    @cached_property
    def node_by_address(self) -> Mapping[str, str]:
        """The Kubernetes nodes by their addresses, as the manifests give them."""
        return {
            address["address"]: item["metadata"]["name"]
            for item in manifests.objects(self.paths.manifests)
            if item["kind"] == "Node"
            for address in item["status"]["addresses"]
            if address["type"] == "InternalIP"
        }

    @cached_property
    def node_by_mac(self) -> Mapping[str, str]:
        """The Kubernetes nodes by the MACs of their interfaces, as they were at the first look."""
        return {
            link["address"]: node
            for node in self.nodes
            for link in json.loads(self.space(node).run("ip", "-json", "link", "show"))
        }

    def addresses(self) -> Mapping[str, tuple[str, ...]]:
        """The load-balancer addresses that Services have, by namespace/name; IPv4 first."""
        return {
            kubeproxy.key_of(item): kubeproxy.ingress_of(item) for item in self.desk.objects(Kind.SERVICE)
        }

    def look(self, *arguments: str) -> str:
        """What `openelb-bgp` prints with these arguments, of this lab's objects. Raises CommandFailed."""
        kubeconfig = None if self.cluster is None else self.cluster.plane.admin_kubeconfig
        command = daemons.look(self.paths, *arguments, kubeconfig=kubeconfig)
        # A second of computing, which takes a minute where a dozen others compute too.
        return self.space(self._home).run(*command, timeout=120.0)

    def copy_manifests(self, *more: Path) -> None:
        """Lay out the folder that the daemons read, from the one that the topology binds into its nodes, and
        `more`.
        """
        source = self.topology.in_group("node")[0].bound(_MANIFESTS_IN_NODE)
        if source is None:
            raise LabError(f"topology {self.topology.name}: its nodes bind nothing to {_MANIFESTS_IN_NODE}")
        for folder in (source, *more):
            shutil.copytree(folder, self.paths.manifests, dirs_exist_ok=True)

    def program_kubeproxy(self, addresses: Mapping[str, tuple[str, ...]]) -> None:
        """Make all nodes forward the Services' addresses (by namespace/name) as the manifests say now."""
        exposed = kubeproxy.services(manifests.objects(self.paths.manifests), addresses)
        for node in self.nodes:
            kubeproxy.program(self.space(node), kubeproxy.render(exposed, node=node))

    def _cluster(self) -> Cluster:
        return Cluster(self.paths.cluster, space=self._spaces[self._home], processes=self.processes)

    @property
    def _home(self) -> str:
        """Where runs what belongs to no node."""
        return self.topology.in_group("controller")[0].name

    def _start(self, command: daemons.Command, *, node: str) -> Process:
        argv = self.space(node).argv(*command.argv)
        return self.processes.start(command.name, argv, env=command.env)

    def _listens(self, pod: Node) -> bool:
        process = self.process(pod.name)
        if not process.alive():
            raise LabError(f"the server of {pod.name} ended at once:\n{process.tail()}")
        return f":{_port(pod)} " in self.space(pod.name).run("ss", "-Hltn")


@contextmanager
def held_lab(file: Path, *, mode: str = FILES, name: str = "") -> Iterator[Lab]:
    """A new lab for the `with` block, built up to its pods; `mode` says where its objects will be.

    It is called `name`, or as its topology.

    On leaving the block it is removed, unless it was marked as kept; what a killed process left behind is
    removed by the next call. Raises LabError.
    """
    clean_up()
    topology = load(file)
    owners = tuple(node.name for node in topology.nodes if node.shares_network_of is None)
    held = state.create(lab=name or topology.name, topology=file.resolve(), nodes=owners, mode=mode)
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
        with suppress(LabError):
            # Another start may be quicker.
            take_down(folder)
            removed.append(folder.path.name)
    return tuple(removed)


def _port(pod: Node) -> int:
    return int(pod.env.get("WHOAMI_PORT_NUMBER", "80"))
