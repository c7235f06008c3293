"""How somebody at a desk sees and changes the objects of a lab: as files in a folder, or through an API
server.

The steps of the tour are written against `Desk`, so they are the same in both. Here is the one of files; that
of a cluster is in `cluster/desk.py`.
"""

import copy
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Protocol

from lab import manifests
from lab.errors import LabError
from lab.manifests import Object
from openelb_bgp.files import view
from openelb_bgp.files.errors import FilesError, StateError
from openelb_bgp.model.meta import Kind
from openelb_bgp.runtime.clock import SystemClock


class Pod(Enum):
    """How far a pod is in its life."""

    STARTING = "not ready yet"
    READY = "ready"
    LEAVING = "serving while it terminates"


class Desk(Protocol):
    """The objects of one lab. Every call may raise LabError."""

    def objects(self, kind: Kind) -> list[Object]:
        """All objects of a kind with their statuses."""
        ...

    def edit(self, kind: Kind, name: str, change: Callable[[Object], None]) -> None:
        """Apply `change` to one object."""
        ...

    def place_pods(self, service: str, pods: Mapping[str, Pod]) -> None:
        """Let a Service in `default` have exactly these pods, by the nodes that they are on."""
        ...

    def add_services(self, names: Sequence[str], *, like: str) -> None:
        """Make Services in `default` as one that is there, with the same pods behind them."""
        ...

    def remove_services(self, names: Sequence[str]) -> None:
        """Delete Services that `add_services` made; harmless when they are not there."""
        ...

    def changes(self, kind: Kind) -> AsyncIterator[list[Object]]:
        """All objects of a kind, now and whenever one of them changed."""
        ...


class FolderDesk:
    """A folder of manifests, edited with an editor, and the state beside it."""

    def __init__(self, folder: Path, state: Path) -> None:
        self._folder, self._state = folder, state

    def objects(self, kind: Kind) -> list[Object]:
        """All objects of a kind, as `openelb-bgp get` prints them."""
        try:
            return view.objects(self._folder, self._state, kind)
        except (FilesError, StateError) as exc:
            raise LabError(str(exc)) from exc

    def edit(self, kind: Kind, name: str, change: Callable[[Object], None]) -> None:
        """Apply `change` to one object, in the file where it stands."""
        manifests.edit(self._folder, kind.value, name, change)

    def place_pods(self, service: str, pods: Mapping[str, Pod]) -> None:
        """Write the EndpointSlices of a Service, as the cluster would."""
        for family in ("IPv4", "IPv6"):
            endpoints = [
                {
                    "addresses": [pod_addresses(node)[family]],
                    "nodeName": node,
                    "conditions": {
                        "ready": pod is Pod.READY,
                        "serving": pod is not Pod.STARTING,
                        "terminating": pod is Pod.LEAVING,
                    },
                }
                for node, pod in sorted(pods.items())
            ]

            def change(item: Object, endpoints: list[Object] = endpoints) -> None:
                item["endpoints"] = endpoints

            self.edit(Kind.ENDPOINT_SLICE, f"{service}-v{family[-1]}", change)

    def add_services(self, names: Sequence[str], *, like: str) -> None:
        """Write a file for each Service, with EndpointSlices of its own."""
        originals = [
            item for item in manifests.objects(self._folder) if item["metadata"]["name"] in _parts(like)
        ]
        for name in names:
            manifests.write(self._folder, f"added-{name}", [_renamed(item, like, name) for item in originals])

    def remove_services(self, names: Sequence[str]) -> None:
        """Delete their files."""
        for name in names:
            manifests.delete(self._folder, f"added-{name}")

    async def changes(self, kind: Kind) -> AsyncIterator[list[Object]]:
        """All objects of a kind, now and whenever a file or the state says something else."""
        try:
            async for objects in view.changes(self._folder, self._state, kind, SystemClock()):
                yield objects
        except (FilesError, StateError) as exc:
            raise LabError(str(exc)) from exc


def _parts(service: str) -> tuple[str, ...]:
    """The names of a Service and its EndpointSlices."""
    return (service, f"{service}-v4", f"{service}-v6")


def _renamed(item: Object, old: str, new: str) -> Object:
    made = copy.deepcopy(item)
    made["metadata"]["name"] = new + item["metadata"]["name"].removeprefix(old)
    if item["kind"] == Kind.ENDPOINT_SLICE.value:
        made["metadata"]["labels"]["kubernetes.io/service-name"] = new
    return made


def pod_addresses(node: str) -> Mapping[str, str]:
    """The addresses of the pod on a node, by family: those that the topology gives to it."""
    number = node.removeprefix("node")
    return {"IPv4": f"10.244.{number}.10", "IPv6": f"fd00:244:{number}::10"}
