"""Conditions made and merged: the time of the last transition is kept while the state stays the same.

What the conditions say is decided in `services`, `pools` and `routing`; here is only their form.
"""

from collections.abc import Iterable, Sequence

import msgspec

from openelb_bgp.model.conditions import Condition
from openelb_bgp.model.errors import Defect
from openelb_bgp.model.reasons import Reason, Refused

VALID = "Valid"
READY = "Ready"

# Kubernetes refuses a condition whose message is longer (API conventions, metav1.Condition).
_LONGEST_MESSAGE = 32_768


def condition(
    type_: str,
    *,
    met: bool,
    reason: Reason,
    message: str,
    now: str,
    generation: int = 0,
    previous: Iterable[Condition] = (),
) -> Condition:
    """A condition. `now` (RFC 3339) is its time unless `previous` holds the type with the same status."""
    made = Condition(
        type=type_,
        status="True" if met else "False",
        reason=reason.value,
        message=message[:_LONGEST_MESSAGE],
        last_transition_time=now,
        observed_generation=generation,
    )
    return timed(made, previous=previous, now=now)


def timed(made: Condition, *, previous: Iterable[Condition], now: str) -> Condition:
    """The condition with its time: that of `previous` while the status stays, else `now`."""
    moment = now
    for one in previous:
        if one.same_state(made):
            moment = one.last_transition_time or now
            break
    if moment == made.last_transition_time:
        return made
    return msgspec.structs.replace(made, last_transition_time=moment)


def _validity(
    defects: Sequence[Defect], *, now: str, generation: int, previous: Iterable[Condition]
) -> Condition:
    """The Valid condition of an object; the first fatal defect gives the reason, all give the message."""
    fatal = [defect for defect in defects if defect.fatal]
    ordered = [*fatal, *(defect for defect in defects if not defect.fatal)]
    return condition(
        VALID,
        met=not fatal,
        reason=ordered[0].reason if ordered else Reason.VALID,
        message="; ".join(str(defect) for defect in ordered),
        now=now,
        generation=generation,
        previous=previous,
    )


def valid_and_ready(
    previous: Sequence[Condition],
    *,
    defects: Sequence[Defect],
    refused: Refused | None,
    reason: Reason,
    message: str,
    now: str,
    generation: int,
) -> tuple[Condition, ...]:
    """The conditions of an object of ours, with what others wrote left in place.

    Valid is judged by `defects`. `refused` says why the object is not Ready; where it is None, `reason` and
    `message` say what is well.
    """
    valid = _validity(defects, now=now, generation=generation, previous=previous)
    ready = condition(
        READY,
        met=refused is None,
        reason=reason if refused is None else refused.reason,
        message=message if refused is None else refused.message,
        now=now,
        generation=generation,
        previous=previous,
    )
    return merged(previous, (valid, ready))


def merged(previous: Sequence[Condition], ours: Sequence[Condition]) -> tuple[Condition, ...]:
    """Ours in place of those of the same types; what others wrote stays, in its order."""
    if not previous:
        return tuple(ours)
    types = {one.type for one in ours}
    return (*(one for one in previous if one.type not in types), *ours)


def find(conditions: Sequence[Condition], type_: str) -> Condition | None:
    """The condition of that type."""
    for one in conditions:
        if one.type == type_:
            return one
    return None
