"""A lab that containerlab deployed: how it is asked, how it is destroyed, and what is left of it then."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.cluster.programs import containerlab
from lab.containers.client import Client
from lab.desk import FolderDesk
from lab.engine.engine import Engine
from lab.lab import TOPOLOGIES
from lab.namespaces import Namespace
from lab.topology import Endpoint, Topology, load
from tests.containers.kernels import Kernels

# It writes the nodes' names into these, of the machine that has the engine; its own are not the machine's.
_APART = """\
for folder in /run/netns /etc/ssh/ssh_config.d; do
  if test -d $folder; then mount -t tmpfs none $folder; fi
done
cp /etc/hosts /tmp/hosts.$$ && mount --bind /tmp/hosts.$$ /etc/hosts && rm /tmp/hosts.$$
exec "$@"
"""
_SLOW = 600.0


@dataclass(frozen=True, slots=True)
class ContainersNetwork(Namespace):
    """The network of a container."""

    file: Path = Path()

    @property
    def path(self) -> Path:
        """The file that holds it."""
        return self.file


@dataclass(frozen=True, slots=True)
class Deployment(Kernels):
    """One topology file on one engine. `file` is in a copy of manifests/lab, which holds the lab's state."""

    engine: Engine
    file: Path

    @property
    def topology(self) -> Topology:
        """What the file says."""
        return load(self.file)

    def container(self, node: str) -> str:
        """How containerlab calls a node's container."""
        return f"clab-{self.topology.name}-{node}"

    def run_in(self, node: str, /, *command: str) -> str:
        """What a command inside a node's container prints. Raises LabError."""
        return self.engine.docker("exec", self.container(node), *command)

    def client(self) -> Client:
        """Somebody who sends requests from the lab's client, and knows the lab's folder."""
        folder = self.file.parent / self.topology.name
        space = ContainersNetwork("client", self.engine.network_of(self.container("client")))
        return Client(self.topology, FolderDesk(folder / "manifests", folder / "state"), space)

    def port_of(self, node: str) -> Endpoint:
        """The switch's end of a node's link to the LAN."""
        ends = [(link.a, link.b) for link in self.topology.links]
        return next(b for a, b in ends if a == Endpoint(node, "eth1"))

    def plug(self, node: str, *, into_lan: bool) -> None:
        """Take a node off the LAN, where the switch is, or put it back."""
        port = self.port_of(node)
        self.run_in(port.node, "ip", "link", "set", port.interface, "up" if into_lan else "down")

    def deploy(self) -> None:
        """`containerlab deploy`, with the file as it is. Raises LabError."""
        self._containerlab("deploy", "--topo", str(self.file))

    def destroy(self) -> None:
        """`containerlab destroy`, of what there is. Raises LabError."""
        self._containerlab("destroy", "--topo", str(self.file), "--cleanup")

    def remains(self) -> list[str]:
        """What of a lab's there is: containers, networks, files that containerlab made."""
        containers = self.engine.docker("ps", "--all", "--filter", "name=^clab-", "--format", "{{.Names}}")
        networks = self.engine.docker("network", "ls", "--filter", "name=^clab", "--format", "{{.Name}}")
        files = [path.name for path in self.file.parent.iterdir() if "clab-" in path.name]
        return sorted((*containers.split(), *networks.split(), *files))

    def _containerlab(self, *arguments: str) -> None:
        apart = ("unshare", "--mount", "sh", "-ec", _APART, "sh")
        ours = ("env", "CLAB_VERSION_CHECK=disable", containerlab(), *arguments)
        self.engine.run_within(*apart, *ours, timeout=_SLOW)


@contextmanager
def held_deployment(engine: Engine, name: str, folder: Path) -> Iterator[Deployment]:
    """A lab for the `with` block, deployed from a copy of the topologies in `folder`. Raises LabError."""
    shutil.copytree(TOPOLOGIES, folder / "lab", ignore=shutil.ignore_patterns("clab-*", "state.db*", "wake"))
    deployment = Deployment(engine, folder / "lab" / f"{name}.clab.yml")
    # A former run may have been killed: its engine took the containers with it, but not their records.
    for container in deployment.remains():
        if container.startswith("clab-"):
            engine.docker("rm", "--force", container)
    try:
        deployment.deploy()
        yield deployment
    finally:
        deployment.destroy()
