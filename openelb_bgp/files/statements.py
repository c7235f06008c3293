"""Statements over many rows at once.

SQLite works without Python's lock, but the lock is taken back after each step of a statement, and a thread
that computes lets go of it only every 5 ms: beside one, a thousand steps take seconds. So many rows are few
steps.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

# Rows in one statement, the largest first. Few sizes, so that they stay prepared; before SQLite 3.32 a
# statement took at most 999 parameters.
_SIZES = (96, 12, 1)


def insert(
    connection: sqlite3.Connection, into: str, rows: Sequence[tuple[Any, ...]], then: str = ""
) -> None:
    """`into` VALUES of the rows, which are equally long, and `then` (ON CONFLICT …)."""
    done = 0
    for size in _SIZES:
        while len(rows) - done >= size:
            part = rows[done : done + size]
            row = f"({', '.join('?' * len(part[0]))})"
            values = [value for columns in part for value in columns]
            connection.execute(f"{into} VALUES {', '.join([row] * size)} {then}", values)
            done += size


def select_named(
    connection: sqlite3.Connection, columns: Sequence[str], where: str, names: Iterable[str], *more: str
) -> list[tuple[Any, ...]]:
    """The columns (text or numbers) of the rows that match `where`.

    In `where` the first parameter stands for a table of the names; the others follow it.
    """
    query = f"SELECT json_group_array(json_array({', '.join(columns)})) FROM {where}"
    found = connection.execute(query, (msgspec.json.encode(list(names)).decode(), *more)).fetchone()[0]
    return _rows(found)


_rows = msgspec.json.Decoder(list[tuple[Any, ...]]).decode
