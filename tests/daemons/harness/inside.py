"""Python code inside a network namespace, in this process: for what opens sockets of its own."""

import asyncio
import ctypes
import os
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from tests.daemons.harness.netns import Namespace

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def call_inside(space: Namespace, function: Callable[[], T]) -> T:
    """Run a function in a thread of its own inside, and return what it returns."""

    def enter_and_call() -> T:
        with Path("/run/netns", space.name).open() as handle:
            failed = _libc.setns(handle.fileno(), _CLONE_NEWNET)
        assert not failed, f"cannot enter {space.name}: {os.strerror(ctypes.get_errno())}"
        return function()

    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(enter_and_call).result()


def run_inside(space: Namespace, scenario: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine to its end, on an event loop of its own, inside."""
    return call_inside(space, lambda: asyncio.run(scenario()))
