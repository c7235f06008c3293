"""The whole of what a source shows at one moment, for commands that look once: a folder, or a cluster."""

import asyncio
import contextlib
from typing import TYPE_CHECKING

from openelb_bgp.settings import FilesSettings, SourceSettings, Webhook

from .failures import Failed, StateFailed

if TYPE_CHECKING:
    from openelb_bgp.model.snapshot import Snapshot

_SECONDS = 30.0


def whole(source: SourceSettings) -> "Snapshot":
    """Everything that the source shows now. Raises Failed and StateFailed."""
    from openelb_bgp.files.errors import FilesError, StateError

    if not isinstance(source, FilesSettings):
        return asyncio.run(_of_cluster(source))
    from openelb_bgp.files.load import load

    try:
        return load(source.files, state=source.state).snapshot
    except StateError as error:
        raise StateFailed(str(error)) from error
    except FilesError as error:
        raise Failed(str(error)) from error


async def _of_cluster(source: SourceSettings) -> "Snapshot":
    """Everything listed once. Raises Failed."""
    from openelb_bgp.kube.errors import NoAccess
    from openelb_bgp.model.meta import Kind
    from openelb_bgp.origin import feed, opened

    # Who only looks answers no API server.
    silent = Webhook(port=0)
    needed = (Kind.EIP, Kind.SERVICE, Kind.ENDPOINT_SLICE, Kind.NODE, Kind.BGP_CONF, Kind.SPEAKER)
    try:
        async with (
            asyncio.timeout(_SECONDS),
            opened(source, node=None, owner=False, webhook=silent) as origin,
        ):
            changed = asyncio.Event()
            origin.store.subscribe(changed.set)
            feeding = asyncio.create_task(feed(origin))
            try:
                while not origin.store.snapshot.has_listed(*needed):
                    await changed.wait()
                    changed.clear()
            finally:
                feeding.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await feeding
            return origin.store.snapshot
    except TimeoutError as error:
        raise Failed(f"the API server has not listed everything in {_SECONDS:g} s") from error
    except NoAccess as error:
        raise Failed(str(error)) from error
