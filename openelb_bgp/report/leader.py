"""The leading controller's whole report: every status and event that differs from what was reported before.

Pure: one snapshot, its allocation and the ledger in; writes, events and the next ledger out. A Service that
did not change costs a few comparisons; a changed report of a speaker is looked at once, not per Service.
"""

from collections.abc import Mapping, Sequence

import msgspec

from openelb_bgp.lib.identity import same_objects
from openelb_bgp.model.errors import Defect
from openelb_bgp.model.meta import EMPTY, ObjectRef
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.ports import Event, StatusWrite

from . import times
from .inputs import Allocation, MayAnnounce
from .judging import report_services
from .ledger import Ledger, Scene
from .objects import report_objects
from .patience import told
from .reach import reaches
from .service_reach import Heard


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What to write and to say; `ledger` is the next cycle's, once the writes are durable.

    `due` is when something has to be said though nothing happens (seconds since the epoch), None for never.
    """

    writes: tuple[StatusWrite, ...]
    events: tuple[Event, ...]
    ledger: Ledger
    due: float | None = None


def report(
    snapshot: Snapshot,
    allocation: Allocation,
    *,
    may_announce: MayAnnounce,
    nodes: object,
    defects: Mapping[ObjectRef, Sequence[Defect]] = EMPTY,
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
    services = report_services(
        snapshot,
        allocation.services,
        heard,
        may_announce,
        book=ledger.services,
        same_scene=scene.parts == ledger.scene.parts,
        now=now,
    )
    # Who checks makes the same findings anew each time; an equal one is the one that we know.
    known = ledger.defects if ledger.defects == defects else defects
    objects = report_objects(snapshot, allocation.pools, scene.reaches, defects=known, ledger=ledger, now=now)
    events, patience = told(
        (*services.events, *objects.events),
        objects.statuses,
        ledger.patience,
        services=snapshot.services,
        now=times.epoch(now) or 0.0,
    )
    return Report(
        writes=(*services.writes, *objects.writes),
        events=events,
        due=patience.due,
        ledger=Ledger(
            services=services.book,
            statuses=objects.statuses,
            complaints=objects.complaints,
            complaint_sources=objects.complaint_sources,
            defects=known,
            scene=scene,
            patience=patience,
            pool_sources=objects.pool_sources,
            routing_sources=objects.routing_sources,
        ),
    )


def _scene(snapshot: Snapshot, nodes: object, before: Scene) -> tuple[Scene, Heard]:
    sources = (snapshot.eips, snapshot.bgp_confs, snapshot.bgp_peers, snapshot.speakers, snapshot.nodes)
    known = before.reaches
    if not same_objects(sources, before.sources):
        # Most reports change nothing here: then the same object says so to everybody who compares.
        found = reaches(snapshot)
        known = before.reaches if found == before.reaches else found
    heard = Heard(snapshot, known)
    return Scene(sources=sources, reaches=known, parts=(*heard.parts, nodes)), heard
