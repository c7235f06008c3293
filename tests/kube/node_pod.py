"""A speaker's pod on a node of the tests' LAN: both containers with their rights, a folder for the emptyDir.

Objects come from a folder of manifests in place of an API server, and a controller beside the pod allocates.
The second node of the LAN runs no speaker: the first stands in for it, if it may ask whether it answers.
"""

import shutil
import tempfile
from pathlib import Path

from tests.daemons.harness.gobgp import NEW, gobgpd_binary
from tests.daemons.harness.manifests import Object, bgp_conf, bgp_peer, eip, endpoints, node, service
from tests.daemons.harness.netns import Lan, Namespace
from tests.daemons.harness.openelb import METRICS_PORT, OpenElb, program
from tests.kube.container import Container, command_of

WEB = "198.51.100.1"
_RUN = "/run/openelb-bgp"


class NodePod:
    """The pod of `node1`. `forbid_getfd` stands for containerd's seccomp profile around gobgpd."""

    def __init__(self, lan: Lan, folder: Path, pod: Object, *, forbid_getfd: bool = False) -> None:
        self.lan, self.folder, self.pod = lan, folder, pod
        self._forbid_getfd = forbid_getfd
        # Its `speaker` is not started: it is what reads statuses and problems.
        self.eyes = OpenElb(lan.nodes[0], folder, command="speaker")
        self.controller = OpenElb(lan.nodes[0], folder, command="controller")
        self.eyes.state.mkdir(exist_ok=True)
        self._make()

    @property
    def node(self) -> Namespace:
        """Where it runs."""
        return self.lan.nodes[0]

    def _make(self) -> None:
        # Short, because a socket's path is; and open to all, as an emptyDir is.
        self.empty_dir = Path(tempfile.mkdtemp(prefix="oelb-"))
        self.empty_dir.chmod(0o777)
        self.gobgpd = self._container("gobgpd", "--gobgpd", str(gobgpd_binary(NEW)))
        source = ("--files", str(self.eyes.manifests), "--state", str(self.eyes.state))
        self.speaker = self._container("openelb-speaker", *source, "--node-name", "node1")

    def _container(self, name: str, *further: str) -> Container:
        paths = {_RUN: str(self.empty_dir), ":50053": f"127.0.0.1:{METRICS_PORT}"}
        return Container(
            self.lan.nodes[0],
            self.pod,
            name,
            (*command_of(self.pod, name, program=program(), paths=paths), *further),
            log=self.folder / f"container-{name}.log",
            volumes=(self.empty_dir, self.eyes.state),
            forbid_getfd=self._forbid_getfd and name == "gobgpd",
        )

    def write(
        self,
        *,
        going: tuple[str, ...] = (),
        conf: Object | None = None,
        peer: Object | None = None,
    ) -> None:
        """The objects of this cluster. The kubelets of the nodes that are `going` say so; the others go into
        BgpConf and BgpPeer.
        """
        nodes = [node(f"node{number}", one.v4) for number, one in enumerate(self.lan.nodes, 1)]
        for one in nodes:
            one["status"]["conditions"] = [_ready(going=one["metadata"]["name"] in going)]
        self.controller.write(
            "all",
            *nodes,
            bgp_conf(standInAfterSeconds=1, **(conf or {})),
            bgp_peer("router", self.lan.routers[0].v4, conf=peer or {}),
            eip("pool", f"{WEB}-198.51.100.14", default=True),
            service("web"),
            endpoints("web", "node1"),
        )

    def start(self) -> None:
        """Start the controller, then the pod."""
        self.controller.start()
        self.start_pod()

    def start_pod(self) -> None:
        """As a kubelet does: the native sidecar first."""
        self.gobgpd.start()
        self.speaker.start()

    def replace(self) -> None:
        """What a rollout does once the old pod has ended: a new one, with nothing in its emptyDir."""
        shutil.rmtree(self.empty_dir)
        self._make()
        self.start_pod()

    def close(self) -> None:
        """End everything."""
        for daemon in (self.speaker, self.gobgpd, self.controller.daemon):
            daemon.end()
        shutil.rmtree(self.empty_dir, ignore_errors=True)


def _ready(*, going: bool) -> Object:
    if not going:
        return {"type": "Ready", "status": "True"}
    return {
        "type": "Ready",
        "status": "False",
        "reason": "KubeletNotReady",
        "message": "node is shutting down",
    }
