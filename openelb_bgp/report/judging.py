"""Every Service's write in one cycle: those that changed are judged anew, the others stay as they were.

What a Service's status should say is made in `services` and `service_reach`; here it is compared with what
the source shows and with what is on its way there.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from openelb_bgp.lib.identity import changed_keys
from openelb_bgp.model import keys
from openelb_bgp.model.conditions import Condition
from openelb_bgp.model.meta import Key, Kind, ObjectRef
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.services import Service
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.ports import Event, StatusWrite

from .conditions import find
from .events import balancer_events, conditions_of, released
from .inputs import Decision, MayAnnounce
from .ledger import ServiceBook
from .service_reach import Announced, Heard, unallocated
from .services import says, service_write, without_conditions


class ServiceReport(msgspec.Struct, frozen=True):
    """What to write and to say of Services, and what to remember."""

    writes: tuple[StatusWrite, ...]
    events: tuple[Event, ...]
    book: ServiceBook


def report_services(
    snapshot: Snapshot,
    decisions: Mapping[Key, Decision],
    heard: Heard,
    may_announce: MayAnnounce,
    *,
    book: ServiceBook,
    same_scene: bool,
    now: str,
) -> ServiceReport:
    """All Services. `same_scene`: what their announcement depends on besides themselves did not change."""
    judge = _Judge(heard, may_announce, now=now)
    flying, waiting = book.flying.draft(), book.waiting.draft()
    for key in _due(snapshot, decisions, heard, book, same_scene=same_scene):
        service, decision, old = snapshot.services.get(key), decisions.get(key), book.decisions.get(key)
        sent = _still_flying(flying.pop(key), service)
        waiting.pop(key)
        if service is None:
            judge.say_farewell(key, old)
            continue
        write, behind = judge.look(service, decision, old=old, flying=sent)
        if write is not None:
            flying[key] = write
        if behind:
            waiting[key] = revision_of(service)
    return ServiceReport(
        tuple(judge.writes),
        tuple(judge.events),
        ServiceBook(
            flying=flying.finish(),
            waiting=waiting.finish(),
            services=snapshot.services,
            decisions=decisions,
            slices=snapshot.slices,
            revisions=heard.revisions,
        ),
    )


def _still_flying(write: StatusWrite | None, service: Service | None) -> StatusWrite | None:
    """The write, while the source has not answered with a newer version of the Service."""
    if write is None or service is None or write.based_on != service.meta.resource_version:
        return None
    return write


def _due(
    snapshot: Snapshot,
    decisions: Mapping[Key, Decision],
    heard: Heard,
    book: ServiceBook,
    *,
    same_scene: bool,
) -> Iterable[Key]:
    """The Services to look at, in a fixed order."""
    due = dict.fromkeys(changed_keys(old=book.services, new=snapshot.services))
    due.update(dict.fromkeys(changed_keys(old=book.decisions, new=decisions)))
    moved = changed_keys(old=book.slices, new=snapshot.slices)
    due.update(dict.fromkeys(key for key in moved if key in decisions))
    if not same_scene:
        due.update(dict.fromkeys(decisions))
    elif book.waiting and heard.revisions != book.revisions:
        reached = max(heard.revisions.values(), default=0)
        due.update((key, None) for key, revision in book.waiting.items() if revision <= reached)
    return due


def revision_of(service: Service) -> int:
    """The revision that a speaker must have applied to know the Service as it is; 0 for unknown."""
    version = service.meta.resource_version
    return int(version) if version.isdecimal() else 0


class _Judge:
    """Looks at Services one by one and collects what has to be written and said."""

    def __init__(self, heard: Heard, may_announce: MayAnnounce, *, now: str) -> None:
        self._heard = heard
        self._may_announce = may_announce
        self._now = now
        self.writes: list[StatusWrite] = []
        self.events: list[Event] = []

    def look(
        self,
        service: Service,
        decision: Decision | None,
        *,
        old: Decision | None,
        flying: StatusWrite | None,
    ) -> tuple[StatusWrite | None, bool]:
        """The write that is on its way from now on, and whether speakers are still behind.

        `old` is what was decided last, `flying` the write that the Service does not show yet.
        """
        if old is not None and (decision is None or not decision.ours):
            self._say_cleared(service, old)
        previous = service.conditions if flying is None else conditions_of(flying)
        announced = None if decision is None else self._announced(service, decision, previous, flying)
        behind = announced is not None and announced.behind
        write = self._write(service, decision, announced, previous)
        if write is None or _reads_the_same(write, flying):
            return flying, behind
        repeated = flying is not None and _events(old) == _events(decision)
        self._emit(write, None if repeated else decision, previous)
        return write, behind

    def _say_cleared(self, service: Service, old: Decision) -> None:
        """An API server clears the status of a Service that is no LoadBalancer any more by itself."""
        cleared = [one.address for one in old.addresses if one.address not in service.addresses]
        if cleared:
            self.events.append(released(service.ref, cleared))

    def say_farewell(self, key: Key, old: Decision | None) -> None:
        """A Service is gone, and its addresses with it."""
        if old is not None and old.addresses:
            addresses = [one.address for one in old.addresses]
            self.events.append(released(ObjectRef(Kind.SERVICE, key), addresses))

    def _write(
        self,
        service: Service,
        decision: Decision | None,
        announced: Announced | None,
        previous: Sequence[Condition],
    ) -> StatusWrite | None:
        """What the source does not show yet; None if it shows everything."""
        if decision is None:
            return without_conditions(service)
        if not decision.changed and says(service, announced):
            return None
        return service_write(service, decision, announced, previous=previous, now=self._now)

    def _announced(
        self,
        service: Service,
        decision: Decision,
        previous: Sequence[Condition],
        flying: StatusWrite | None,
    ) -> Announced | None:
        if not decision.ours:
            return None
        if not decision.addresses:
            return unallocated(decision.condition)
        was = find(previous, keys.ANNOUNCED_CONDITION)
        if was is not None and was.reason != Reason.WAITING_FOR_SYNC:
            # Our own write of that condition is a new revision too: asking the speakers for it again would
            # never end. Only what becomes announced waits for them.
            now = self._heard.announced(service, decision.addresses, self._may_announce, revision=0)
            is_new = now.reason is Reason.SPEAKER_NOT_CONFIGURED and self._heard.awaits(decision.addresses)
            if was.status == "True" and is_new:
                # A pool under another name, perhaps: nobody has moved its routes.
                return Announced(True, Reason.ANNOUNCED, was.message)
            if was.status == "True" or not now.met:
                return now
        if flying is not None:
            return self._heard.not_shown() if was is None else _as_said(was)
        return self._heard.announced(
            service, decision.addresses, self._may_announce, revision=revision_of(service)
        )

    def _emit(self, write: StatusWrite, decision: Decision | None, previous: Sequence[Condition]) -> None:
        self.writes.append(write)
        if decision is not None and decision.changed:
            self.events.extend(decision.events)
        self.events.extend(balancer_events(write.ref, before=previous, after=conditions_of(write)))


def _as_said(on_its_way: Condition) -> Announced:
    """What the write says that the source does not show yet, until it does.

    Taken back before it has left, it would leave what stands there already: a write that changes nothing
    comes back as nothing, and its Service would be waited for without end.
    """
    reason = Reason.known(on_its_way.reason) or Reason.WAITING_FOR_SYNC
    return Announced(on_its_way.status == "True", reason, on_its_way.message)


def _events(decision: Decision | None) -> tuple[Event, ...]:
    return () if decision is None else tuple(decision.events)


def _reads_the_same(write: StatusWrite, flying: StatusWrite | None) -> bool:
    """Whether what is on its way says it all; finalizers are gone after the first write."""
    return flying is not None and (write.status, write.labels, write.annotations) == (
        flying.status,
        flying.labels,
        flying.annotations,
    )
