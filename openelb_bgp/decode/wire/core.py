"""Kubernetes' own kinds on the wire, cut down to what is read, and the Speaker.

There are tens of thousands of Services and EndpointSlices, so msgspec reads these in C; every field is
optional because an API server writes `null` for many.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from openelb_bgp.model import keys
from openelb_bgp.model.conditions import Condition
from openelb_bgp.model.statuses import SpeakerStatus

from .common import ObjectMeta, Port

NodePort = Annotated[int, Meta(ge=0, le=65535)]


class ServicePort(msgspec.Struct, rename="camel", kw_only=True):
    """A port of a Service."""

    port: Port
    protocol: str | None = None
    name: str | None = None
    node_port: NodePort | None = None


class ServiceSpec(msgspec.Struct, rename="camel", kw_only=True):
    """A Service's spec."""

    type: str | None = None
    load_balancer_class: str | None = None
    load_balancer_ip: str | None = msgspec.field(default=None, name="loadBalancerIP")
    ip_families: tuple[str, ...] | None = None
    ip_family_policy: str | None = None
    external_traffic_policy: str | None = None
    ports: tuple[ServicePort, ...] | None = None
    selector: dict[str, str] | None = None
    health_check_node_port: NodePort | None = None


class PortStatus(msgspec.Struct, kw_only=True):
    """What is said of one port of an address."""

    port: int | None = None
    protocol: str | None = None
    error: str | None = None


class Ingress(msgspec.Struct, rename="camel", kw_only=True):
    """An address in a Service's status."""

    ip: str | None = None
    hostname: str | None = None
    ip_mode: str | None = None
    ports: tuple[PortStatus, ...] | None = None


class LoadBalancer(msgspec.Struct, kw_only=True):
    """A Service's addresses."""

    ingress: tuple[Ingress, ...] | None = None


class ServiceStatus(msgspec.Struct, rename="camel", kw_only=True):
    """A Service's status."""

    load_balancer: LoadBalancer | None = None
    conditions: tuple[Condition, ...] | None = None


class ServiceDocument(msgspec.Struct, kw_only=True):
    """A Service."""

    metadata: ObjectMeta | None = None
    spec: ServiceSpec | None = None
    status: ServiceStatus | None = None


class EndpointConditions(msgspec.Struct, kw_only=True):
    """An endpoint's conditions; absent means what the EndpointSlice API says of each."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class Endpoint(msgspec.Struct, rename="camel", kw_only=True):
    """An endpoint."""

    node_name: str | None = None
    conditions: EndpointConditions | None = None


class SliceLabels(msgspec.Struct, kw_only=True):
    """What counts of an EndpointSlice's labels."""

    service_name: str | None = msgspec.field(default=None, name=keys.SERVICE_NAME_LABEL)


class SliceMeta(msgspec.Struct, rename="camel", kw_only=True):
    """What counts of an EndpointSlice's metadata: there are more of these than of anything else."""

    name: str | None = None
    namespace: str | None = None
    resource_version: str | None = None
    labels: SliceLabels | None = None


class EndpointSliceDocument(msgspec.Struct, rename="camel", kw_only=True):
    """An EndpointSlice."""

    metadata: SliceMeta | None = None
    address_type: str | None = None
    endpoints: tuple[Endpoint, ...] | None = None


class Taint(msgspec.Struct, kw_only=True):
    """A node's taint."""

    key: str
    effect: str
    value: str | None = None


class NodeSpec(msgspec.Struct, kw_only=True):
    """A Node's spec."""

    unschedulable: bool | None = None
    taints: tuple[Taint, ...] | None = None


class NodeAddress(msgspec.Struct, kw_only=True):
    """An address of a Node."""

    type: str
    address: str


class NodeInfo(msgspec.Struct, kw_only=True):
    """What a kubelet says of its machine."""

    boot_id: str | None = msgspec.field(default=None, name="bootID")


class NodeCondition(msgspec.Struct, kw_only=True):
    """A condition of a Node or a Pod."""

    type: str
    status: str
    message: str | None = None


class NodeStatus(msgspec.Struct, rename="camel", kw_only=True):
    """A Node's status."""

    addresses: tuple[NodeAddress, ...] | None = None
    conditions: tuple[NodeCondition, ...] | None = None
    node_info: NodeInfo | None = None


class NodeDocument(msgspec.Struct, kw_only=True):
    """A Node."""

    metadata: ObjectMeta | None = None
    spec: NodeSpec | None = None
    status: NodeStatus | None = None


class PodSpec(msgspec.Struct, rename="camel", kw_only=True):
    """A Pod's spec."""

    node_name: str | None = None


class PodStatus(msgspec.Struct, kw_only=True):
    """A Pod's status."""

    conditions: tuple[NodeCondition, ...] | None = None


class PodDocument(msgspec.Struct, kw_only=True):
    """A Pod."""

    metadata: ObjectMeta | None = None
    spec: PodSpec | None = None
    status: PodStatus | None = None


class NamespaceDocument(msgspec.Struct, kw_only=True):
    """A Namespace."""

    metadata: ObjectMeta | None = None


class ConfigMapDocument(msgspec.Struct, kw_only=True):
    """A ConfigMap; binary data is not read."""

    metadata: ObjectMeta | None = None
    data: dict[str, str] | None = None


class SecretDocument(msgspec.Struct, rename="camel", kw_only=True):
    """A Secret; `data` is base64, `stringData` goes over it."""

    metadata: ObjectMeta | None = None
    data: Annotated[dict[str, str] | None, Meta(extra={"secret": True})] = None
    string_data: Annotated[dict[str, str] | None, Meta(extra={"secret": True})] = None


class SpeakerDocument(msgspec.Struct, kw_only=True):
    """A Speaker; it has no spec."""

    metadata: ObjectMeta | None = None
    spec: Any = None
    status: SpeakerStatus | None = None
