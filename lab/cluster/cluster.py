"""The control plane of one lab: in a namespace of its own on the lab's fabric, where the nodes reach it."""

import socket
from collections.abc import Mapping
from pathlib import Path

from lab.cluster.api import Api
from lab.cluster.installation import install, load, mount_account, our_pod, pod_environment
from lab.cluster.plane import Plane, make_plane
from lab.errors import LabError
from lab.namespaces import Namespace
from lab.processes import Registry
from lab.shell import run, wait_until

ADDRESS = "10.10.0.100"
"""The API server's, on the fabric."""

_TOKEN_SECONDS = 30 * 24 * 3600
"""There is nobody here who would renew them."""


class Cluster:
    """The control plane in `space`; its processes are recorded in `processes`, its files lie in `folder`."""

    def __init__(self, folder: Path, *, space: Namespace, processes: Registry) -> None:
        self._folder, self._space, self._processes = folder, space, processes

    @property
    def plane(self) -> Plane:
        """Its files and addresses."""
        return Plane(self._folder, ADDRESS)

    @property
    def api(self) -> Api:
        """The admin's client; only once it has been started."""
        plane = self.plane
        return Api(plane.url, ca=plane.ca, token=plane.admin_token, dial=self._dial)

    def kubectl(self, *arguments: str) -> str:
        """What kubectl prints. Raises CommandFailed."""
        return run(self.kubectl_argv(*arguments))

    def kubectl_argv(self, *arguments: str) -> tuple[str, ...]:
        """kubectl, to be run by whoever may enter the namespace."""
        return self._space.argv(*self.plane.kubectl(*arguments))

    def start(self, manifests: Path) -> None:
        """Start etcd, the API server and the controller-manager, and put our kinds and `manifests` in."""
        plane = make_plane(self._folder, address=ADDRESS)
        self._start("etcd", plane.etcd())
        self._start("kube-apiserver", plane.api_server())
        wait_until(self._ready, within=60.0, what="the API server")
        self._start("kube-controller-manager", plane.controller_manager())
        install(self.api, plane)
        load(self.api, manifests)

    def pod_environment(self, component: str, *, node: str, address: str) -> Mapping[str, str]:
        """The environment for our `controller` or `speaker` on a node, as in its Pod."""
        api, folder = self.api, self._folder / "accounts" / f"{component}-{node}"
        pod = our_pod(api, component, node=node, address=address)
        account = mount_account(api, self.plane, pod, folder, seconds=_TOKEN_SECONDS)
        return pod_environment(ADDRESS, self.plane.ports.api, account)

    def _start(self, name: str, argv: tuple[str, ...]) -> None:
        self._processes.start(name, self._space.argv(*argv))

    def _ready(self) -> bool:
        for name in ("etcd", "kube-apiserver"):
            process = self._processes.find(name)
            if process is None or not process.alive():
                raise LabError(f"{name} ended by itself:\n{process.tail() if process else ''}")
        try:
            return self.api.raw("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def _dial(self, address: tuple[str, int], timeout: float) -> socket.socket:
        return self._space.call(lambda: socket.create_connection(address, timeout))
