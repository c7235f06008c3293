"""A component's own account: what the manifests give it, and the folder in which its pod finds the token."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lab.cluster.kubelet import AccountFolder, make_node, make_pod, pod_token
from openelb_bgp.kube.access import Access, in_pod
from openelb_bgp.runtime.clock import SystemClock
from tests.daemons.harness.openelb import program
from tests.daemons.harness.processes import Daemon

from .harness.control_plane import ControlPlane
from .rendered import BASE, rendered

NAMESPACE = "openelb-system"
_KINDS = ("Namespace", "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")


@dataclass(frozen=True)
class Account:
    """A component's ServiceAccount as its pod sees it."""

    plane: ControlPlane
    folder: Path
    token: str

    def access(self) -> Access:
        """How a process in the pod finds the API server."""
        return in_pod(self.environment(), SystemClock())

    def environment(self) -> dict[str, str]:
        """What such a process finds in its environment."""
        parts = urlsplit(self.plane.url)
        return {
            "KUBERNETES_SERVICE_HOST": parts.hostname or "",
            "KUBERNETES_SERVICE_PORT": str(parts.port),
            "OPENELB_SERVICE_ACCOUNT": str(self.folder),
        }


def account_of(plane: ControlPlane, folder: Path, component: str, *, node: str = "node1") -> Account:
    """The account of `controller` or `speaker`, with the manifests' rights, in a pod on a node."""
    name = f"openelb-{component}"
    for document in rendered(BASE):
        if document["kind"] in _KINDS:
            plane.api.apply(document)
    if plane.api.find("Node", node) is None:
        make_node(plane.api, node, addresses=["192.0.2.11"])
    pod = make_pod(
        plane.api,
        f"{name}-{node}",
        namespace=NAMESPACE,
        node=node,
        addresses=["192.0.2.11"],
        service_account=name,
        labels={"app": "openelb", "component": component},
    )
    token = pod_token(plane.api, pod)
    account = AccountFolder(folder / f"{name}-{node}")
    account.write(token=token, ca=plane.ca.read_text(), namespace=NAMESPACE)
    return Account(plane, account.folder, token)


def controller_daemon(account: Account, folder: Path, *, webhook_port: int = 0) -> Daemon:
    """The controller as its pod runs it, but on loopback; it is not started yet. Port 0: no webhook."""
    environment = [f"{name}={value}" for name, value in account.environment().items()]
    arguments = (f"--webhook-port={webhook_port}", "--metrics-addr=127.0.0.1:0", "--leader-elect")
    argv = ("env", *environment, str(program()), "controller", *arguments)
    return Daemon(argv, log=folder / f"controller-{webhook_port}.log")
