"""A Service's status: its addresses, the pool's label, the `allocated` annotation and our two conditions.

What other load balancers wrote into the status stays. Which addresses it gets is `ipam`'s decision, where
they are announced comes from `service_reach`; here is the one write that makes both visible.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec

from openelb_bgp.model import keys
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.allocated import allocated, format_allocated, pool_of
from openelb_bgp.model.conditions import Condition
from openelb_bgp.model.meta import EMPTY
from openelb_bgp.model.pools import Eip
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.services import Ingress, Service
from openelb_bgp.model.statuses import LoadBalancerIngress, LoadBalancerStatus, ServiceStatus
from openelb_bgp.ports import StatusWrite

from .conditions import condition, merged, without
from .service_reach import Announced, Grant

OURS = frozenset({keys.ALLOCATED_CONDITION, keys.ANNOUNCED_CONDITION})
_LONGEST_LABEL = 63


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided for a Service: `refused` says why it has not all, or nothing, of what it asks for."""

    grants: tuple[Grant, ...] = ()
    refused: Refused | None = None


def status_of(service: Service) -> ServiceStatus:
    """The status that stands in the source, in the shape of a write."""
    return ServiceStatus(
        load_balancer=LoadBalancerStatus(ingress=tuple(_entry(one) for one in service.ingress)),
        conditions=service.conditions,
    )


def wanted(
    service: Service,
    outcome: Outcome,
    announced: Announced | None,
    *,
    eips: Mapping[str, Eip],
    previous: Sequence[Condition],
    now: str,
) -> StatusWrite:
    """How a Service of ours shall read; `announced` None: there is nothing to announce.

    `previous` are its conditions as written last.
    """
    grants = outcome.grants
    first = announced or Announced(False, Reason.WAITING_FOR_SYNC, "it has no address to announce yet")
    return StatusWrite(
        ref=service.ref,
        status=ServiceStatus(
            load_balancer=LoadBalancerStatus(ingress=ingress(service, [one for one, _ in grants], eips)),
            conditions=merged(
                previous,
                (
                    _allocated(outcome, previous=previous, now=now),
                    condition(
                        keys.ANNOUNCED_CONDITION,
                        met=first.met,
                        reason=first.reason,
                        message=first.message,
                        now=now,
                        previous=previous,
                    ),
                ),
            ),
        ),
        labels=_changed(service.meta.labels, keys.EIP_LABEL, _label(grants)),
        annotations=_changed(
            service.meta.annotations, keys.ALLOCATED_ANNOTATION, format_allocated(grants) or None
        ),
        remove_finalizers=old_finalizers(service.meta.finalizers),
        based_on=service.meta.resource_version,
    )


def let_go(service: Service, eips: Mapping[str, Eip]) -> StatusWrite:
    """How a Service shall read that is not, or no longer, ours: without anything that we gave it."""
    noted = keys.ALLOCATED_ANNOTATION in service.meta.annotations
    entries = ingress(service, (), eips) if noted else tuple(_entry(one) for one in service.ingress)
    return StatusWrite(
        ref=service.ref,
        status=ServiceStatus(
            load_balancer=LoadBalancerStatus(ingress=entries),
            conditions=without(service.conditions, OURS),
        ),
        labels=_changed(service.meta.labels, keys.EIP_LABEL, None) if noted else EMPTY,
        annotations=_changed(service.meta.annotations, keys.ALLOCATED_ANNOTATION, None),
        remove_finalizers=old_finalizers(service.meta.finalizers),
        based_on=service.meta.resource_version,
    )


def bears_our_marks(service: Service) -> bool:
    """Whether there is anything of ours on a Service, so that letting it go takes a write."""
    meta = service.meta
    return (
        keys.ALLOCATED_ANNOTATION in meta.annotations
        or bool(meta.finalizers and old_finalizers(meta.finalizers))
        or bool(service.conditions and any(one.type in OURS for one in service.conditions))
    )


def differs(service: Service, write: StatusWrite) -> bool:
    """Whether the source shows anything else than the write says."""
    return bool(
        write.labels or write.annotations or write.remove_finalizers or write.status != status_of(service)
    )


def ingress(
    service: Service, granted: Sequence[Address], eips: Mapping[str, Eip]
) -> tuple[LoadBalancerIngress, ...]:
    """The entries as they shall be: those kept and those of others in their order, then the new ones."""
    ours = set(granted)
    if not service.ingress:
        return tuple(LoadBalancerIngress(ip=str(one)) for one in granted)
    kept = tuple(
        _entry(one) for one in service.ingress if one.ip in ours or not _given_by_us(one, service, eips)
    )
    there = set(service.addresses)
    return (*kept, *(LoadBalancerIngress(ip=str(one)) for one in granted if one not in there))


def given_addresses(service: Service, eips: Mapping[str, Eip]) -> tuple[Address, ...]:
    """The addresses in the source's status that we (or OpenELB before us) gave."""
    return tuple(one.ip for one in service.ingress if one.ip is not None and _given_by_us(one, service, eips))


def old_finalizers(finalizers: Sequence[str]) -> tuple[str, ...]:
    """OpenELB's finalizers among them: nobody is left to remove those but us."""
    return tuple(one for one in finalizers if one in keys.FINALIZERS_OF_OPENELB)


def _given_by_us(entry: Ingress, service: Service, eips: Mapping[str, Eip]) -> bool:
    if entry.ip is None:
        return False
    return entry.ip in allocated(service) or pool_of(entry.ip, service, eips) is not None


def _entry(one: Ingress) -> LoadBalancerIngress:
    return LoadBalancerIngress(
        ip="" if one.ip is None else str(one.ip), hostname=one.hostname, ip_mode=one.ip_mode
    )


def _allocated(outcome: Outcome, *, previous: Sequence[Condition], now: str) -> Condition:
    given = ", ".join(f"{address} from {pool}" for address, pool in outcome.grants)
    refused = outcome.refused
    message = given if refused is None else "; ".join(part for part in (given, refused.message) if part)
    return condition(
        keys.ALLOCATED_CONDITION,
        met=refused is None,
        reason=Reason.ALLOCATED if refused is None else refused.reason,
        message=message,
        now=now,
        previous=previous,
    )


def _label(grants: Sequence[Grant]) -> str | None:
    name = grants[0][1] if grants else ""
    return name if 0 < len(name) <= _LONGEST_LABEL else None


def _changed(there: Mapping[str, str], key: str, value: str | None) -> Mapping[str, str | None]:
    return EMPTY_CHANGE if there.get(key) == value else {key: value}


EMPTY_CHANGE: Mapping[str, str | None] = MappingProxyType({})
