"""Which Events are sent, and how each reads: the same again is counted, a flood is combined, then dropped.

The limits are client-go's (tools/record, events_cache.go), so that our Events behave as those of every other
controller: per object 25 at once and one in 5 minutes after; from the tenth different message for one reason
within 10 minutes on, they are one. Nothing is sent here, and no clock is read.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from openelb_bgp.decode import api_version_of
from openelb_bgp.model.meta import ObjectRef
from openelb_bgp.ports import Event
from openelb_bgp.report.times import rfc3339

_BURST = 25
_SECONDS_PER_EVENT = 300.0
_SIMILAR = 10
_SIMILAR_SECONDS = 600.0
_KEPT = 4096
_COMBINED = "(combined from similar events): "
_LONGEST_MESSAGE = 1024
_LONGEST_NAME = 230
_NAMESPACE_OF_CLUSTER_SCOPED = "default"


class Reporter(msgspec.Struct, frozen=True):
    """Who tells: our component, and where it runs."""

    component: str
    instance: str


class Letter(msgspec.Struct, frozen=True):
    """An Event to be sent: whole, and if it `is_known` to the API server the change to it."""

    namespace: str
    name: str
    is_known: bool
    whole: Mapping[str, Any]
    change: Mapping[str, Any]


class EventKey(NamedTuple):
    """What makes two Events the same one; `message` is None for those that are combined."""

    ref: ObjectRef
    uid: str
    reason: str
    warning: bool
    message: str | None


class _Entry(msgspec.Struct):
    name: str
    message: str
    first: str
    last: str
    count: int = 1
    is_known: bool = False


class _Bucket(msgspec.Struct):
    tokens: float
    since: float


class _Similar(msgspec.Struct):
    messages: set[str]
    since: float


class EventBook:
    """What has been told and what is still to be sent, the oldest first, at most `capacity`."""

    def __init__(self, reporter: Reporter, *, capacity: int = 50_000) -> None:
        self._reporter = reporter
        self._capacity = capacity
        self._entries: OrderedDict[EventKey, _Entry] = OrderedDict()
        self._buckets: OrderedDict[ObjectRef, _Bucket] = OrderedDict()
        self._similar: OrderedDict[EventKey, _Similar] = OrderedDict()
        self._due: dict[EventKey, None] = {}
        self._named = 0

    def __len__(self) -> int:
        """How many are to be sent."""
        return len(self._due)

    def put(self, event: Event, *, uid: str, now: float) -> bool:
        """Take an Event about the object of that uid, empty if unknown; False if it will not be told.

        `now` is in seconds since the epoch.
        """
        key, message = self._place(event, uid, now)
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _Entry(
                self._name(event.ref, now), message, first=rfc3339(now), last=""
            )
        else:
            entry.count += 1
        entry.message, entry.last = message, rfc3339(now)
        self._entries.move_to_end(key)
        told = key in self._due or (len(self._due) < self._capacity and self._spends(event.ref, now))
        if told:
            self._due[key] = None
        self._forget()
        return told

    def pop(self) -> tuple[EventKey, Letter] | None:
        """The next Event to be sent, and its key: what became of it is to be said of that."""
        if not self._due:
            return None
        key = next(iter(self._due))
        del self._due[key]
        return key, self._letter(key, self._entries[key])

    def sent(self, key: EventKey) -> None:
        """The API server has it: the same again is a change to it."""
        if key in self._entries:
            self._entries[key].is_known = True

    def lost(self, key: EventKey) -> None:
        """The API server does not know it any more: it is to be sent whole."""
        if key in self._entries:
            self._entries[key].is_known = False
            self._due[key] = None

    def again(self, key: EventKey) -> None:
        """It could not be sent: it is to be tried again, after the others."""
        if key in self._entries:
            self._due[key] = None

    def _place(self, event: Event, uid: str, now: float) -> tuple[EventKey, str]:
        """Under which key it is counted, and how its message reads."""
        message = event.message[:_LONGEST_MESSAGE]
        own = EventKey(event.ref, uid, event.reason, event.warning, message)
        group = own._replace(message=None)
        similar = self._similar.get(group)
        if similar is None or abs(now - similar.since) > _SIMILAR_SECONDS:
            similar = self._similar[group] = _Similar(set(), now)
        self._similar.move_to_end(group)
        if message not in similar.messages and len(similar.messages) >= _SIMILAR:
            return group, (_COMBINED + message)[:_LONGEST_MESSAGE]
        similar.messages.add(message)
        return own, message

    def _spends(self, ref: ObjectRef, now: float) -> bool:
        bucket = self._buckets.get(ref)
        if bucket is None:
            bucket = self._buckets[ref] = _Bucket(_BURST, now)
        self._buckets.move_to_end(ref)
        # A clock that was set back takes nothing away.
        passed = max(0.0, now - bucket.since)
        bucket.tokens = min(_BURST, bucket.tokens + passed / _SECONDS_PER_EVENT)
        bucket.since = now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True

    def _name(self, ref: ObjectRef, now: float) -> str:
        # Unlike all others: a name is taken for as long as the API server keeps Events.
        self._named += 1
        return f"{ref.key.name[:_LONGEST_NAME]}.{int(now * 1e9) + self._named:x}"

    def _letter(self, key: EventKey, entry: _Entry) -> Letter:
        namespace = key.ref.key.namespace or _NAMESPACE_OF_CLUSTER_SCOPED
        change = {"count": entry.count, "lastTimestamp": entry.last, "message": entry.message}
        involved = {
            "apiVersion": api_version_of(key.ref.kind),
            "kind": key.ref.kind.value,
            "namespace": key.ref.key.namespace,
            "name": key.ref.key.name,
            "uid": key.uid,
        }
        whole = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": entry.name, "namespace": namespace},
            "involvedObject": {name: text for name, text in involved.items() if text},
            "reason": key.reason,
            "type": "Warning" if key.warning else "Normal",
            "firstTimestamp": entry.first,
            "source": {"component": self._reporter.component, "host": self._reporter.instance},
            "reportingComponent": self._reporter.component,
            "reportingInstance": self._reporter.instance,
            **change,
        }
        return Letter(namespace, entry.name, entry.is_known, whole, change)

    def _forget(self) -> None:
        """Forget the oldest, but not what is still to be sent."""
        while len(self._buckets) > _KEPT:
            self._buckets.popitem(last=False)
        while len(self._similar) > _KEPT:
            self._similar.popitem(last=False)
        while len(self._entries) > _KEPT + len(self._due):
            oldest = next(iter(self._entries))
            if oldest in self._due:
                self._entries.move_to_end(oldest)
            else:
                del self._entries[oldest]
