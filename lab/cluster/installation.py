"""What is put into a control plane: our kinds and the rights of our processes, a folder of manifests, and
Pods that stand for our processes, whose tokens are bound to them as in any cluster.
"""

from collections.abc import Mapping
from pathlib import Path

import yaml

from lab.cluster.api import Api, Object
from lab.cluster.kubelet import AccountFolder, make_node, make_pod, pod_token
from lab.cluster.plane import Plane
from lab.manifests import objects
from lab.shell import run, wait_until

SYSTEM = "openelb-system"
MANIFESTS = Path(__file__).resolve().parents[2] / "manifests"

_DEFINITION = "CustomResourceDefinition"
_NOT_RUN = {"Deployment", "DaemonSet", "PodDisruptionBudget"}
"""Of the base: what somebody else starts here."""
_SERVICE_NETWORK = {"Service", "ValidatingWebhookConfiguration"}
"""Of the base: the webhook, which the API server reaches by its Service."""


def install(api: Api, plane: Plane, *, service_network: bool = False) -> None:
    """Apply what of the base gives our kinds, and our processes their names and rights.

    Also the webhook, where the API server reaches Services.
    """
    left_out = _NOT_RUN if service_network else _NOT_RUN | _SERVICE_NETWORK
    base = list(yaml.safe_load_all(run(plane.kubectl("kustomize", str(MANIFESTS / "base")))))
    for obj in base:
        if obj["kind"] not in left_out:
            api.apply(obj, manager="kubectl")
    names = [obj["metadata"]["name"] for obj in base if obj["kind"] == _DEFINITION]
    wait_until(
        lambda: all(_established(api.get(_DEFINITION, name)) for name in names),
        within=30.0,
        what="our kinds to be served",
    )


def load(api: Api, folder: Path) -> None:
    """Make the objects of a folder of manifests; EndpointSlices are left out, they follow from Pods here."""
    for obj in objects(folder):
        metadata = obj["metadata"]
        if obj["kind"] == "Node":
            known = obj["status"]["addresses"]
            addresses = [one["address"] for one in known if one["type"] == "InternalIP"]
            make_node(api, metadata["name"], addresses=addresses, labels=metadata.get("labels"))
        elif obj["kind"] != "EndpointSlice":
            api.apply(obj, manager="kubectl")


def our_pod(api: Api, component: str, *, node: str, address: str) -> Object:
    """The Pod of our `controller` or `speaker` on a node, Ready; made if it is not there."""
    name = f"openelb-{component}-{node}"
    return api.find("Pod", name, namespace=SYSTEM) or make_pod(
        *(api, name),
        namespace=SYSTEM,
        node=node,
        addresses=[address],
        labels={"app": "openelb", "component": component},
        service_account=f"openelb-{component}",
        hostNetwork=True,
    )


def mount_account(api: Api, plane: Plane, pod: Object, folder: Path, *, seconds: int = 3600) -> Path:
    """Write the folder in which a process finds its Pod's token, or write a new token there."""
    token = pod_token(api, pod, seconds=seconds)
    namespace = pod["metadata"]["namespace"]
    return AccountFolder(folder).write(token=token, ca=plane.ca.read_text(), namespace=namespace)


def pod_environment(host: str, port: int, account: Path) -> Mapping[str, str]:
    """What kubelet puts into a container's environment, and where the ServiceAccount's folder is."""
    return {
        "KUBERNETES_SERVICE_HOST": host,
        "KUBERNETES_SERVICE_PORT": str(port),
        "OPENELB_SERVICE_ACCOUNT": str(account),
    }


def _established(crd: Object) -> bool:
    conditions = crd.get("status", {}).get("conditions", ())
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)
