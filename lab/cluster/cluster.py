"""The control plane of one lab: in a namespace of its own on the lab's fabric, where the nodes reach it."""

import shlex
import socket
from collections.abc import Mapping
from pathlib import Path

from lab.cluster.api import Api
from lab.cluster.installation import SYSTEM, install, load, mount_account, our_pod, pod_environment
from lab.cluster.plane import Plane, make_plane
from lab.errors import LabError
from lab.namespaces import Namespace
from lab.processes import Process, Registry
from lab.shell import run, wait_until

ADDRESS = "10.10.0.100"
"""The API server's, on the fabric."""

_ETCD, _API_SERVER = "etcd", "kube-apiserver"
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

    @property
    def kubectl_script(self) -> Path:
        """kubectl for whoever looks at the lab: knows where the API server is."""
        return self._folder / "kubectl"

    def kubectl(self, *arguments: str) -> str:
        """What kubectl prints. Raises CommandFailed."""
        return run((str(self.kubectl_script), *arguments))

    def start(self, manifests: Path) -> None:
        """Start etcd, the API server and the controller-manager, and put our kinds and `manifests` in."""
        plane = make_plane(self._folder, address=ADDRESS)
        command = shlex.join(self._space.argv(*plane.kubectl()))
        self.kubectl_script.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        self.kubectl_script.chmod(0o755)
        self.start_again()
        self._start("kube-controller-manager", plane.controller_manager())
        install(self.api, plane, service_network=True)
        self._own_webhook()
        load(self.api, manifests)

    def kill(self) -> None:
        """Kill etcd and the API server; the controller-manager waits for them."""
        for name in (_ETCD, _API_SERVER):
            process = self._process(name)
            process.kill()
            process.ended(within=10.0)

    def start_again(self) -> None:
        """Start etcd and the API server; returns when that is ready."""
        self._start(_ETCD, self.plane.etcd())
        self._start(_API_SERVER, self.plane.api_server())
        wait_until(self._ready, within=60.0, what="the API server")

    def pod_environment(self, component: str, *, node: str, address: str) -> Mapping[str, str]:
        """The environment for our `controller` or `speaker` on a node, as in its Pod, which is made first.

        A process that is started again finds all as it was, and needs no API server for it.
        """
        account = self._folder / "accounts" / f"{component}-{node}"
        if not account.exists():
            pod = our_pod(self.api, component, node=node, address=address)
            mount_account(self.api, self.plane, pod, account, seconds=_TOKEN_SECONDS)
        return pod_environment(ADDRESS, self.plane.ports.api, account)

    def _own_webhook(self) -> None:
        """Let the controller, which runs beside the API server, have its Service's address."""
        service = self.api.get("Service", "openelb-controller", namespace=SYSTEM)
        for address in service["spec"]["clusterIPs"]:
            length = 128 if ":" in address else 32
            self._space.run("ip", "address", "add", f"{address}/{length}", "dev", "lo")

    def _start(self, name: str, argv: tuple[str, ...]) -> None:
        self._processes.start(name, self._space.argv(*argv))

    def _ready(self) -> bool:
        for process in (self._process(_ETCD), self._process(_API_SERVER)):
            if not process.alive():
                raise LabError(f"{process.name} ended by itself:\n{process.tail()}")
        try:
            return self.api.raw("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def _process(self, name: str) -> Process:
        found = self._processes.find(name)
        if found is None:
            raise LabError(f"{name} was never started")
        return found

    def _dial(self, address: tuple[str, int], timeout: float) -> socket.socket:
        return self._space.call(lambda: socket.create_connection(address, timeout))
