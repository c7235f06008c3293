"""The nodes' kube-proxies as one process: follows Services and endpoints, and programs every node.

Run as `python -m lab.follow FOLDER-OF-THE-LAB`; it ends with the lab. What it reads is what `openelb-bgp get`
shows: the manifests, with the addresses that the controller gave laid over them.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

from lab import kubeproxy
from lab.errors import LabError
from lab.health import HealthPorts, answers
from lab.lab import Lab, open_lab
from lab.state import LabFolder
from openelb_bgp.model.meta import Kind

_RETRY = 0.2
_FOLLOWED = (Kind.SERVICE, Kind.ENDPOINT_SLICE)

Objects = list[dict[str, Any]]


async def follow(lab: Lab) -> None:
    """Program all nodes whenever something changed, for ever."""
    proxies = _Proxies(lab)
    async with asyncio.TaskGroup() as tasks:
        for kind in _FOLLOWED:
            tasks.create_task(_follow(lab, kind, proxies))


async def _follow(lab: Lab, kind: Kind, proxies: "_Proxies") -> None:
    while True:
        try:
            async for objects in lab.desk.changes(kind):
                await proxies.take(kind, objects)
        except (LabError, KeyError, TypeError) as exc:
            # A controller that is only starting has made no state yet, and somebody who edits may leave out
            # what Kubernetes would ask for: what is in force stays.
            print(f"kube-proxy: {exc!r}", flush=True)
            await asyncio.sleep(_RETRY)


class _Proxies:
    """What is known of each kind, and the rules that are in force in each node."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._objects: dict[Kind, Objects] = {}
        self._programmed: dict[str, str] = {}
        self._health = {node: HealthPorts(lab.space(node)) for node in lab.nodes}

    async def take(self, kind: Kind, objects: Objects) -> None:
        """Learn all objects of a kind; once every kind is known, program the nodes whose rules differ."""
        self._objects[kind] = objects
        if len(self._objects) < len(_FOLLOWED):
            return
        services = self._objects[Kind.SERVICE]
        addresses = {kubeproxy.key_of(item): kubeproxy.ingress_of(item) for item in services}
        exposed = kubeproxy.services([*services, *self._objects[Kind.ENDPOINT_SLICE]], addresses)
        for node in self._lab.nodes:
            self._program(node, kubeproxy.render(exposed, node=node))
            await self._health[node].answer(answers(services, exposed, node=node))

    def _program(self, node: str, rules: str) -> None:
        if self._programmed.get(node) != rules:
            kubeproxy.program(self._lab.space(node), rules)
            self._programmed[node] = rules
            print(f"kube-proxy: {node} programmed", flush=True)


if __name__ == "__main__":
    asyncio.run(follow(open_lab(LabFolder(Path(sys.argv[1])))))
