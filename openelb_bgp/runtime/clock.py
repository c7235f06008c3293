"""The real clock. Tests bring their own, in virtual time."""

import asyncio
import time


class SystemClock:
    """The machine's time, as `ports.Clock` promises it."""

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""
        await asyncio.sleep(seconds)


class BootClock(SystemClock):
    """The same, but its monotonic time goes on while the machine is suspended: for what others rely on."""

    def monotonic(self) -> float:
        """Seconds since the boot, suspension included."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)
