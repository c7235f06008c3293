"""One Kubernetes object as parsed from JSON or YAML, or JSON itself → a frozen model value, or what is wrong.

Here is which wire struct and which function belong to each kind, and the two ways of reading: our own kinds
are walked field by field, for every defect and every unknown field; Kubernetes' kinds are converted by
msgspec in C and walked only where that refuses them. 10,000 Services take 0.12 s of CPU so, 20,000
EndpointSlices of three endpoints 0.18 s, a walked BgpPeer 0.2 ms; where as many documents are held at once
Python's collector at its defaults adds as much again.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from openelb_bgp.model.errors import Defect, InvalidResource
from openelb_bgp.model.meta import Kind, Meta, ObjectRef
from openelb_bgp.model.snapshot import Resource
from openelb_bgp.model.speakers import Speaker
from openelb_bgp.model.statuses import SpeakerStatus

from . import bgp_conf, bgp_peer, cluster, eip, services
from .findings import Findings
from .metadata import api_version_of, check_version, kind_of, meta, ref_of
from .unknown import report_misplaced, report_misplaced_keys
from .walk import walk
from .wire import bgp as wire_bgp
from .wire import core as wire_core
from .wire import eip as wire_eip


class Decoded(msgspec.Struct, frozen=True):
    """What became of a document: a resource, or why it cannot be used; neither if its kind is not ours.

    `warnings` are the defects of a resource that is used all the same, without the fields that they name.
    """

    resource: Resource | None = None
    invalid: InvalidResource | None = None
    warnings: tuple[Defect, ...] = ()


_NOT_OURS = Decoded()

_Read = Callable[[Mapping[Any, Any], Kind, Findings], Resource]


def decode(document: object) -> Decoded:
    """Decode one document, a dict as a JSON or YAML parser makes it. Never raises, whatever it is given."""
    kind = kind_of(document)
    if kind is None or not isinstance(document, dict):
        return _NOT_OURS
    findings = Findings()
    check_version(document, kind, findings)
    resource = _READERS[kind](document, kind, findings)
    if findings.any_fatal:
        return Decoded(invalid=InvalidResource(ref_of(document, kind), findings.defects))
    return Decoded(resource, warnings=findings.defects)


def decode_json(text: bytes | msgspec.Raw, kind: Kind) -> Decoded:
    """Decode one object of a kind as an API server sends it where that kind was asked for.

    Kubernetes' own kinds go straight into structs: there the API server has no fields that it does not know.
    Raises msgspec.DecodeError for what is no JSON.
    """
    fast = _FROM_JSON.get(kind)
    if fast is not None:
        try:
            return fast(text)
        except msgspec.ValidationError:
            pass
    document = msgspec.json.decode(text)
    if isinstance(document, dict):
        document = {**document, "apiVersion": api_version_of(kind), "kind": kind.value}
    return decode(document)


D = TypeVar("D", wire_eip.EipDocument, wire_bgp.BgpConfDocument, wire_bgp.BgpPeerDocument)
C = TypeVar("C", bound=msgspec.Struct)


def _walked(type_: type[D], make: Callable[[Meta, Any, Findings], Resource]) -> _Read:
    """A reader of one of our own kinds; `make` gets the spec."""

    def read(document: Mapping[Any, Any], kind: Kind, findings: Findings) -> Resource:
        wire = walk(document, type_, findings, unknown=True)
        report_misplaced(document, kind, findings, whole=False)
        return make(meta(wire.metadata, kind, findings), wire.spec, findings)

    return read


def _converted(type_: type[C], make: Callable[[Meta, Any, Findings], Resource]) -> _Read:
    """A reader of a kind of which there are many; `make` gets the whole document."""

    def read(document: Mapping[Any, Any], kind: Kind, findings: Findings) -> Resource:
        try:
            wire: Any = msgspec.convert(document, type_)
        except msgspec.ValidationError:
            wire = walk(document, type_, findings, unknown=False)
        report_misplaced(document, kind, findings, whole=True)
        return make(meta(wire.metadata, kind, findings), wire, findings)

    return read


def _from_json(
    kind: Kind, type_: type[C], make: Callable[[Meta, Any, Findings], Resource]
) -> Callable[[bytes | msgspec.Raw], Decoded]:
    """A reader of the JSON of one of these kinds; raises msgspec.ValidationError for what it does not fit."""
    decoder = msgspec.json.Decoder(type_)

    def read(text: bytes | msgspec.Raw) -> Decoded:
        wire: Any = decoder.decode(text)
        findings = Findings()
        if (found := wire.metadata) is not None:
            report_misplaced_keys(
                labels=found.labels, annotations=found.annotations, kind=kind, findings=findings
            )
        resource = make(meta(found, kind, findings), wire, findings)
        if findings.any_fatal:
            return Decoded(invalid=InvalidResource(ObjectRef(kind, resource.meta.key), findings.defects))
        return Decoded(resource, warnings=findings.defects)

    return read


def _speaker(meta: Meta, document: wire_core.SpeakerDocument, findings: Findings) -> Speaker:
    return Speaker(meta, document.status or SpeakerStatus())


_CONVERTED: Mapping[Kind, tuple[type[Any], Callable[[Meta, Any, Findings], Resource]]] = {
    Kind.SPEAKER: (wire_core.SpeakerDocument, _speaker),
    Kind.SERVICE: (wire_core.ServiceDocument, services.service),
    Kind.ENDPOINT_SLICE: (wire_core.EndpointSliceDocument, services.endpoint_slice),
    Kind.NODE: (wire_core.NodeDocument, cluster.node),
    Kind.NAMESPACE: (wire_core.NamespaceDocument, cluster.namespace),
    Kind.CONFIG_MAP: (wire_core.ConfigMapDocument, cluster.config_map),
    Kind.SECRET: (wire_core.SecretDocument, cluster.secret),
    Kind.POD: (wire_core.PodDocument, cluster.pod),
}
_READERS: Mapping[Kind, _Read] = {
    Kind.EIP: _walked(wire_eip.EipDocument, eip.eip),
    Kind.BGP_CONF: _walked(wire_bgp.BgpConfDocument, bgp_conf.bgp_conf),
    Kind.BGP_PEER: _walked(wire_bgp.BgpPeerDocument, bgp_peer.bgp_peer),
    **{kind: _converted(type_, make) for kind, (type_, make) in _CONVERTED.items()},
}
_FROM_JSON = {kind: _from_json(kind, type_, make) for kind, (type_, make) in _CONVERTED.items()}
