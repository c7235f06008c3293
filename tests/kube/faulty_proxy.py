"""A proxy in front of the API server that a test steers: everything that a network or a sick server does to
clients.

    with FaultyProxy(control_plane) as proxy:
        client = Client(proxy.url, ...)          # the code under test; trusts control_plane.ca

        # Requests to come: each rule is used `times` times (for ever if 0), the newest first.
        proxy.answer(429, verb="list", resource="eips", retry_after=1)
        proxy.answer(502, times=0).remove()
        proxy.delay(3.0, verb="list")            # a slow list
        proxy.drip(10.0, verb="list")            # its answer in pieces, over that many seconds
        proxy.never_answer(verb="watch")         # accepted, then nothing
        proxy.hang_up(verb="get")                # closed without an answer
        proxy.lose_the_answer(verb="patch")      # done by the server, and the client never hears of it

        # Watches that are open now, of one resource or of all; each returns how many that were.
        proxy.cut("services")                    # closed in the middle
        proxy.end("services")                    # ended in order, as the API server does after its time
        proxy.expire("services")                 # the ERROR event of a 410, then the end
        proxy.fall_silent("services")            # nothing arrives any more, and nothing is closed
        proxy.cut_the_next_line("services")      # half of the next event, then closed
        proxy.inflate_the_next_line("services", 3 << 20)   # the next event, that long
        proxy.send("services", b"not json\n")    # bytes that the API server never sent

        # Everything.
        proxy.freeze(), proxy.thaw()             # packets are lost both ways; connections stay
        proxy.refuse(), proxy.accept()           # all connections are closed, new ones refused
        proxy.use(other_authority.server(...))   # another certificate for new connections

        proxy.requests                           # what arrived, in order, as `Request`s
        proxy.watches("services")                # the open watches' `Request`s

It runs in a thread of its own: every call returns at once and has taken effect, in plain tests and in async
ones, and a test may block without stopping it. `FaultyProxy.in_lan(control_plane, lan)` is one that the
members of a LAN reach; other namespaces by `space=` and `address=` (one for which the certificate holds).
"""

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from lab.cluster.keys import Pair
from tests.daemons.harness.inside import call_inside
from tests.daemons.harness.netns import Lan, Namespace
from tests.kube.harness.control_plane import GATEWAY, LOOPBACK, ControlPlane
from tests.kube.harness.requests import Request, Where
from tests.kube.harness.watch_stream import WatchStream, expired

T = TypeVar("T")

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "upgrade"}
_LARGEST_BODY = 16 << 20

Act = Callable[[web.Request, Request], Awaitable[web.StreamResponse]]


@dataclass
class Rule:
    """What happens to some requests; `hits` counts those that it happened to."""

    where: Where
    times: int
    act: Act
    hits: int = 0

    def remove(self) -> None:
        """It happens to no request any more."""
        self.times = -1

    def takes(self, request: Request) -> bool:
        """Whether this request is one for it."""
        return (self.times == 0 or self.hits < self.times) and self.where.matches(request)


