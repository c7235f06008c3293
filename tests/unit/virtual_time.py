"""Time that stands still until a test moves it, for what waits on a Clock."""

import asyncio


class VirtualClock:
    """Time that stands still until it is moved; sleepers wake in order."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    @property
    def asleep(self) -> bool:
        """Whether anybody waits for time to pass."""
        return any(not woken.done() for _, woken in self._sleepers)

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.now + seconds, woken))
        await woken

    async def move(self, seconds: float) -> None:
        """Let that much time pass, and everything that it wakes run."""
        end = self.now + seconds
        while due := [one for one in self._sleepers if one[0] <= end and not one[1].done()]:
            self.now, woken = min(due, key=lambda one: one[0])
            woken.set_result(None)
            await settle()
        self.now = end
        await settle()


async def settle() -> None:
    """Run everything that can run without time passing."""
    for _ in range(20):
        await asyncio.sleep(0)
