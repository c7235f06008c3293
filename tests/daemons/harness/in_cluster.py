"""A speaker in this process that lives as in a cluster, over a folder: its node's health is asked for."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import msgspec

from openelb_bgp.controller import Controller
from openelb_bgp.lib.tasks import supervised
from openelb_bgp.origin import feed, opened
from openelb_bgp.settings import ControllerSettings, SpeakerSettings
from openelb_bgp.speaker import Speaker


@contextlib.asynccontextmanager
async def speaker_as_in_cluster(settings: SpeakerSettings, *, controls: bool) -> AsyncIterator[None]:
    """Runs for the `with` block, with a controller if it `controls`; what its sidecars keep stays."""
    async with opened(settings.source, node=settings.node, owner=controls) as found:
        origin = msgspec.structs.replace(found, in_cluster=True)
        speaker = Speaker(settings, origin)
        work = {"feed": lambda: feed(origin), **speaker.tasks()}
        if controls:
            work |= Controller(ControllerSettings(source=settings.source), found).tasks()
        task = asyncio.create_task(supervised(work))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await speaker.close()
