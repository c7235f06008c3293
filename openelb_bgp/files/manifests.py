"""What the manifests of a folder say, file by file: the objects, where they stand, and what is wrong. Pure.

A file that stops parsing keeps its last good objects, an object that becomes invalid its last good version.
Of several documents for one object the first by path wins, and every other one is named with it.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from openelb_bgp.decode import decode, kind_of
from openelb_bgp.model.errors import Defect, InvalidResource
from openelb_bgp.model.meta import Kind, ObjectRef
from openelb_bgp.model.snapshot import Resource
from openelb_bgp.runtime.store import ref_of

from .documents import Document, Flaw


class Location(msgspec.Struct, frozen=True, order=True):
    """A place in the folder: `file` as a path below it with `/`, `line` from 1, 0 for the file as a whole."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class FileProblem(msgspec.Struct, frozen=True, order=True):
    """Something wrong with a file rather than with an object. `column` is 0 where it is not known."""

    location: Location
    column: int
    problem: str
    remedy: str

    @property
    def message(self) -> str:
        """What is wrong and what would be right, without the place."""
        return f"{self.problem}; {self.remedy}"

    def __str__(self) -> str:
        place = f"{self.location}:{self.column}" if self.column else str(self.location)
        return f"{place}: {self.message}"


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One object in one file. With `invalid`, `resource` is its last good version, None if it had none."""

    ref: ObjectRef
    line: int
    resource: Resource | None
    invalid: InvalidResource | None = None
    warnings: tuple[Defect, ...] = ()

    @property
    def is_good(self) -> bool:
        """Whether it can be used and there is nothing to say against it."""
        return self.resource is not None and self.invalid is None and not self.warnings


class Content(msgspec.Struct, frozen=True):
    """What one file holds. `whole` says that all of it parses."""

    entries: tuple[Entry, ...] = ()
    problems: tuple[FileProblem, ...] = ()
    whole: bool = True


def content(file: str, parts: Iterable[Document | Flaw]) -> Content:
    """Decode what a file holds; documents of kinds that are not ours are passed over."""
    entries: dict[ObjectRef, Entry] = {}
    problems: list[FileProblem] = []
    whole = True
    for part in parts:
        if isinstance(part, Flaw):
            problems.append(_flawed(file, part))
            whole = whole and not part.broken
            continue
        entry = _entry(part)
        if entry is None:
            continue
        first = entries.setdefault(entry.ref, entry)
        if first is not entry:
            problems.append(_duplicate(entry, Location(file, entry.line), Location(file, first.line)))
    return Content(tuple(entries.values()), tuple(problems), whole)


def _entry(document: Document) -> Entry | None:
    # An exported Speaker is no manifest: it exists while its speaker lives, and only in the state.
    if kind_of(document.value) is Kind.SPEAKER:
        return None
    decoded = decode(document.value)
    if decoded.invalid is not None:
        return Entry(decoded.invalid.ref, document.line, None, decoded.invalid)
    if decoded.resource is None:
        return None
    resource = decoded.resource
    if resource.meta.resource_version:
        # Of the cluster that it was exported from; here the state counts the revisions.
        meta = msgspec.structs.replace(resource.meta, resource_version="")
        resource = msgspec.structs.replace(resource, meta=meta)
    return Entry(ref_of(resource), document.line, resource, None, decoded.warnings)


def _flawed(file: str, flaw: Flaw) -> FileProblem:
    problem = f"does not parse: {flaw.problem}" if flaw.broken else flaw.problem
    remedy = "correct it; until then the objects that this file held stay as they were"
    if not flaw.broken:
        remedy = "write apiVersion, kind and metadata, or take it out"
    return FileProblem(Location(file, flaw.line), flaw.column, problem, remedy)


def _duplicate(entry: Entry, place: Location, first: Location) -> FileProblem:
    problem = f"{entry.ref} stands here and in {first}, which counts"
    return FileProblem(place, 0, problem, "take one of them out")


class Manifests:
    """All files of a folder. Methods return which objects may read differently afterwards."""

    def __init__(self) -> None:
        self._files: dict[str, dict[ObjectRef, Entry]] = {}
        self._problems: dict[str, tuple[FileProblem, ...]] = {}
        self._holders: dict[ObjectRef, tuple[str, ...]] = {}
        self._contested: set[ObjectRef] = set()
        self._missing: set[str] = set()
        self._partial: set[str] = set()

    def put(self, file: str, found: Content) -> set[ObjectRef]:
        """Take a file's content. One that does not parse changes nothing where it parsed before."""
        returned = self._returned(file)
        self._set_problems(file, found.problems)
        if not found.whole and file in self._files and file not in self._partial:
            return returned
        if found.whole:
            self._partial.discard(file)
        else:
            self._partial.add(file)
        return returned | self._replace(file, {entry.ref: self._improved(entry) for entry in found.entries})

    def fail(self, file: str, problem: FileProblem) -> None:
        """Note that a file cannot be read; its objects stay."""
        self._set_problems(file, (problem,))
        if file not in self._files:
            self._partial.add(file)
            self._files[file] = {}

    def miss(self, file: str) -> set[ObjectRef]:
        """A file is not there just now: its objects stay, but any other file's go before them."""
        self._missing.add(file)
        return self._contested.intersection(self._files.get(file, ()))

    def drop(self, file: str) -> set[ObjectRef]:
        """A file is gone for good, and its objects with it."""
        self._missing.discard(file)
        self._partial.discard(file)
        self._problems.pop(file, None)
        touched = self._replace(file, {})
        self._files.pop(file, None)
        return touched

    def find(self, ref: ObjectRef) -> Entry | None:
        """The entry that counts for an object."""
        holders = self._holders.get(ref)
        return self._files[self._first(holders)][ref] if holders else None

    def location(self, ref: ObjectRef) -> Location | None:
        """Where the entry that counts stands."""
        holders = self._holders.get(ref)
        if not holders:
            return None
        file = self._first(holders)
        return Location(file, self._files[file][ref].line)

    def refs(self) -> Iterator[ObjectRef]:
        """Every object that any file names."""
        return iter(self._holders)

    @property
    def is_doubtful(self) -> bool:
        """Whether objects may exist that cannot be seen: a file never parsed whole, or there is none."""
        return bool(self._partial) or not self._holders

    @property
    def doubt(self) -> str:
        """Why objects may exist that cannot be seen, with the remedy; empty where that cannot be."""
        if self._partial:
            listed = "; ".join(str(one) for file in sorted(self._partial) for one in self._problems[file])
            return f"what some manifests hold has never been read: {listed}"
        return "" if self._holders else "the folder holds no object; put the manifests there"

    @property
    def problems(self) -> tuple[FileProblem, ...]:
        """Everything wrong with files now, by place."""
        found = [problem for problems in self._problems.values() for problem in problems]
        return tuple(sorted([*found, *self._duplicates()]))

    @property
    def locations(self) -> Mapping[ObjectRef, Location]:
        """Where each object stands. Made anew on each call."""
        places = ((ref, self.location(ref)) for ref in list(self._holders))
        return {ref: place for ref, place in places if place is not None}

    def _returned(self, file: str) -> set[ObjectRef]:
        if file not in self._missing:
            return set()
        self._missing.discard(file)
        return self._contested.intersection(self._files.get(file, ()))

    def _set_problems(self, file: str, problems: tuple[FileProblem, ...]) -> None:
        if problems:
            self._problems[file] = problems
        else:
            self._problems.pop(file, None)

    def _first(self, holders: tuple[str, ...]) -> str:
        """The file that counts: by path, but not one that is missing just now."""
        if len(holders) == 1:
            return holders[0]
        return min(holders, key=lambda file: (file in self._missing, file))

    def _improved(self, entry: Entry) -> Entry:
        """The entry with its last good version, or the very object that was there if it is equal."""
        before = self.find(entry.ref)
        if before is None or before.resource is None:
            return entry
        if entry.invalid is not None or entry.resource == before.resource:
            return msgspec.structs.replace(entry, resource=before.resource)
        return entry

    def _replace(self, file: str, entries: dict[ObjectRef, Entry]) -> set[ObjectRef]:
        before = self._files.get(file, {})
        self._files[file] = entries
        for ref in before.keys() - entries.keys():
            self._unhold(ref, file)
        for ref in entries.keys() - before.keys():
            self._hold(ref, file)
        return {
            ref
            for ref in before.keys() | entries.keys()
            if not _reads_same(before.get(ref), entries.get(ref))
        }

    def _hold(self, ref: ObjectRef, file: str) -> None:
        holders = self._holders.get(ref, ())
        self._holders[ref] = (*holders, file)
        if holders:
            self._contested.add(ref)

    def _unhold(self, ref: ObjectRef, file: str) -> None:
        left = tuple(holder for holder in self._holders[ref] if holder != file)
        if len(left) < 2:
            self._contested.discard(ref)
        if left:
            self._holders[ref] = left
        else:
            del self._holders[ref]

    def _duplicates(self) -> Iterator[FileProblem]:
        for ref in self._contested:
            holders = self._holders[ref]
            first = self._first(holders)
            counts = Location(first, self._files[first][ref].line)
            for file in holders:
                # A file that is missing just now is being renamed or replaced: no mistake yet.
                if file != first and file not in self._missing:
                    entry = self._files[file][ref]
                    yield _duplicate(entry, Location(file, entry.line), counts)


def _reads_same(old: Entry | None, new: Entry | None) -> bool:
    """Whether two entries say the same; where they stand does not matter."""
    if old is None or new is None:
        return False
    return old.resource is new.resource and (old.invalid, old.warnings) == (new.invalid, new.warnings)
