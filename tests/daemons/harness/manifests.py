"""The smallest manifests that announce something, as the documents that people write."""

from typing import Any

from openelb_bgp.model import keys
from tests.daemons.harness.confs import NODE_ASN, ROUTER_ASN
from tests.daemons.harness.netns import Lan

Object = dict[str, Any]
_GROUP = "network.kubesphere.io/v1alpha2"


def bgp_conf(**spec: Any) -> Object:
    """The BgpConf `default`."""
    return _cluster("BgpConf", "default", {"as": NODE_ASN, **spec})


def bgp_peer(name: str, address: str | None, *, asn: int = ROUTER_ASN, **spec: Any) -> Object:
    """A BgpPeer that dials every second; `spec` adds to it, its `conf` field by field."""
    conf = {
        "peerAs": asn,
        **({} if address is None else {"neighborAddress": address}),
        **spec.pop("conf", {}),
    }
    return _cluster("BgpPeer", name, {"conf": conf, "timers": {"config": {"connectRetry": "1"}}, **spec})


def eip(name: str, address: str, *, default: bool = False, **spec: Any) -> Object:
    """A pool."""
    made = _cluster("Eip", name, {"address": address, **spec})
    if default:
        made["metadata"]["annotations"] = {keys.DEFAULT_EIP_ANNOTATION: "true"}
    return made


def service(name: str, *, pool: str | None = None, local: bool = False, **metadata: Any) -> Object:
    """A Service of type LoadBalancer in namespace `shop` that asks for us."""
    annotations = {keys.MANAGED_ANNOTATION: keys.MANAGED_VALUE, **metadata.pop("annotations", {})}
    if pool is not None:
        annotations[keys.EIP_ANNOTATION] = pool
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "shop", "annotations": annotations, **metadata},
        "spec": {
            "type": "LoadBalancer",
            "externalTrafficPolicy": "Local" if local else "Cluster",
            "ports": [{"name": "http", "port": 80}],
        },
    }


def endpoints(name: str, *nodes: str) -> Object:
    """An EndpointSlice of that Service with a ready endpoint on each of these nodes."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "namespace": "shop", "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080}],
        "endpoints": [
            {"addresses": [f"10.244.{index}.10"], "nodeName": node, "conditions": {"ready": True}}
            for index, node in enumerate(nodes, start=1)
        ],
    }


def node(name: str, *addresses: str) -> Object:
    """A Node."""
    listed = [{"type": "InternalIP", "address": address} for address in addresses]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name},
        "status": {"addresses": listed},
    }


def secret(name: str, **values: str) -> Object:
    """A Secret in our namespace."""
    return _ours("Secret", name, {"stringData": values})


def config_map(name: str, **values: str) -> Object:
    """A ConfigMap in our namespace; a key's underscores stand for dots."""
    return _ours("ConfigMap", name, {"data": {key.replace("_", "."): text for key, text in values.items()}})


def cluster(lan: Lan) -> tuple[Object, ...]:
    """One router, one default pool of 14 addresses, and Service `shop/web` with a ready endpoint."""
    return (
        bgp_conf(),
        bgp_peer("router", lan.routers[0].v4),
        eip("pool", "198.51.100.1-198.51.100.14", default=True),
        service("web"),
        endpoints("web", "node1"),
    )


def _cluster(kind: str, name: str, spec: Object) -> Object:
    return {"apiVersion": _GROUP, "kind": kind, "metadata": {"name": name}, "spec": spec}


def _ours(kind: str, name: str, content: Object) -> Object:
    metadata = {"name": name, "namespace": keys.DEFAULT_NAMESPACE}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **content}
