"""Health and metrics over real sockets, in a namespace."""

import asyncio
import contextlib
import urllib.error
import urllib.request
from contextlib import AbstractAsyncContextManager

import pytest
from prometheus_client import CollectorRegistry

from openelb_bgp.runtime.health import Check, PortTaken, serve_health
from tests.daemons.harness.inside import run_inside
from tests.daemons.harness.netns import Lan

PORT = 50053


def serve(*, ready: Check = lambda: None) -> AbstractAsyncContextManager[None]:
    return serve_health(host="", port=PORT, registry=CollectorRegistry(), healthy={}, ready={"bgp": ready})


def get(path: str, *, host: str = "127.0.0.1") -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{host}:{PORT}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_it_answers_on_every_address_of_both_families(lan: Lan) -> None:
    async def scenario() -> list[tuple[int, str]]:
        async with serve(ready=lambda: "no session"):
            hosts = ("127.0.0.1", "[::1]", lan.nodes[0].v4)
            probes = [asyncio.to_thread(get, "/readyz", host=host) for host in hosts]
            return await asyncio.gather(*probes)

    assert run_inside(lan.nodes[0], scenario) == [(503, "bgp: no session\n")] * 3


def test_it_answers_while_the_daemon_computes(lan: Lan) -> None:
    async def scenario() -> tuple[int, str]:
        async with serve():
            # Not awaited: the daemon's loop stands still meanwhile.
            return get("/healthz")

    assert run_inside(lan.nodes[0], scenario) == (200, "ok\n")


def test_a_check_that_fails_is_an_answer_too(lan: Lan) -> None:
    def broken() -> str | None:
        raise RuntimeError("dictionary changed size during iteration")

    async def scenario() -> list[tuple[int, str]]:
        async with serve(ready=broken):
            return [get("/readyz"), get("/healthz")]

    assert run_inside(lan.nodes[0], scenario) == [(500, "Internal Server Error\n"), (200, "ok\n")]


def test_a_client_that_says_nothing_or_too_much_disturbs_nobody(lan: Lan) -> None:
    async def scenario() -> tuple[bytes, tuple[int, str]]:
        async with serve():
            _, silent = await asyncio.open_connection("127.0.0.1", PORT)
            reader, babbling = await asyncio.open_connection("127.0.0.1", PORT)
            babbling.write(b"GET /" + b"x" * 100_000)
            # Closed with something unread, the connection is reset.
            said = b""
            with contextlib.suppress(ConnectionResetError):
                said = await reader.read()
            answer = await asyncio.to_thread(get, "/healthz")
            silent.close()
            babbling.close()
            return said, answer

    assert run_inside(lan.nodes[0], scenario) == (b"", (200, "ok\n"))


def test_a_port_in_use_is_named_with_the_remedy(lan: Lan) -> None:
    async def scenario() -> None:
        async with serve(), serve():
            raise AssertionError("two servers on one port")

    with pytest.raises(
        PortTaken, match=r"50053 for health and metrics: .*; name another with --metrics-addr"
    ):
        run_inside(lan.nodes[0], scenario)