class FaultyProxy:
    """See the module's paragraph; `with FaultyProxy(control_plane) as proxy`."""

    def __init__(
        self,
        control_plane: ControlPlane,
        *,
        space: Namespace | None = None,
        address: str = LOOPBACK,
        port: int = 0,
    ) -> None:
        """Listens at `address`, in `space` if one is given; `port` 0 is a free one."""
        self._upstream, self._trusted = control_plane.url, control_plane.ca
        self._space, self._address, self._port = space, address, port
        self._server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.use(control_plane.plane.certificate)
        self._rules: list[Rule] = []
        self._streams: list[WatchStream] = []
        self.requests: list[Request] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="faulty-proxy", daemon=True)
        self._thawed = threading.Event()
        self._thawed.set()

    @classmethod
    def in_lan(cls, control_plane: ControlPlane, lan: Lan) -> Self:
        """For the members of a LAN: at an address of its switch, port 6443."""
        lan.switch.run("ip", "address", "replace", f"{GATEWAY}/24", "dev", "br0")
        return cls(control_plane, space=lan.switch, address=GATEWAY, port=6443)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"https://{self._address}:{self._port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        self.thaw()
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # Requests to come

    def answer(
        self,
        status: int,
        *,
        reason: str = "",
        retry_after: int | None = None,
        body: bytes | None = None,
        times: int = 1,
        **where: str,
    ) -> Rule:
        """Answer these requests so, without asking the API server; `body` instead of a Status object."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        content = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "as the test wants"}
        text = json.dumps(content | {"reason": reason, "code": status}).encode() if body is None else body

        async def act(_: web.Request, __: Request) -> web.StreamResponse:
            return web.Response(status=status, body=text, headers=headers, content_type="application/json")

        return self._rule(act, times, where)

    def delay(self, seconds: float, *, times: int = 1, **where: str) -> Rule:
        """Pass these requests on only after a while."""

        async def act(raw: web.Request, request: Request) -> web.StreamResponse:
            await asyncio.sleep(seconds)
            return await self._pass_on(raw, request)

        return self._rule(act, times, where)

    def drip(self, seconds: float, *, times: int = 1, **where: str) -> Rule:
        """Send these requests' answers in a hundred pieces, spread over so many seconds."""

        async def act(raw: web.Request, request: Request) -> web.StreamResponse:
            async with self._ask(request) as answer:
                body = await answer.read()
                response = await _begin(raw, answer)
                size = len(body) // 100 + 1
                for start in range(0, len(body), size):
                    await response.write(body[start : start + size])
                    await asyncio.sleep(seconds / 100)
                await response.write_eof()
                return response

        return self._rule(act, times, where)

    def never_answer(self, *, times: int = 1, **where: str) -> Rule:
        """Take these requests and say nothing, ever."""

        async def act(_: web.Request, __: Request) -> web.StreamResponse:
            await asyncio.Event().wait()
            raise AssertionError("unreachable")

        return self._rule(act, times, where)

    def hang_up(self, *, times: int = 1, **where: str) -> Rule:
        """Close the connection instead of answering these requests; the API server never sees them."""

        async def act(raw: web.Request, _: Request) -> web.StreamResponse:
            return _aborted(raw)

        return self._rule(act, times, where)

    def lose_the_answer(self, *, times: int = 1, **where: str) -> Rule:
        """Let the API server do what these requests ask for, and close the connection instead of telling."""

        async def act(raw: web.Request, request: Request) -> web.StreamResponse:
            async with self._ask(request) as answer:
                await answer.read()
            return _aborted(raw)

        return self._rule(act, times, where)

    # Watches that are open

    def watches(self, resource: str = "") -> list[Request]:
        """The watches that are open now and have been answered."""
        return [stream.request for stream in self._open_streams(resource)]

    def cut(self, resource: str = "") -> int:
        """Close them as a lost connection."""
        return self._each(resource, WatchStream.cut)

    def end(self, resource: str = "") -> int:
        """End them in order, as the API server does after `timeoutSeconds`."""
        return self._each(resource, WatchStream.end)

    def expire(self, resource: str = "") -> int:
        """Send the event that says that their resourceVersion is too old, and end them."""
        self.send(resource, expired())
        return self.end(resource)

    def fall_silent(self, resource: str = "") -> int:
        """Swallow all that the API server sends there from now on."""
        return self._each(resource, WatchStream.fall_silent)

    def cut_the_next_line(self, resource: str = "") -> int:
        """Send half of the next event only, and close."""
        return self._each(resource, WatchStream.cut_the_next_line)

    def inflate_the_next_line(self, resource: str = "", size: int = 3 << 20) -> int:
        """Make the next event's line at least so many bytes long, by an annotation of its object."""
        return self._each(resource, lambda stream: stream.inflate_the_next_line(size))

    def send(self, resource: str, data: bytes) -> int:
        """Send bytes of the test's own."""
        return self._each(resource, lambda stream: stream.send(data))

    # Everything

    def freeze(self) -> None:
        """Nothing passes any more, either way, and nobody is told; see `thaw`."""
        self._thawed.clear()
        frozen = threading.Event()

        def wait() -> None:
            frozen.set()
            self._thawed.wait()

        self._loop.call_soon_threadsafe(wait)
        frozen.wait()

    def thaw(self) -> None:
        """What piled up while frozen passes, and all that follows."""
        self._thawed.set()

    def refuse(self) -> None:
        """Close every connection, and refuse new ones; see `accept`."""
        self._do(self._close())

    def accept(self) -> None:
        """Listen again, at the same address."""
        self._do(self._open())

    def use(self, certificate: Pair) -> None:
        """Show another certificate to those who connect from now on."""
        self._server_tls.load_cert_chain(certificate.certificate, certificate.key)

    # Inside the thread

    async def _open(self) -> None:
        trust = ssl.create_default_context(cafile=self._trusted)
        connector = aiohttp.TCPConnector(ssl=trust, limit=0)
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=aiohttp.ClientTimeout(total=None), auto_decompress=False
        )
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.router.add_route("*", "/{path:.*}", self._handle)
        # A client that leaves takes its watch at the API server along.
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.0)
        await self._runner.setup()
        listener = self._listener() if self._space is None else call_inside(self._space, self._listener)
        self._port = listener.getsockname()[1]
        await web.SockSite(self._runner, listener, ssl_context=self._server_tls).start()

    async def _close(self) -> None:
        server = self._runner.server
        assert server is not None
        for connection in list(server.connections):
            if connection.transport is not None:
                connection.transport.abort()
        await self._runner.cleanup()
        await self._session.close()

    def _listener(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._address else socket.AF_INET
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self._address, self._port))
        return listener

    async def _handle(self, raw: web.Request) -> web.StreamResponse:
        request = Request(raw.method, raw.path, dict(raw.query), dict(raw.headers), await raw.read())
        self.requests.append(request)
        for rule in reversed(self._rules):
            if rule.takes(request):
                rule.hits += 1
                return await rule.act(raw, request)
        return await self._pass_on(raw, request)

    async def _pass_on(self, raw: web.Request, request: Request) -> web.StreamResponse:
        try:
            async with self._ask(request) as answer:
                response = await _begin(raw, answer)
                if request.verb == "watch" and answer.status == 200:
                    await self._stream(WatchStream(raw, request, response), answer)
                else:
                    async for piece in answer.content.iter_any():
                        await response.write(piece)
                    await response.write_eof()
                return response
        except aiohttp.ClientError:
            # The API server has gone: so the client shall see it.
            return _aborted(raw)

    async def _stream(self, stream: WatchStream, answer: aiohttp.ClientResponse) -> None:
        self._streams.append(stream)
        try:
            await stream.run(answer.content)
        finally:
            self._streams.remove(stream)

    def _ask(self, request: Request) -> "aiohttp.client._RequestContextManager":
        headers = {key: value for key, value in request.headers.items() if key.lower() not in _HOP_BY_HOP}
        url = self._upstream + request.path
        return self._session.request(
            request.method, url, params=request.query, headers=headers, data=request.body or None
        )

    # Between the threads

    def _rule(self, act: Act, times: int, where: dict[str, str]) -> Rule:
        rule = Rule(Where(**where), times, act)
        self._rules.append(rule)
        return rule

    def _open_streams(self, resource: str) -> list[WatchStream]:
        streams = [stream for stream in list(self._streams) if stream.open]
        return [stream for stream in streams if resource in ("", stream.request.resource)]

    def _each(self, resource: str, steer: Callable[[WatchStream], Awaitable[None]]) -> int:
        async def steer_all() -> int:
            streams = self._open_streams(resource)
            for stream in streams:
                await steer(stream)
            return len(streams)

        return self._do(steer_all())

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)


async def _begin(raw: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    headers = CIMultiDict(
        (key, value) for key, value in answer.headers.items() if key.lower() not in _HOP_BY_HOP
    )
    response = web.StreamResponse(status=answer.status, headers=headers)
    response.enable_chunked_encoding()
    await response.prepare(raw)
    return response


def _aborted(raw: web.Request) -> web.StreamResponse:
    if raw.transport is not None:
        raw.transport.abort()
    # Nobody is left to read it.
    return web.Response(status=502)
