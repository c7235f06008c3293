"""An event loop in virtual time: when nobody has anything left to do, the clock jumps to the next timer.

For what lives in memory only: a loop that waits for a socket would never wait for it here.
"""

import asyncio
import selectors
from collections.abc import Mapping
from typing import Any


class _Jump(selectors.DefaultSelector):
    """Never waits while a timer is set."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(timeout if timeout is None else 0)
        if not ready and timeout is not None and timeout > 0:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time passes only where everybody sleeps."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.now


LOOPS: Mapping[str, Any] = {"real": asyncio.SelectorEventLoop, "virtual": VirtualLoop}


class LoopClock:
    """The running loop's time, virtual or real."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return 1.7e9 + self.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
