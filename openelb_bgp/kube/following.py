"""One object by its name, as it is and as it changes: for what is no part of the Snapshot.

A watch by name needs no rights on others of its kind, and costs nothing while nothing changes. A watch that
lasted as long as asked is resumed; after any other end the object is read again, because the etcd that came
back may be an older one.
"""

import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import msgspec
import structlog

from openelb_bgp.lib.backoff import Backoff
from openelb_bgp.ports import Clock

from .answers import Document
from .client import Client
from .errors import KubeError, ServerError, answered
from .resources import Resource
from .selection import Selection

log = structlog.get_logger(__name__)

_PATIENCE = Backoff(first=0.2, most=30.0)
_STEADY_SECONDS = 5.0


async def follow(
    client: Client, resource: Resource, name: str, *, namespace: str = "", clock: Clock
) -> AsyncGenerator[Document | None, None]:
    """The object, then each later version of it, for ever; None where there is none.

    Raises nothing that the server may do: that is tried again, with back-off.
    """
    selection = Selection(namespace=namespace, fields=f"metadata.name={name}")
    version, failures = "", 0
    while True:
        began, error = clock.monotonic(), ""
        try:
            if not version:
                items, version = await client.list_all(resource, selection)
                yield msgspec.json.decode(items[0], type=Document) if items else None
                began = clock.monotonic()
            watch = client.watch(resource, selection, resource_version=version)
            async with aclosing(watch) as chunks:
                async for lines in chunks:
                    for event in _events(lines):
                        version = event.version
                        if event.type != "BOOKMARK":
                            yield None if event.type == "DELETED" else event.object
        except KubeError as problem:
            error = str(problem)
        lasted = clock.monotonic() - began
        if error or lasted < client.timeouts.watch_least - 1.0:
            version = ""
        failures = 0 if lasted >= _STEADY_SECONDS else failures + 1
        if failures:
            # The first is nothing: a watch is cut whenever an API server is replaced.
            if failures == 2 and error:
                log.warning("object_not_heard", kind=resource.kind, name=name, error=error)
            await clock.sleep(_PATIENCE.delay(failures=failures, jitter=random.random()))


class _Meta(msgspec.Struct):
    version: str = msgspec.field(name="resourceVersion")


class _Versioned(msgspec.Struct):
    metadata: _Meta


class _Event(msgspec.Struct):
    """meta/v1, WatchEvent."""

    type: str
    object: Document

    @property
    def version(self) -> str:
        """The object's resourceVersion. Raises ServerError."""
        try:
            return msgspec.convert(self.object, _Versioned).metadata.version
        except msgspec.MsgspecError as error:
            raise ServerError(f"a watch sent an object without a version: {error}", code=502) from error


def _events(lines: Sequence[bytes]) -> list[_Event]:
    """Raises ServerError for what is no event, and what an ERROR event says."""
    events = []
    for line in lines:
        try:
            event = msgspec.json.decode(line, type=_Event)
        except msgspec.MsgspecError as error:
            raise ServerError(f"a watch sent what is no event: {error}", code=502) from error
        if event.type == "ERROR":
            raise answered(0, msgspec.Raw(msgspec.json.encode(event.object)))
        events.append(event)
    return events
