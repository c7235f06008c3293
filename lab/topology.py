"""A containerlab file as frozen values.

Pure but for `load`, which reads the file. What is here: the subset of containerlab's format that the lab
builds, its inheritance (defaults, kind, group, node) and its errors. What is not: namespaces, processes, FRR.
Format: containerlab's manual, "Topology definition" and "Nodes".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab.errors import TopologyError

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_INTERFACE = re.compile(r"[a-zA-Z0-9._-]{1,15}")
_MERGED = ("binds", "exec", "sysctls", "env")


@dataclass(frozen=True, slots=True)
class Bind:
    """A file or folder of the host, relative to the topology's file, and where the node sees it."""

    source: Path
    target: Path


@dataclass(frozen=True, slots=True)
class Node:
    """One container of the file: `group` is its role in the lab, `exec` runs once its links exist."""

    name: str
    group: str
    image: str
    binds: tuple[Bind, ...]
    exec: tuple[str, ...]
    sysctls: Mapping[str, str]
    env: Mapping[str, str]
    shares_network_of: str | None

    def bound(self, target: str) -> Path | None:
        """The host's file that the node sees as `target`, if one is bound there."""
        return next((bind.source for bind in self.binds if bind.target == Path(target)), None)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end of a link."""

    node: str
    interface: str


@dataclass(frozen=True, slots=True)
class Link:
    """A veth pair between two nodes."""

    a: Endpoint
    b: Endpoint


@dataclass(frozen=True, slots=True)
class Topology:
    """A whole file; `nodes` and `links` are in its order."""

    name: str
    nodes: tuple[Node, ...]
    links: tuple[Link, ...]

    def in_group(self, group: str) -> tuple[Node, ...]:
        """The nodes of one role."""
        return tuple(node for node in self.nodes if node.group == group)


def load(file: Path) -> Topology:
    """Read a `*.clab.yml`. Raises TopologyError with the file and the field."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as exc:
        raise TopologyError(file, "file", str(exc)) from exc
    return parse(text, file=file)


