"""Keys from a file, read again when it has changed: where no Secret can be read."""

from pathlib import Path

from .peers import SHORTEST_KEY, usable


class KeyFile:
    """A text file with one key a line: the first signs, a second one is accepted too; `#` begins a comment.

    `error` says why there is no key, with the remedy; empty when there is one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._keys: tuple[bytes, ...] = ()
        self.error = ""

    def read(self) -> tuple[bytes, ...]:
        """The keys as they are in the file now; the last good ones where it has become unreadable."""
        try:
            status = self._path.stat()
            seen = (status.st_mtime_ns, status.st_ino, status.st_size)
            if seen != self._seen:
                self._take(self._path.read_bytes())
                self._seen = seen
        except OSError as error:
            self._seen = None
            self.error = f"the key file {self._path} cannot be read: {error.strerror}"
        return self._keys

    def _take(self, text: bytes) -> None:
        lines = [line.strip() for line in text.splitlines()]
        keys = usable([line for line in lines if line and not line.startswith(b"#")])
        self._keys = keys or self._keys
        self.error = (
            ""
            if keys
            else f"the key file {self._path} holds no key: write a line of {SHORTEST_KEY} characters or more"
        )
