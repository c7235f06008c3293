"""One request after another over kept connections: how it is sent, when it is sent again, what it ends with.

What the requests say is `client`'s matter. Each is counted. It is sent again only where that cannot do
anything twice: the server refused it before looking at it (401, 429), it never left, or it is marked safe.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextvars import ContextVar

import aiohttp
import msgspec
from aiohttp.abc import AbstractStreamWriter
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection

from openelb_bgp import __version__
from openelb_bgp.model.meta import EMPTY
from openelb_bgp.ports import Clock

from .access import Access
from .errors import (
    Distrusted,
    KubeError,
    TimedOut,
    TooManyRequests,
    Unauthorized,
    Unreachable,
    answered,
)
from .metrics import REQUESTS

Guard = Callable[[], None]
"""Called right before anything is written to a connection; what it raises keeps the request from leaving."""


def unguarded() -> None:
    """The Guard that lets everything pass."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `safe` says that the server may get it twice; `seconds` is for all of it, retries too."""

    verb: str
    resource: str
    method: str
    path: str
    query: Mapping[str, str] = EMPTY
    body: bytes | None = None
    content_type: str = "application/json"
    accept: str = "application/json"
    safe: bool = False
    seconds: float = 10.0


class Wire:
    """The connections to one API server. An async context manager; used within only."""

    def __init__(self, access: Access, clock: Clock, *, connect_seconds: float) -> None:
        self._access = access
        self._clock = clock
        self._connect_seconds = connect_seconds
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Wire":
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=75.0, socket_factory=_socket),
            request_class=_Guarded,
            headers={"User-Agent": f"openelb-bgp/{__version__}", "Accept-Encoding": "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=256 * 1024,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def exchange(self, call: Call, guard: Guard) -> bytes:
        """Send a request and return the answer's body. Raises KubeError, and whatever the guard raises."""
        attempts = _Attempts(call, self._access, self._clock)
        while True:
            left = attempts.left()
            timeout = aiohttp.ClientTimeout(total=left, sock_connect=min(self._connect_seconds, left))
            try:
                async with self._sent(call, guard, timeout) as response:
                    return await response.read()
            except KubeError as error:
                await attempts.note(error)

    async def stream(self, call: Call, guard: Guard, *, silence: float) -> AsyncGenerator[bytes, None]:
        """Send a request and yield what comes, as it comes: nothing at first, when the answer has begun.

        `call.seconds` is the time for that. Raises KubeError; TimedOut after `silence` seconds of it.
        """
        attempts = _Attempts(call, self._access, self._clock)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._connect_seconds, sock_read=silence)
        while True:
            begun = False
            try:
                async with self._sent(call, guard, timeout, begin_within=attempts.left()) as response:
                    begun = True
                    yield b""
                    async for chunk in response.content.iter_any():
                        yield chunk
                return
            except KubeError as error:
                if begun:
                    raise
                await attempts.note(error)

    @contextlib.asynccontextmanager
    async def _sent(
        self, call: Call, guard: Guard, timeout: aiohttp.ClientTimeout, *, begin_within: float | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The response, of 2xx. Whatever goes wrong, also while it is read, is a KubeError."""
        departure = _Departure(guard)
        status = "none"
        try:
            async with asyncio.timeout(begin_within):
                response = await self._begun(call, timeout, departure)
            async with response:
                status = str(response.status)
                if response.status >= 300:
                    body = await response.read()
                    raise answered(response.status, body, retry_after=response.headers.get("Retry-After"))
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _translated(error, call, sent=departure.sent) from error
        finally:
            REQUESTS.labels(call.verb, call.resource, status).inc()

    async def _begun(
        self, call: Call, timeout: aiohttp.ClientTimeout, departure: "_Departure"
    ) -> aiohttp.ClientResponse:
        assert self._session is not None, "the client is used outside of its context"
        headers = {"Accept": call.accept}
        if (secret := await self._access.token()) is not None:
            headers["Authorization"] = f"Bearer {secret}"
        if call.body is not None:
            headers["Content-Type"] = call.content_type
        trust = await self._access.tls() or True
        token = _DEPARTURE.set(departure)
        try:
            return await self._session.request(
                call.method,
                self._access.server + call.path,
                params=call.query,
                data=call.body,
                headers=headers,
                timeout=timeout,
                ssl=trust,
                server_hostname=self._access.server_name,
                allow_redirects=False,
            )
        finally:
            _DEPARTURE.reset(token)


class _Attempts:
    """Whether one request is sent again, and when."""

    def __init__(self, call: Call, access: Access, clock: Clock) -> None:
        self._call = call
        self._access = access
        self._clock = clock
        self._deadline = clock.monotonic() + call.seconds
        self._looked = self._resent = False

    def left(self) -> float:
        """Seconds until it has to be over."""
        return max(0.001, self._deadline - self._clock.monotonic())

    async def note(self, error: KubeError) -> None:
        """Return when it is to be sent again; raises the error where it is not."""
        if isinstance(error, TooManyRequests):
            if error.retry_after >= self.left():
                raise error
            await self._clock.sleep(error.retry_after)
        elif isinstance(error, Unauthorized | Distrusted) and not self._looked:
            self._looked = True
            await self._access.look_again()
        elif self._is_worth_another(error) and not self._resent:
            # A kept connection that the server has closed meanwhile looks just like this.
            self._resent = True
        else:
            raise error

    def _is_worth_another(self, error: KubeError) -> bool:
        if not isinstance(error, Unreachable) or isinstance(error, Distrusted):
            return False
        return error.sent and self._call.safe


def _translated(error: Exception, call: Call, *, sent: bool) -> KubeError:
    what = f"{call.verb} {call.resource}"
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return Distrusted(f"{what}: the API server's certificate is not trusted: {error}")
        case TimeoutError():
            return TimedOut(f"{what}: no answer in time", sent=sent)
        case aiohttp.ClientConnectorError():
            return Unreachable(f"{what}: no connection to the API server: {error.strerror}", sent=False)
        case _:
            said = str(error) or type(error).__name__
            return Unreachable(f"{what}: the connection to the API server broke: {said}", sent=sent)


class _Departure:
    """What is known of one request's leaving: who may stop it, and whether a byte of it may be out."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self.sent = False

    def pass_(self) -> None:
        """Let it leave, unless the guard raises."""
        self._guard()
        self.sent = True


_DEPARTURE: ContextVar[_Departure] = ContextVar("openelb_bgp_departure")


class _Guarded(ClientRequest):
    """aiohttp's request with the guard asked when the connection is there, after all waiting."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Write the head. Whether a request is sent twice is not aiohttp's to decide."""
        departure = _DEPARTURE.get()
        if departure.sent:
            raise aiohttp.ServerDisconnectedError
        departure.pass_()
        return await super().send(conn)

    async def write_bytes(
        self, writer: AbstractStreamWriter, conn: Connection, content_length: int | None = None
    ) -> None:
        """Write the body, which goes out with the head, in a task of its own."""
        try:
            _DEPARTURE.get().pass_()
        except Exception as error:
            if conn.protocol is not None:
                conn.protocol.set_exception(error)
            conn.close()
            return
        await super().write_bytes(writer, conn, content_length)


def _socket(info: aiohttp.AddrInfoType) -> socket.socket:
    """A socket that finds out within 30 s that the other end is gone, within 10 s if it has sent something.

    What a leader sent is then given up long before a new leader counts on it (`lease`, settling).
    """
    family, kind, protocol, *_ = info
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 10_000)
    return made
