"""What was decided about one Service of ours, and the words for it: its Allocated condition and its events.

Words are compared with the status as it stands, so that a restart emits nothing. What is to be written is
put together in `decisions`.
"""

from collections.abc import Mapping, Sequence

import msgspec

from openelb_bgp.model import keys
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.conditions import Condition
from openelb_bgp.model.meta import EMPTY, Key
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.services import Service
from openelb_bgp.ports import Event

from .claims import Claim, Given


class Outcome(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What was decided about one claim of ours.

    `given` are new, `released` no longer asked for; `lost` maps addresses to the Service that keeps them
    and why, `won` names those that had to leave one to this Service. `notes` tell of addresses that it can
    go without. `taken_over` are addresses that it shares only because it did before we came.
    """

    claim: Claim
    given: tuple[Given, ...] = ()
    released: tuple[Address, ...] = ()
    refused: tuple[Refused, ...] = ()
    notes: tuple[Refused, ...] = ()
    lost: Mapping[Address, tuple[Key, str]] = EMPTY
    won: tuple[tuple[Address, Key], ...] = ()
    taken_over: tuple[Address, ...] = ()


def current_condition(service: Service) -> Condition | None:
    """The Allocated condition that stands in the Service's status."""
    return next((one for one in service.conditions if one.type == keys.ALLOCATED_CONDITION), None)


def reads_the_same(one: Condition | None, other: Condition | None) -> bool:
    """Whether only the time or the generation differs."""
    if one is None or other is None:
        return one is other
    return (one.status, one.reason, one.message) == (other.status, other.reason, other.message)


def granted(given: Given, text: str) -> str:
    """Tells of one address, whose text is given, and its pool."""
    if given.reason is Reason.POOL_GONE:
        return f"{text} from Eip {given.pool}, which is gone; create it again, or name another Eip"
    if given.reason is Reason.ADDRESSES_OUTSIDE:
        return f"{text} from Eip {given.pool}, which no longer holds it"
    return f"{text} from Eip {given.pool}"


def condition_of(outcome: Outcome, phrases: Sequence[str]) -> Condition:
    """The Allocated condition of a Service that will have the addresses which `phrases` tell of."""
    service, has = outcome.claim.service, ", ".join(phrases)
    tail = "".join(f"; {note.message}" for note in outcome.notes) if outcome.notes else ""
    if outcome.claim.foreign:
        tail += f"; {_foreign(outcome.claim)}"
    if outcome.refused:
        problem = "; ".join(dict.fromkeys(one.message for one in outcome.refused))
        keeps = f"; has {has}" if has else ""
        return not_allocated(service, outcome.refused[0].reason, problem + keeps + tail)
    return Condition(
        type=keys.ALLOCATED_CONDITION,
        status="True",
        reason=Reason.ALLOCATED,
        message=has + tail,
        observed_generation=service.meta.generation,
    )


def not_allocated(service: Service, reason: Reason, message: str) -> Condition:
    """The Allocated condition of a Service that lacks an address."""
    return Condition(
        type=keys.ALLOCATED_CONDITION,
        status="False",
        reason=reason,
        message=message,
        observed_generation=service.meta.generation,
    )


def _foreign(claim: Claim) -> str:
    entries = ", ".join(str(entry.ip or entry.hostname) for entry in claim.foreign)
    return f"{entries} in its status is not ours and stays; stop the other load balancer if it should go"


def events_of(outcome: Outcome, condition: Condition, new: Sequence[str]) -> tuple[Event, ...]:
    """What happens to the Service by this, for people; `new` tells of the addresses that it is given."""
    claim = outcome.claim
    events = [Event(ref=claim.ref, reason="AssignIP", message=phrase) for phrase in new]
    if outcome.released or outcome.lost or outcome.won:
        events += _partings(outcome)
    if claim.foreign:
        events += _foreign_event(claim)
    if outcome.refused:
        events += failure_events(claim, condition)
    return tuple(events)


def _partings(outcome: Outcome) -> list[Event]:
    """What the Service gives up, and what another one had to leave to it."""
    ref = outcome.claim.ref
    given_up = [
        Event(ref=ref, reason="ReleaseIP", message=f"{address}: the Service asks for another")
        for address in outcome.released
    ]
    lost = [
        Event(
            ref=ref,
            reason="ReleaseIP",
            warning=True,
            message=f"{address} stays with Service {keeper}, which had it first, and cannot be shared: {why}",
        )
        for address, (keeper, why) in outcome.lost.items()
    ]
    won = [
        Event(
            ref=ref,
            reason="AssignIP",
            warning=True,
            message=f"{address} was in the status of Service {loser} too; it stays here, the older one",
        )
        for address, loser in outcome.won
    ]
    return [*given_up, *lost, *won]


def _foreign_event(claim: Claim) -> list[Event]:
    message, current = _foreign(claim), current_condition(claim.service)
    if current is not None and message in current.message:
        return []
    return [Event(ref=claim.ref, reason=Reason.FOREIGN_ADDRESS, message=message, warning=True)]


def failure_events(claim: Claim, condition: Condition) -> tuple[Event, ...]:
    """Said once: not again while the status says the same."""
    if reads_the_same(condition, current_condition(claim.service)):
        return ()
    return (Event(ref=claim.ref, reason="AssignIPFailed", message=condition.message, warning=True),)
