"""The statuses of Eips, BgpConfs and BgpPeers in one cycle, usable or not, and complaints about the rest."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from openelb_bgp.lib.identity import same_objects
from openelb_bgp.model import keys
from openelb_bgp.model.errors import Defect, InvalidResource
from openelb_bgp.model.meta import Kind, Meta, ObjectRef
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.statuses import BgpConfStatus, BgpPeerStatus, EipStatus, Status
from openelb_bgp.ports import Event, StatusWrite

from .conditions import valid_and_ready
from .events import condition_events, pool_events
from .inputs import PoolUse
from .ledger import Ledger
from .pools import eip_status
from .reach import Reach
from .routing import bgp_conf_status, bgp_peer_status

_EMPTY: Mapping[Kind, EipStatus | BgpConfStatus | BgpPeerStatus] = {
    Kind.EIP: EipStatus(),
    Kind.BGP_CONF: BgpConfStatus(),
    Kind.BGP_PEER: BgpPeerStatus(),
}
_UNUSABLE = Refused(Reason.INVALID, "it cannot be used as it stands; correct what Valid says")
Kept = TypeVar("Kept", EipStatus, BgpConfStatus, BgpPeerStatus)


class ObjectReport(msgspec.Struct, frozen=True, kw_only=True):
    """What to write and to say of objects that are not Services, and what the ledger remembers of them."""

    writes: tuple[StatusWrite, ...]
    events: tuple[Event, ...]
    statuses: Mapping[ObjectRef, Status]
    complaints: Mapping[ObjectRef, str]
    complaint_sources: tuple[object, ...]
    pool_sources: tuple[object, ...]
    routing_sources: tuple[object, ...]


def report_objects(
    snapshot: Snapshot,
    uses: Mapping[str, PoolUse],
    reaches: Mapping[str, Reach],
    *,
    defects: Mapping[ObjectRef, Sequence[Defect]],
    ledger: Ledger,
    now: str,
) -> ObjectReport:
    """All these objects; what depends on nothing that changed is taken from the ledger."""
    known = (snapshot.invalid, snapshot.warnings, defects)
    pool_sources = (snapshot.eips, reaches, *known, *uses.values())
    routing_sources = (
        *(snapshot.bgp_confs, snapshot.bgp_peers, snapshot.speakers, snapshot.nodes),
        *known,
    )
    writer = _Objects(snapshot, uses, reaches, defects=defects, before=ledger.statuses, now=now)
    writer.run(
        pools=not same_objects(pool_sources, ledger.pool_sources),
        routing=not same_objects(routing_sources, ledger.routing_sources),
    )
    complaint_sources = (snapshot.invalid, snapshot.warnings)
    complaints = ledger.complaints
    if not same_objects(complaint_sources, ledger.complaint_sources):
        complaints = dict(_complaints(snapshot))
    return ObjectReport(
        writes=tuple(writer.writes),
        events=(*writer.events, *_new_complaints(complaints, ledger.complaints)),
        statuses=writer.statuses,
        complaints=complaints,
        complaint_sources=complaint_sources,
        pool_sources=pool_sources,
        routing_sources=routing_sources,
    )


_Ours = EipStatus | BgpConfStatus | BgpPeerStatus


class _Objects:
    """One cycle's look at the objects."""

    def __init__(
        self,
        snapshot: Snapshot,
        uses: Mapping[str, PoolUse],
        reaches: Mapping[str, Reach],
        *,
        defects: Mapping[ObjectRef, Sequence[Defect]],
        before: Mapping[ObjectRef, Status],
        now: str,
    ) -> None:
        self._snapshot = snapshot
        self._uses = uses
        self._reaches = reaches
        self._defects = defects
        self._before = before
        self._now = now
        self.statuses: dict[ObjectRef, Status] = {}
        self.writes: list[StatusWrite] = []
        self.events: list[Event] = []

    def run(self, *, pools: bool, routing: bool) -> None:
        """Go through the objects of both groups, usable ones first; a group that did not change stays."""
        if pools:
            self._pools()
        if routing:
            self._routing()
        for ref, invalid in sorted(self._snapshot.invalid.items()):
            if (
                ref.kind in _EMPTY
                and (pools if ref.kind is Kind.EIP else routing)
                and ref not in self.statuses
            ):
                known, unusable = self._before.get(ref), self._unusable(invalid)
                self._keep(ref, None, unusable)
                self._tell(ref, ("Valid",), known if isinstance(known, _Ours) else None, unusable)
        for ref, status in self._before.items():
            if not (pools if ref.kind is Kind.EIP else routing):
                self.statuses[ref] = status

    def _pools(self) -> None:
        for name, pool in sorted(self._snapshot.eips.items()):
            previous = self._previous(pool.ref, EipStatus)
            status = eip_status(
                pool,
                self._uses.get(name),
                self._reaches[name],
                defects=self._defects_of(pool.ref),
                previous=previous,
                now=self._now,
            )
            self._keep(pool.ref, pool.meta, status)
            self.events += pool_events(pool.ref, before=previous, after=status)
            self._tell(pool.ref, ("Valid",), previous, status)

    def _routing(self) -> None:
        for name, conf in sorted(self._snapshot.bgp_confs.items()):
            if not conf.left_to_cni:
                known = self._previous(conf.ref, BgpConfStatus)
                conf_status = bgp_conf_status(
                    conf,
                    self._snapshot,
                    counts=name == keys.BGP_CONF_NAME,
                    defects=self._defects_of(conf.ref),
                    previous=known,
                    now=self._now,
                )
                self._keep(conf.ref, conf.meta, conf_status)
                self._tell(conf.ref, ("Valid", "Ready"), known, conf_status)
        for _, peer in sorted(self._snapshot.bgp_peers.items()):
            if not peer.left_to_cni:
                before = self._previous(peer.ref, BgpPeerStatus)
                peer_status = bgp_peer_status(
                    peer,
                    self._snapshot,
                    defects=self._defects_of(peer.ref),
                    previous=before,
                    now=self._now,
                )
                self._keep(peer.ref, peer.meta, peer_status)
                self._tell(peer.ref, ("Valid", "Ready"), before, peer_status)

    def _tell(self, ref: ObjectRef, types: tuple[str, ...], before: _Ours | None, after: _Ours) -> None:
        known = None if before is None else before.conditions
        self.events += condition_events(ref, types, before=known, after=after.conditions)

    def _unusable(self, invalid: InvalidResource) -> _Ours:
        """What was reported of it last stays, with the conditions of an object that cannot be used."""
        known = self._before.get(invalid.ref)
        empty = _EMPTY[invalid.ref.kind]
        status = known if isinstance(known, _Ours) else empty
        conditions = valid_and_ready(
            status.conditions,
            defects=self._defects_of(invalid.ref),
            refused=_UNUSABLE,
            reason=Reason.READY,
            message="",
            now=self._now,
            generation=0,
        )
        changes: dict[str, Any] = {"conditions": conditions}
        if isinstance(status, EipStatus):
            changes |= {"ready": False, "announced_by": ""}
        return msgspec.structs.replace(status, **changes)

    def _defects_of(self, ref: ObjectRef) -> Sequence[Defect]:
        invalid = self._snapshot.invalid.get(ref)
        own = () if invalid is None else invalid.defects
        found = (*own, *self._defects.get(ref, ()), *self._snapshot.warnings.get(ref, ()))
        return tuple(dict.fromkeys(found))

    def _previous(self, ref: ObjectRef, type_: type[Kept]) -> Kept | None:
        found = self._before.get(ref)
        return found if isinstance(found, type_) else None

    def _keep(self, ref: ObjectRef, meta: Meta | None, status: Status) -> None:
        self.statuses[ref] = status
        finalizers = _old_finalizers(meta)
        if finalizers or status != self._before.get(ref):
            self.writes.append(
                StatusWrite(
                    ref=ref,
                    status=status,
                    remove_finalizers=finalizers,
                    based_on="" if meta is None else meta.resource_version,
                )
            )


def _old_finalizers(meta: Meta | None) -> tuple[str, ...]:
    if meta is None:
        return ()
    return tuple(one for one in meta.finalizers if one in keys.FINALIZERS_OF_OPENELB)


def _complaints(snapshot: Snapshot) -> Iterator[tuple[ObjectRef, str]]:
    """Objects of kinds whose status is not ours to write: an event is all that we can say."""
    for ref in sorted({*snapshot.invalid, *snapshot.warnings}):
        if ref.kind not in _EMPTY:
            invalid = snapshot.invalid.get(ref)
            defects = (*(invalid.defects if invalid else ()), *snapshot.warnings.get(ref, ()))
            yield ref, "; ".join(map(str, dict.fromkeys(defects)))


def _new_complaints(now: Mapping[ObjectRef, str], before: Mapping[ObjectRef, str]) -> Iterator[Event]:
    for ref, message in now.items():
        if before.get(ref) != message:
            yield Event(ref=ref, reason=Reason.INVALID, message=message, warning=True)
