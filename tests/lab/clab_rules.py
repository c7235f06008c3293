"""What containerlab accepts of a topology file, as far as ours use it, in our own words.

Source: containerlab's published JSON schema (schemas/clab.schema.json: properties, node-config,
link-config-short), its manual ("Topology definition", "Nodes"), and what `deploy` itself refuses: a bind
whose source is not there.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

Problems = Iterator[str]
Check = Callable[[Any], bool]

_LAB = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]*")
_NODE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._|-]*")
_NETWORK = re.compile(r"host|none|container:\S+")
_ENDPOINT = re.compile(r"\S+:\S+")
_KINDS = ("linux", "bridge")
"""Of its many those that need nothing but an image, or not even that."""


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _scalar(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _list_of_text(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_text, value))


def _binds(value: Any) -> bool:
    return _list_of_text(value) and len(set(value)) == len(value)


def _scalars(value: Any) -> bool:
    return isinstance(value, dict) and all(_text(key) and _scalar(one) for key, one in value.items())


_NODE_KEYS: Mapping[str, Check] = {
    "binds": _binds,
    "cmd": _text,
    "entrypoint": _text,
    "env": _scalars,
    "exec": _list_of_text,
    "group": _text,
    "image": _text,
    "kind": lambda value: value in _KINDS,
    "network-mode": lambda value: _text(value) and bool(_NETWORK.fullmatch(value)),
    "sysctls": _scalars,
    "user": lambda value: _scalar(value) and value != "",
}
_TOPOLOGY_KEYS = ("defaults", "groups", "kinds", "links", "nodes")


def problems(document: Any, *, folder: Path) -> list[str]:
    """Everything for which containerlab would refuse a file that lies in `folder`."""
    return list(_file(document, folder))


def _file(document: Any, folder: Path) -> Problems:
    if not isinstance(document, dict) or set(document) != {"name", "topology"}:
        yield "a file has a name and a topology, and nothing else"
        return
    if not _text(document["name"]) or not _LAB.fullmatch(document["name"]):
        yield f"name: {document['name']!r}"
    topology = document["topology"]
    yield from (f"topology.{key}: unknown" for key in topology if key not in _TOPOLOGY_KEYS)
    for where, config in _configs(topology):
        yield from _config(where, config, folder)
    nodes = topology["nodes"]
    yield from (f"topology.nodes: {name!r} is no name" for name in nodes if not _NODE.fullmatch(name))
    yield from _shared(nodes)
    yield from _links(topology.get("links", []), nodes)


def _configs(topology: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "defaults", topology.get("defaults", {})
    for section in ("kinds", "groups", "nodes"):
        for name, config in topology.get(section, {}).items():
            yield f"{section}.{name}", config or {}


def _config(where: str, config: Any, folder: Path) -> Problems:
    for key, value in config.items():
        if key not in _NODE_KEYS:
            yield f"{where}.{key}: unknown"
        elif not _NODE_KEYS[key](value):
            yield f"{where}.{key}: {value!r}"
    for bind in config.get("binds", ()):
        source, _, target = str(bind).partition(":")
        if not (folder / source).exists():
            yield f"{where}.binds: {source} is not there"
        if not target.startswith("/"):
            yield f"{where}.binds: {bind} has no absolute target"


def _shared(nodes: Mapping[str, Any]) -> Problems:
    for name, config in nodes.items():
        mode = str((config or {}).get("network-mode", ""))
        if mode.startswith("container:") and mode.removeprefix("container:") not in nodes:
            yield f"nodes.{name}.network-mode: there is no such node"


def _links(links: Any, nodes: Mapping[str, Any]) -> Problems:
    for number, link in enumerate(links):
        ends = link.get("endpoints", ())
        if set(link) != {"endpoints"} or len(ends) != 2 or len(set(ends)) != 2:
            yield f"links[{number}]: two different endpoints, and nothing else"
        for end in ends:
            if not _ENDPOINT.fullmatch(end) or end.partition(":")[0] not in nodes:
                yield f"links[{number}]: {end}"
