"""A daemon's life: its event loop, its signals, its end.

SIGTERM and SIGINT ask for an end and are answered within 2 s; whoever sends a second one is taken at their
word. SIGHUP asks for an end where its terminal went away, else for a reload, of which there is no need. What
is done at the end is the caller's matter. The loop is asyncio's own: uvloop has no netlink sockets, and hung
waiting for a program that goes into the background.
"""

import asyncio
import contextlib
import gc
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping

import structlog

from openelb_bgp.lib.memory import give_back_now_and_then
from openelb_bgp.lib.tasks import supervised

log = structlog.get_logger(__name__)

Main = Callable[[asyncio.Event], Awaitable[int]]
"""The daemon: given the event that asks for its end, returns the exit code."""


_THREADS_SECONDS = 0.5

# Objects of the store live long and hold no cycles: at Python's thresholds the collector took half of the
# time in which 10,000 Services are taken in, allocated and announced. Young objects are looked at as before,
# what survived next to never.
_COLLECT_AFTER = (50_000, 500, 1_000)


def run(main: Main) -> int:
    """Run a daemon to its end on a loop of its own; returns its exit code."""
    gc.set_threshold(*_COLLECT_AFTER)
    return asyncio.run(_with_signals(main))


async def _with_signals(main: Main) -> int:
    stop = asyncio.Event()
    task = asyncio.current_task()
    assert task is not None

    def asked(signum: signal.Signals) -> None:
        if stop.is_set():
            log.warning("ending_at_once", signal=signum.name)
            task.cancel()
            return
        log.info("ending", signal=signum.name)
        stop.set()

    def hung_up() -> None:
        if sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty():
            asked(signal.SIGHUP)
        else:
            log.info(
                "nothing_to_reload", signal="SIGHUP", why="what changes is followed; flags need a restart"
            )

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, hung_up)
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, asked, signum)
    try:
        code = await main(stop)
    except asyncio.CancelledError:
        code = 128 + signal.SIGTERM
    _leave_threads(code)
    return code


def _leave_threads(code: int) -> None:
    """Python waits for its threads, and one may still be reading ten thousand manifests: not for long."""
    last = threading.Timer(_THREADS_SECONDS, os._exit, [code])
    last.daemon = True
    last.start()


class _Stopped(Exception):
    """The end was asked for."""


async def work_until(stop: asyncio.Event, workers: Mapping[str, Callable[[], Awaitable[None]]]) -> None:
    """Run all workers until `stop` is set; then they are cancelled and awaited. A failure of one passes."""

    async def stopping() -> None:
        await stop.wait()
        raise _Stopped

    with contextlib.suppress(_Stopped):
        await supervised({**workers, "memory": give_back_now_and_then, "stop": stopping})
