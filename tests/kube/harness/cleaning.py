"""What a test finds: a control plane in which nothing is left of the tests before it.

Everything that tests make is removed at the start of the next test, so what a failed one left can be looked
at until then. Objects go in the order in which they cannot come back; finalizers are taken off. Namespaces
end in the background, which takes seconds: their names are never used twice. What stays: CRDs, RBAC,
admission policies, and `openelb-system` with its ServiceAccounts, but not what was put into it.
"""

import contextlib
import itertools
import os

from lab.cluster.api import Api, ApiError, Object
from lab.cluster.kubelet import make_service_account

OUR_NAMESPACE = "openelb-system"

_KEPT_NAMESPACES = {"default", "kube-system", "kube-public", "kube-node-lease", OUR_NAMESPACE}
_OUR_KINDS = ("Eip", "BgpConf", "BgpPeer", "Speaker")
_WORKLOADS = ("DaemonSet", "Deployment", "ReplicaSet", "Pod")
_CONTENTS = ("EndpointSlice", "Lease", "Secret", "ConfigMap", "Event")
_serial = itertools.count(1)


def clean(api: Api) -> None:
    """Remove what tests have made."""
    for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"):
        # First: one whose server has gone may refuse all that follows.
        api.delete_all(kind)
    for kind in _OUR_KINDS:
        with contextlib.suppress(ApiError):
            # The CRD may not be there.
            _remove_each(api, kind, api.items(kind))
    made = [item["metadata"]["name"] for item in api.items("Namespace")]
    for namespace in made:
        if not namespace.startswith("kube-"):
            _empty(api, namespace)
    _remove_each(api, "Node", api.items("Node"))
    for namespace in set(made) - _KEPT_NAMESPACES:
        api.delete("Namespace", namespace)


def make_namespace(api: Api, name: str = "") -> str:
    """A namespace that takes Pods at once; of a name that was never used, unless one is given."""
    name = name or f"test-{os.getpid()}-{next(_serial)}"
    if api.find("Namespace", name) is None:
        api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    make_service_account(api, name, "default")
    return name


def _empty(api: Api, namespace: str) -> None:
    for kind in _WORKLOADS:
        _remove_each(api, kind, api.items(kind, namespace=namespace))
    services = [one for one in api.items("Service", namespace=namespace) if not _is_the_api(one)]
    _remove_each(api, "Service", services)
    for kind in _CONTENTS:
        api.delete_all(kind, namespace=namespace)


def _remove_each(api: Api, kind: str, objects: list[Object]) -> None:
    for one in objects:
        metadata = one["metadata"]
        name, namespace = metadata["name"], metadata.get("namespace", "")
        with contextlib.suppress(ApiError):
            # It may go by itself meanwhile: its owner was just deleted.
            if metadata.get("finalizers"):
                api.patch(kind, name, {"metadata": {"finalizers": None}}, namespace=namespace)
            api.delete(kind, name, namespace=namespace, gracePeriodSeconds="0")


def _is_the_api(service: Object) -> bool:
    metadata = service["metadata"]
    return (metadata["namespace"], metadata["name"]) == ("default", "kubernetes")
