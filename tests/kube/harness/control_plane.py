"""etcd, kube-apiserver and kube-controller-manager as children of the test process, on loopback.

They die with the test process, however it ends (`setpriv --pdeathsig`); what they store is in the test's
temporary folder. Ports are taken below those that the kernel gives to outgoing connections, so that a killed
API server finds its own again. Code in a network namespace reaches it through a `FaultyProxy` that listens
there.
"""

import base64
import json
import os
import random
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lab.cluster.api import Api
from lab.cluster.installation import pod_environment
from lab.cluster.keys import TokenSigner
from lab.cluster.plane import Plane, Ports, make_plane
from tests.daemons.harness.processes import Daemon

LOOPBACK = "127.0.0.1"
GATEWAY = "10.0.0.254"
"""An address that no member of a LAN has: where a proxy in the LAN's switch may listen."""

_NOT_EPHEMERAL = range(20000, 32768)
_START = 60.0


class ControlPlane:
    """One control plane. `api` is its admin's client, `kubectl` his command line.

    The three processes are `etcd`, `api_server` and `controller_manager`: a test may `pause` and `resume`
    them or `end` them (SIGKILL), and starts the last two again by `start_api_server` and
    `start_controller_manager`.
    """

    def __init__(self, folder: Path) -> None:
        ports = _free_ports(3)
        self.plane: Plane = make_plane(
            folder, address=LOOPBACK, ports=Ports(*ports), hosts=(GATEWAY, "fd00:a::fe")
        )
        self.folder = folder
        self.api = self.client(self.plane.admin_token)
        self.etcd = self._daemon(self.plane.etcd(), "etcd")
        self.api_server = self._daemon(self.plane.api_server(), "kube-apiserver")
        self.controller_manager = self._daemon(self.plane.controller_manager(), "kube-controller-manager")

    @property
    def url(self) -> str:
        """Where the API server is."""
        return self.plane.url

    @property
    def ca(self) -> Path:
        """The file with the certificate that its clients trust."""
        return self.plane.ca

    @property
    def signer(self) -> TokenSigner:
        """Signs tokens that the API server accepts (see `kubelet.brief_token`)."""
        return self.plane.signer

    def client(self, token: str) -> Api:
        """A client with that token."""
        return Api(self.plane.url, ca=self.plane.ca, token=token)

    def environment(self, account: Path, *, url: str = "") -> Mapping[str, str]:
        """A pod's, with its ServiceAccount's folder, for a process of ours; `url` is that of a proxy."""
        parts = urlsplit(url or self.url)
        return pod_environment(str(parts.hostname), parts.port or 443, account)

    # Starting and ending

    def start(self) -> None:
        """Start all three; returns when the API server is ready."""
        self.etcd.start()
        self._leave_the_first_revision_behind()
        self.start_api_server()
        self.start_controller_manager()

    def start_api_server(self, *flags: str, ready: bool = True) -> None:
        """Start the API server, or start it again after its end; returns when it is ready, unless told
        otherwise.

        `flags` are added for this one start.
        """
        self.api_server = self._daemon(self.plane.api_server(*flags), "kube-apiserver")
        self.api_server.start()
        if ready:
            self.await_ready()

    def start_controller_manager(self) -> None:
        """Start the controller-manager, or start it again after its end."""
        self.controller_manager.start()

    def await_ready(self) -> None:
        """Return when the API server is ready and has made what a fresh cluster has. Fails with its log."""
        _until(self._ready, self.api_server, self.etcd)

    def stop(self) -> None:
        """Kill all three."""
        for daemon in (self.controller_manager, self.api_server, self.etcd):
            daemon.end()

    # Looking and steering

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """What kubectl prints; fails the test with what it said if it fails."""
        done = self.try_kubectl(*arguments, stdin=stdin)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr or done.stdout}"
        return done.stdout

    def try_kubectl(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """kubectl, run to its end."""
        return subprocess.run(
            self.plane.kubectl(*arguments),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @property
    def revision(self) -> int:
        """etcd's current revision, of which resourceVersions are made."""
        answer = self._etcd("/v3/kv/range", {"key": base64.b64encode(b"\0").decode()})
        return int(answer["header"]["revision"])

    def compact(self) -> None:
        """Make etcd forget all revisions but the current one.

        The API server goes on serving what it has in memory: restart it, too, to see 410 for an old
        resourceVersion.
        """
        self._etcd("/v3/kv/compaction", {"revision": str(self.revision), "physical": True})

    def save(self) -> Path:
        """Keep a copy of all that etcd holds, for `restore`. etcd is away for a moment."""
        copy = self.folder / f"etcd-{self.revision}-{time.monotonic_ns()}"
        self.etcd.end()
        shutil.copytree(self.folder / "etcd", copy)
        self.etcd.start()
        self.await_ready()
        return copy

    def restore(self, copy: Path) -> None:
        """Go back to what etcd held then, as an operator does it: everything is stopped meanwhile."""
        self.stop()
        shutil.rmtree(self.folder / "etcd")
        shutil.copytree(copy, self.folder / "etcd")
        self.start()

    def _leave_the_first_revision_behind(self) -> None:
        """As in any cluster that is not new: nobody can watch from resourceVersion 1."""

        def put() -> bool:
            try:
                self._etcd("/v3/kv/put", {"key": base64.b64encode(b"/tests").decode()})
            except OSError:
                return False
            return True

        _until(put, self.etcd)

    def _ready(self) -> bool:
        try:
            status, _ = self.api.raw("GET", "/readyz")
            return status == 200 and self.api.find("Namespace", "default") is not None
        except OSError:
            return False

    def _etcd(self, path: str, body: Any) -> Any:
        url = f"http://{LOOPBACK}:{self.plane.ports.etcd}{path}"
        request = urllib.request.Request(url, json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def _daemon(self, argv: tuple[str, ...], name: str) -> Daemon:
        return Daemon(("setpriv", "--pdeathsig", "KILL", *argv), log=self.folder / f"{name}.log")


def _until(ready: Callable[[], bool], *needed: Daemon) -> None:
    deadline = time.monotonic() + _START
    while not ready():
        for daemon in needed:
            assert daemon.alive, f"it ended at once:\n{daemon.output()[-3000:]}"
        assert time.monotonic() < deadline, f"not ready after {_START:g} s:\n{needed[0].output()[-3000:]}"
        time.sleep(0.05)


def _free_ports(count: int) -> list[int]:
    """Free ports, different ones in each test process."""
    found: list[int] = []
    for port in random.Random(os.urandom(8)).sample(_NOT_EPHEMERAL, k=len(_NOT_EPHEMERAL)):
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            break
    return found
