"""Opening the origin that the settings name, feeding its store, and what a failed start costs."""

import os
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

import structlog

from openelb_bgp.files.errors import FilesError, StateError
from openelb_bgp.kube.errors import NoAccess
from openelb_bgp.runtime.health import PortTaken
from openelb_bgp.settings import ExitCode, FilesSettings, SourceSettings, Webhook

from .origin import Origin

log = structlog.get_logger(__name__)


@asynccontextmanager
async def opened(
    settings: SourceSettings, *, node: str | None, owner: bool, webhook: Webhook | None = None
) -> AsyncIterator[Origin]:
    """Open it. `node` is the speaker's own, `owner` says that this process is the controller.

    `webhook` is where a controller is asked, in a cluster. Raises files.errors.StateError and FilesError,
    kube.errors.NoAccess and runtime.health.PortTaken, whose text is for the user.
    """
    if isinstance(settings, FilesSettings):
        from .folder import opened_folder

        async with opened_folder(settings, node=node, owner=owner) as origin:
            yield origin
    else:
        from .cluster import opened_cluster

        async with opened_cluster(settings, node=node, webhook=webhook, environment=os.environ) as origin:
            yield origin


async def exit_code_of(daemon: Awaitable[None]) -> int:
    """Await a daemon to its end; what keeps it from starting costs one line in the log and its exit code."""
    try:
        await daemon
    except StateError as error:
        log.error("cannot_start", error=str(error))
        return ExitCode.STATE
    except NoAccess as error:
        log.error("cannot_start", error=str(error))
        return ExitCode.USAGE
    except (FilesError, PortTaken) as error:
        log.error("cannot_start", error=str(error))
        return ExitCode.FAILED
    except Exception as error:
        log.exception("ended_unexpectedly", error=f"{type(error).__name__}: {error}")
        return ExitCode.FAILED
    return ExitCode.OK


async def feed(origin: Origin) -> None:
    """Bring every delivery of the source into the store, for ever."""
    async for batch in origin.source.deliveries():
        origin.store.apply(batch)
