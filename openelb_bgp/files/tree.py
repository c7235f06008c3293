"""What lies below a folder: files that hold manifests, with what changes when they do, and folders."""

import stat
from os import DirEntry, scandir, stat_result
from pathlib import Path
from typing import NamedTuple

import msgspec

SUFFIXES = (".yaml", ".yml", ".json")


class Signature(NamedTuple):
    """What changes whenever a file does."""

    device: int
    inode: int
    modified_ns: int
    changed_ns: int
    size: int


class Found(msgspec.Struct, frozen=True):
    """What lies below a folder: manifests and folders by their path below it, the folder itself as `""`."""

    files: dict[str, Signature]
    folders: dict[str, tuple[int, int]]


def is_manifest(name: str) -> bool:
    """Whether a file of that name is read: not hidden, nor what editors leave beside the real one."""
    return name.endswith(SUFFIXES) and not name.startswith(".")


def signature(seen: stat_result) -> Signature:
    """The signature in a file's metadata."""
    return Signature(seen.st_dev, seen.st_ino, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_size)


def survey(root: Path) -> Found | None:
    """Everything below the folder, symbolic links followed; None when it is not there.

    A ConfigMap's volume is a folder of links to `..data/NAME`: the links are read, the hidden folder is not.
    """
    found = Found({}, {})
    try:
        _survey(str(root), "", root.stat(), found)
    except OSError:
        return None
    return found


def _survey(folder: str, path: str, seen: stat_result, found: Found) -> None:
    identity = (seen.st_dev, seen.st_ino)
    # A link to a folder above would never end.
    if identity in found.folders.values():
        return
    with scandir(folder) as entries:
        shown = sorted((entry for entry in entries if not entry.name.startswith(".")), key=_name)
    found.folders[path] = identity
    for entry in shown:
        try:
            _survey_one(entry, f"{path}/{entry.name}" if path else entry.name, found)
        except OSError:
            # Gone since it was listed, a link to nothing, or not for us to read.
            continue


def _survey_one(entry: DirEntry[str], path: str, found: Found) -> None:
    seen = entry.stat()
    if stat.S_ISDIR(seen.st_mode):
        _survey(entry.path, path, seen, found)
    elif stat.S_ISREG(seen.st_mode) and is_manifest(entry.name):
        found.files[path] = signature(seen)


def _name(entry: DirEntry[str]) -> str:
    return entry.name
