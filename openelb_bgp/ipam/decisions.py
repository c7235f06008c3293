"""What becomes of one Service: how its status, labels, annotations and finalizers should read.

Which address goes where has been decided before; the words are made in `outcomes`. Everything is compared
with the Service as it stands, so that a restart writes nothing.
"""

from collections.abc import Iterable

import msgspec

from openelb_bgp.model import keys
from openelb_bgp.model.addresses import Address, text_of
from openelb_bgp.model.allocated import format_allocated
from openelb_bgp.model.conditions import Condition
from openelb_bgp.model.meta import ObjectRef, Patch, patched
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.services import Ingress, Service
from openelb_bgp.ports import Event

from .claims import Claim, Given
from .outcomes import (
    Outcome,
    condition_of,
    current_condition,
    events_of,
    failure_events,
    granted,
    not_allocated,
    reads_the_same,
)

_LABEL_LIMIT = 63
"""Longest value of a label (Kubernetes, labels and selectors)."""


class Marks(msgspec.Struct, frozen=True, gc=False):
    """Our label and annotations on a Service; None where one should be absent.

    `pool` is the label that names the pool in use, `allocated` says who gave what, `shared_at_takeover`
    lists addresses that it shares only because it did before we came.
    """

    pool: str | None = None
    allocated: str | None = None
    shared_at_takeover: str | None = None

    @classmethod
    def of(cls, service: Service) -> "Marks":
        """As they stand."""
        annotations = service.meta.annotations
        return cls(
            service.meta.labels.get(keys.EIP_LABEL),
            annotations.get(keys.ALLOCATED_ANNOTATION),
            annotations.get(keys.SHARED_AT_TAKEOVER_ANNOTATION),
        )


NO_MARKS = Marks()


