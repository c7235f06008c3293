"""The manifests that the random walk edits, one object a file, and what an act says of itself.

What may happen to them is in `chaos_edits.py`, what to processes in `chaos_deaths.py`.
"""

import json
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from lab import manifests
from lab.lab import Lab

from .chaos_truth import Object

CONTROL = "web"
"""The Service that nobody touches."""
NAMES = ("web-local", "a", "b", "c", "d")
NODES = ("node1", "node2", "node3")
PEERS = ("leaf1", "leaf1-v6", "leaf2", "leaf2-v6")
API = "network.kubesphere.io/v1alpha2"
EDGE = {"matchLabels": {"edge": "yes"}}
EIP = "eip.openelb.kubesphere.io/v1alpha2"
ADDRESS = "eip.openelb.kubesphere.io/v1alpha1"
RANGES = {
    "lab-v4": ("198.51.100.0/28", "198.51.100.0/30", "198.51.100.0/28,198.51.100.64/29"),
    "lab-v6": ("2001:db8:100::/120", "2001:db8:100::/127"),
    "west": ("203.0.113.0/29,2001:db8:200::/124", "203.0.113.0/30,2001:db8:200::/127"),
}
SHARED = ("203.0.113.6", "203.0.113.7", "203.0.113.1")


class World:
    """The manifests, by `Kind/name`, and the files that are broken just now."""

    def __init__(self, folder: Path, whole: Path) -> None:
        """`whole` is a second folder, where no file is ever broken."""
        self._folder = folder
        self.whole = whole
        whole.mkdir()
        self.objects: dict[str, Object] = {}
        self.broken: set[str] = set()

    def of(self, kind: str) -> dict[str, Object]:
        """The objects of a kind by name."""
        prefix = f"{kind}/"
        return {key.removeprefix(prefix): one for key, one in self.objects.items() if key.startswith(prefix)}

    def put(self, one: Object) -> None:
        """Write an object."""
        key = f"{one['kind']}/{one['metadata']['name']}"
        self.objects[key] = one
        for folder in (self._folder, self.whole):
            _write(folder / _file(key), yaml.safe_dump(one, sort_keys=False))
        self.broken.discard(key)

    def drop(self, kind: str, name: str) -> None:
        """Delete an object and its file."""
        del self.objects[f"{kind}/{name}"]
        for folder in (self._folder, self.whole):
            (folder / _file(f"{kind}/{name}")).unlink()

    def spoil(self, key: str) -> None:
        """Make the file unreadable; what it said goes on counting."""
        text = yaml.safe_dump(self.objects[key], sort_keys=False)
        _write(self._folder / _file(key), text + "  - broken: [")
        self.broken.add(key)

    def mend_all(self) -> None:
        """For who starts anew: it cannot know what an unreadable file said before."""
        for key in sorted(self.broken):
            self.mend(key)

    def mend(self, key: str) -> None:
        """Write the file as it was."""
        self.put(self.objects[key])


def world_of(lab: Lab) -> World:
    """The lab's manifests, one object a file, with a Service to be left alone and pools to play with."""
    lab.copy_manifests()
    found = [json.loads(json.dumps(one)) for one in manifests.objects(lab.paths.manifests)]
    for file in lab.paths.manifests.rglob("*.yaml"):
        file.unlink()
    world = World(lab.paths.manifests, lab.folder.path / "whole")
    for one in found:
        kind, name = one["kind"], one["metadata"]["name"]
        if (kind, name) == ("Service", CONTROL):
            one["metadata"]["annotations"][EIP] = "control"
        if kind == "Eip":
            one["spec"] = {"address": RANGES[name][0]}
        if kind == "BgpConf":
            one["spec"] |= {"standInAfterSeconds": 2, "drain": {"graceSeconds": 1}}
        if kind == "Node" and name != "node3":
            one["metadata"]["labels"]["edge"] = "yes"
        world.put(one)
    world.put(resource("Eip", "control", {"address": "192.0.2.0/30,2001:db8:300::/126"}))
    world.put(resource("Eip", "west", {"address": RANGES["west"][0]}))
    return world


def resource(kind: str, name: str, spec: Object) -> Object:
    """An object of our group."""
    return {"apiVersion": API, "kind": kind, "metadata": {"name": name}, "spec": spec}


def all_of(node: str) -> frozenset[tuple[str, str]]:
    """The sessions of a node with both routers."""
    return frozenset((router, node) for router in ("leaf1", "leaf2"))


@dataclass
class Happening:
    """What an act did: in words, the Services that it asked to move, the sessions that it may cost.

    `resets` names (router, node) pairs, `"*"` for all; `moved` Services by name; `gap` says that a router
    may have been without routes. `finish` ends what the act began, after the other acts of the same step.
    """

    text: str
    moved: frozenset[str] = frozenset()
    resets: frozenset[tuple[str, str]] = frozenset()
    gap: bool = False
    finish: Callable[[], None] = field(default=lambda: None)


Act = Callable[[random.Random, World, Lab], Happening | None]
"""None: there is nothing that it could be done to."""


def _file(key: str) -> str:
    return key.lower().replace("/", "-") + ".yaml"


def _write(file: Path, text: str) -> None:
    temporary = file.with_name(".being-written")
    temporary.write_text(text)
    os.replace(temporary, file)  # noqa: PTH105
