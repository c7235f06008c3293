"""`/healthz`, `/readyz` and `/metrics` of a daemon, over HTTP.

Healthy is a process that still turns: what only a restart would mend. Ready is one that does its work:
an answer of 503 lists, a line each, what is missing.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

Check = Callable[[], str | None]
"""Says in a few words what is wrong, or None."""


class PortTaken(Exception):
    """The address for health and metrics cannot be listened on; the text names it and the remedy."""


def _report(checks: Mapping[str, Check]) -> web.Response:
    wrong = {name: problem for name, check in checks.items() if (problem := check()) is not None}
    if not wrong:
        return web.Response(text="ok\n")
    return web.Response(status=503, text="".join(f"{name}: {problem}\n" for name, problem in wrong.items()))


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

    Raises PortTaken.
    """
    if port == 0:
        yield
        return
    application = web.Application()
    application.router.add_get("/healthz", _handler(lambda: _report(healthy)))
    application.router.add_get("/readyz", _handler(lambda: _report(ready)))
    application.router.add_get("/metrics", _handler(lambda: _metrics(registry)))
    runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await _listen(runner, host, port)
        yield
    finally:
        await runner.cleanup()


def _handler(answer: Callable[[], web.Response]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(_: web.Request) -> web.Response:
        return answer()

    return handle


def _metrics(registry: CollectorRegistry) -> web.Response:
    return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host or None, port).start()
    except OSError as error:
        raise PortTaken(
            f"cannot listen on {host}:{port} for health and metrics: {error.strerror}; "
            "name another with --metrics-addr, or port 0 for none"
        ) from error