def parse(text: str, *, file: Path) -> Topology:
    """The topology in `text`; `file` is where it came from, for bind paths and errors."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as exc:
        raise TopologyError(file, "file", f"not YAML: {exc}") from exc
    return _Reader(file).topology(document)


class _Reader:
    """Walks one document; carries the file for errors and relative paths."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def topology(self, document: object) -> Topology:
        top = self._mapping(document, "file")
        name = self._text(top.get("name"), "name")
        body = self._mapping(top.get("topology"), "topology")
        raw_nodes = self._mapping(body.get("nodes"), "topology.nodes")
        nodes = tuple(self._node(key, raw, body) for key, raw in raw_nodes.items())
        links = self._links(body.get("links", []), {node.name for node in nodes})
        self._check_shared(nodes)
        return Topology(name=name, nodes=nodes, links=links)

    def _node(self, name: object, raw: object, body: Mapping[str, Any]) -> Node:
        field = f"topology.nodes.{name}"
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise self._error(field, "a node's name is 1 to 32 of a-z, 0-9 and -")
        merged = self._inherit(self._mapping(raw or {}, field), body, field)
        if merged.get("kind") != "linux":
            raise self._error(f"{field}.kind", f"only linux is built here, not {merged.get('kind')!r}")
        return Node(
            name=name,
            group=self._text(merged.get("group", ""), f"{field}.group"),
            image=self._text(merged.get("image"), f"{field}.image"),
            binds=tuple(self._bind(bind, f"{field}.binds[{n}]") for n, bind in enumerate(merged["binds"])),
            exec=tuple(self._text(line, f"{field}.exec[{n}]") for n, line in enumerate(merged["exec"])),
            sysctls={str(key): str(value) for key, value in merged["sysctls"].items()},
            env={str(key): str(value) for key, value in merged["env"].items()},
            shares_network_of=self._shared(merged.get("network-mode", ""), f"{field}.network-mode"),
        )

    def _inherit(self, own: Mapping[str, Any], body: Mapping[str, Any], field: str) -> dict[str, Any]:
        """defaults < kind < group < node: scalars are replaced, lists joined, mappings merged."""
        defaults = self._mapping(body.get("defaults", {}), "topology.defaults")
        kind = own.get("kind", defaults.get("kind"))
        group = own.get("group", "")
        layers = [
            ("topology.defaults", defaults),
            (f"topology.kinds.{kind}", self._section(body, "kinds", kind)),
            (f"topology.groups.{group}", self._section(body, "groups", group)),
            (field, own),
        ]
        merged: dict[str, Any] = {"kind": kind, "binds": [], "exec": [], "sysctls": {}, "env": {}}
        for where, layer in layers:
            for key, value in layer.items():
                if key in ("binds", "exec"):
                    merged[key] = merged[key] + self._list(value, f"{where}.{key}")
                elif key in _MERGED:
                    merged[key] = merged[key] | self._mapping(value, f"{where}.{key}")
                else:
                    merged[key] = value
        return merged

    def _section(self, body: Mapping[str, Any], section: str, name: object) -> Mapping[str, Any]:
        sections = self._mapping(body.get(section, {}), f"topology.{section}")
        return self._mapping(sections.get(str(name), {}), f"topology.{section}.{name}")

    def _bind(self, raw: object, field: str) -> Bind:
        source, colon, rest = self._text(raw, field).partition(":")
        if not source or not colon or not rest.startswith("/"):
            raise self._error(field, f"{raw!r} is not SOURCE:/TARGET")
        return Bind(source=(self._file.parent / source).resolve(), target=Path(rest.partition(":")[0]))

    def _shared(self, raw: object, field: str) -> str | None:
        mode = self._text(raw, field)
        if mode.startswith("container:"):
            return mode.removeprefix("container:")
        if mode in ("", "none"):
            return None
        raise self._error(field, f"{mode!r}: only none and container:NODE are built here")

    def _check_shared(self, nodes: tuple[Node, ...]) -> None:
        owners = {node.name for node in nodes if node.shares_network_of is None}
        for node in nodes:
            if node.shares_network_of is not None and node.shares_network_of not in owners:
                raise self._error(
                    f"topology.nodes.{node.name}.network-mode",
                    f"{node.shares_network_of!r} is not a node with a network of its own",
                )

    def _links(self, raw: object, names: set[str]) -> tuple[Link, ...]:
        links = []
        taken: dict[Endpoint, str] = {}
        for n, item in enumerate(self._list(raw, "topology.links")):
            field = f"topology.links[{n}]"
            ends = self._list(self._mapping(item, field).get("endpoints"), f"{field}.endpoints")
            if len(ends) != 2:
                raise self._error(f"{field}.endpoints", f"a link has two ends, not {len(ends)}")
            a, b = (self._endpoint(end, f"{field}.endpoints[{i}]", names) for i, end in enumerate(ends))
            for end in (a, b):
                if end in taken:
                    raise self._error(field, f"{end.node}:{end.interface} is used by {taken[end]} already")
                taken[end] = field
            links.append(Link(a=a, b=b))
        return tuple(links)

    def _endpoint(self, raw: object, field: str, names: set[str]) -> Endpoint:
        node, _, interface = self._text(raw, field).partition(":")
        if node not in names:
            raise self._error(field, f"there is no node {node!r}")
        if not _INTERFACE.fullmatch(interface) or interface == "lo":
            raise self._error(field, f"{interface!r} is no name for an interface")
        return Endpoint(node=node, interface=interface)

    def _mapping(self, value: object, field: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self._error(field, f"must be a mapping, not {_kind_of(value)}")
        return value

    def _list(self, value: object, field: str) -> list[Any]:
        if not isinstance(value, list):
            raise self._error(field, f"must be a list, not {_kind_of(value)}")
        return value

    def _text(self, value: object, field: str) -> str:
        if not isinstance(value, str):
            raise self._error(field, f"must be text, not {_kind_of(value)}")
        return value

    def _error(self, field: str, problem: str) -> TopologyError:
        return TopologyError(self._file, field, problem)


def _kind_of(value: object) -> str:
    return "missing" if value is None else type(value).__name__
