"""The labs of this machine: where each keeps its files, who holds it, which ones a crash left behind.

A lab is a folder under `/run/openelb-bgp-lab/`, made before anything else of it. Whoever builds or drives it
holds a lock that the kernel releases at death; a lab that shall outlive its builder is marked as kept. A
folder that is neither locked nor kept is the remains of a crash.
"""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.frr import remove_traces
from lab.namespaces import Namespace, remove
from lab.processes import Registry, observed
from lab.shell import wait_until

ROOT = Path("/run/openelb-bgp-lab")


@dataclass(frozen=True, slots=True)
class LabFolder:
    """The folder of one lab and the names in it."""

    path: Path

    @property
    def id(self) -> str:
        """Four hex digits, unique on this machine; part of every namespace's name."""
        return self.path.name.rpartition("-")[2]

    @property
    def lab(self) -> str:
        """The topology's name."""
        return self.path.name.rpartition("-")[0]

    @property
    def processes(self) -> Registry:
        """What was started for it."""
        return Registry(self.path / "processes")

    @property
    def kept(self) -> bool:
        """Whether it shall outlive its builder."""
        return (self.path / "kept").exists()

    def keep(self) -> None:
        """Let it outlive its builder."""
        (self.path / "kept").touch()

    def topology_file(self) -> Path:
        """The topology that it was built from."""
        return Path(self._described()["topology"])

    @property
    def mode(self) -> str:
        """Where its objects are: `files` or `kubernetes`."""
        return str(self._described()["mode"])

    def namespaces(self) -> tuple[Namespace, ...]:
        """All namespaces that its builder meant to make."""
        return tuple(Namespace(name) for name in self._described()["namespaces"])

    def _described(self) -> dict[str, Any]:
        described: dict[str, Any] = json.loads((self.path / "lab.json").read_text())
        return described


class Hold:
    """The lock on a lab, from `create` or `hold` until `release` or the end of this process."""

    def __init__(self, folder: LabFolder, handle: int) -> None:
        self.folder = folder
        self._handle: int | None = handle

    def release(self) -> None:
        """Give it up; a lab that is not kept is then a leftover."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def create(*, lab: str, topology: Path, nodes: tuple[str, ...], mode: str) -> Hold:
    """Make the folder of a new lab and hold it."""
    with _root_locked():
        taken = {folder.id for folder in labs()}
        lab_id = next(new for _ in iter(int, 1) if (new := secrets.token_hex(2)) not in taken)
        folder = LabFolder(ROOT / f"{lab}-{lab_id}")
        folder.path.mkdir()
        names = [f"oelb-{lab_id}-{node}" for node in nodes]
        described = {"topology": str(topology), "namespaces": names, "mode": mode}
        (folder.path / "lab.json").write_text(json.dumps(described))
        return _hold(folder)


def hold(folder: LabFolder) -> Hold:
    """Take the lock on an existing lab. Raises LabError while somebody else holds it."""
    with _root_locked():
        return _hold(folder)


def labs() -> tuple[LabFolder, ...]:
    """All labs of this machine, kept, held or left behind, by name."""
    return tuple(LabFolder(path) for path in sorted(ROOT.glob("*-*")) if path.is_dir())


def leftovers() -> tuple[LabFolder, ...]:
    """The labs that are neither kept nor held by a living process."""
    with _root_locked():
        return tuple(folder for folder in labs() if not folder.kept and not _is_held(folder))


def destroy(folder: LabFolder) -> None:
    """End every process of the lab, delete its namespaces and its folder; harmless when repeated."""
    # First of all no longer kept: a removal that is cut short is then a leftover.
    (folder.path / "kept").unlink(missing_ok=True)
    processes = folder.processes.all()
    for process in processes:
        process.kill()
    try:
        namespaces = folder.namespaces()
    except (OSError, ValueError):
        # A crash between the folder and its description: no namespace was made yet.
        namespaces = ()
    for space in namespaces:
        _end_all_inside(space)
    for process in processes:
        process.ended(within=5.0)
    remove(namespaces)
    remove_traces(space.name for space in namespaces)
    shutil.rmtree(folder.path, ignore_errors=True)


def _end_all_inside(space: Namespace) -> None:
    """Also what a crash kept out of the records: whatever is in a namespace of ours is ours.

    Raises LabError if something is still there after 30 seconds.
    """

    def empty() -> bool:
        # Again until none is left: a supervisor may have started its child anew meanwhile.
        inside = [process for pid in space.pids() if (process := observed(pid)) and space.holds(pid)]
        for process in inside:
            process.kill()
        return not inside

    wait_until(empty, within=30.0, what=f"the end of every process in {space.name}")


def _hold(folder: LabFolder) -> Hold:
    try:
        handle = os.open(folder.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except FileNotFoundError as exc:
        raise LabError(f"lab {folder.path.name} has gone") from exc
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        os.close(handle)
        raise LabError(f"lab {folder.path.name} is in use by another process") from exc
    return Hold(folder, handle)


def _is_held(folder: LabFolder) -> bool:
    try:
        _hold(folder).release()
    except LabError:
        return True
    return False


@contextlib.contextmanager
def _root_locked() -> Iterator[None]:
    """One at a time: between a folder and its lock, nobody takes it for a leftover."""
    ROOT.mkdir(parents=True, exist_ok=True)
    with (ROOT / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
