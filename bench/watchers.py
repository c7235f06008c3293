"""As many speakers as wanted, as far as the API server sees them: `python -m bench.watchers NUMBER FILE`.

Each has connections of its own, and lists and watches what a speaker does, by a speaker's client and source.
What it hears goes nowhere: nothing is planned, announced or reported. FILE appears once all have listed
everything.
"""

import asyncio
import os
import sys
from contextlib import aclosing
from pathlib import Path

from openelb_bgp.kube.access import in_pod
from openelb_bgp.kube.client import Client
from openelb_bgp.kube.scope import SPEAKER, with_speaker_pods
from openelb_bgp.kube.source import KubeSource
from openelb_bgp.model.meta import Kind
from openelb_bgp.ports import Listed
from openelb_bgp.runtime.clock import BootClock

_NAMESPACE = "openelb-system"
_SCOPE = with_speaker_pods(SPEAKER, _NAMESPACE)


async def watch(number: int, file: Path) -> None:
    """Watch for ever."""
    listed = [asyncio.Event() for _ in range(number)]
    async with asyncio.TaskGroup() as group:
        for one in listed:
            group.create_task(_speaker(one))
        for one in listed:
            await one.wait()
        await asyncio.to_thread(file.touch)


async def _speaker(listed: asyncio.Event) -> None:
    clock = BootClock()
    missing: set[Kind] = set(_SCOPE.kinds)
    async with Client(in_pod(os.environ, clock), clock, manager="watcher") as client:
        source = KubeSource(client, _SCOPE, clock, namespace=_NAMESPACE)
        async with aclosing(source.deliveries()) as batches:
            async for batch in batches:
                missing -= {one.kind for one in batch if isinstance(one, Listed)}
                if not missing:
                    listed.set()


if __name__ == "__main__":
    asyncio.run(watch(int(sys.argv[1]), Path(sys.argv[2])))
