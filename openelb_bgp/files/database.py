"""The state as rows: commits and reads over SQLite. Blocking; one thread at a time.

A commit is one transaction and one revision. It is on the disk when `commit` returns, or it did not happen.
"""

import contextlib
import functools
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from openelb_bgp.model.meta import Key, Kind, ObjectRef, Patch
from openelb_bgp.model.statuses import Status
from openelb_bgp.ports import Event, NotWritten, StatusWrite

from . import schema, statements
from .errors import StateError
from .lock import opening
from .rows import Row

MOST_EVENTS = 1000
_COLUMNS = "kind, namespace, name, status, labels, annotations, finalizers, revision"
_TEXTS = _COLUMNS.replace("status", "CAST(status AS TEXT)").split(", ")
_NAMED = "objects WHERE name IN (SELECT value FROM json_each(?)) AND kind = ? AND namespace = ?"


class Rows(msgspec.Struct, frozen=True):
    """Rows that changed up to `revision`. With `whole` they are all there are: some may be gone unsaid."""

    rows: tuple[Row, ...]
    revision: int
    whole: bool = False


class KeptEvent(msgspec.Struct, frozen=True):
    """An event that happened `count` times; `first` and `last` in seconds since the epoch."""

    event: Event
    count: int
    first: float
    last: float


class Database:
    """One connection to the state's database in `directory`."""

    def __init__(self, connection: sqlite3.Connection, directory: Path) -> None:
        self._connection = connection
        self.directory = directory
        self._identity = schema.identity(directory)

    @classmethod
    def open(cls, directory: Path, *, copy: bool) -> "Database":
        """Open, create or refuse; with `copy` the last good copy is made anew. Raises StateError."""
        with opening(directory):
            connection = schema.open_checked(directory)
            if copy:
                schema.copy(connection, directory)
        return cls(connection, directory)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def lost(self) -> str:
        """Why what is committed here would reach nobody, with the remedy; empty where it would.

        A database that is open outlives its file: without this look, addresses would be given that nobody
        remembers. Of one that was deleted a copy is put where the next start looks for it.
        """
        there = schema.identity(self.directory)
        if there == self._identity:
            return ""
        if there is None:
            self._rescue()
        return schema.lost(self.directory, replaced=there is not None)

    def _rescue(self) -> None:
        with contextlib.suppress(OSError, StateError):
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with opening(self.directory):
                if schema.identity(self.directory) is None and not (self.directory / schema.COPY).exists():
                    schema.copy(self._connection, self.directory)

    def commit(
        self, writes: Sequence[StatusWrite], events: Sequence[Event], *, now: float
    ) -> tuple[Row, ...]:
        """Write what differs from what is there, and the events; returns the rows that changed.

        `now` is in seconds since the epoch. Raises NotWritten when nothing was written.
        """
        with self._writing():
            before = self._current([write.ref for write in writes])
            revision = self._counter("revision") + 1
            changed: dict[ObjectRef, Row] = {}
            for write in writes:
                row = _written(write, changed.get(write.ref) or before.get(write.ref), revision)
                if row is not None:
                    changed[write.ref] = row
            self._store(changed.values(), revision)
            self._note(events, now)
        return tuple(changed.values())

    def forget(self, refs: Iterable[ObjectRef]) -> tuple[Row, ...]:
        """Take the rows of these objects back: they were deleted. Raises NotWritten."""
        with self._writing():
            revision = self._counter("revision") + 1
            held = self._current(list(refs)).values()
            gone = tuple(_gone(row.ref, revision) for row in held if not row.is_gone)
            self._store(gone, revision)
        return gone

    def purge(self) -> None:
        """Delete what only says that it is gone. Readers that have not seen it yet read everything anew."""
        with self._writing():
            last = self._connection.execute(
                "SELECT max(revision) FROM objects WHERE status IS NULL"
            ).fetchone()[0]
            if last is not None:
                self._connection.execute("DELETE FROM objects WHERE status IS NULL")
                self._set_counter("forgotten", last)

    def since(self, revision: int) -> Rows:
        """Every row that a later commit than that one wrote."""
        # One statement reads one state of the database; a transaction around two does the same.
        self._connection.execute("BEGIN")
        try:
            newest = self._counter("revision")
            if newest == revision:
                return Rows((), newest)
            # A revision that is not there yet: the database was put back to an earlier state.
            whole = revision < self._counter("forgotten") or newest < revision
            after = -1 if whole else revision
            found = self._connection.execute(
                f"SELECT {_COLUMNS} FROM objects WHERE revision > ? ORDER BY revision", (after,)
            )
            return Rows(tuple(_row(one) for one in found), newest, whole)
        finally:
            self._connection.execute("COMMIT")

    def events(self) -> tuple[KeptEvent, ...]:
        """The events that are kept, the oldest first."""
        columns = "kind, namespace, name, reason, message, warning, count, first, last"
        found = self._connection.execute(f"SELECT {columns} FROM events ORDER BY sequence")
        return tuple(_event(one) for one in found)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield
            if schema.identity(self.directory) != self._identity:
                raise sqlite3.OperationalError("its file is not there any more")
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            raise NotWritten(self.lost() or _why(error, self.directory)) from error
        except BaseException:
            connection.execute("ROLLBACK")
            raise

    def _current(self, refs: Sequence[ObjectRef]) -> Mapping[ObjectRef, Row]:
        """The rows of these objects as they are now."""
        places: dict[tuple[str, str], list[str]] = {}
        for kind, key in refs:
            places.setdefault((kind.value, key.namespace), []).append(key.name)
        found: dict[ObjectRef, Row] = {}
        for (kind_name, namespace), names in places.items():
            rows = statements.select_named(self._connection, _TEXTS, _NAMED, names, kind_name, namespace)
            found.update((row.ref, row) for row in map(_row, rows))
        return found

    def _store(self, rows: Iterable[Row], revision: int) -> None:
        values = [
            (
                *_names(row.ref),
                row.status,
                _json(row.labels),
                _json(row.annotations),
                _json(row.finalizers),
                row.revision,
            )
            for row in rows
        ]
        if values:
            statements.insert(self._connection, f"INSERT OR REPLACE INTO objects ({_COLUMNS})", values)
            self._set_counter("revision", revision)

    def _note(self, events: Sequence[Event], now: float) -> None:
        if not events:
            return
        sequence = self._counter("sequence")
        kept = events[-MOST_EVENTS:]
        statements.insert(
            self._connection,
            "INSERT INTO events",
            [
                (
                    *_names(event.ref),
                    event.reason,
                    event.message,
                    event.warning,
                    1,
                    now,
                    now,
                    sequence + index,
                )
                for index, event in enumerate(kept, start=1)
            ],
            "ON CONFLICT DO UPDATE SET count = count + 1, last = excluded.last, sequence = excluded.sequence",
        )
        self._set_counter("sequence", sequence + len(kept))
        self._connection.execute(
            "DELETE FROM events WHERE sequence <= ?", (sequence + len(kept) - MOST_EVENTS,)
        )

    def _counter(self, name: str) -> int:
        found = self._connection.execute("SELECT value FROM counters WHERE name = ?", (name,)).fetchone()
        return int(found[0])

    def _set_counter(self, name: str, value: int) -> None:
        self._connection.execute("UPDATE counters SET value = ? WHERE name = ?", (value, name))


