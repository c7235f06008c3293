"""Service and EndpointSlice: wire to model. There are tens of thousands, so nothing is made twice."""

import functools
import sys

from openelb_bgp.model import keys
from openelb_bgp.model.addresses import Address, Family, read_address
from openelb_bgp.model.conditions import Condition
from openelb_bgp.model.meta import Kind, Meta
from openelb_bgp.model.services import Endpoint, EndpointSlice, Ingress, IngressPort, Service, ServicePort

from .findings import Findings
from .metadata import interned, key_of
from .walk import numbered
from .wire import core as wire

_FAMILIES = {"IPv4": Family.IPV4, "IPv6": Family.IPV6}
_PROTOCOLS = ("TCP", "UDP", "SCTP")
_NO_STATUS = wire.ServiceStatus()
_NO_SPEC = wire.ServiceSpec()
_NO_META = wire.SliceMeta()
_OURS = f"{keys.GROUP}/"


def service(meta: Meta, document: wire.ServiceDocument, findings: Findings) -> Service:
    """The Service with the status that stands in the document."""
    spec, status = document.spec or _NO_SPEC, document.status or _NO_STATUS
    entries = status.load_balancer.ingress if status.load_balancer else None
    return Service(
        meta=meta,
        type=sys.intern(spec.type or "ClusterIP"),
        load_balancer_class=spec.load_balancer_class or None,
        load_balancer_ip=spec.load_balancer_ip or None,
        ip_families=_families(spec.ip_families or (), findings),
        ip_family_policy=sys.intern(spec.ip_family_policy or "SingleStack"),
        local=spec.external_traffic_policy == "Local",
        ports=_ports(spec.ports or (), findings),
        selector=interned(spec.selector),
        health_check_node_port=spec.health_check_node_port or 0,
        ingress=tuple(_ingress(one) for one in entries) if entries else (),
        conditions=tuple(_shared(one) for one in status.conditions or () if one.type.startswith(_OURS)),
    )


def endpoint_slice(document: wire.EndpointSliceDocument, kind: Kind, findings: Findings) -> EndpointSlice:
    """The slice; conditions that are absent mean what the EndpointSlice API (v1) says of each.

    There are more slices than anything else: of their metadata nothing is kept but names and version.
    """
    meta = document.metadata or _NO_META
    key_of(meta.name, meta.namespace, kind, findings)
    return stored_slice(document, kind, findings)


def stored_slice(document: wire.EndpointSliceDocument, kind: Kind, findings: Findings) -> EndpointSlice:
    """The same of one that an API server has, which knows what a name is."""
    meta = document.metadata or _NO_META
    service = meta.labels.service_name if meta.labels else None
    return EndpointSlice(
        meta=Meta(
            name=meta.name or "",
            namespace=sys.intern(meta.namespace or "default"),
            resource_version=meta.resource_version or "",
        ),
        service=sys.intern(service or ""),
        family=_FAMILIES.get(document.address_type or ""),
        endpoints=tuple([_endpoint_of(one) for one in document.endpoints or ()]),
    )


def address_or_none(text: str | None) -> Address | None:
    """The IP address in a text that somebody else wrote, None where it is none."""
    if not text:
        return None
    try:
        return read_address(text)
    except ValueError:
        return None


def _families(texts: tuple[str, ...], findings: Findings) -> tuple[Family, ...]:
    found = []
    for index, text in numbered(texts):
        if text in _FAMILIES:
            found.append(_FAMILIES[text])
        else:
            findings.left_out(f"spec.ipFamilies[{index}]", text, "is no IP family", "write IPv4 or IPv6")
    return tuple(found)


def _ports(ports: tuple[wire.ServicePort, ...], findings: Findings) -> tuple[ServicePort, ...]:
    return tuple(
        _port(one.protocol or "TCP", one.port, one.name or "", one.node_port or 0)
        for index, one in numbered(ports)
        if _is_known(one.protocol, f"spec.ports[{index}].protocol", findings)
    )


def _is_known(protocol: str | None, path: str, findings: Findings) -> bool:
    if protocol is None or protocol in _PROTOCOLS:
        return True
    findings.left_out(path, protocol, "is not a protocol", f"write one of {', '.join(_PROTOCOLS)}")
    return False


def _ingress(one: wire.Ingress) -> Ingress:
    ports = tuple(
        IngressPort(port.port or 0, port.protocol or "", port.error or "") for port in one.ports or ()
    )
    return Ingress(address_or_none(one.ip), one.hostname or "", sys.intern(one.ip_mode or ""), ports)


def _endpoint_of(one: wire.Endpoint) -> Endpoint:
    conditions = one.conditions
    if conditions is None:
        return _endpoint(one.node_name or "", True, True, False)
    ready = conditions.ready is not False
    serving = ready if conditions.serving is None else conditions.serving
    return _endpoint(one.node_name or "", ready, serving, bool(conditions.terminating))


def _shared(one: Condition) -> Condition:
    """The condition with texts that are one object each where thousands of Services say the same."""
    texts = (one.type, one.status, one.reason, one.message, one.last_transition_time)
    type_, status, reason, message, since = map(sys.intern, texts)
    return Condition(
        type=type_,
        status=status,
        reason=reason,
        message=message,
        last_transition_time=since,
        observed_generation=one.observed_generation,
    )


@functools.lru_cache(maxsize=8192)
def _endpoint(node: str, ready: bool, serving: bool, terminating: bool) -> Endpoint:
    # A node has few different endpoints and many equal ones.
    return Endpoint(sys.intern(node), ready, serving, terminating)


@functools.lru_cache(maxsize=8192)
def _port(protocol: str, port: int, name: str, node_port: int) -> ServicePort:
    return ServicePort(protocol, port, name, node_port)
