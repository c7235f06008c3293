"""What is said of differences: events, on transitions only, with the reasons that OpenELB's users know."""

from collections.abc import Sequence
from typing import Final

import msgspec

from openelb_bgp.model import keys
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.conditions import Condition
from openelb_bgp.model.meta import Kind, ObjectRef
from openelb_bgp.model.statuses import EipStatus, ServiceStatus
from openelb_bgp.ports import Event, StatusWrite

from .conditions import READY
from .service_reach import Grant

ASSIGN: Final = "AssignIP"
ASSIGN_FAILED: Final = "AssignIPFailed"
RELEASE: Final = "ReleaseIP"
RELEASE_FAILED: Final = "ReleaseIPFailed"
SET_BALANCER: Final = "SetBalancer"
DEL_BALANCER: Final = "DelBalancer"
CONFIG_SPEAKER: Final = "ConfigSpeaker"
CONFIG_SPEAKER_FAILED: Final = "ConfigSpeakerFailed"


class ServiceView(msgspec.Struct, frozen=True):
    """Of a Service what events tell: the addresses that are ours, and its conditions."""

    grants: tuple[Grant, ...] = ()
    conditions: tuple[Condition, ...] = ()


def service_events(ref: ObjectRef, *, before: ServiceView, after: ServiceView) -> list[Event]:
    """What happened to a Service between two views of it."""
    had = {address for address, _ in before.grants}
    has = {address for address, _ in after.grants}
    gained = [f"{address} from Eip {pool}" for address, pool in after.grants if address not in had]
    lost = [address for address, _ in before.grants if address not in has]
    events = []
    if lost:
        events.append(released(ref, lost))
    if gained:
        events.append(Event(ref=ref, reason=ASSIGN, message=f"assigned {', '.join(gained)}"))
    refused = _turned(before, after, keys.ALLOCATED_CONDITION)
    if refused is not None and refused.status == "False":
        events.append(Event(ref=ref, reason=ASSIGN_FAILED, message=refused.message, warning=True))
    return events + _balancer(ref, before, after)


def released(ref: ObjectRef, addresses: Sequence[Address]) -> Event:
    """The event of addresses that are free again."""
    return Event(ref=ref, reason=RELEASE, message=f"released {', '.join(str(one) for one in addresses)}")


def pool_events(ref: ObjectRef, *, before: EipStatus | None, after: EipStatus) -> list[Event]:
    """What happened to an Eip: speakers configured it, or none does."""
    was = None if before is None else find(before.conditions, READY)
    now = find(after.conditions, READY)
    if now is None or (was is not None and (was.status, was.reason) == (now.status, now.reason)):
        return []
    met = now.status == "True"
    return [
        Event(
            ref=ref,
            reason=CONFIG_SPEAKER if met else CONFIG_SPEAKER_FAILED,
            message=now.message,
            warning=not met,
        )
    ]


def not_written(writes: Sequence[StatusWrite], why: str) -> tuple[Event, ...]:
    """What to say of Services whose status could not be written: nothing was assigned or released."""
    return tuple(
        Event(
            ref=write.ref,
            reason=ASSIGN_FAILED if _has_addresses(write) else RELEASE_FAILED,
            message=f"the status could not be written: {why}",
            warning=True,
        )
        for write in writes
        if write.ref.kind is Kind.SERVICE
    )


def find(conditions: Sequence[Condition], type_: str) -> Condition | None:
    """The condition of that type."""
    return next((one for one in conditions if one.type == type_), None)


def _has_addresses(write: StatusWrite) -> bool:
    return isinstance(write.status, ServiceStatus) and bool(write.status.load_balancer.ingress)


def _turned(before: ServiceView, after: ServiceView, type_: str) -> Condition | None:
    was, now = find(before.conditions, type_), find(after.conditions, type_)
    if now is None or (was is not None and (was.status, was.reason) == (now.status, now.reason)):
        return None
    return now


def _balancer(ref: ObjectRef, before: ServiceView, after: ServiceView) -> list[Event]:
    was = find(before.conditions, keys.ANNOUNCED_CONDITION)
    now = find(after.conditions, keys.ANNOUNCED_CONDITION)
    announced_before = was is not None and was.status == "True"
    if now is not None and now.status == "True":
        return [] if announced_before else [Event(ref=ref, reason=SET_BALANCER, message=now.message)]
    if not announced_before:
        return []
    message = "no longer ours to announce" if now is None else now.message
    return [Event(ref=ref, reason=DEL_BALANCER, message=message, warning=now is not None)]
