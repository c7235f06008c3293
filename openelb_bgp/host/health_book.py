"""What this node's health checks have come to on this boot, kept in the runtime folder beside the boot id.

Reading and writing only. Instants are on the monotonic clock, which on Linux starts with the boot and goes on
from one process to the next; a book of another boot counts for nothing.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from openelb_bgp.model.forwarding import CheckFact
from openelb_bgp.model.meta import EMPTY, Key

_FILE = "health-checks.json"


class HealthBook(msgspec.Struct, frozen=True, kw_only=True):
    """The node's own check and those of Services, passed or not; `node` None: never asked."""

    node: CheckFact | None = None
    services: Mapping[Key, CheckFact] = EMPTY


class _Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    key: Key
    check: CheckFact


class _Written(msgspec.Struct, frozen=True):
    boot_id: str
    node: CheckFact | None
    services: tuple[_Entry, ...]


def read_book(folder: Path, *, boot_id: str) -> HealthBook:
    """What was written on this boot; an empty book where nothing was, or where it cannot be read."""
    try:
        found = msgspec.json.decode((folder / _FILE).read_bytes(), type=_Written)
    except (OSError, msgspec.DecodeError):
        return HealthBook()
    if not boot_id or found.boot_id != boot_id:
        return HealthBook()
    return HealthBook(node=found.node, services={one.key: one.check for one in found.services})


def write_book(folder: Path, book: HealthBook, *, boot_id: str) -> None:
    """Replace what stands there, as a whole. Raises OSError."""
    services = tuple(_Entry(key, check) for key, check in book.services.items())
    scratch = folder / f"{_FILE}.new"
    scratch.write_bytes(msgspec.json.encode(_Written(boot_id, book.node, services)))
    scratch.replace(folder / _FILE)
