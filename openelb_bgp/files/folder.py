"""Keeps manifests true to a folder on the disk: what to read again, and when to believe that a file is gone.

Reads files and nothing else; who waits for changes is `watch`, who carries them on is `source`. Time comes in
as arguments: `now` on the monotonic clock, in seconds.
"""

import contextlib
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from openelb_bgp.model.meta import ObjectRef

from .documents import documents
from .errors import FilesError
from .manifests import FileProblem, Location, Manifests, content
from .tree import Signature, signature, survey

# Editors and deployers move the old file away before the new one is there; nothing is withdrawn meanwhile.
GRACE = 0.2
# What was written so lately may still be written to. An event says when it is whole; a scan cannot know.
UNSETTLED = 0.2
_LARGE = 256 * 1024


class Folder:
    """Reads what changed into `manifests`. Methods return the objects that may read differently now."""

    def __init__(self, root: Path) -> None:
        self.manifests = Manifests()
        self._root = root
        self._signatures: dict[str, Signature] = {}
        self._folders: Mapping[str, tuple[int, int]] = {}
        self._missing: dict[str, float] = {}
        self._unsettled: dict[str, float] = {}
        self._is_gone = False

    @property
    def folders(self) -> Mapping[str, tuple[int, int]]:
        """Every folder to be watched, by its path below the root, with device and inode."""
        return self._folders

    @property
    def due(self) -> float | None:
        """The instant at which `settle` has something to do though nothing happens."""
        if self._is_gone:
            return None
        since = min(self._missing.values(), default=None)
        instants = [*self._unsettled.values(), *(() if since is None else (since + GRACE,))]
        return min(instants, default=None)

    @property
    def is_gone(self) -> bool:
        """Whether the folder itself was not there when it was last compared."""
        return self._is_gone

    def size_of(self, files: Iterable[str]) -> int:
        """How many bytes these files hold now, those that are not there 0."""
        total = 0
        for file in files:
            with contextlib.suppress(OSError):
                total += (self._root / file).stat().st_size
        return total

    @property
    def problems(self) -> tuple[FileProblem, ...]:
        """Everything wrong with the folder and its files now."""
        if self._is_gone:
            remedy = "put it back; until then everything stays as it was"
            return (
                FileProblem(Location(str(self._root)), 0, "the folder is gone", remedy),
                *self.manifests.problems,
            )
        return self.manifests.problems

    def open(self) -> None:
        """Read everything for the first time. Raises FilesError when there is no such folder."""
        found = survey(self._root)
        if found is None:
            raise FilesError(
                f"{self._root} is not a folder that can be read; create it or name another with --files"
            )
        self._folders = found.folders
        for file, seen in found.files.items():
            self._read(file, seen)

    def scan(self, now: float, *, wall: float | None) -> set[ObjectRef]:
        """Compare the whole folder.

        Files written less than a moment before `wall` (seconds since the epoch) are left for the next scan.
        With None nothing is left: somebody has said that everything is written.
        """
        found = survey(self._root)
        self._is_gone = found is None
        if found is None:
            # As with an API server that does not answer: nothing is known, so nothing is withdrawn.
            self._missing = dict.fromkeys(self._missing, now)
            self._unsettled.clear()
            self._folders = {}
            return set()
        self._folders = found.folders
        touched: set[ObjectRef] = set()
        for file, seen in found.files.items():
            if wall is not None and self._is_unsettled(file, seen, wall):
                self._unsettled[file] = now + UNSETTLED
            else:
                touched |= self._update(file, seen)
        for file in self._signatures.keys() - found.files.keys():
            touched |= self._lose(file, now)
        return touched

    def settle(self, now: float) -> set[ObjectRef]:
        """Read what was left for later, and believe that the files are gone which are missing for long."""
        settled = [file for file, until in self._unsettled.items() if now >= until]
        missed = [file for file, since in self._missing.items() if now >= since + GRACE]
        touched = self.look([*settled, *missed], now)
        for file in missed:
            if self._missing.pop(file, None) is not None:
                self._signatures.pop(file, None)
                touched |= self.manifests.drop(file)
        return touched

    def look(self, files: Iterable[str], now: float) -> set[ObjectRef]:
        """Compare only these files, which somebody has just finished to write, moved or deleted."""
        touched: set[ObjectRef] = set()
        for file in files:
            try:
                seen = (self._root / file).stat()
            except OSError:
                touched |= self._lose(file, now)
            else:
                if stat.S_ISREG(seen.st_mode):
                    touched |= self._update(file, signature(seen))
        return touched

    def _is_unsettled(self, file: str, seen: Signature, wall: float) -> bool:
        age = wall - seen.modified_ns / 1e9
        return self._signatures.get(file) != seen and 0 <= age < UNSETTLED

    def _update(self, file: str, seen: Signature) -> set[ObjectRef]:
        self._unsettled.pop(file, None)
        was_missing = self._missing.pop(file, None) is not None
        if self._signatures.get(file) == seen and not was_missing:
            return set()
        return self._read(file, seen)

    def _read(self, file: str, seen: Signature) -> set[ObjectRef]:
        # The signature from before the reading: a write in between makes it differ next time.
        self._signatures[file] = seen
        try:
            data = (self._root / file).read_bytes()
        except OSError as error:
            problem = f"cannot be read: {error.strerror or error}"
            self.manifests.fail(
                file, FileProblem(Location(file), 0, problem, "make it readable or take it out")
            )
            return set()
        return self.manifests.put(file, content(file, documents(data, is_json=file.endswith(".json"))))

    def _lose(self, file: str, now: float) -> set[ObjectRef]:
        self._unsettled.pop(file, None)
        if file not in self._signatures or file in self._missing:
            return set()
        self._missing[file] = now
        return self.manifests.miss(file)