def encode(status: Status) -> bytes:
    """A status as JSON, equal for equal statuses."""
    return msgspec.json.encode(status, order="deterministic")


def _written(write: StatusWrite, before: Row | None, revision: int) -> Row | None:
    """The row after a write, None when it says nothing new."""
    if write.status is None:
        return None if before is None or before.is_gone else _gone(write.ref, revision)
    labels: Patch = {**(before.labels if before else {}), **write.labels}
    annotations: Patch = {**(before.annotations if before else {}), **write.annotations}
    finalizers = tuple(sorted({*(before.finalizers if before else ()), *write.remove_finalizers}))
    row = Row(write.ref, encode(write.status), labels, annotations, finalizers, revision)
    return None if before is not None and msgspec.structs.replace(before, revision=revision) == row else row


def _gone(ref: ObjectRef, revision: int) -> Row:
    return Row(ref, None, {}, {}, (), revision)


def _names(ref: ObjectRef) -> tuple[str, str, str]:
    return (ref.kind.value, ref.key.namespace, ref.key.name)


_patch = msgspec.json.Decoder(dict[str, str | None]).decode
_names_in = msgspec.json.Decoder(tuple[str, ...]).decode


def _interned(text: str) -> Patch:
    # The same few keys stand on ten thousand Services.
    return {sys.intern(key): value for key, value in _patch(text).items()} if text else {}


# Ten thousand Services carry the label of the same few pools.
_common = functools.lru_cache(maxsize=1024)(_interned)


def _json(value: Mapping[str, str | None] | Sequence[str]) -> str:
    return msgspec.json.encode(value, order="deterministic").decode() if value else ""


def _row(columns: Any) -> Row:
    kind, namespace, name, status, labels, annotations, finalizers, revision = columns
    return Row(
        ObjectRef(Kind(kind), Key(namespace, name)),
        status.encode() if isinstance(status, str) else status,
        _common(labels),
        _interned(annotations),
        _names_in(finalizers) if finalizers else (),
        revision,
    )


def _event(columns: Any) -> KeptEvent:
    kind, namespace, name, reason, message, warning, count, first, last = columns
    ref = ObjectRef(Kind(kind), Key(namespace, name))
    return KeptEvent(
        Event(ref=ref, reason=reason, message=message, warning=bool(warning)), count, first, last
    )


def _why(error: sqlite3.Error, directory: Path) -> str:
    """Why nothing was written and what would help, as one sentence."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return str(schema.damaged(directory, f"is damaged ({error})"))
    said = {
        sqlite3.SQLITE_FULL: f"the disk is full; make room there (df -h {directory})",
        sqlite3.SQLITE_IOERR: f"the disk fails ({error}); look at it (df -h {directory}; dmesg)",
        sqlite3.SQLITE_BUSY: "another process has been writing it for too long; stop whoever holds it",
        sqlite3.SQLITE_READONLY: "it cannot be written; make the folder writable for us",
    }.get(code, f"{error}")
    return f"the state in {directory} was not written: {said}"
