"""One Kubernetes object as parsed from JSON or YAML, or JSON itself → a frozen model value, or what is wrong.

Here is which wire struct and which function belong to each kind, and the two ways of reading: our own kinds
are walked field by field, for every defect and every unknown field; Kubernetes' kinds are converted by
msgspec in C and walked only where that refuses them. 10,000 Services take 0.12 s of CPU so, 20,000
EndpointSlices of three endpoints 0.18 s, a walked BgpPeer 0.2 ms; where as many documents are held at once
Python's collector at its defaults adds as much again.
"""

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

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
from .wire import bgp_conf as wire_conf
from .wire import bgp_peer as wire_peer
from .wire import core as wire_core
from .wire import eip as wire_eip
from .wire.common import ObjectMeta


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
            return fast.read(text)
        except msgspec.ValidationError:
            pass
    document = msgspec.json.decode(text)
    if isinstance(document, dict):
        document = {**document, "apiVersion": api_version_of(kind), "kind": kind.value}
    return decode(document)


def decode_change(line: bytes, kind: Kind) -> Decoded | None:
    """Decode the object in a line of a watch that says that it was added or modified.

    None for a line that says anything else or has to be looked at more closely: it is then read in parts.
    """
    fast = _FROM_JSON.get(kind)
    if fast is None:
        return None
    try:
        return fast.read_change(line)
    except msgspec.ValidationError:
        return None


D = TypeVar("D", wire_eip.EipDocument, wire_conf.BgpConfDocument, wire_peer.BgpPeerDocument)
C = TypeVar("C", bound=msgspec.Struct)


def _walked(type_: type[D], make: Callable[[Meta, Any, Findings], Resource]) -> _Read:
    """A reader of one of our own kinds; `make` gets the spec."""

    def read(document: Mapping[Any, Any], kind: Kind, findings: Findings) -> Resource:
        wire = walk(document, type_, findings, unknown=True)
        report_misplaced(document, kind, findings, whole=False)
        return make(meta(wire.metadata, kind, findings), wire.spec, findings)

    return read


_Make = Callable[[Any, Kind, Findings], Resource]
"""Makes an object of a kind's document on the wire."""


def _with_meta(make: Callable[[Meta, Any, Findings], Resource]) -> _Make:
    def made(wire: Any, kind: Kind, findings: Findings) -> Resource:
        return make(meta(wire.metadata, kind, findings), wire, findings)

    return made


def _converted(type_: type[C], make: _Make) -> _Read:
    """A reader of a kind of which there are many."""

    def read(document: Mapping[Any, Any], kind: Kind, findings: Findings) -> Resource:
        try:
            wire: Any = msgspec.convert(document, type_)
        except msgspec.ValidationError:
            wire = walk(document, type_, findings, unknown=False)
        report_misplaced(document, kind, findings, whole=True)
        return make(wire, kind, findings)

    return read


class _Change(msgspec.Struct, Generic[C]):
    """A line of a watch, with an object of one kind (meta/v1, WatchEvent)."""

    type: str
    object: C


class _FromJson:
    """Reads the JSON of one of these kinds; raises msgspec.ValidationError for what does not fit."""

    def __init__(self, kind: Kind, type_: type[msgspec.Struct], make: _Make) -> None:
        self._kind = kind
        self._make = make
        self._objects = msgspec.json.Decoder(type_)
        self._changes: msgspec.json.Decoder[_Change[Any]] = msgspec.json.Decoder(_Change[type_])  # type: ignore[valid-type]

    def read(self, text: bytes | msgspec.Raw) -> Decoded:
        """One object."""
        return self._decoded(self._objects.decode(text))

    def read_change(self, line: bytes) -> Decoded | None:
        """The object of a line that says how one is; None for any other line."""
        change = self._changes.decode(line)
        return self._decoded(change.object) if change.type in ("ADDED", "MODIFIED") else None

    def _decoded(self, wire: Any) -> Decoded:
        findings = Findings()
        resource = self._make(wire, self._kind, findings)
        found = wire.metadata
        if isinstance(found, ObjectMeta):
            report_misplaced_keys(
                labels=found.labels, annotations=found.annotations, kind=self._kind, findings=findings
            )
        if findings.any_fatal:
            ref = ObjectRef(self._kind, resource.meta.key)
            return Decoded(invalid=InvalidResource(ref, findings.defects))
        return Decoded(resource, warnings=findings.defects)


def _speaker(meta: Meta, document: wire_core.SpeakerDocument, findings: Findings) -> Speaker:
    return Speaker(meta, document.status or SpeakerStatus())


_CONVERTED: Mapping[Kind, tuple[type[Any], _Make]] = {
    Kind.SPEAKER: (wire_core.SpeakerDocument, _with_meta(_speaker)),
    Kind.SERVICE: (wire_core.ServiceDocument, _with_meta(services.service)),
    Kind.ENDPOINT_SLICE: (wire_core.EndpointSliceDocument, services.endpoint_slice),
    Kind.NODE: (wire_core.NodeDocument, _with_meta(cluster.node)),
    Kind.NAMESPACE: (wire_core.NamespaceDocument, _with_meta(cluster.namespace)),
    Kind.CONFIG_MAP: (wire_core.ConfigMapDocument, _with_meta(cluster.config_map)),
    Kind.SECRET: (wire_core.SecretDocument, _with_meta(cluster.secret)),
    Kind.POD: (wire_core.PodDocument, _with_meta(cluster.pod)),
}
_READERS: Mapping[Kind, _Read] = {
    Kind.EIP: _walked(wire_eip.EipDocument, eip.eip),
    Kind.BGP_CONF: _walked(wire_conf.BgpConfDocument, bgp_conf.bgp_conf),
    Kind.BGP_PEER: _walked(wire_peer.BgpPeerDocument, bgp_peer.bgp_peer),
    **{kind: _converted(type_, make) for kind, (type_, make) in _CONVERTED.items()},
}
_FROM_JSON = {
    kind: _FromJson(kind, type_, services.stored_slice if kind is Kind.ENDPOINT_SLICE else make)
    for kind, (type_, make) in _CONVERTED.items()
}
