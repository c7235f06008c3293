"""Looks into a state without taking part in it: for commands, while the daemons go on."""

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from . import schema
from .database import Database, KeptEvent
from .rows import Row

T = TypeVar("T")


def rows(directory: Path) -> tuple[Row, ...]:
    """Every row; none while there is no state. Raises StateError when it cannot be read."""
    return _look(directory, lambda database: database.since(-1).rows, ())


def events(directory: Path) -> tuple[KeptEvent, ...]:
    """The events that are kept, the oldest first. Raises StateError when they cannot be read."""
    return _look(directory, Database.events, ())


def is_empty(directory: Path) -> bool:
    """Whether nobody has written a state there yet."""
    path = directory / schema.NAME
    return not path.exists() or path.stat().st_size == 0


def _look(directory: Path, look: Callable[[Database], T], nothing: T) -> T:
    path = directory / schema.NAME
    if is_empty(directory):
        return nothing
    try:
        with contextlib.closing(Database(schema.connect(path, read_only=True), directory)) as database:
            return look(database)
    except sqlite3.DatabaseError as error:
        raise schema.unusable(directory, error) from error
