"""One open watch on its way through the proxy: lines of the API server, and what a test does to them."""

import asyncio
import json

import aiohttp
from aiohttp import web

from tests.kube.harness.requests import Request


class WatchStream:
    """Passes whole lines on until the client, the API server or the test ends it."""

    def __init__(self, raw: web.Request, request: Request, response: web.StreamResponse) -> None:
        self.request = request
        self._raw, self._response = raw, response
        self._silent = self._halve = False
        self._inflate_to = 0
        self._ended = asyncio.Event()

    @property
    def open(self) -> bool:
        """Whether nobody has ended it."""
        return not self._ended.is_set()

    async def run(self, lines: aiohttp.StreamReader) -> None:
        """Pass on what the API server sends until the end. Raises ClientError when it is lost."""
        passing = asyncio.create_task(self._pass_all(lines))
        ended = asyncio.create_task(self._ended.wait())
        try:
            await asyncio.wait((passing, ended), return_when=asyncio.FIRST_COMPLETED)
        finally:
            passing.cancel()
            ended.cancel()
            await asyncio.wait((passing, ended))
        if not passing.cancelled() and self.open:
            passing.result()

    async def cut(self) -> None:
        """Close the connection as if it had been lost."""
        if self._raw.transport is not None:
            self._raw.transport.abort()
        self._ended.set()

    async def end(self) -> None:
        """End the answer in order."""
        await self._response.write_eof()
        self._ended.set()

    async def fall_silent(self) -> None:
        """Pass nothing on any more."""
        self._silent = True

    async def cut_the_next_line(self) -> None:
        """Half of the next line is passed on, then the connection is lost."""
        self._halve = True

    async def inflate_the_next_line(self, size: int) -> None:
        """The next line is made at least so long."""
        self._inflate_to = size

    async def send(self, data: bytes) -> None:
        """Send something that the API server did not."""
        await self._response.write(data)

    async def _pass_all(self, lines: aiohttp.StreamReader) -> None:
        pending = b""
        async for piece in lines.iter_any():
            *whole, pending = (pending + piece).split(b"\n")
            for line in whole:
                await self._pass(line + b"\n")
        if not self._silent:
            await self._response.write_eof()

    async def _pass(self, line: bytes) -> None:
        if self._silent:
            return
        if self._halve:
            await self._response.write(line[: len(line) // 2])
            await self.cut()
            return
        if self._inflate_to:
            line, self._inflate_to = _inflated(line, self._inflate_to), 0
        await self._response.write(line)


def expired() -> bytes:
    """The event by which the API server says in a watch that its resourceVersion is too old."""
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "too old resource version: 1 (2)",
        "reason": "Expired",
        "code": 410,
    }
    return json.dumps({"type": "ERROR", "object": status}).encode() + b"\n"


def _inflated(line: bytes, size: int) -> bytes:
    event = json.loads(line)
    annotations = event["object"]["metadata"].setdefault("annotations", {})
    annotations["tests/padding"] = "x" * max(0, size - len(line))
    return json.dumps(event).encode() + b"\n"
