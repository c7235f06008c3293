"""What is said of differences: events, on transitions only, with the reasons that OpenELB's users know.

Those of giving and releasing addresses come with `ipam`'s Decision; here are the others.
"""

from collections.abc import Sequence
from typing import Final

from openelb_bgp.model import keys
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.conditions import Condition
from openelb_bgp.model.meta import Kind, ObjectRef
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.statuses import EipStatus, ServiceStatus
from openelb_bgp.ports import Event, StatusWrite

from .conditions import READY, VALID, find

ASSIGN_FAILED: Final = "AssignIPFailed"
RELEASE: Final = "ReleaseIP"
RELEASE_FAILED: Final = "ReleaseIPFailed"
SET_BALANCER: Final = "SetBalancer"
DEL_BALANCER: Final = "DelBalancer"
CONFIG_SPEAKER: Final = "ConfigSpeaker"
CONFIG_SPEAKER_FAILED: Final = "ConfigSpeakerFailed"

_PASSING: Final = frozenset({Reason.WAITING_FOR_SYNC, Reason.SPEAKER_NOT_CONFIGURED})
"""Why a Service that is new is not announced for a moment."""


def balancer_events(
    ref: ObjectRef, *, before: Sequence[Condition], after: Sequence[Condition]
) -> tuple[Event, ...]:
    """What happened to a Service's announcement between two versions of its conditions.

    One that has an address and cannot be announced from the start is told under the condition's reason.
    """
    was, now = find(before, keys.ANNOUNCED_CONDITION), find(after, keys.ANNOUNCED_CONDITION)
    announced_before = was is not None and was.status == "True"
    if now is not None and now.status == "True":
        return () if announced_before else (Event(ref=ref, reason=SET_BALANCER, message=now.message),)
    if not announced_before:
        why = None if _why_silent(before) is not None else _why_silent(after)
        return () if why is None else (Event(ref=ref, reason=why.reason, message=why.message, warning=True),)
    message = "no longer ours to announce" if now is None else now.message
    return (Event(ref=ref, reason=DEL_BALANCER, message=message, warning=now is not None),)


def _why_silent(conditions: Sequence[Condition]) -> Condition | None:
    """What keeps a Service that has its address from being announced; None while that may be over at once."""
    allocated, announced = (
        find(conditions, keys.ALLOCATED_CONDITION),
        find(conditions, keys.ANNOUNCED_CONDITION),
    )
    if allocated is None or announced is None or allocated.status != "True" or announced.status == "True":
        return None
    return None if announced.reason in _PASSING else announced


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


def condition_events(
    ref: ObjectRef, types: Sequence[str], *, before: Sequence[Condition] | None, after: Sequence[Condition]
) -> list[Event]:
    """What turned of these conditions, told under the condition's reason.

    Of an object that is seen for the first time (`before` None) only what is wrong is news. An object that is
    valid but for a field that cannot be used has something wrong with it too. What two conditions say for one
    reason is told once.
    """
    told: list[Event] = []
    for type_ in types:
        now, was = find(after, type_), find(before or (), type_)
        if now is None or (was is not None and (was.status, was.reason) == (now.status, now.reason)):
            continue
        well = now.status == "True" and (type_ != VALID or now.reason == Reason.VALID)
        is_known = not well and any(one.warning and one.reason == now.reason for one in told)
        if (was is not None or not well) and not is_known:
            told.append(Event(ref=ref, reason=now.reason, message=now.message, warning=not well))
    return told


def not_written(writes: Sequence[StatusWrite], why: str) -> tuple[Event, ...]:
    """What to say of Services whose status could not be written: nothing was assigned or released."""
    return tuple(
        Event(
            ref=write.ref,
            reason=ASSIGN_FAILED if _is_ours(write) else RELEASE_FAILED,
            message=f"the status could not be written: {why}",
            warning=True,
        )
        for write in writes
        if write.ref.kind is Kind.SERVICE
    )


def conditions_of(write: StatusWrite) -> tuple[Condition, ...]:
    """The conditions that a Service's write holds."""
    return write.status.conditions if isinstance(write.status, ServiceStatus) else ()


def _is_ours(write: StatusWrite) -> bool:
    """Whether the Service asks us for an address: one that is released bears no condition of ours."""
    return find(conditions_of(write), keys.ALLOCATED_CONDITION) is not None
