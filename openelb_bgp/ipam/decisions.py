"""What becomes of one Service: how its status, labels, annotations and finalizers should read.

Which address goes where has been decided before; the words are made in `outcomes`. Everything is compared
with the Service as it stands, so that a restart writes nothing.
"""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from ..model import keys
from ..model.addresses import Address
from ..model.allocated import format_allocated
from ..model.conditions import Condition
from ..model.meta import ObjectRef
from ..model.reasons import Reason, Refused
from ..model.services import Ingress, Service
from ..ports import Event
from .claims import Claim, Given
from .outcomes import (
    Outcome,
    condition_of,
    current_condition,
    events_of,
    failure_events,
    not_allocated,
    reads_the_same,
)
from .requests import Standing

_NOTHING: Mapping[str, str | None] = MappingProxyType({})
_LABEL_LIMIT = 63
"""Longest value of a label (Kubernetes, labels and selectors)."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """How a Service's status should read, and why.

    `addresses` are ours, in the order in which `ingress` holds them; `ingress` is the whole list that the
    status should hold, with `foreign` entries where they stood. `released` are addresses of ours that leave
    the status. `refused` says for each address that is missing why, and what would help; `condition` is the
    Allocated condition, None where there should be none (its time is left to whoever writes it). `labels`
    and `annotations` are those keys of ours that should be set, or absent where the value is None.
    `changed` says that any of this differs from the Service as it stands and wants writing; `events` belong
    to that write. `ours` is False for a Service that only gets rid of something of ours.
    """

    ref: ObjectRef
    ours: bool
    changed: bool
    addresses: tuple[Given, ...] = ()
    ingress: tuple[Ingress, ...] = ()
    foreign: tuple[Ingress, ...] = ()
    released: tuple[Address, ...] = ()
    refused: tuple[Refused, ...] = ()
    condition: Condition | None = None
    labels: Mapping[str, str | None] = _NOTHING
    annotations: Mapping[str, str | None] = _NOTHING
    remove_finalizers: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()

    def applied_to(self, service: Service) -> Service:
        """The Service as it reads once this is written.

        For whoever must decide again before the source shows the write: another Service could otherwise
        be given the same address.
        """
        kept = tuple(one for one in service.conditions if one.type != keys.ALLOCATED_CONDITION)
        meta = msgspec.structs.replace(
            service.meta,
            labels=_with(service.meta.labels, self.labels),
            annotations=_with(service.meta.annotations, self.annotations),
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
    service = outcome.claim.service
    gone = {*outcome.released, *outcome.lost}
    kept = tuple(given for given in outcome.claim.held if given.address not in gone)
    addresses = (*kept, *outcome.given)
    condition = condition_of(outcome, addresses)
    labels = {keys.EIP_LABEL: _label(addresses)}
    annotations = {
        keys.ALLOCATED_ANNOTATION: format_allocated((one.address, one.origin) for one in addresses) or None,
        keys.SHARED_AT_TAKEOVER_ANNOTATION: ",".join(map(str, outcome.taken_over)) or None,
    }
    return _compared(
        Decision(
            ref=service.ref,
            ours=True,
            changed=False,
            addresses=addresses,
            ingress=_ingress(outcome.claim, kept, outcome.given),
            foreign=outcome.claim.foreign,
            released=(*outcome.released, *outcome.lost),
            refused=outcome.refused,
            condition=condition,
            labels=labels,
            annotations=annotations,
            remove_finalizers=_finalizers(service),
            events=events_of(outcome, condition),
        ),
        service,
    )


def release(claim: Claim) -> Decision:
    """The Decision about a Service that is no longer ours: what we gave leaves it, the rest stays."""
    service = claim.service
    why = "it is being deleted" if service.meta.deleting else "it no longer asks for one of ours"
    return _compared(
        Decision(
            ref=service.ref,
            ours=False,
            changed=False,
            ingress=claim.foreign,
            foreign=claim.foreign,
            released=tuple(given.address for given in claim.held),
            labels={keys.EIP_LABEL: None},
            annotations={keys.ALLOCATED_ANNOTATION: None, keys.SHARED_AT_TAKEOVER_ANNOTATION: None},
            remove_finalizers=_finalizers(service),
            events=tuple(
                Event(
                    ref=service.ref,
                    reason="ReleaseIP",
                    message=f"{given.address} goes back to Eip {given.pool}: {why}",
                )
                for given in claim.held
            ),
        ),
        service,
    )


def leave_alone(claim: Claim) -> Decision:
    """The Decision about a Service that gets nothing from us; only OpenELB's finalizers leave it."""
    service = claim.service
    decision = Decision(
        ref=service.ref,
        ours=False,
        changed=False,
        ingress=service.ingress,
        foreign=service.ingress,
        condition=current_condition(service),
        remove_finalizers=_finalizers(service),
    )
    if claim.standing is Standing.NODE_PROXY:
        refused = _node_proxy(service)
        condition = not_allocated(service, refused.reason, refused.message)
        decision = msgspec.structs.replace(
            decision,
            refused=(refused,),
            condition=condition,
            events=failure_events(service, condition),
        )
    return _compared(decision, service)


def _compared(decision: Decision, service: Service) -> Decision:
    meta = service.meta
    same = (
        decision.ingress == service.ingress
        and not decision.remove_finalizers
        and all(meta.labels.get(key) == value for key, value in decision.labels.items())
        and all(meta.annotations.get(key) == value for key, value in decision.annotations.items())
        and reads_the_same(decision.condition, current_condition(service))
    )
    return decision if same else msgspec.structs.replace(decision, changed=True)


def _ingress(claim: Claim, kept: tuple[Given, ...], given: tuple[Given, ...]) -> tuple[Ingress, ...]:
    """Entries stay where they stood, as they stood; new ones follow."""
    if not claim.service.ingress:
        return tuple(Ingress(one.address) for one in given)
    staying = {one.address for one in kept}
    entries = [
        entry
        for entry in claim.service.ingress
        if entry.ip in staying or any(entry is one for one in claim.foreign)
    ]
    return (*dict.fromkeys(entries), *(Ingress(one.address) for one in given))


def _label(addresses: tuple[Given, ...]) -> str | None:
    pool = addresses[0].pool if addresses else ""
    return pool if 0 < len(pool) <= _LABEL_LIMIT else None


def _finalizers(service: Service) -> tuple[str, ...]:
    return tuple(one for one in service.meta.finalizers if one in keys.FINALIZERS_OF_OPENELB)


def _node_proxy(service: Service) -> Refused:
    key = min(key for key in service.meta.annotations if key.startswith(keys.NODE_PROXY_PREFIX))
    return Refused(
        Reason.NODE_PROXY_NOT_OFFERED,
        f"node-proxy is not offered; remove the annotation {key} to get an address from an Eip",
    )


def _with(current: Mapping[str, str], wanted: Mapping[str, str | None]) -> dict[str, str]:
    merged = {key: value for key, value in current.items() if key not in wanted}
    return merged | {key: value for key, value in wanted.items() if value is not None}
