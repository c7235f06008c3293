"""Manifests and state together: every object as it reads now, and what to deliver when that changed. Pure.

What only the state knows (Speakers), what is implied (namespaces that are mentioned, the own node) and what
is only remembered (Services whose manifest cannot be read) is here too.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from operator import attrgetter

import msgspec

from openelb_bgp.model.cluster import Namespace, Node
from openelb_bgp.model.errors import Defect, InvalidResource
from openelb_bgp.model.meta import Key, Kind, Meta, ObjectRef
from openelb_bgp.model.snapshot import Resource
from openelb_bgp.ports import Changed, Delivery, Gone, Listed, Spoilt

from .manifests import Entry, Manifests
from .rows import Overlay, Row, lay, overlay_of, remembered, speaker_of

NAMESPACE_LABEL = "kubernetes.io/metadata.name"
"""Kubernetes puts it on every Namespace, with the name as its value."""


class _Reading(msgspec.Struct, frozen=True):
    """How an object reads: the usable version, and what is wrong with the one that stands there."""

    resource: Resource | None = None
    invalid: InvalidResource | None = None
    warnings: tuple[Defect, ...] = ()


_NOTHING = _Reading()


class Objects:
    """Every object as it reads now. Methods that take something return what may read differently."""

    def __init__(self, manifests: Manifests) -> None:
        self._manifests = manifests
        self._overlays: dict[ObjectRef, Overlay] = {}
        self._speakers: dict[ObjectRef, Row] = {}
        self._silent: set[ObjectRef] = set()
        self._own_node: Node | None = None
        self._mentions: Counter[str] = Counter()
        self._remembered: set[ObjectRef] = set()
        self._current: dict[ObjectRef, Resource] = {}
        self._odd: dict[ObjectRef, _Reading] = {}

    @property
    def speakers(self) -> tuple[str, ...]:
        """The nodes whose speakers have a report."""
        return tuple(ref.key.name for ref in self._speakers)

    @property
    def unmentioned(self) -> tuple[ObjectRef, ...]:
        """Objects that the state holds something of though nothing names them."""
        return tuple(filter(self.is_unmentioned, self._overlays))

    def is_unmentioned(self, ref: ObjectRef) -> bool:
        """Whether the state holds something of an object that nothing names."""
        return ref in self._overlays and ref not in self._current and self._manifests.find(ref) is None

    @property
    def has_statuses(self) -> bool:
        """Whether the state holds anything that a controller wrote."""
        return bool(self._overlays)

    @property
    def remembers(self) -> bool:
        """Whether objects are held only because their manifests could not be read at the start."""
        return bool(self._remembered)

    def take_rows(self, rows: Iterable[Row]) -> set[ObjectRef]:
        """Take rows that were committed."""
        touched = set()
        for row in rows:
            if row.is_gone:
                self._overlays.pop(row.ref, None)
                self._speakers.pop(row.ref, None)
            elif row.ref.kind is Kind.SPEAKER:
                self._speakers[row.ref] = row
            else:
                self._overlays[row.ref] = overlay_of(row)
            touched.add(row.ref)
        return touched

    def take_all_rows(self, rows: Iterable[Row]) -> set[ObjectRef]:
        """Take all rows that there are; what was held beside them is gone."""
        held = self._overlays.keys() | self._speakers.keys()
        self._overlays.clear()
        self._speakers.clear()
        return held | self.take_rows(rows)

    def set_own_node(self, node: Node | None) -> set[ObjectRef]:
        """The node that this process runs on, for when no manifest names it."""
        touched = {one.ref for one in (self._own_node, node) if one is not None}
        self._own_node = node
        return touched

    def set_silent(self, nodes: Iterable[str]) -> set[ObjectRef]:
        """The nodes whose speaker's process does not answer: their Speakers are not ready."""
        silent = {ObjectRef(Kind.SPEAKER, Key("", node)) for node in nodes}
        touched = silent ^ self._silent
        self._silent = silent
        return touched

    def list_all(self) -> tuple[Listed, ...]:
        """Every kind as it stands, whole. Called once, before `deliver`."""
        self._remember()
        refs = {*self._manifests.refs(), *self._speakers, *self._remembered}
        if self._own_node is not None:
            refs.add(self._own_node.ref)
        self.deliver(refs)
        return tuple(self._listed(kind) for kind in Kind)

    def stop_remembering(self) -> set[ObjectRef]:
        """Let go of what is remembered, except where a manifest is there and still invalid."""
        kept = {ref for ref in self._remembered if self._manifests.find(ref) is not None}
        touched, self._remembered = self._remembered - kept, kept
        return touched

    def deliver(self, touched: Iterable[ObjectRef]) -> tuple[Delivery, ...]:
        """What became of these objects since the last time; nothing of those that read the same."""
        deliveries: list[Delivery] = []
        namespaces: set[str] = set()
        for ref in _in_order(touched):
            existed = ref in self._current
            deliveries.extend(self._deliver(ref))
            if existed != (exists := ref in self._current) and ref.kind.namespaced:
                self._mentions[ref.key.namespace] += 1 if exists else -1
                namespaces.add(ref.key.namespace)
        for name in namespaces:
            deliveries.extend(self._deliver(ObjectRef(Kind.NAMESPACE, Key("", name))))
        return tuple(deliveries)

    def _remember(self) -> None:
        """Hold the Services with addresses whose manifests cannot be read, so that nobody else gets them."""
        for ref, overlay in self._overlays.items():
            if ref.kind is Kind.SERVICE and overlay.ingress:
                entry = self._manifests.find(ref)
                if (entry is None and self._manifests.is_doubtful) or (entry and entry.resource is None):
                    self._remembered.add(ref)

    def _listed(self, kind: Kind) -> Listed:
        odd = {ref: reading for ref, reading in self._odd.items() if ref.kind is kind}
        return Listed(
            kind,
            tuple(resource for ref, resource in self._current.items() if ref.kind is kind),
            tuple(reading.invalid for reading in odd.values() if reading.invalid is not None),
            {ref: reading.warnings for ref, reading in odd.items() if reading.warnings},
        )

    def _deliver(self, ref: ObjectRef) -> Sequence[Delivery]:
        """What became of one object."""
        entry = self._manifests.find(ref)
        if entry is not None and entry.is_good and ref not in self._odd:
            # Nearly always so, and ten thousand times when all Services get their addresses.
            return self._deliver_good(ref, self._laid(entry))
        before = self._odd.get(ref) or _Reading(self._current.get(ref))
        after = self._read(ref, entry)
        if after == before:
            return ()
        self._keep(ref, after)
        changes: list[Delivery] = []
        if after.resource is None:
            if before.resource is not None or after.invalid is None:
                changes.append(Gone(ref))
        elif (after.resource, after.warnings) != (before.resource, before.warnings) or not after.invalid:
            changes.append(Changed(after.resource, after.warnings))
        # After a Changed, which takes back what was said against the object.
        if after.invalid is not None:
            changes.append(Spoilt(after.invalid))
        return changes

    def _deliver_good(self, ref: ObjectRef, resource: Resource) -> Sequence[Delivery]:
        if resource == self._current.get(ref):
            return ()
        self._current[ref] = resource
        return (Changed(resource),)

    def _keep(self, ref: ObjectRef, reading: _Reading) -> None:
        if reading.resource is None:
            self._current.pop(ref, None)
        else:
            self._current[ref] = reading.resource
        if reading.invalid is None and not reading.warnings:
            self._odd.pop(ref, None)
        else:
            self._odd[ref] = reading

    def _read(self, ref: ObjectRef, entry: Entry | None) -> _Reading:
        if entry is None:
            unwritten = self._unwritten(ref)
            return _NOTHING if unwritten is None else _Reading(unwritten)
        if entry.resource is None:
            return _Reading(self._unwritten(ref), entry.invalid, entry.warnings)
        return _Reading(self._laid(entry), entry.invalid, entry.warnings)

    def _laid(self, entry: Entry) -> Resource:
        """The entry's resource as it reads with what the state holds of it."""
        resource = entry.resource
        assert resource is not None
        if isinstance(resource, Namespace):
            resource = _labelled(resource)
        overlay = self._overlays.get(entry.ref)
        return lay(resource, overlay) if overlay else resource

    def _unwritten(self, ref: ObjectRef) -> Resource | None:
        """An object that no manifest tells, None where it does not exist."""
        if ref.kind is Kind.SPEAKER:
            row = self._speakers.get(ref)
            return None if row is None else speaker_of(row, ready=ref not in self._silent)
        if ref in self._remembered and (overlay := self._overlays.get(ref)) is not None:
            return remembered(ref, overlay)
        if self._own_node is not None and ref == self._own_node.ref:
            return self._own_node
        if ref.kind is Kind.NAMESPACE and self._mentions[ref.key.name] > 0:
            return _labelled(Namespace(Meta(name=ref.key.name)))
        return None


_NAME, _NAMESPACE, _KIND = attrgetter("key.name"), attrgetter("key.namespace"), attrgetter("kind")


def _in_order(refs: Iterable[ObjectRef]) -> list[ObjectRef]:
    """By kind, namespace and name: handled in the order of the database's rows, they are written five times
    as quickly.
    """
    # By one thing at a time, the last one first: it takes a fifth of comparing tuples.
    ordered = list(refs)
    for thing in (_NAME, _NAMESPACE, _KIND):
        ordered.sort(key=thing)
    return ordered


def _labelled(namespace: Namespace) -> Namespace:
    labels = {**namespace.meta.labels, NAMESPACE_LABEL: namespace.meta.name}
    return Namespace(msgspec.structs.replace(namespace.meta, labels=labels))
