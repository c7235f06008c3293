"""Asking who has an address before it is announced for the first time in the cluster's life (RFC 5227, 2.1).

What a probe came to is kept for as long as the address is held. One that a stranger has is asked for again,
now and then: he may have gone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping

from openelb_bgp.ports import Clock

from .owned import Holder, Probed, Spot
from .sockets import Unusable

AGAIN = 10.0
"""Seconds until an address that a stranger has is asked for again."""
_AT_ONCE = 128

Probe = Callable[[Spot, Collection[bytes]], Awaitable[Probed]]


class FirstProbes:
    """The probes of one node; `done` is called when one has come to an end."""

    def __init__(self, probe: Probe, *, clock: Clock, done: Callable[[], None]) -> None:
        self._probe = probe
        self._clock = clock
        self._done = done
        self._nodes: frozenset[bytes] = frozenset()
        self._waiting: asyncio.Queue[Spot] = asyncio.Queue()
        self._asked: set[Spot] = set()
        self._found: dict[Spot, tuple[Probed, float]] = {}

    @property
    def found(self) -> Mapping[Spot, Probed]:
        """What they came to."""
        return {spot: probed for spot, (probed, _) in self._found.items()}

    def want(self, spots: Iterable[Spot], *, nodes: frozenset[bytes]) -> None:
        """Have these asked for, of which nothing is known; forget what was found of others.

        `nodes` are the MACs of all nodes' interfaces.
        """
        self._nodes = nodes
        wanted, now = set(spots), self._clock.monotonic()
        for spot in self._found.keys() - wanted:
            del self._found[spot]
        for spot in wanted - self._asked:
            known = self._found.get(spot)
            if known is None or (known[0].holder is Holder.FOREIGN and now >= known[1] + AGAIN):
                self._asked.add(spot)
                self._waiting.put_nowait(spot)

    def passed(self, spot: Spot) -> bool:
        """Whether the address may be announced: nobody who is no part of the cluster has it."""
        known = self._found.get(spot)
        return known is not None and known[0].holder is not Holder.FOREIGN

    def again_at(self) -> float | None:
        """When the next address that a stranger has is to be asked for again."""
        waits = (at + AGAIN for probed, at in self._found.values() if probed.holder is Holder.FOREIGN)
        return min(waits, default=None)

    async def run(self) -> None:
        """Ask for ever; cancelled at the end."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(_AT_ONCE):
                tasks.create_task(self._work())

    async def _work(self) -> None:
        while True:
            spot = await self._waiting.get()
            try:
                probed = await self._probe(spot, self._nodes)
            except Unusable:
                # Said by the responder, which cannot announce there either; asked again when it is wanted.
                await self._clock.sleep(1.0)
            else:
                self._found[spot] = probed, self._clock.monotonic()
            finally:
                self._asked.discard(spot)
            self._done()
