"""Nodes' kube-proxies as one process: follows Services and endpoints, and programs every node it is given.

Run as `python -m lab.follow FOLDER-OF-THE-LAB`; it ends with the lab. What it reads is what `openelb-bgp get`
shows: the manifests, with the addresses that the controller gave laid over them.
"""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab import kubeproxy
from lab.desk import Desk
from lab.errors import LabError
from lab.health import HealthPorts, answers
from lab.lab import open_lab
from lab.namespaces import Namespace
from lab.state import LabFolder
from openelb_bgp.model.meta import Kind

_RETRY = 0.2
# A controller that is only starting has made no state yet, and somebody who edits may leave out what
# Kubernetes would ask for: what is in force stays.
_PASSING = (LabError, KeyError, TypeError)
_FOLLOWED = (Kind.SERVICE, Kind.ENDPOINT_SLICE)

Objects = list[dict[str, Any]]


async def follow(desk: Desk, nodes: Mapping[str, Namespace]) -> None:
    """Program these nodes whenever something changed, for ever."""
    proxies = _Proxies(nodes)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(proxies.program())
        for kind in _FOLLOWED:
            tasks.create_task(_follow(desk, kind, proxies))


async def _follow(desk: Desk, kind: Kind, proxies: "_Proxies") -> None:
    while True:
        try:
            async for objects in desk.changes(kind):
                proxies.take(kind, objects)
        except _PASSING as exc:
            await _say(exc)


async def _say(exc: Exception) -> None:
    print(f"kube-proxy: {exc!r}", flush=True)
    await asyncio.sleep(_RETRY)


class _Proxies:
    """What is known of each kind, and the rules that are in force in each node."""

    def __init__(self, nodes: Mapping[str, Namespace]) -> None:
        self._nodes = nodes
        self._objects: dict[Kind, Objects] = {}
        self._programmed: dict[str, str] = {}
        self._health = {node: HealthPorts(space) for node, space in nodes.items()}
        self._news = asyncio.Event()

    def take(self, kind: Kind, objects: Objects) -> None:
        """Learn all objects of a kind."""
        self._objects[kind] = objects
        self._news.set()

    async def program(self) -> None:
        """Program the nodes whose rules differ, for ever; of many changes at once the last one counts."""
        while True:
            await self._news.wait()
            self._news.clear()
            if len(self._objects) == len(_FOLLOWED):
                try:
                    await self._program_all()
                except _PASSING as exc:
                    await _say(exc)
                    self._news.set()

    async def _program_all(self) -> None:
        services = self._objects[Kind.SERVICE]
        addresses = {kubeproxy.key_of(item): kubeproxy.ingress_of(item) for item in services}
        exposed = kubeproxy.services([*services, *self._objects[Kind.ENDPOINT_SLICE]], addresses)
        for node in self._nodes:
            # In a thread: what changes meanwhile is taken in meanwhile.
            await asyncio.to_thread(self._program, node, kubeproxy.render(exposed, node=node))
            await self._health[node].answer(answers(services, exposed, node=node))

    def _program(self, node: str, rules: str) -> None:
        if self._programmed.get(node) != rules:
            kubeproxy.program(self._nodes[node], rules)
            self._programmed[node] = rules
            print(f"kube-proxy: {node} programmed", flush=True)


if __name__ == "__main__":
    lab = open_lab(LabFolder(Path(sys.argv[1])))
    asyncio.run(follow(lab.desk, {node: lab.space(node) for node in lab.nodes}))
