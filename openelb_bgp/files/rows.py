"""What the state holds of one object, and how that reads over the object's manifest. Pure."""

import sys
from typing import TypeVar

import msgspec

from openelb_bgp.decode.services import address_or_none
from openelb_bgp.model import keys
from openelb_bgp.model.conditions import Condition
from openelb_bgp.model.meta import Kind, Meta, ObjectRef, Patch, patched
from openelb_bgp.model.services import Ingress, Service
from openelb_bgp.model.snapshot import Resource
from openelb_bgp.model.speakers import Speaker
from openelb_bgp.model.statuses import LoadBalancerIngress, ServiceStatus, SpeakerStatus

from .errors import DamagedState


class Row(msgspec.Struct, frozen=True, gc=False):
    """One object's row.

    `status` is its JSON, None where the row was taken back (the object was deleted, or the report).
    `finalizers` are those that were taken off. `revision` is the commit that wrote it.
    """

    ref: ObjectRef
    status: bytes | None
    labels: Patch
    annotations: Patch
    finalizers: tuple[str, ...]
    revision: int

    @property
    def is_gone(self) -> bool:
        """Whether nothing is held of the object any more."""
        return self.status is None


class Overlay(msgspec.Struct, frozen=True, gc=False):
    """A row in the model's terms. `ingress` and `conditions` are of a Service."""

    labels: Patch
    annotations: Patch
    finalizers: tuple[str, ...]
    resource_version: str
    ingress: tuple[Ingress, ...] = ()
    conditions: tuple[Condition, ...] = ()


def overlay_of(row: Row) -> Overlay:
    """How a row reads. Raises DamagedState for a status that is none.

    Only a Service carries the revision: no other status decides what is announced, and an Eip that stays the
    same object is not planned anew.
    """
    if row.ref.kind is not Kind.SERVICE or row.status is None:
        return Overlay(row.labels, row.annotations, row.finalizers, "")
    status = _decode(row, ServiceStatus)
    return Overlay(
        row.labels,
        row.annotations,
        row.finalizers,
        sys.intern(str(row.revision)),
        tuple([_ingress(one) for one in status.load_balancer.ingress]),
        tuple([_interned(one) for one in status.conditions]),
    )


def lay(resource: Resource, overlay: Overlay) -> Resource:
    """The resource as it reads with the overlay; the very same one where that changes nothing."""
    meta = _meta(resource.meta, overlay)
    if isinstance(resource, Service):
        return msgspec.structs.replace(
            resource, meta=meta, ingress=overlay.ingress, conditions=overlay.conditions
        )
    return resource if meta is resource.meta else msgspec.structs.replace(resource, meta=meta)


def remembered(ref: ObjectRef, overlay: Overlay) -> Service:
    """A Service whose manifest cannot be read, as the state remembers it: ours, and it has its addresses.

    So nobody else gets them before the manifest is repaired.
    """
    meta = Meta(
        name=ref.key.name,
        namespace=ref.key.namespace,
        annotations={keys.MANAGED_ANNOTATION: keys.MANAGED_VALUE},
    )
    bare = Service(meta=meta, type="LoadBalancer")
    return msgspec.structs.replace(
        bare, meta=_meta(meta, overlay), ingress=overlay.ingress, conditions=overlay.conditions
    )


def speaker_of(row: Row, *, ready: bool) -> Speaker:
    """The Speaker that a row reports. Raises DamagedState for a status that is none."""
    meta = Meta(name=row.ref.key.name, resource_version=str(row.revision))
    return Speaker(meta, _decode(row, SpeakerStatus), ready)


def _meta(meta: Meta, overlay: Overlay) -> Meta:
    labels, annotations = patched(meta.labels, overlay.labels), patched(meta.annotations, overlay.annotations)
    finalizers = meta.finalizers
    if overlay.finalizers and finalizers:
        finalizers = tuple(one for one in finalizers if one not in overlay.finalizers)
    version = overlay.resource_version or meta.resource_version
    if (labels, annotations, finalizers, version) == (
        meta.labels,
        meta.annotations,
        meta.finalizers,
        meta.resource_version,
    ):
        return meta
    return msgspec.structs.replace(
        meta, labels=labels, annotations=annotations, finalizers=finalizers, resource_version=version
    )


def _ingress(one: LoadBalancerIngress) -> Ingress:
    return Ingress(address_or_none(one.ip), one.hostname, sys.intern(one.ip_mode), one.ports)


def _interned(one: Condition) -> Condition:
    # Ten thousand Services have the same two types, few reasons and nodes, and are given their addresses in a
    # few seconds.
    return Condition(
        type=sys.intern(one.type),
        status=sys.intern(one.status),
        reason=sys.intern(one.reason),
        message=sys.intern(one.message),
        last_transition_time=sys.intern(one.last_transition_time),
        observed_generation=one.observed_generation,
    )


S = TypeVar("S", ServiceStatus, SpeakerStatus)


def _decode(row: Row, type_: type[S]) -> S:
    try:
        return msgspec.json.decode(row.status or b"{}", type=type_)
    except msgspec.MsgspecError as error:
        raise DamagedState(f"the state holds no status of {row.ref} that can be read: {error}") from error
