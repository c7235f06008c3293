"""Node, Pod, Namespace, ConfigMap and Secret: wire to model."""

import base64
import binascii

from openelb_bgp.model.addresses import Address
from openelb_bgp.model.cluster import ConfigMap, Namespace, Node, Pod, Secret, Taint
from openelb_bgp.model.meta import EMPTY, Meta

from .findings import HIDDEN, Findings
from .services import address_or_none
from .walk import join, numbered
from .wire import core as wire

_NO_STATUS = wire.NodeStatus()
_NO_SPEC = wire.NodeSpec()


def node(meta: Meta, document: wire.NodeDocument, findings: Findings) -> Node:
    """The Node. Of its addresses only InternalIPs count."""
    spec, status = document.spec or _NO_SPEC, document.status or _NO_STATUS
    states = {one.type: one.status for one in status.conditions or ()}
    return Node(
        meta=meta,
        addresses=_addresses(status.addresses or (), findings),
        # Unknown is what the node controller writes of a node that it no longer hears of: not ready.
        ready=states["Ready"] == "True" if "Ready" in states else None,
        network_unavailable=states.get("NetworkUnavailable") == "True",
        unschedulable=bool(spec.unschedulable),
        shutting_down=any(_tells_of_shutdown(one) for one in status.conditions or ()),
        taints=tuple(Taint(one.key, one.effect, one.value or "") for one in spec.taints or ()),
        boot_id=(status.node_info.boot_id or "") if status.node_info else "",
    )


def _tells_of_shutdown(condition: wire.NodeCondition) -> bool:
    """As kubelet words it (Kubernetes, pkg/kubelet/nodeshutdown: ShutdownStatus)."""
    is_down = (condition.type, condition.status) == ("Ready", "False")
    return is_down and "node is shutting down" in (condition.message or "")


def pod(meta: Meta, document: wire.PodDocument, findings: Findings) -> Pod:
    """The Pod. Of its conditions only Ready counts, which is true once all its containers are."""
    conditions = (document.status.conditions if document.status else None) or ()
    return Pod(
        meta=meta,
        node=(document.spec.node_name if document.spec else None) or "",
        ready=any(one.type == "Ready" and one.status == "True" for one in conditions),
    )


def namespace(meta: Meta, document: wire.NamespaceDocument, findings: Findings) -> Namespace:
    """The Namespace."""
    return Namespace(meta)


def config_map(meta: Meta, document: wire.ConfigMapDocument, findings: Findings) -> ConfigMap:
    """The ConfigMap."""
    return ConfigMap(meta, document.data or EMPTY)


def secret(meta: Meta, document: wire.SecretDocument, findings: Findings) -> Secret:
    """The Secret; a value that is no base64 is left out."""
    data: dict[str, bytes] = {}
    for key, text in (document.data or {}).items():
        try:
            # Line breaks are allowed: `base64` folds its output, and the API server takes it.
            data[key] = base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError):
            remedy = "encode it, or write it as plain text under stringData"
            findings.left_out(join("data", key), HIDDEN, "is not base64", remedy)
    for key, text in (document.string_data or {}).items():
        data[key] = text.encode(errors="surrogatepass")
    return Secret(meta, data)


def _addresses(written: tuple[wire.NodeAddress, ...], findings: Findings) -> tuple[Address, ...]:
    found = []
    for index, one in numbered(written):
        if one.type != "InternalIP":
            continue
        address = address_or_none(one.address)
        if address is None:
            path = f"status.addresses[{index}].address"
            findings.left_out(path, one.address, "is not an IP address", "write the node's InternalIP")
        else:
            found.append(address)
    return tuple(found)
