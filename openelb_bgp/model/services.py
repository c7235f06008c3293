"""Service and EndpointSlice, cut down to what decisions use (a cluster has tens of thousands of them)."""

from collections.abc import Mapping

import msgspec

from .addresses import Address, Family
from .conditions import Condition
from .meta import EMPTY, Key, Kind, Meta, ObjectRef


class ServicePort(msgspec.Struct, frozen=True, gc=False):
    """A port that the Service listens on; `protocol` is TCP, UDP or SCTP."""

    protocol: str
    port: int
    name: str = ""
    node_port: int = 0


class IngressPort(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What another load balancer says of one port of its address (core/v1, PortStatus)."""

    port: int = 0
    protocol: str = ""
    error: str = ""


class Ingress(msgspec.Struct, frozen=True, gc=False):
    """One entry of status.loadBalancer.ingress; `ip` is None for a hostname or unreadable text."""

    ip: Address | None
    hostname: str = ""
    ip_mode: str = ""
    ports: tuple[IngressPort, ...] = ()


class Service(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A Service of any type, with the status that stands in the source.

    `ip_families` is empty when not written (the cluster's default: IPv4 here). `local` says that
    externalTrafficPolicy is Local.
    """

    meta: Meta
    type: str = "ClusterIP"
    load_balancer_class: str | None = None
    load_balancer_ip: str | None = None
    ip_families: tuple[Family, ...] = ()
    ip_family_policy: str = "SingleStack"
    local: bool = False
    ports: tuple[ServicePort, ...] = ()
    selector: Mapping[str, str] = EMPTY
    health_check_node_port: int = 0
    ingress: tuple[Ingress, ...] = ()
    conditions: tuple[Condition, ...] = ()

    @property
    def key(self) -> Key:
        """Namespace and name."""
        return self.meta.key

    @property
    def ref(self) -> ObjectRef:
        """Its reference."""
        return ObjectRef(Kind.SERVICE, self.meta.key)

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The addresses in its status, in order."""
        return tuple(entry.ip for entry in self.ingress if entry.ip is not None)


class Endpoint(msgspec.Struct, frozen=True, gc=False):
    """One endpoint; `node` is empty where the slice does not say it (Kubernetes, EndpointSlice v1)."""

    node: str
    ready: bool = True
    serving: bool = True
    terminating: bool = False


class EndpointSlice(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A part of a Service's endpoints. `service` is empty when the label is missing."""

    meta: Meta
    service: str
    family: Family | None
    endpoints: tuple[Endpoint, ...] = ()

    @property
    def ref(self) -> ObjectRef:
        """Its reference."""
        return ObjectRef(Kind.ENDPOINT_SLICE, self.meta.key)
