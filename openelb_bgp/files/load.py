"""Reads a folder once, for commands that look at it without a daemon (`validate`, `plan`)."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from openelb_bgp.model.cluster import Node
from openelb_bgp.model.errors import Defect, InvalidResource
from openelb_bgp.model.meta import ObjectRef
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.ports import Listed
from openelb_bgp.runtime.store import Store

from .folder import Folder
from .manifests import FileProblem, Location
from .objects import Objects
from .peek import rows


class Loaded(msgspec.Struct, frozen=True):
    """A folder as it reads now.

    `problems` are what is wrong with files and duplicates, by place; `invalid` and `warnings` of the
    snapshot are what is wrong with objects, and `locations` says where each of them stands.
    """

    listed: tuple[Listed, ...]
    problems: tuple[FileProblem, ...]
    locations: Mapping[ObjectRef, Location]

    @property
    def snapshot(self) -> Snapshot:
        """Everything as a daemon would see it. Made anew on each call."""
        store = Store()
        store.apply(self.listed)
        return store.snapshot

    @property
    def invalid(self) -> tuple[InvalidResource, ...]:
        """The objects that cannot be used, by place."""
        found = [invalid for listed in self.listed for invalid in listed.invalid]
        return tuple(sorted(found, key=lambda one: (self.locations[one.ref], one.ref)))

    @property
    def warnings(self) -> tuple[tuple[ObjectRef, tuple[Defect, ...]], ...]:
        """The defects of objects that are used all the same, by place."""
        found = [pair for listed in self.listed for pair in listed.warnings.items()]
        return tuple(sorted(found, key=lambda pair: (self.locations[pair[0]], pair[0])))


def load(directory: Path, *, state: Path | None = None, own_node: Node | None = None) -> Loaded:
    """Read a folder, with the statuses that stand in a state folder where one is given.

    Raises FilesError when there is no such folder, DamagedState when the state cannot be read.
    """
    folder = Folder(directory)
    folder.open()
    objects = Objects(folder.manifests)
    objects.set_own_node(own_node)
    if state is not None:
        objects.take_all_rows(rows(state))
    return Loaded(objects.list_all(), folder.problems, folder.manifests.locations)
