"""The leading controller's whole report: every status and event that differs from what was reported before.

Pure: one snapshot, its allocation and the ledger in; writes, events and the next ledger out. A Service that
did not change costs a few comparisons; a changed report of a speaker is looked at once, not per Service.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from openelb_bgp.model import keys
from openelb_bgp.model.conditions import Condition
from openelb_bgp.model.errors import Defect
from openelb_bgp.model.meta import Key, Kind, ObjectRef
from openelb_bgp.model.services import EndpointSlice, Service
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.ports import Event, StatusWrite

from . import events as told
from .inputs import Allocation, Decision, MayAnnounce
from .ledger import Judged, Ledger, Scene, same
from .objects import NO_DEFECTS, ObjectReport, report_objects
from .reach import reach
from .service_reach import Announced, Heard, unallocated
from .services import reads_like, service_write, without_conditions

_ANNOUNCED = "True"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What to write and to say; `ledger` is the next cycle's, once the writes are durable."""

    writes: tuple[StatusWrite, ...]
    events: tuple[Event, ...]
    ledger: Ledger


def report(
    snapshot: Snapshot,
    allocation: Allocation,
    *,
    may_announce: MayAnnounce,
    nodes: object,
    defects: Mapping[ObjectRef, Sequence[Defect]] = NO_DEFECTS,
    ledger: Ledger,
    now: str,
) -> Report:
    """Everything that differs from what `ledger` says has been reported.

    `may_announce` asks eligibility, whose answers depend on the Service, its EndpointSlices, its pool and
    `nodes` (a value that is equal as long as the answers for all Services stay). `defects` are admission's,
    beside those that the snapshot holds itself. `now` is RFC 3339 text. Call it only with an allocation that
    is not waiting, and once the snapshot has listed Speakers and EndpointSlices.
    """
    scene, heard = _scene(snapshot, nodes, ledger.scene)
    services = _Services(snapshot, allocation.services, heard, may_announce, now=now)
    judged = services.judge(ledger.services, same_scene=scene.parts == ledger.scene.parts)
    objects = report_objects(
        snapshot, allocation.pools, scene.reaches, defects=defects, ledger=ledger, now=now
    )
    return Report(
        writes=(*services.writes, *objects.writes),
        events=(*services.events, *objects.events),
        ledger=_next(judged, objects, scene),
    )


def _next(judged: Mapping[Key, Judged], objects: ObjectReport, scene: Scene) -> Ledger:
    return Ledger(
        services=judged,
        statuses=objects.statuses,
        complaints=objects.complaints,
        scene=scene,
        pool_sources=objects.pool_sources,
        routing_sources=objects.routing_sources,
    )


def _scene(snapshot: Snapshot, nodes: object, before: Scene) -> tuple[Scene, Heard]:
    sources = (snapshot.eips, snapshot.bgp_confs, snapshot.bgp_peers, snapshot.speakers, snapshot.nodes)
    if same(sources, before.sources):
        reaches = before.reaches
    else:
        reaches = {name: reach(eip, snapshot) for name, eip in snapshot.eips.items()}
    heard = Heard(snapshot, reaches)
    return Scene(sources=sources, reaches=reaches, parts=(*heard.parts, nodes)), heard


class _Services:
    """One cycle's look at all Services."""

    def __init__(
        self,
        snapshot: Snapshot,
        decisions: Mapping[Key, Decision],
        heard: Heard,
        may_announce: MayAnnounce,
        *,
        now: str,
    ) -> None:
        self._snapshot = snapshot
        self._decisions = decisions
        self._heard = heard
        self._may_announce = may_announce
        self._now = now
        self.writes: list[StatusWrite] = []
        self.events: list[Event] = []

    def judge(self, before: Mapping[Key, Judged], *, same_scene: bool) -> Mapping[Key, Judged]:
        """Look at every Service that can have changed; the others stay as they were judged."""
        judged: dict[Key, Judged] = {}
        decisions, slices = self._decisions, self._snapshot.slices
        for key, service in self._snapshot.services.items():
            old, decision, parts = before.get(key), decisions.get(key), slices.get(key)
            if (
                old is not None
                and old.service is service
                and old.decision is decision
                and (decision is None or (same_scene and old.settled and old.slices is parts))
            ):
                judged[key] = old
            else:
                judged[key] = self._judge(service, decision, parts, old)
        self.events.extend(_gone(before, judged))
        return judged

    def _judge(
        self,
        service: Service,
        decision: Decision | None,
        slices: tuple[EndpointSlice, ...] | None,
        old: Judged | None,
    ) -> Judged:
        flying = None if old is None else old.in_flight(service)
        previous = service.conditions if old is None or flying is None else old.conditions
        announced = None
        if decision is None:
            write = without_conditions(service)
            needed = write is not None
        else:
            announced = self._announced(service, decision, previous, flying)
            write = service_write(service, decision, announced, previous=previous, now=self._now)
            needed = decision.changed or not reads_like(service, write)
        if write is None or not needed:
            flying = None
        elif not _reads_the_same(write, flying):
            self._emit(service, decision, write, old, flying)
            flying = write
        return Judged(
            service=service,
            decision=decision,
            slices=slices,
            settled=announced is None or announced.settled,
            write=flying,
        )

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
        was = told.find(previous, keys.ANNOUNCED_CONDITION)
        if was is not None and was.status == _ANNOUNCED:
            # Our own write of that condition is a new revision too: asking the speakers for it again would
            # never end.
            return self._heard.announced(service, decision.addresses, self._may_announce, revision=0)
        if flying is not None:
            return self._heard.waiting()
        return self._heard.announced(
            service, decision.addresses, self._may_announce, revision=_revision(service)
        )

    def _emit(
        self,
        service: Service,
        decision: Decision | None,
        write: StatusWrite,
        old: Judged | None,
        flying: StatusWrite | None,
    ) -> None:
        self.writes.append(write)
        before = service.conditions if old is None or flying is None else old.conditions
        after = told.conditions_of(write)
        already_told = flying is not None and old is not None and old.decision == decision
        if decision is not None and decision.changed and not already_told:
            self.events.extend(decision.events)
        self.events.extend(told.balancer_events(service.ref, before=before, after=after))


def _reads_the_same(write: StatusWrite, flying: StatusWrite | None) -> bool:
    """Whether what is on its way says it all; finalizers are gone after the first write."""
    return flying is not None and (write.status, write.labels, write.annotations) == (
        flying.status,
        flying.labels,
        flying.annotations,
    )


def _revision(service: Service) -> int:
    version = service.meta.resource_version
    return int(version) if version.isdecimal() else 0


def _gone(before: Mapping[Key, Judged], judged: Mapping[Key, Judged]) -> Iterator[Event]:
    if before.keys() <= judged.keys():
        return
    for key in sorted(before.keys() - judged.keys()):
        decision = before[key].decision
        if decision is not None and decision.addresses:
            yield told.released(ObjectRef(Kind.SERVICE, key), [one.address for one in decision.addresses])
