"""A Service's write: what allocation decided, with the condition Announced and the times of both conditions.

Addresses, the pool's label and the annotations are `ipam`'s words, taken over as they are; where the
addresses are announced comes from `service_reach`.
"""

from collections.abc import Sequence

from openelb_bgp.model import keys
from openelb_bgp.model.addresses import text_of
from openelb_bgp.model.conditions import Condition
from openelb_bgp.model.services import Ingress, Service
from openelb_bgp.model.statuses import LoadBalancerIngress, LoadBalancerStatus, ServiceStatus
from openelb_bgp.ports import StatusWrite

from .conditions import condition, find, merged, timed
from .inputs import Decision
from .service_reach import Announced

OURS = frozenset({keys.ALLOCATED_CONDITION, keys.ANNOUNCED_CONDITION})


def service_write(
    service: Service,
    decision: Decision,
    announced: Announced | None,
    *,
    previous: Sequence[Condition],
    now: str,
) -> StatusWrite:
    """How the Service shall read. `announced` None: it is not ours, so it has no such condition.

    `previous` are its conditions as they were written last; `now` is RFC 3339 text.
    """
    ours = []
    if decision.condition is not None:
        ours.append(timed(decision.condition, previous=previous, now=now))
    if announced is not None:
        ours.append(_announced(service, announced, previous=previous, now=now))
    return StatusWrite(
        ref=service.ref,
        status=ServiceStatus(
            load_balancer=LoadBalancerStatus(ingress=tuple(map(_entry, decision.ingress))),
            conditions=merged(_foreign(previous), ours),
        ),
        labels=decision.labels,
        annotations=decision.annotations,
        remove_finalizers=decision.remove_finalizers,
        based_on=service.meta.resource_version,
        urgent=tuple(decision.ingress) != service.ingress,
    )


def without_conditions(service: Service) -> StatusWrite | None:
    """How a Service reads that does not concern us any more; None if none of our conditions is left on it."""
    kept = _foreign(service.conditions)
    if len(kept) == len(service.conditions):
        return None
    return StatusWrite(
        ref=service.ref,
        status=ServiceStatus(
            load_balancer=LoadBalancerStatus(ingress=tuple(map(_entry, service.ingress))), conditions=kept
        ),
        based_on=service.meta.resource_version,
    )


def says(service: Service, announced: Announced | None) -> bool:
    """Whether the source shows that very Announced condition (none where None), whatever its time."""
    shown = find(service.conditions, keys.ANNOUNCED_CONDITION)
    if shown is None or announced is None:
        return shown is None and announced is None
    status = "True" if announced.met else "False"
    return (shown.status, shown.reason, shown.message) == (status, announced.reason, announced.message)


def _announced(
    service: Service, announced: Announced, *, previous: Sequence[Condition], now: str
) -> Condition:
    return condition(
        keys.ANNOUNCED_CONDITION,
        met=announced.met,
        reason=announced.reason,
        message=announced.message,
        now=now,
        generation=service.meta.generation,
        previous=previous,
    )


def _foreign(conditions: Sequence[Condition]) -> tuple[Condition, ...]:
    return tuple([one for one in conditions if one.type not in OURS]) if conditions else ()


def _entry(one: Ingress) -> LoadBalancerIngress:
    address = "" if one.ip is None else text_of(one.ip)
    return LoadBalancerIngress(ip=address, hostname=one.hostname, ip_mode=one.ip_mode, ports=one.ports)
