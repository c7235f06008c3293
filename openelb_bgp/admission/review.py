"""What is said to a change of one object before it is stored: no, with remedies, or yes, with warnings. Pure.

A change is refused for what it makes wrong, never for what was wrong before it: whoever labels a stored pool,
or takes a finalizer off, is not asked to mend it. What other objects may still put right (a Secret or a peer
that is yet to come) is a warning; so is whatever touches live addresses, which keep working.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from openelb_bgp.decode import decode
from openelb_bgp.lib.words import some
from openelb_bgp.model.allocated import pool_of
from openelb_bgp.model.errors import Defect
from openelb_bgp.model.meta import EMPTY, Kind, ObjectRef
from openelb_bgp.model.pools import Eip
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.routing import BgpConf, BgpPeer
from openelb_bgp.model.snapshot import Snapshot

from .checks import check

Document = Mapping[str, Any]

# A pool that overlaps another is refused, as by OpenELB. A peer like another is not: replacing one would take
# a gap then, and the first by name goes on being spoken to.
_REFUSED = frozenset({Reason.OVERLAP, Reason.SECOND_DEFAULT, Reason.INVALID})


class Review(msgspec.Struct, frozen=True):
    """Texts for whoever made the change; the change is refused when there is any refusal."""

    refusals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether the change may be stored."""
        return not self.refusals


FINE = Review()


def review(
    operation: str,
    *,
    old: Document | None,
    new: Document | None,
    snapshot: Snapshot,
    namespace: str,
    now: float,
) -> Review:
    """Judge a change; `old` and `new` are the object before and after, as JSON has it.

    `namespace` is ours, `now` the seconds since the epoch. Nothing is said that depends on kinds that the
    snapshot has not listed.
    """
    if operation == "DELETE":
        return Review(warnings=tuple(_left_behind(old, snapshot)))
    if new is None or _is_going(new) or _is_unchanged(old, new):
        return FINE
    decoded = decode(dict(new))
    defects = decoded.invalid.defects if decoded.invalid else decoded.warnings
    before = _fatal(old)
    refusals = [str(defect) for defect in defects if defect.fatal and _same(defect) not in before]
    warnings = [str(defect) for defect in defects if str(defect) not in refusals]
    match decoded.resource:
        case Eip() | BgpConf() | BgpPeer() as resource:
            refused, warned = _beside_others(_dated(resource, now), snapshot, namespace)
            return Review((*refusals, *refused), (*warnings, *warned))
        case _:
            return Review(tuple(refusals), tuple(warnings))


def _is_going(new: Document) -> bool:
    """Whether it is being deleted: all that happens to it is that finalizers go."""
    return _metadata(new).get("deletionTimestamp") is not None


def _is_unchanged(old: Document | None, new: Document) -> bool:
    """Whether nothing that we read is different."""
    if old is None or old.get("spec") != new.get("spec"):
        return False
    before, after = _metadata(old), _metadata(new)
    return all(before.get(field) == after.get(field) for field in ("labels", "annotations"))


def _metadata(document: Document) -> Mapping[str, Any]:
    found = document.get("metadata")
    return found if isinstance(found, Mapping) else EMPTY


def _fatal(old: Document | None) -> frozenset[tuple[str, str]]:
    invalid = decode(dict(old)).invalid if old is not None else None
    return frozenset(_same(defect) for defect in invalid.defects if defect.fatal) if invalid else frozenset()


def _same(defect: Defect) -> tuple[str, str]:
    """What two defects share that are one and the same, before and after a change of something else."""
    return defect.path, defect.problem


Ours = Eip | BgpConf | BgpPeer


def _dated(resource: Ours, now: float) -> Ours:
    """A new object is the youngest: of two that clash the older one stays."""
    if resource.meta.created:
        return resource
    return msgspec.structs.replace(resource, meta=msgspec.structs.replace(resource.meta, created=now))


def _beside_others(resource: Ours, snapshot: Snapshot, namespace: str) -> tuple[list[str], list[str]]:
    """What is newly wrong with it or with others that refuses the change, and what else is to say of it."""
    if not snapshot.has_listed(resource.ref.kind):
        return [], []
    without_services = msgspec.structs.replace(snapshot, services=EMPTY)
    before = {
        (ref, defect.reason)
        for ref, defects in check(without_services, namespace=namespace).items()
        for defect in defects
    }
    refused, warned = [], []
    for ref, defects in check(_with(resource, snapshot), namespace=namespace).items():
        for defect in defects:
            if _refuses(ref, defect) and (ref, defect.reason) not in before:
                refused.append(str(defect) if ref == resource.ref else f"{ref}: {defect}")
            elif ref == resource.ref:
                warned.append(str(defect))
    return refused, warned


def _refuses(ref: ObjectRef, defect: Defect) -> bool:
    return ref.kind is Kind.EIP and defect.fatal and defect.reason in _REFUSED


def _with(resource: Ours, snapshot: Snapshot) -> Snapshot:
    name = resource.meta.name
    match resource:
        case Eip():
            return msgspec.structs.replace(snapshot, eips={**snapshot.eips, name: resource})
        case BgpConf():
            return msgspec.structs.replace(snapshot, bgp_confs={**snapshot.bgp_confs, name: resource})
        case BgpPeer():
            return msgspec.structs.replace(snapshot, bgp_peers={**snapshot.bgp_peers, name: resource})


def _left_behind(old: Document | None, snapshot: Snapshot) -> Iterator[str]:
    """A warning that names the Services whose addresses lose their pool."""
    name = _metadata(old or EMPTY).get("name")
    eip = (
        snapshot.eips.get(name) if isinstance(name, str) and (old or EMPTY).get("kind") == Kind.EIP else None
    )
    if eip is None:
        return
    held = [
        f"{key} ({address})"
        for key in sorted(snapshot.services)
        for address in snapshot.services[key].addresses
        if pool_of(address, snapshot.services[key], snapshot.eips) is eip
    ]
    if held:
        yield (
            f"addresses of Eip {eip.name} are in use: {some(held)}; they stay with their Services but are no "
            "longer announced; create it again, or let these Services ask for other addresses"
        )
