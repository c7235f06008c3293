"""The pid file: who keeps which daemon, so that both are found again after either was killed.

It says more than pids (see `openelb_bgp.lib.processes.Identity`): what it names is never mistaken for a
process that has taken over the pid, also after a boot or in another container.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from openelb_bgp.lib.processes import Identity


@dataclass(frozen=True)
class Record:
    """One sidecar and its daemon. `daemon` is None between two lives; `started_at` is ISO 8601, UTC."""

    sidecar: Identity | None
    daemon: Identity | None = None
    version: str = ""
    started_at: str = ""


def render(record: Record) -> str:
    """As the file reads."""
    fields = {
        "sidecar": record.sidecar.to_json() if record.sidecar else None,
        "daemon": record.daemon.to_json() if record.daemon else None,
        "version": record.version,
        "started_at": record.started_at,
    }
    return json.dumps(fields, indent=1) + "\n"


def parse(text: str) -> Record:
    """Read back what `render` gave. Raises ValueError."""
    match json.loads(text):
        case {
            "sidecar": dict() | None as sidecar,
            "daemon": dict() | None as daemon,
            "version": str(version),
            "started_at": str(started_at),
        }:
            return Record(_identity(sidecar), _identity(daemon), version, started_at)
    raise ValueError("not a record of a sidecar")


def _identity(fields: Mapping[str, object] | None) -> Identity | None:
    return None if fields is None else Identity.from_json(fields)


def write(path: Path, record: Record) -> None:
    """Put the record there whole, or not at all. Raises OSError."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(render(record))
    fresh.replace(path)


def read(path: Path) -> Record | None:
    """The record at `path`; None where there is none, or one that nobody can read."""
    try:
        return parse(path.read_text())
    except (OSError, ValueError):
        # Half a record would name nobody for certain; a daemon without one is still found by its socket.
        return None
