"""The store: deliveries in, the current immutable Snapshot out, and one wake-up.

It decides nothing and does no I/O. What a batch does not touch is the same object in the next Snapshot, whose
mappings are the next versions of Tables: plans compare by identity, and look only at what changed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, get_args

import msgspec

from openelb_bgp.lib.tables import Draft, Table
from openelb_bgp.model.errors import Defect
from openelb_bgp.model.meta import Key, Kind, ObjectRef
from openelb_bgp.model.services import EndpointSlice
from openelb_bgp.model.snapshot import Resource, Snapshot
from openelb_bgp.model.speakers import Speaker
from openelb_bgp.ports import Changed, Delivery, Gone, Listed, Spoilt, Unseen

_FIELDS: Mapping[Kind, str] = {
    Kind.EIP: "eips",
    Kind.BGP_CONF: "bgp_confs",
    Kind.BGP_PEER: "bgp_peers",
    Kind.SPEAKER: "speakers",
    Kind.SERVICE: "services",
    Kind.NODE: "nodes",
    Kind.NAMESPACE: "namespaces",
    Kind.CONFIG_MAP: "config_maps",
    Kind.SECRET: "secrets",
    Kind.POD: "pods",
}
_KINDS: Mapping[str, Kind] = {kind.value: kind for kind in Kind}
_FIELD_OF: Mapping[type[Resource], str] = {
    cls: _FIELDS[_KINDS[cls.__name__]] for cls in get_args(Resource) if cls is not EndpointSlice
}
_CLASSES: Mapping[Kind, type[Resource]] = {_KINDS[cls.__name__]: cls for cls in get_args(Resource)}
_NAMESPACED: frozenset[type[Resource]] = frozenset(
    cls for cls in get_args(Resource) if _KINDS[cls.__name__].namespaced
)


def ref_of(resource: Resource) -> ObjectRef:
    """The reference of an object of any kind."""
    return ObjectRef(_KINDS[type(resource).__name__], resource.meta.key)


class Store:
    """Holds the current Snapshot and makes the next one.

    `Snapshot.revision` is the highest resourceVersion seen on any object but a Speaker: numbers that every
    process of the same source agrees on, whereas a speaker that counted its own reports would never rest. A
    kind that is listed again counts anew: an older etcd that was restored makes all numbers smaller.
    """

    def __init__(self, *, in_cluster: bool = False) -> None:
        self._snapshot = Snapshot(in_cluster=in_cluster)
        self._listeners: list[Callable[[], None]] = []
        self._service_of: dict[Key, Key] = {}
        self._revisions: dict[type[Resource], int] = {}

    @property
    def snapshot(self) -> Snapshot:
        """What is known now. Read it once per cycle."""
        return self._snapshot

    def uid(self, ref: ObjectRef) -> str:
        """The uid of an object as it is known, empty where it is not."""
        if ref.kind is Kind.ENDPOINT_SLICE:
            return ""
        found = getattr(self._snapshot, _FIELDS[ref.kind]).get(_key(ref))
        return found.meta.uid if found is not None else ""

    def subscribe(self, wake: Callable[[], None]) -> None:
        """Call this, on the thread that applies, after every batch that changed something."""
        self._listeners.append(wake)

    def apply(self, batch: Sequence[Delivery]) -> bool:
        """Take a batch; True when it changed anything.

        An object that became invalid keeps its last good version, which goes on being used, and stands in
        `invalid` as well. A Listed kind is replaced whole.
        """
        draft = _Draft(self._snapshot, self._service_of, self._revisions)
        for delivery in batch:
            draft.take(delivery)
        after = draft.finish()
        if after is self._snapshot:
            return False
        self._snapshot = after
        for wake in self._listeners:
            wake()
        return True


class _Draft:
    """The next Snapshot while it is made. A mapping has a draft once something in it changes."""

    def __init__(
        self, base: Snapshot, service_of: dict[Key, Key], revisions: dict[type[Resource], int]
    ) -> None:
        self._base = base
        self._service_of = service_of
        self._revisions = revisions
        self._tables: dict[str, Draft[Any, Any]] = {}
        self._listed = set(base.listed)
        self._unseen = base.unseen
        self._noted: tuple[type[Resource], str] | None = None

    def take(self, delivery: Delivery) -> None:
        """Take one delivery in."""
        if isinstance(delivery, Changed):
            self._change(delivery.resource, delivery.warnings)
        elif isinstance(delivery, Gone):
            self._remove(delivery.ref)
            self._drop("invalid", delivery.ref)
            self._drop("warnings", delivery.ref)
        elif isinstance(delivery, Spoilt):
            self._set("invalid", delivery.invalid.ref, delivery.invalid)
        elif isinstance(delivery, Unseen):
            self._unseen = delivery.why
        else:
            self._list(delivery)

    def finish(self) -> Snapshot:
        """The Snapshot, which is the base itself when nothing changed."""
        changes: dict[str, Any] = {name: table.finish() for name, table in self._tables.items()}
        if self._listed != self._base.listed:
            changes["listed"] = frozenset(self._listed)
        if (revision := max(self._revisions.values(), default=0)) != self._base.revision:
            changes["revision"] = revision
        if self._unseen != self._base.unseen:
            changes["unseen"] = self._unseen
        return msgspec.structs.replace(self._base, **changes) if changes else self._base

    def _put(self, resource: Resource) -> None:
        cls, meta = resource.__class__, resource.meta
        if cls is not Speaker and (cls, meta.resource_version) != self._noted:
            self._note_revision(cls, meta.resource_version)
        if isinstance(resource, EndpointSlice):
            self._put_slice(resource)
        elif cls in _NAMESPACED:
            self._set(_FIELD_OF[cls], Key(meta.namespace, meta.name), resource)
        else:
            self._set(_FIELD_OF[cls], meta.name, resource)

    def _change(self, resource: Resource, warnings: tuple[Defect, ...]) -> None:
        self._put(resource)
        # Nearly always there is nothing to say against anything.
        if warnings or self._view("invalid") or self._view("warnings"):
            ref = ref_of(resource)
            self._drop("invalid", ref)
            if warnings:
                self._set("warnings", ref, warnings)
            else:
                self._drop("warnings", ref)

    def _list(self, listed: Listed) -> None:
        kind = listed.kind
        self._listed.add(kind)
        spoilt = {invalid.ref: invalid for invalid in listed.invalid}
        kept = {ref_of(resource) for resource in listed.resources} | spoilt.keys()
        for ref in [ref for ref in self._refs(kind) if ref not in kept]:
            self._remove(ref)
        self._noted = None
        self._revisions.pop(_CLASSES[kind], None)
        for resource in listed.resources:
            self._put(resource)
        self._replace_kind("invalid", kind, spoilt)
        self._replace_kind("warnings", kind, listed.warnings)

    def _refs(self, kind: Kind) -> Iterable[ObjectRef]:
        """Every object of a kind that is held now."""
        if kind is Kind.ENDPOINT_SLICE:
            return [ObjectRef(kind, key) for key in self._service_of]
        table = self._view(_FIELDS[kind])
        return [ObjectRef(kind, key if kind.namespaced else Key("", key)) for key in table]

    def _remove(self, ref: ObjectRef) -> None:
        if ref.kind is Kind.ENDPOINT_SLICE:
            self._drop_slice(ref.key)
        else:
            self._drop(_FIELDS[ref.kind], _key(ref))

    def _put_slice(self, one: EndpointSlice) -> None:
        """Index a slice by its Service; one that names none serves nobody and is left out."""
        meta = one.meta
        key = Key(meta.namespace, meta.name)
        known = self._service_of.get(key)
        if known is not None and known.name != one.service:
            self._drop_slice(key)
            known = None
        if not one.service:
            return
        service = known or Key(meta.namespace, one.service)
        before: tuple[EndpointSlice, ...] = self._view("slices").get(service, ())
        others = [other for other in before if other.meta.name != meta.name]
        self._set("slices", service, tuple(sorted([*others, one], key=_name)) if others else (one,))
        self._service_of[key] = service

    def _drop_slice(self, key: Key) -> None:
        service = self._service_of.pop(key, None)
        if service is None:
            return
        left = tuple(one for one in self._view("slices").get(service, ()) if one.meta.name != key.name)
        if left:
            self._table("slices")[service] = left
        else:
            self._drop("slices", service)

    def _replace_kind(self, field: str, kind: Kind, entries: Mapping[ObjectRef, Any]) -> None:
        for ref in [ref for ref in self._view(field) if ref.kind is kind and ref not in entries]:
            self._drop(field, ref)
        for ref, value in entries.items():
            self._set(field, ref, value)

    def _note_revision(self, cls: type[Resource], version: str) -> None:
        # What was committed at once has one revision.
        self._noted = cls, version
        if version.isdecimal():
            self._revisions[cls] = max(self._revisions.get(cls, 0), int(version))

    def _view(self, field: str) -> Mapping[Any, Any]:
        table = self._tables.get(field)
        if table is not None:
            return table
        mapping: Mapping[Any, Any] = getattr(self._base, field)
        return mapping

    def _table(self, field: str) -> Draft[Any, Any]:
        table = self._tables.get(field)
        if table is None:
            table = self._tables[field] = Table.of(getattr(self._base, field)).draft()
        return table

    def _set(self, field: str, key: object, value: object) -> None:
        # Equal is unchanged: the object that is there stays the same object.
        if self._view(field).get(key) != value:
            self._table(field)[key] = value

    def _drop(self, field: str, key: object) -> None:
        if key in self._view(field):
            del self._table(field)[key]


def _key(ref: ObjectRef) -> Key | str:
    return ref.key if ref.kind.namespaced else ref.key.name


def _name(one: EndpointSlice) -> str:
    return one.meta.name
