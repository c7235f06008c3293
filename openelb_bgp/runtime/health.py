"""`/healthz`, `/readyz` and `/metrics` of a daemon, over HTTP.

Healthy is a process that still turns: what only a restart would mend. Ready is one that does its work:
an answer of 503 lists, a line each, what is missing. Three pages for kubelet and Prometheus, one request a
connection (RFC 9112), on asyncio's streams: a web framework would be 10 MB of each node's memory. They are
answered on a loop beside the daemon's: kubelet asks with a second's patience, and a plan may take longer.
"""

import asyncio
import contextlib
import errno
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Protocol

import msgspec
import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from openelb_bgp.host.busy import listener_on
from openelb_bgp.lib.beside import Beside
from openelb_bgp.ports import Clock

log = structlog.get_logger(__name__)

Check = Callable[[], str | None]
"""Says in a few words what is wrong, or None."""

_PATIENCE_SECONDS = 5.0
_STUCK_SECONDS = 60.0
_LONGEST_HEAD = 16 * 1024


class Turning(Protocol):
    """A loop, as far as its health goes."""

    @property
    def resync(self) -> float:
        """The longest time between two cycles, in seconds."""
        ...

    @property
    def turned_at(self) -> float | None:
        """When the last cycle ended, well or not, on the monotonic clock."""
        ...


def turns(loop: Turning, clock: Clock) -> Check:
    """The check that a loop goes on turning: a failing cycle is tried again, one that hangs never ends."""
    began = clock.monotonic()

    def check() -> str | None:
        last = loop.turned_at
        idle = clock.monotonic() - (began if last is None else last)
        return f"no cycle has ended for {idle:.0f} s" if idle > loop.resync + _STUCK_SECONDS else None

    return check


class PortTaken(Exception):
    """The address for health and metrics cannot be listened on; the text names it and the remedy."""


class Page(msgspec.Struct, frozen=True):
    """What is answered."""

    body: bytes
    status: HTTPStatus = HTTPStatus.OK
    content_type: str = "text/plain; charset=utf-8"


Pages = Mapping[str, Callable[[], Page]]
"""How each path is made, anew for each request."""


def pages_of(
    *, registry: CollectorRegistry, healthy: Mapping[str, Check], ready: Mapping[str, Check]
) -> Pages:
    """The three pages."""
    return {
        "/healthz": lambda: _report(healthy),
        "/readyz": lambda: _report(ready),
        "/metrics": lambda: Page(generate_latest(registry), content_type=CONTENT_TYPE_LATEST),
    }


def response(head: bytes, pages: Pages) -> bytes:
    """The whole response to a request of which `head` is the part before the empty line."""
    method, path = _asked(head)
    if not path.startswith("/"):
        return _rendered(_problem(HTTPStatus.BAD_REQUEST), method)
    if method not in ("GET", "HEAD"):
        return _rendered(_problem(HTTPStatus.METHOD_NOT_ALLOWED), method)
    make = pages.get(path.partition("?")[0])
    return _rendered(_problem(HTTPStatus.NOT_FOUND) if make is None else _made(make), method)


@asynccontextmanager
async def serve_health(
    *,
    host: str,
    port: int,
    registry: CollectorRegistry,
    healthy: Mapping[str, Check],
    ready: Mapping[str, Check],
) -> AsyncIterator[None]:
    """Serve while the context lasts; an empty host is every address, port 0 serves nothing.

    The checks are called on another thread: they look, and change nothing. Raises PortTaken.
    """
    if port == 0:
        yield
        return
    pages = pages_of(registry=registry, healthy=healthy, ready=ready)
    beside = Beside("health")
    try:
        server = await beside.ask(_listen(host, port, lambda reader, writer: _answer(reader, writer, pages)))
        try:
            yield
        finally:
            beside.tell(server.close)
    finally:
        await beside.stop()


async def _listen(
    host: str, port: int, answer: Callable[[StreamReader, StreamWriter], Awaitable[None]]
) -> asyncio.Server:
    try:
        return await asyncio.start_server(answer, host or None, port, limit=_LONGEST_HEAD)
    except OSError as error:
        who = listener_on(port) if error.errno == errno.EADDRINUSE else None
        raise PortTaken(
            f"cannot listen on {host}:{port} for health and metrics: {error.strerror}"
            f"{'' if who is None else f', by {who}'}; "
            "name another with --metrics-addr (in a pod its containerPort too, which probes ask), "
            "or port 0 for none"
        ) from error


async def _answer(reader: StreamReader, writer: StreamWriter, pages: Pages) -> None:
    try:
        # Whoever is slow, too long or gone is hung up on, and concerns nobody else.
        with contextlib.suppress(OSError, TimeoutError, EOFError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(response(head, pages))
                await writer.drain()
    finally:
        writer.close()


def _made(make: Callable[[], Page]) -> Page:
    try:
        return make()
    except Exception as error:
        # What is looked at changes in another thread meanwhile; whoever asks will ask again.
        log.warning("page_not_made", error=f"{type(error).__name__}: {error}")
        return _problem(HTTPStatus.INTERNAL_SERVER_ERROR)


def _asked(head: bytes) -> tuple[str, str]:
    """Method and target of the request line, empty where it is none (RFC 9112, 3)."""
    words = head.partition(b"\r\n")[0].decode("latin-1").split(" ")
    return (words[0], words[1]) if len(words) == 3 and words[2].startswith("HTTP/1.") else ("", "")


def _report(checks: Mapping[str, Check]) -> Page:
    wrong = {name: problem for name, check in checks.items() if (problem := check()) is not None}
    if not wrong:
        return Page(b"ok\n")
    lines = (f"{name}: {problem}\n" for name, problem in wrong.items())
    return Page("".join(lines).encode(), HTTPStatus.SERVICE_UNAVAILABLE)


def _problem(status: HTTPStatus) -> Page:
    return Page(f"{status.phrase}\n".encode(), status)


def _rendered(page: Page, method: str) -> bytes:
    fields = [
        f"HTTP/1.1 {page.status} {page.status.phrase}",
        f"Content-Type: {page.content_type}",
        f"Content-Length: {len(page.body)}",
        "Connection: close",
    ]
    if page.status is HTTPStatus.METHOD_NOT_ALLOWED:
        fields.append("Allow: GET, HEAD")
    head = "\r\n".join([*fields, "", ""]).encode("latin-1")
    return head if method == "HEAD" else head + page.body
