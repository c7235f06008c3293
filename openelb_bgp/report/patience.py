"""When it is told that something is not ready: at once where it was, after a moment where it has only begun.

Pure. While daemons start, and where a pool, a peer or a Service is new, sessions have had no time to come up:
that is no news. Conditions say what is observed all the time; this is about events and the log alone.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from openelb_bgp.lib.identity import changed_keys
from openelb_bgp.lib.tables import Table
from openelb_bgp.model import keys
from openelb_bgp.model.conditions import Condition
from openelb_bgp.model.meta import EMPTY, Key, Kind, ObjectRef
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.services import Service
from openelb_bgp.model.statuses import BgpConfStatus, BgpPeerStatus, EipStatus, Status
from openelb_bgp.ports import Event

from .conditions import READY, find
from .events import CONFIG_SPEAKER_FAILED

GRACE = 10.0
"""Seconds. A session that can come up has done so by then."""

_BEGINNING = frozenset(
    {Reason.NO_SPEAKER, Reason.SPEAKER_NOT_CONFIGURED, Reason.NO_SESSION, Reason.NOT_ESTABLISHED}
)


class Held(NamedTuple):
    """An event that waits, and the instant (seconds) since when its object has not been ready."""

    event: Event
    since: float


class Patience(msgspec.Struct, frozen=True):
    """`known` are the objects that have been ready, or of which it has been told that they are not.

    `objects` are those of `held` that are no Services. `services` are those with which it was looked at last,
    at the instant `now`. `due` is when something
    of what waits may have to be told, None while nothing waits.
    """

    held: Table[ObjectRef, Held] = Table()
    objects: tuple[ObjectRef, ...] = ()
    known: frozenset[ObjectRef] = frozenset()
    services: Mapping[Key, Service] = EMPTY
    now: float = 0.0
    due: float | None = None


def told(
    events: Sequence[Event],
    statuses: Mapping[ObjectRef, Status],
    before: Patience,
    *,
    services: Mapping[Key, Service],
    now: float,
) -> tuple[tuple[Event, ...], Patience]:
    """What is to be told now, of new events and of those that waited, and what goes on waiting.

    `statuses` are those of pools, peers and confs as reported, `services` as the source shows them.
    """
    ready = {ref: found for ref, status in statuses.items() if (found := _ready(status)) is not None}
    known = before.known.union(ref for ref, found in ready.items() if found.status == "True")
    held = before.held.draft()
    out: list[Event] = []
    for ref in _due(before, services):
        kept: Held | None = held[ref]
        if ref.kind is Kind.SERVICE:
            kept, settled = _of_service(held[ref], services.get(ref.key))
            out += settled
        elif ref in known or not _begins(ready.get(ref)):
            kept = None
        if kept is None:
            del held[ref]
        else:
            held[ref] = kept
    if now < before.now:
        # A clock that was set back must not make anybody wait for it.
        held.update({ref: one._replace(since=min(one.since, now)) for ref, one in held.items()})
    for event in events:
        if _waits(event, known, ready):
            waited = held.get(event.ref)
            held[event.ref] = Held(event, now if waited is None else waited.since)
        else:
            out.append(event)
    objects = dict.fromkeys((*before.objects, *(event.ref for event in events)))
    late: list[ObjectRef] = []
    due = now + GRACE if before.due is None else before.due
    if now >= due or now < before.now:
        late = sorted(ref for ref, one in held.items() if now >= one.since + GRACE)
        out += [held.pop(ref).event for ref in late]
        due = min((one.since + GRACE for one in held.values()), default=due)
    return tuple(out), Patience(
        held=held.finish(),
        objects=tuple(ref for ref in objects if ref.kind is not Kind.SERVICE and ref in held),
        known=known.union(late).intersection(statuses),
        services=services,
        now=now,
        due=due if held else None,
    )


def _due(before: Patience, services: Mapping[Key, Service]) -> list[ObjectRef]:
    """Of what waits, what may have changed: the Services that did, and everything else."""
    if not before.held:
        return []
    changed = [ObjectRef(Kind.SERVICE, key) for key in changed_keys(old=before.services, new=services)]
    return [ref for ref in (*changed, *before.objects) if ref in before.held]


def _of_service(held: Held, service: Service | None) -> tuple[Held | None, tuple[Event, ...]]:
    """What goes on waiting about a Service, as its condition reads now, and what need not wait any more."""
    if service is None:
        return None, ()
    shown = find(service.conditions, keys.ANNOUNCED_CONDITION)
    if shown is None or shown.reason == Reason.WAITING_FOR_SYNC:
        return held, ()
    if shown.status == "True":
        return None, ()
    event = msgspec.structs.replace(held.event, reason=shown.reason, message=shown.message)
    return (held._replace(event=event), ()) if shown.reason in _BEGINNING else (None, (event,))


def _waits(event: Event, known: frozenset[ObjectRef], ready: Mapping[ObjectRef, Condition]) -> bool:
    if event.ref.kind is Kind.SERVICE:
        # Under that reason only what has never been announced is told of.
        return event.warning and event.reason in _BEGINNING
    return event.ref not in known and _is_about(event, ready.get(event.ref))


def _is_about(event: Event, ready: Condition | None) -> bool:
    """Whether the event tells of a beginning that may end well."""
    return (
        event.warning
        and ready is not None
        and _begins(ready)
        and event.reason in (ready.reason, CONFIG_SPEAKER_FAILED)
    )


def _begins(ready: Condition | None) -> bool:
    return ready is not None and ready.status != "True" and ready.reason in _BEGINNING


def _ready(status: Status) -> Condition | None:
    if isinstance(status, EipStatus | BgpConfStatus | BgpPeerStatus):
        return find(status.conditions, READY)
    return None
