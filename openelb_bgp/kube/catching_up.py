"""Waits until what is known of Services is at least as new as the API server's answer to a consistent read.

Watches run behind, a stale one without end. Who begins to give out addresses has to know every address that
was given before: else one could be given twice, to two Services that each are as they were last seen.
"""

from collections.abc import Callable, Mapping

import msgspec
import structlog

from openelb_bgp.lib.backoff import Backoff
from openelb_bgp.model.meta import Key, Kind
from openelb_bgp.model.services import Service
from openelb_bgp.ports import Clock

from .client import Client
from .errors import KubeError
from .resources import RESOURCES
from .selection import Selection

log = structlog.get_logger(__name__)

_LOOK_SECONDS = 0.05
_BACKOFF = Backoff(first=0.2, most=5.0)


async def catch_up(client: Client, services: Callable[[], Mapping[Key, Service]], clock: Clock) -> None:
    """Return when `services()` shows each Service as it is at the API server now, or newer."""
    versions = await _versions(client, clock)
    while _is_behind(services(), versions):
        await clock.sleep(_LOOK_SECONDS)


def _is_behind(services: Mapping[Key, Service], versions: Mapping[Key, int]) -> bool:
    for key, version in versions.items():
        service = services.get(key)
        # One that is gone holds nothing; one that is not there yet may.
        if service is None or int(service.meta.resource_version or 0) < version:
            return True
    return False


async def _versions(client: Client, clock: Clock) -> Mapping[Key, int]:
    failures = 0
    while True:
        try:
            return await _listed(client)
        except KubeError as error:
            failures += 1
            log.warning("services_not_listed", error=str(error))
            await clock.sleep(_BACKOFF.delay(failures=failures, jitter=0.0))


async def _listed(client: Client) -> Mapping[Key, int]:
    items, _ = await client.list_all(RESOURCES[Kind.SERVICE], Selection(metadata_only=True))
    found = [_ITEM.decode(item).metadata for item in items]
    return {Key(one.namespace, one.name): int(one.version) for one in found if one.version.isdecimal()}


class _Metadata(msgspec.Struct):
    name: str
    namespace: str
    version: str = msgspec.field(name="resourceVersion")


class _Item(msgspec.Struct):
    metadata: _Metadata


_ITEM = msgspec.json.Decoder(_Item)
