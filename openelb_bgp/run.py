"""`run`: controller and speaker of one machine in one process, over one store and one state."""

import asyncio

from prometheus_client import REGISTRY

from openelb_bgp.controller import Controller
from openelb_bgp.origin import exit_code_of, feed, opened
from openelb_bgp.runtime import log as logging
from openelb_bgp.runtime import process
from openelb_bgp.runtime.health import serve_health
from openelb_bgp.settings import ControllerSettings, SpeakerSettings
from openelb_bgp.sidecars import end_gobgpd, end_keepalived
from openelb_bgp.speaker import Speaker


def main(speaker: SpeakerSettings, controller: ControllerSettings) -> int:
    """Run both until SIGTERM; returns the exit code."""
    logging.configure(
        verbosity=speaker.logging.verbosity, colour=speaker.logging.colour, remarks=speaker.remarks
    )
    return process.run(lambda stop: exit_code_of(_serve(speaker, controller, stop)))


async def _serve(
    speaker_settings: SpeakerSettings, controller_settings: ControllerSettings, stop: asyncio.Event
) -> None:
    async with opened(speaker_settings.source, node=speaker_settings.node, owner=True) as origin:
        speaker = Speaker(speaker_settings, origin)
        controller = Controller(controller_settings, origin)
        async with serve_health(
            host=speaker_settings.metrics.host,
            port=speaker_settings.metrics.port,
            registry=REGISTRY,
            healthy={**controller.healthy(), **speaker.healthy()},
            ready={**controller.ready(), **speaker.ready()},
        ):
            logging.started("run", node=speaker_settings.node, source=str(speaker_settings.source))
            tasks = {"feed": lambda: feed(origin), **controller.tasks(), **speaker.tasks()}
            await process.work_until(stop, tasks)
        await speaker.close()
        # Nobody is left to bury it.
        await speaker.leave()
        await end_gobgpd(speaker_settings)
        await end_keepalived(speaker_settings)
