"""One object by its name, as it is and as it changes: for what is no part of the Snapshot.

A watch by name needs no rights on others of its kind, and costs nothing while nothing changes.
"""

import random
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
import structlog

from openelb_bgp.ports import Clock
from openelb_bgp.runtime.loop import Backoff

from .client import Client, Document, Selection
from .errors import Expired, KubeError, ServerError, answered
from .resources import Resource

log = structlog.get_logger(__name__)

_PATIENCE = Backoff(first=0.2, most=30.0)


async def follow(
    client: Client, resource: Resource, name: str, *, namespace: str = "", clock: Clock
) -> AsyncGenerator[Document | None, None]:
    """The object, then each later version of it, for ever; None where there is none.

    Raises nothing that the server may do: that is tried again, with back-off.
    """
    selection = Selection(namespace=namespace, fields=f"metadata.name={name}")
    version, failures = "", 0
    while True:
        try:
            if not version:
                items, version = await client.list_all(resource, selection)
                yield msgspec.json.decode(items[0], type=Document) if items else None
            watch = client.watch(resource, selection, resource_version=version)
            async with aclosing(watch) as chunks:
                async for lines in chunks:
                    failures = 0
                    for line in lines:
                        event = _read(line)
                        version = event.object["metadata"]["resourceVersion"]
                        if event.type != "BOOKMARK":
                            yield None if event.type == "DELETED" else event.object
        except KubeError as error:
            version = "" if isinstance(error, Expired | ServerError) else version
            failures += 1
            if failures > 1:
                log.warning("object_not_heard", kind=resource.kind, name=name, error=str(error))
            await clock.sleep(_PATIENCE.delay(failures=failures, jitter=random.random()))


class _Event(msgspec.Struct):
    """meta/v1, WatchEvent."""

    type: str
    object: Document


def _read(line: bytes) -> _Event:
    try:
        event = msgspec.json.decode(line, type=_Event)
    except msgspec.MsgspecError as error:
        raise ServerError(f"a watch sent what is no event: {error}", code=502) from error
    if event.type == "ERROR":
        raise answered(0, msgspec.Raw(msgspec.json.encode(event.object)))
    return event
