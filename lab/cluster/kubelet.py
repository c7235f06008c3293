"""What kubelets would do in a control plane that has none: Nodes that are Ready, Pods that run, and the
folder in which a pod finds the token of its ServiceAccount.
"""

import datetime
import itertools
import os
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.cluster.api import STRATEGIC, Api, ApiError, Object
from lab.cluster.keys import TokenSigner, claims_of
from lab.cluster.plane import ISSUER

_LEEWAY = 60
_IMAGE = "example.invalid/none"
_serial = itertools.count(1)


def make_node(
    api: Api,
    name: str,
    *,
    addresses: Sequence[str],
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    ready: bool = True,
) -> Object:
    """A Node with these InternalIPs, as it is after its kubelet's first report."""
    api.create(
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": dict(labels or {}), "annotations": dict(annotations or {})},
        }
    )
    # Admission taints a new Node as not ready, and whoever lifts that is not here.
    api.patch("Node", name, {"spec": {"taints": None}})
    known = [{"type": "InternalIP", "address": address} for address in addresses]
    known.append({"type": "Hostname", "address": name})
    api.patch("Node", name, {"status": {"addresses": known}}, subresource="status", content_type=STRATEGIC)
    return set_node_ready(api, name, ready=ready)


def set_node_ready(api: Api, name: str, *, ready: bool = True, **conditions: bool) -> Object:
    """Report a Node's Ready condition, and others by their type (`NetworkUnavailable=True`)."""
    reported = [_condition("Ready", ready, "KubeletReady" if ready else "KubeletNotReady")]
    reported += [_condition(type_, value, "Reported") for type_, value in conditions.items()]
    change = {"status": {"conditions": reported}}
    return api.patch("Node", name, change, subresource="status", content_type=STRATEGIC)


def make_service_account(api: Api, namespace: str, name: str) -> None:
    """A ServiceAccount, if it is not there yet."""
    metadata = {"name": name, "namespace": namespace}
    try:
        api.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    except ApiError as exc:
        if exc.reason != "AlreadyExists":
            raise


def make_pod(
    api: Api,
    name: str,
    *,
    namespace: str,
    node: str,
    addresses: Sequence[str],
    labels: Mapping[str, str] | None = None,
    service_account: str = "default",
    ready: bool = True,
    **spec: Any,
) -> Object:
    """A Pod that a scheduler put on a node and a kubelet runs with these addresses; `spec` adds fields."""
    # Refused until its ServiceAccount is there; for `default` the controller-manager would take a moment.
    make_service_account(api, namespace, service_account)
    api.create(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "labels": dict(labels or {})},
            "spec": {
                "nodeName": node,
                "serviceAccountName": service_account,
                "containers": [{"name": "main", "image": _IMAGE}],
                **spec,
            },
        }
    )
    status = {
        "phase": "Running",
        "hostIP": addresses[0],
        "podIP": addresses[0],
        "podIPs": [{"ip": address} for address in addresses],
        "startTime": _now(),
    }
    api.patch("Pod", name, {"status": status}, namespace=namespace, subresource="status")
    return set_pod_ready(api, name, namespace=namespace, ready=ready)


def set_pod_ready(api: Api, name: str, *, namespace: str, ready: bool = True) -> Object:
    """Report a Pod's readiness."""
    types = ("Ready", "ContainersReady")
    conditions = [_condition(type_, ready, "" if ready else "ContainersNotReady") for type_ in types]
    conditions += [_condition(type_, True, "") for type_ in ("PodScheduled", "Initialized")]
    container = {
        "name": "main",
        "image": _IMAGE,
        "imageID": "",
        "ready": ready,
        "restartCount": 0,
        "state": {"running": {"startedAt": _now()}},
    }
    change = {"status": {"conditions": conditions, "containerStatuses": [container]}}
    return api.patch("Pod", name, change, namespace=namespace, subresource="status", content_type=STRATEGIC)


def stop_pod(api: Api, name: str, *, namespace: str) -> None:
    """Ask a Pod to end: it stays, as terminating, until `remove_pod`."""
    api.delete("Pod", name, namespace=namespace)


def remove_pod(api: Api, name: str, *, namespace: str) -> None:
    """Take a Pod away, as a kubelet does when its containers have ended."""
    api.delete("Pod", name, namespace=namespace, gracePeriodSeconds="0")


def pod_token(api: Api, pod: Object, *, seconds: int = 3600) -> str:
    """The token that a kubelet would ask for a pod: bound to the pod, and so to its node.

    `seconds` is at least 600. https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/
    """
    metadata = pod["metadata"]
    bound = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "metadata": {},
        "spec": {"audiences": [ISSUER], "expirationSeconds": seconds, "boundObjectRef": bound},
    }
    account = pod["spec"]["serviceAccountName"]
    path = api.path("ServiceAccount", account, namespace=metadata["namespace"], subresource="token")
    return str(api.request("POST", path, request)["status"]["token"])


def brief_token(signer: TokenSigner, token: str, *, seconds: float) -> str:
    """The same token, but one that the API server refuses after `seconds`, or already if they are negative.

    It allows clocks to differ by a minute, and remembers for 10 s that a token was good.
    """
    now = int(time.time())
    times = {"nbf": now - 3600, "iat": now - 3600, "exp": int(now + seconds) - _LEEWAY}
    return signer.token({**claims_of(token), **times})


class AccountFolder:
    """A folder laid out as /var/run/secrets/kubernetes.io/serviceaccount, and renewed as a kubelet renews it.

    The files are links by way of `..data`, which is replaced in one step: whoever reads sees all old or all
    new (https://pkg.go.dev/k8s.io/kubernetes/pkg/volume/util#AtomicWriter).
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, *, token: str, ca: str, namespace: str) -> Path:
        """Put these contents there, in place of what was there; returns the folder."""
        data, old = self.folder / "..data", None
        if data.is_symlink():
            old = self.folder / data.readlink()
        new = self.folder / f"..{next(_serial)}-{time.monotonic_ns()}"
        new.mkdir()
        for name, text in (("token", token), ("ca.crt", ca), ("namespace", namespace)):
            (new / name).write_text(text)
            if not (self.folder / name).is_symlink():
                (self.folder / name).symlink_to(f"..data/{name}")
        (self.folder / "..data_tmp").symlink_to(new.name)
        os.replace(self.folder / "..data_tmp", data)  # noqa: PTH105  (the atomic one, by the name that says so)
        if old is not None:
            shutil.rmtree(old)
        return self.folder


def service(
    name: str,
    *,
    namespace: str = "default",
    selector: Mapping[str, str] | None = None,
    ports: Iterable[Mapping[str, Any]] = ({"name": "http", "port": 80, "targetPort": 8080},),
    annotations: Mapping[str, str] | None = None,
    **spec: Any,
) -> Object:
    """A Service's manifest, LoadBalancer unless `spec` says otherwise."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace, "annotations": dict(annotations or {})},
        "spec": {
            "type": "LoadBalancer",
            "selector": dict(selector or {}),
            "ports": [dict(port) for port in ports],
            **spec,
        },
    }


def _condition(type_: str, value: bool, reason: str) -> Object:
    now = _now()
    return {
        "type": type_,
        "status": "True" if value else "False",
        "reason": reason,
        "lastTransitionTime": now,
    }


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
