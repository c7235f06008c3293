"""The verbs of the Kubernetes API over `wire`: get, list, watch, create, replace, apply, patch, delete.

Listing is `pages`, and `list_all` where a list is short: a method named list would hide the type.
Objects go in as what msgspec can encode or as bytes, and come out as plain documents; lists and watches,
which are long, as undecoded JSON. What they mean is for the callers.
"""

import math
import random
from asyncio import CancelledError
from collections.abc import AsyncGenerator, Callable, Mapping
from types import TracebackType
from typing import Literal

import msgspec

from openelb_bgp.ports import Clock

from .access import Access
from .answers import Document, ListDocument, decoded, lines
from .errors import Expired, TimedOut, Unreachable
from .resources import Resource
from .selection import Page, Selection
from .wire import Call, Guard, Wire, unguarded

_PAGE = 500
_TYPES = {
    "apply": "application/apply-patch+yaml",
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
}


def _unheeded() -> None:
    """Nobody wants to know."""


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds. `request` is for one request with its retries, `page` for one page of a list.

    A watch is asked to end after something between `watch_least` and `watch_most`, and taken for dead when it
    says nothing for `silence`: the API server sends a bookmark about every minute.
    """

    connect: float = 5.0
    request: float = 10.0
    page: float = 60.0
    silence: float = 150.0
    watch_least: float = 240.0
    watch_most: float = 360.0


class Client:
    """A client of one API server. An async context manager; its requests are made within.

    Every method raises KubeError (`errors`), one class per cause. `manager` is the field manager of writes.
    """

    def __init__(
        self, access: Access, clock: Clock, *, manager: str, timeouts: Timeouts | None = None
    ) -> None:
        self._timeouts = timeouts or Timeouts()
        self._wire = Wire(access, clock, connect_seconds=self._timeouts.connect)
        self._manager = manager
        self._guard: Guard = unguarded
        self._lost: Callable[[], None] = _unheeded

    async def __aenter__(self) -> "Client":
        await self._wire.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._wire.__aexit__(kind, error, trace)

    @property
    def timeouts(self) -> Timeouts:
        """How long anything may take."""
        return self._timeouts

    def guarded(self, guard: Guard, *, request: float, lost: Callable[[], None] = _unheeded) -> "Client":
        """The same client and connections, but each request asks the guard right before it leaves.

        `request` is how many seconds each may take at most, `lost` is called of a write that may still be
        made although nobody waits for it any more. A leader's writes go through `Leadership.writer`.
        """
        timeouts = msgspec.structs.replace(self._timeouts, request=min(request, self._timeouts.request))
        made = object.__new__(Client)
        made.__dict__.update(self.__dict__, _guard=guard, _lost=lost, _timeouts=timeouts)
        return made

    async def get(
        self, resource: Resource, name: str, *, namespace: str = "", seconds: float | None = None
    ) -> Document:
        """One object. Raises NotFound."""
        path = resource.path(namespace=namespace, name=name)
        return await self._exchange("get", resource, "GET", path, safe=True, seconds=seconds)

    async def get_raw(self, path: str) -> bytes:
        """What stands at a path that is no object: `/version`, `/openapi/v3`."""
        call = Call(
            verb="get",
            resource=path.split("/")[1],
            method="GET",
            path=path,
            safe=True,
            seconds=self._timeouts.request,
        )
        return await self._wire.exchange(call, self._guard)

    async def pages(
        self, resource: Resource, selection: Selection | None = None, *, page: int = _PAGE
    ) -> AsyncGenerator[Page, None]:
        """All objects, in pages of one and the same resourceVersion; `page` 0 asks for all in one.

        Raises Expired when the pages are fetched too slowly: what has come is then to be thrown away.
        """
        selection = selection or Selection()
        query = {**selection.query(), "limit": str(page)} if page else selection.query()
        while True:
            body = await self._wire.exchange(
                Call(
                    verb="list",
                    resource=resource.plural,
                    method="GET",
                    path=resource.path(namespace=selection.namespace),
                    query=query,
                    accept=selection.accept(is_list=True),
                    safe=True,
                    seconds=self._timeouts.page,
                ),
                self._guard,
            )
            found = decoded(body, ListDocument)
            more = found.metadata.continue_
            yield Page(found.items or (), found.metadata.resource_version or "", not more)
            if not more:
                return
            query = {**query, "continue": more}

    async def list_all(
        self, resource: Resource, selection: Selection | None = None
    ) -> tuple[list[msgspec.Raw], str]:
        """All objects and the list's resourceVersion, for lists that are short."""
        try:
            pages = [page async for page in self.pages(resource, selection)]
        except Expired:
            pages = [page async for page in self.pages(resource, selection, page=0)]
        return [item for page in pages for item in page.items], pages[-1].resource_version

    async def watch(
        self, resource: Resource, selection: Selection | None = None, *, resource_version: str
    ) -> AsyncGenerator[list[bytes], None]:
        """What happens after a resourceVersion: lines `{"type":…,"object":…}`, as many as came at once.

        First comes an empty batch, when the watch has begun. Ends when the server ends it. Raises Expired
        when that version is no longer kept, Unreachable when it breaks, also within a line, TimedOut when it
        falls silent.
        """
        selection = selection or Selection()
        seconds = random.uniform(self._timeouts.watch_least, self._timeouts.watch_most)
        call = Call(
            verb="watch",
            resource=resource.plural,
            method="GET",
            path=resource.path(namespace=selection.namespace),
            query={
                **selection.query(),
                "watch": "1",
                "allowWatchBookmarks": "true",
                "resourceVersion": resource_version,
                "timeoutSeconds": str(max(1, round(seconds))),
            },
            accept=selection.accept(is_list=False),
            seconds=self._timeouts.request,
        )
        async for batch in lines(self._wire.stream(call, self._guard, silence=self._timeouts.silence)):
            yield batch

    async def create(
        self, resource: Resource, body: object, *, namespace: str = "", seconds: float | None = None
    ) -> Document:
        """A new object. Raises AlreadyExists; Unreachable and TimedOut leave open whether it was made."""
        path = resource.path(namespace=namespace)
        query = {"fieldManager": self._manager}
        return await self._exchange("create", resource, "POST", path, query=query, body=body, seconds=seconds)

    async def replace(
        self,
        resource: Resource,
        name: str,
        body: object,
        *,
        namespace: str = "",
        seconds: float | None = None,
    ) -> Document:
        """The object as it shall be, whole. Raises Conflict unless the body's resourceVersion still holds."""
        path = resource.path(namespace=namespace, name=name)
        query = {"fieldManager": self._manager}
        return await self._exchange("update", resource, "PUT", path, query=query, body=body, seconds=seconds)

    async def apply(
        self,
        resource: Resource,
        name: str,
        body: object,
        *,
        namespace: str = "",
        subresource: str = "",
        manager: str = "",
        force: bool = True,
    ) -> Document:
        """Server-side apply: the fields in the body, and no others of this manager, are as they say.

        The body names apiVersion, kind and metadata.name; with metadata.resourceVersion Conflict is raised
        when the object has changed since, without `force` also when another manager owns a field.
        """
        path = resource.path(namespace=namespace, name=name, subresource=subresource)
        query = {"fieldManager": manager or self._manager, "force": "true" if force else "false"}
        return await self._exchange(
            "apply", resource, "PATCH", path, query=query, body=body, type_=_TYPES["apply"], safe=True
        )

    async def patch(
        self,
        resource: Resource,
        name: str,
        body: object,
        *,
        form: Literal["merge", "json"],
        namespace: str = "",
        subresource: str = "",
    ) -> Document:
        """A merge patch (RFC 7386) or a JSON patch (RFC 6902).

        A merge patch with metadata.resourceVersion raises Conflict when the object has changed since; a JSON
        patch raises Invalid when one of its tests fails.
        """
        path = resource.path(namespace=namespace, name=name, subresource=subresource)
        query = {"fieldManager": self._manager}
        return await self._exchange(
            "patch", resource, "PATCH", path, query=query, body=body, type_=_TYPES[form]
        )

    async def delete(
        self, resource: Resource, name: str, *, namespace: str = "", uid: str = "", resource_version: str = ""
    ) -> None:
        """Delete an object; with preconditions Conflict is raised if it is another one, or has changed.

        Raises NotFound, also when it was this very request, sent twice, that deleted it.
        """
        wanted = {"uid": uid, "resourceVersion": resource_version}
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {name: text for name, text in wanted.items() if text},
        }
        path = resource.path(namespace=namespace, name=name)
        await self._exchange("delete", resource, "DELETE", path, body=options, safe=True)

    async def _exchange(
        self,
        verb: str,
        resource: Resource,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        type_: str = "application/json",
        safe: bool = False,
        seconds: float | None = None,
    ) -> Document:
        seconds = seconds or self._timeouts.request
        call = Call(
            verb=verb,
            resource=resource.plural,
            method=method,
            path=path,
            query={**(query or {}), **({} if method == "GET" else _within(seconds))},
            body=body if body is None or isinstance(body, bytes) else msgspec.json.encode(body),
            content_type=type_,
            safe=safe,
            seconds=seconds,
        )
        try:
            answer = await self._wire.exchange(call, self._guard)
        except BaseException as error:
            if method != "GET" and _may_have_arrived(error):
                self._lost()
            raise
        return decoded(answer, Document)


def _within(seconds: float) -> Mapping[str, str]:
    """Bids the API server give a write up soon after we did, also if it does not see that we have gone.

    Not before: what it gives up may have been done all the same, and only whoever waits in vain counts with
    that. Its own limit is 34 s. Source: Kubernetes, pkg/endpoints/filters/request_deadline.go.
    """
    return {"timeout": f"{math.ceil(seconds) + 1}s"}


def _may_have_arrived(error: BaseException) -> bool:
    """Whether a request that ended so may be carried out all the same, perhaps later."""
    return error.sent if isinstance(error, Unreachable | TimedOut) else isinstance(error, CancelledError)
