"""One question to a real port on loopback."""

import asyncio
import contextlib
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from ipaddress import ip_address

import pytest

from openelb_bgp.host.health_check import Answer, ask

LOOPBACK = "127.0.0.1"


@contextlib.asynccontextmanager
async def answering(reply: bytes, *, host: str = LOOPBACK) -> AsyncIterator[int]:
    """A server with that reply to whatever is asked; yields its port."""

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"GET /healthz HTTP/1.1\r\nHost: ")
        writer.write(reply)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, host, 0) as server:
        yield int(server.sockets[0].getsockname()[1])


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", Answer(passed=True, words="answers 200")),
        (b"HTTP/1.0 200\r\n\r\n", Answer(passed=True, words="answers 200")),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", Answer(words="answers 503")),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", Answer(words="answers 404")),
        (b"SSH-2.0-OpenSSH_9.2\r\n", Answer(words="does not speak HTTP")),
        (b"", Answer(words="does not speak HTTP")),
        (b"HTTP/1.1 ??? OK\r\n", Answer(words="does not speak HTTP")),
        (b"x" * 100_000, Answer(words="does not speak HTTP")),
    ],
)
async def test_only_200_passes(reply: bytes, answer: Answer) -> None:
    async with answering(reply) as port:
        assert await ask(port, ()) == answer


async def test_nobody_listens() -> None:
    async with answering(b"") as port:
        pass
    assert await ask(port, (ip_address("127.0.0.2"),)) == Answer(nobody=True, words="has no listener")


async def test_it_may_listen_on_the_nodes_own_address_only() -> None:
    node = "127.0.0.2"
    async with answering(b"HTTP/1.1 200 OK\r\n\r\n", host=node) as port:
        assert (await ask(port, ())).nobody
        assert (await ask(port, (ip_address(node),))).passed


async def test_one_that_says_nothing_is_not_waited_for_long() -> None:
    async with await asyncio.start_server(_say_nothing, LOOPBACK, 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await ask(port, ()) == Answer(words="does not answer within 1 s")


async def _say_nothing(reader: StreamReader, writer: StreamWriter) -> None:
    await reader.read()
    writer.close()