class Decision(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How a Service's status should read, and why.

    `service` is the Service as it stands, on which this was decided. `addresses` are ours, in the order in
    which `ingress` holds them; `ingress` is the whole list that the status should hold, with `foreign`
    entries where they stood. `released` are addresses of ours that leave the status. `refused` says for
    each address that is missing why, and what would help; `condition` is the Allocated condition, None
    where there should be none (its time is left to whoever writes it). `changed` says that something
    differs from the Service as it stands and wants writing; `events` belong to that write. `ours` is False
    for a Service that at most gets rid of something of ours.
    """

    service: Service
    ours: bool
    changed: bool
    ingress: tuple[Ingress, ...]
    condition: Condition | None
    marks: Marks
    addresses: tuple[Given, ...] = ()
    foreign: tuple[Ingress, ...] = ()
    released: tuple[Address, ...] = ()
    refused: tuple[Refused, ...] = ()
    remove_finalizers: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()

    @property
    def ref(self) -> ObjectRef:
        """The Service's reference."""
        return self.service.ref

    @property
    def labels(self) -> Patch:
        """Our label as a StatusWrite wants it; None: absent."""
        return {keys.EIP_LABEL: self.marks.pool}

    @property
    def annotations(self) -> Patch:
        """Our annotations as a StatusWrite wants them; None: absent."""
        return {
            keys.ALLOCATED_ANNOTATION: self.marks.allocated,
            keys.SHARED_AT_TAKEOVER_ANNOTATION: self.marks.shared_at_takeover,
        }

    def written(self) -> Service:
        """The Service as it reads once this is written.

        For whoever must decide again before the source shows the write: another Service could otherwise
        be given the same address.
        """
        service = self.service
        kept = tuple(one for one in service.conditions if one.type != keys.ALLOCATED_CONDITION)
        meta = msgspec.structs.replace(
            service.meta,
            labels=patched(service.meta.labels, self.labels),
            annotations=patched(service.meta.annotations, self.annotations),
            finalizers=tuple(one for one in service.meta.finalizers if one not in self.remove_finalizers),
        )
        return msgspec.structs.replace(
            service,
            meta=meta,
            ingress=self.ingress,
            conditions=kept if self.condition is None else (*kept, self.condition),
        )


def decide(outcome: Outcome) -> Decision:
    """The Decision about a Service of ours."""
    claim, service, given = outcome.claim, outcome.claim.service, outcome.given
    kept = _kept(outcome)
    addresses = kept + given
    texts = [text_of(one.address) for one in addresses]
    phrases = [granted(one, text) for one, text in zip(addresses, texts, strict=True)]
    condition = condition_of(outcome, phrases)
    ingress = _ingress(claim, kept, given)
    marks = _marks(addresses, texts, outcome.taken_over)
    finalizers = _finalizers(service)
    return Decision(
        service=service,
        ours=True,
        changed=_differs(service, ingress, condition, marks, finalizers),
        ingress=ingress,
        condition=condition,
        marks=marks,
        addresses=addresses,
        foreign=claim.foreign,
        released=(*outcome.released, *outcome.lost),
        refused=outcome.refused,
        remove_finalizers=finalizers,
        events=events_of(outcome, condition, phrases[len(kept) :]),
    )


def release(claim: Claim) -> Decision:
    """The Decision about a Service that is no longer ours: what we gave leaves it, the rest stays."""
    service = claim.service
    why = "it is being deleted" if service.meta.deleting else "it no longer asks for one of ours"
    finalizers = _finalizers(service)
    return Decision(
        service=service,
        ours=False,
        changed=_differs(service, claim.foreign, None, NO_MARKS, finalizers),
        ingress=claim.foreign,
        condition=None,
        marks=NO_MARKS,
        foreign=claim.foreign,
        released=tuple(given.address for given in claim.held),
        remove_finalizers=finalizers,
        events=tuple(
            Event(
                ref=claim.ref,
                reason="ReleaseIP",
                message=f"{given.address} goes back to Eip {given.pool}: {why}",
            )
            for given in claim.held
        ),
    )


def leave_alone(claim: Claim) -> Decision:
    """The Decision about a Service that gets nothing from us; only OpenELB's finalizers leave it."""
    service = claim.service
    finalizers = _finalizers(service)
    return Decision(
        service=service,
        ours=False,
        changed=bool(finalizers),
        ingress=service.ingress,
        condition=current_condition(service),
        marks=Marks.of(service),
        foreign=service.ingress,
        remove_finalizers=finalizers,
    )


def refuse_node_proxy(claim: Claim) -> Decision:
    """The Decision about a Service that asks us for a node proxy: it is told that there is none."""
    service = claim.service
    refused = _node_proxy(service)
    condition = not_allocated(service, refused.reason, refused.message)
    marks, finalizers = Marks.of(service), _finalizers(service)
    return Decision(
        service=service,
        ours=False,
        changed=_differs(service, service.ingress, condition, marks, finalizers),
        ingress=service.ingress,
        condition=condition,
        marks=marks,
        foreign=service.ingress,
        refused=(refused,),
        remove_finalizers=finalizers,
        events=failure_events(claim, condition),
    )


def _differs(
    service: Service,
    ingress: tuple[Ingress, ...],
    condition: Condition | None,
    marks: Marks,
    finalizers: tuple[str, ...],
) -> bool:
    """Whether the Service would read differently, or loses finalizers."""
    return (
        ingress != service.ingress
        or bool(finalizers)
        or marks != Marks.of(service)
        or not reads_the_same(condition, current_condition(service))
    )


def _kept(outcome: Outcome) -> tuple[Given, ...]:
    held = outcome.claim.held
    if not outcome.released and not outcome.lost:
        return held
    return tuple(
        given for given in held if given.address not in outcome.released and given.address not in outcome.lost
    )


def _ingress(claim: Claim, kept: tuple[Given, ...], given: tuple[Given, ...]) -> tuple[Ingress, ...]:
    """Entries stay where they stood, as they stood; new ones follow."""
    if not given and len(kept) + len(claim.foreign) == len(claim.service.ingress):
        return claim.service.ingress
    new = tuple([Ingress(one.address) for one in given])
    if not claim.service.ingress:
        return new
    staying = {one.address for one in kept}
    return (
        *(one for one in claim.service.ingress if one.ip in staying or one in claim.foreign),
        *new,
    )


def _marks(addresses: tuple[Given, ...], texts: list[str], taken_over: Iterable[Address]) -> Marks:
    if not addresses:
        return NO_MARKS
    pool = addresses[0].pool
    return Marks(
        pool if len(pool) <= _LABEL_LIMIT else None,
        format_allocated([(text, one.origin) for text, one in zip(texts, addresses, strict=True)]),
        ",".join(map(str, taken_over)) or None,
    )


def _finalizers(service: Service) -> tuple[str, ...]:
    if not service.meta.finalizers:
        return ()
    return tuple(one for one in service.meta.finalizers if one in keys.FINALIZERS_OF_OPENELB)


def _node_proxy(service: Service) -> Refused:
    key = min(key for key in service.meta.annotations if key.startswith(keys.NODE_PROXY_PREFIX))
    return Refused(
        Reason.NODE_PROXY_NOT_OFFERED,
        f"node-proxy is not offered; remove the annotation {key} to get an address from an Eip",
    )
