"""The tables of the state, and how a database is opened, checked and copied.

A database that is damaged, or missing where a copy of it exists, stops the start: going on with an empty one
would give every address anew.
"""

import contextlib
import os
import shlex
import sqlite3
from pathlib import Path

import structlog

from openelb_bgp.report.times import rfc3339

from .errors import DamagedState, StateError

log = structlog.get_logger(__name__)

NAME = "state.db"
COPY = "state.db.backup"
_APPLICATION = 0x6F656C62
_VERSION = 1
_BUSY_SECONDS = 5.0

_TABLES = (
    """CREATE TABLE objects (
        kind TEXT NOT NULL,
        namespace TEXT NOT NULL,
        name TEXT NOT NULL,
        status BLOB,
        labels TEXT NOT NULL,
        annotations TEXT NOT NULL,
        finalizers TEXT NOT NULL,
        revision INTEGER NOT NULL,
        PRIMARY KEY (kind, namespace, name)
    ) WITHOUT ROWID""",
    "CREATE INDEX objects_by_revision ON objects (revision)",
    """CREATE TABLE events (
        kind TEXT NOT NULL,
        namespace TEXT NOT NULL,
        name TEXT NOT NULL,
        reason TEXT NOT NULL,
        message TEXT NOT NULL,
        warning INTEGER NOT NULL,
        count INTEGER NOT NULL,
        first REAL NOT NULL,
        last REAL NOT NULL,
        sequence INTEGER NOT NULL,
        PRIMARY KEY (kind, namespace, name, reason, message)
    ) WITHOUT ROWID""",
    "CREATE INDEX events_by_sequence ON events (sequence)",
    "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
    # `revision` is the last commit; rows that were taken back and forgotten are not newer than `forgotten`.
    "INSERT INTO counters VALUES ('revision', 0), ('forgotten', 0), ('sequence', 0)",
)


def open_checked(directory: Path) -> sqlite3.Connection:
    """The database, created where there has never been one, in write-ahead mode and synced at every commit.

    Raises DamagedState with the command that restores the last good copy.
    """
    path = directory / NAME
    _refuse_lost(directory)
    try:
        connection = connect(path)
        _check(connection, directory)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    except sqlite3.DatabaseError as error:
        raise unusable(directory, error) from error
    path.chmod(0o600)
    return connection


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode: transactions are begun by hand, and begun as writing ones."""
    uri = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}"
    return sqlite3.connect(
        uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )


def copy(connection: sqlite3.Connection, directory: Path) -> None:
    """Copy the database, which has been found good, beside itself.

    The copy before it stays until the new one is whole, checked and on the disk. Where there is no room for
    a new one it stays for good, and the start goes on.
    """
    new = directory / f"{COPY}.new"
    try:
        new.unlink(missing_ok=True)
        with contextlib.closing(connect(new)) as target:
            connection.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")
            if (said := _integrity(target)) != "ok":
                raise sqlite3.DatabaseError(f"the copy came out damaged ({said})")
        new.chmod(0o600)
        _sync(new)
        new.replace(directory / COPY)
        _sync(directory)
    except (sqlite3.Error, OSError) as error:
        log.warning("state_not_copied", directory=str(directory), error=str(error), remedy="check the disk")


def identity(directory: Path) -> tuple[int, int] | None:
    """Device and inode of the database that stands in a folder; None where there is none."""
    try:
        found = (directory / NAME).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def lost(directory: Path, *, replaced: bool) -> str:
    """What is wrong when the database in use is not the one in the folder any more, and what helps."""
    what = "replaced by another file" if replaced else "deleted or moved away"
    remedy = "put the right one in its place"
    if not replaced and (directory / COPY).exists():
        remedy = f"run: {restore_command(directory)} (all that it held was saved there)"
    return (
        f"{directory / NAME} was {what} while it was in use: nothing new is given or written, and what is "
        f"announced goes on. Stop the processes that use it, {remedy}, and start them again"
    )


def restore_command(directory: Path) -> str:
    """The shell command that puts the last good copy in the database's place, and keeps the damaged one."""
    return (
        f"cd {shlex.quote(str(directory.absolute()))} && "
        f"for f in {NAME} {NAME}-wal {NAME}-shm; do if [ -e $f ]; then mv $f $f.damaged; fi; done && "
        f"cp -p {COPY} {NAME}"
    )


def damaged(directory: Path, what: str) -> DamagedState:
    """The error that says what is wrong and which command helps."""
    database, saved = directory / NAME, directory / COPY
    if not saved.exists():
        return DamagedState(
            f"{database} {what}, and there is no copy of it; bring one back from a backup, or move it away "
            "to start with the statuses that stand in the manifests"
        )
    when = rfc3339(saved.stat().st_mtime)
    return DamagedState(
        f"{database} {what}; nothing is given or announced from it. To go back to the copy of {when}: "
        f"{restore_command(directory)}"
    )


def _refuse_lost(directory: Path) -> None:
    """An absent or empty file is a new database to SQLite; where there is a copy, it is a lost one to us."""
    path = directory / NAME
    if (directory / COPY).exists() and (not path.exists() or path.stat().st_size == 0):
        raise damaged(directory, "is missing" if not path.exists() else "is empty")


def _check(connection: sqlite3.Connection, directory: Path) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    is_new = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if is_new and application == 0:
        _create(connection)
        return
    if application != _APPLICATION:
        raise StateError(
            f"{directory / NAME} is not a state of openelb-bgp; name another folder with --state"
        )
    if version != _VERSION:
        raise StateError(
            f"{directory / NAME} has schema {version}, this version reads {_VERSION}; "
            "run the version of openelb-bgp that wrote it"
        )
    if (said := _integrity(connection)) != "ok":
        raise damaged(directory, f"is damaged ({said})")


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for statement in _TABLES:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
    connection.execute(f"PRAGMA user_version = {_VERSION}")
    connection.execute("COMMIT")


def _integrity(connection: sqlite3.Connection) -> str:
    return str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])


def unusable(directory: Path, error: sqlite3.DatabaseError) -> StateError:
    """What an error of SQLite's means to somebody who opens or reads the state."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return damaged(directory, f"is damaged ({error})")
    return StateError(f"{directory / NAME} cannot be opened: {error}; check --state and its disk")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
