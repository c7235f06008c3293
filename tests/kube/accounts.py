"""A ServiceAccount with rights of its own, and the folder in which a pod finds its token.

    account = make_account(control_plane, tmp_path, READER)
    access = account.access(proxy.url)

The code under test never gets the admin's token.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lab.cluster.api import Object
from lab.cluster.kubelet import AccountFolder, brief_token, make_node, make_pod, pod_token
from openelb_bgp.kube.access import Access, in_pod
from openelb_bgp.runtime.clock import SystemClock
from tests.kube.harness.control_plane import ControlPlane

Rules = Sequence[Mapping[str, Any]]

NAMESPACE = "openelb-system"
_ALL = ["get", "list", "watch", "create", "update", "patch", "delete"]
READER: Rules = (
    {
        "apiGroups": ["", "discovery.k8s.io", "network.kubesphere.io"],
        "resources": ["*"],
        "verbs": ["list", "watch"],
    },
)
WRITER: Rules = (
    {"apiGroups": [""], "resources": ["services", "services/status", "configmaps"], "verbs": _ALL},
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": _ALL},
)
_serial = itertools.count(1)


@dataclass(frozen=True)
class Account:
    """One ServiceAccount as its pod sees it."""

    control_plane: ControlPlane
    folder: AccountFolder
    pod: Object

    def access(self, url: str) -> Access:
        """How a process in the pod finds the API server at that address."""
        return in_pod(self.environment(url), SystemClock())

    def environment(self, url: str) -> dict[str, str]:
        """What such a process finds in its environment."""
        parts = urlsplit(url)
        return {
            "KUBERNETES_SERVICE_HOST": parts.hostname or "",
            "KUBERNETES_SERVICE_PORT": str(parts.port),
            "OPENELB_SERVICE_ACCOUNT": str(self.folder.folder),
        }

    def allow(self, rules: Rules) -> None:
        """From now on it may do this, and nothing else."""
        self.control_plane.api.apply(
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRole",
                "metadata": {"name": self.pod["metadata"]["name"]},
                "rules": [dict(rule) for rule in rules],
            }
        )

    def renew(self, *, seconds: float | None = None, ca: Path | None = None) -> None:
        """Put another token there, one that is good for so many seconds only, or another CA."""
        token = pod_token(self.control_plane.api, self.pod)
        if seconds is not None:
            token = brief_token(self.control_plane.signer, token, seconds=seconds)
        trusted = (ca or self.control_plane.ca).read_text()
        self.folder.write(token=token, ca=trusted, namespace=NAMESPACE)


def make_account(control_plane: ControlPlane, folder: Path, rules: Rules) -> Account:
    """A ServiceAccount, its rights in the whole cluster, and a pod of it on a node."""
    api, name = control_plane.api, f"tester-{next(_serial)}"
    if api.find("Namespace", NAMESPACE) is None:
        api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    api.apply(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}],
        }
    )
    make_node(api, name, addresses=["192.0.2.11"])
    pod = make_pod(api, name, namespace=NAMESPACE, node=name, addresses=["192.0.2.11"], service_account=name)
    account = Account(control_plane, AccountFolder(folder / name), pod)
    account.allow(rules)
    account.renew()
    return account
