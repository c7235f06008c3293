"""What the daemon and the sidecar write: where it goes, how long the file may grow, and the last lines.

Two ways. Into a file, which the daemon holds open itself, so that it goes on when the sidecar is killed. Or
through a pipe to the sidecar's own stderr, for a container, whose runtime takes the lines from there; a
daemon that outlives that sidecar ends at its next line.
"""

import contextlib
import json
import os
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

_OURS = b'{"from": "sidecar"'
_LINES = 20
_LINE_BYTES = 2_000
_TAIL_BYTES = 16_384
_LOG_BYTES = 10 * 2**20


def now() -> str:
    """ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def say(level: str, event: str, **fields: object) -> None:
    """Log one transition: a JSON object a line to stderr, as gobgpd's own lines are."""
    line = json.dumps(
        {"from": "sidecar", "time": now(), "level": level, "event": event, **fields}, default=str
    )
    # A full disk or a closed terminal must not end the supervision.
    with contextlib.suppress(OSError):
        os.write(sys.stderr.fileno(), line.encode() + b"\n")


def last_lines(written: bytes) -> tuple[str, ...]:
    """The last 20 lines of the daemon, each cut at 2,000 bytes; the sidecar's own are left out."""
    lines = [line for line in written.splitlines() if line.strip() and not line.startswith(_OURS)]
    return tuple(line[:_LINE_BYTES].decode(errors="replace") for line in lines[-_LINES:])


class Output(Protocol):
    """Where one life of the daemon after the other writes to."""

    def open(self) -> int:
        """A descriptor for the next life's output; the caller closes it after the start."""
        ...

    def readable(self) -> int | None:
        """A descriptor to be watched, with `pump` to be called when it is readable; or None."""
        ...

    def pump(self) -> bool:
        """Take a piece of what is there to be read; False when there was none."""
        ...

    def last_lines(self) -> tuple[str, ...]:
        """The last lines of this life."""
        ...

    def tidy(self) -> None:
        """To be called every minute or so."""
        ...


class FileOutput:
    """Into a file, appended to. Above 10 MiB it is copied to `NAME.1` and emptied."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._begin = 0

    def open(self) -> int:
        """Raises OSError."""
        descriptor = open_log(self._path)
        self._begin = os.fstat(descriptor).st_size
        return descriptor

    def readable(self) -> None:
        """Nothing to watch: the daemon writes itself."""

    def pump(self) -> bool:
        """Nothing comes this way."""
        return False

    def last_lines(self) -> tuple[str, ...]:
        """Since the life began or the file was last emptied."""
        try:
            with self._path.open("rb") as log:
                size = log.seek(0, os.SEEK_END)
                begin = self._begin if self._begin <= size else 0
                log.seek(max(begin, size - _TAIL_BYTES))
                return last_lines(log.read())
        except OSError:
            return ()

    def tidy(self) -> None:
        """Empty the file rather than rename it: the daemon holds it open."""
        with contextlib.suppress(OSError):
            if self._path.stat().st_size > _LOG_BYTES:
                shutil.copyfile(self._path, self._path.with_name(f"{self._path.name}.1"))
                os.truncate(self._path, 0)
                self._begin = 0


class PipedOutput:
    """Through a pipe to stderr."""

    def __init__(self) -> None:
        self._reader: int | None = None
        self._tail = b""

    def open(self) -> int:
        """Raises OSError."""
        self._close()
        self._tail = b""
        self._reader, writer = os.pipe()
        os.set_blocking(self._reader, False)
        return writer

    def readable(self) -> int | None:
        """The reading end, until its end has been read."""
        return self._reader

    def pump(self) -> bool:
        """Pass on one piece, so that a daemon that floods its log never keeps the sidecar from its work."""
        if self._reader is None:
            return False
        try:
            chunk = os.read(self._reader, _TAIL_BYTES)
        except BlockingIOError:
            return False
        if not chunk:
            self._close()
            return False
        self._tail = (self._tail + chunk)[-_TAIL_BYTES:]
        with contextlib.suppress(OSError):
            os.write(sys.stderr.fileno(), chunk)
        return True

    def last_lines(self) -> tuple[str, ...]:
        """Of this life."""
        return last_lines(self._tail)

    def tidy(self) -> None:
        """The container's runtime keeps the log."""

    def _close(self) -> None:
        if self._reader is not None:
            os.close(self._reader)
            self._reader = None


def open_log(path: Path) -> int:
    """Open a log to append to, readable by its owner only. Raises OSError."""
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
