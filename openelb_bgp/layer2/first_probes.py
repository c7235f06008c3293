"""Asking who has an address before it is announced for the first time in the cluster's life (RFC 5227, 2.1).

What a probe came to is kept for as long as the address is held. Where somebody has it, he is asked again now
and then: a stranger may have gone, and one of our nodes may only have owned it a moment ago.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from openelb_bgp.ports import Clock

from .owned import Holder, Probed, Spot
from .sockets import Unusable

AGAIN, LATER = 10.0, 60.0
"""Seconds until an address that somebody has is asked for again: at first, and where that is no news."""
_AT_ONCE = 128
_TOGETHER = 0.5
"""Seconds between two decisions upon what has come out, while others are still being asked for: each looks at
all addresses that are held.
"""

Probe = Callable[[Spot, Collection[bytes]], Awaitable[Probed]]


class _Found(NamedTuple):
    """What a probe came to so many times in a row, and when it is made again; None for never."""

    probed: Probed
    times: int
    again_at: float | None


class FirstProbes:
    """The probes of one node; `done` is called when one has come to an end."""

    def __init__(self, probe: Probe, *, clock: Clock, done: Callable[[], None]) -> None:
        self._probe = probe
        self._clock = clock
        self._done = done
        self._nodes: frozenset[bytes] = frozenset()
        self._waiting: asyncio.Queue[Spot] = asyncio.Queue()
        self._asked: set[Spot] = set()
        self._found: dict[Spot, _Found] = {}
        self._told_at = 0.0

    @property
    def found(self) -> Mapping[Spot, Probed]:
        """What they came to."""
        return {spot: one.probed for spot, one in self._found.items()}

    @property
    def confirmed(self) -> Mapping[Spot, Probed]:
        """What they came to, but for one of our nodes that has been met only once."""
        return {
            spot: one.probed
            for spot, one in self._found.items()
            if one.times > 1 or one.probed.holder is not Holder.NODE
        }

    def want(self, spots: Iterable[Spot], *, nodes: frozenset[bytes]) -> None:
        """Have these asked for, of which nothing is known; forget what was found of others.

        `nodes` are the MACs of all nodes' interfaces.
        """
        self._nodes = nodes
        wanted, now = set(spots), self._clock.monotonic()
        for spot in self._found.keys() - wanted:
            del self._found[spot]
        if not self._asked:
            self._told_at = now
        for spot in wanted - self._asked:
            known = self._found.get(spot)
            if known is None or (known.again_at is not None and now >= known.again_at):
                self._asked.add(spot)
                self._waiting.put_nowait(spot)

    def passed(self, spot: Spot) -> bool:
        """Whether the address may be announced: nobody who is no part of the cluster has it."""
        known = self._found.get(spot)
        return known is not None and known.probed.holder is not Holder.FOREIGN

    def again_at(self) -> float | None:
        """When the next address is to be asked for again."""
        waits = (one.again_at for one in self._found.values() if one.again_at is not None)
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
                self._note(spot, probed)
            finally:
                self._asked.discard(spot)
            self._tell()

    def _tell(self) -> None:
        now = self._clock.monotonic()
        if not self._asked or now >= self._told_at + _TOGETHER:
            self._told_at = now
            self._done()

    def _note(self, spot: Spot, probed: Probed) -> None:
        if probed.holder is Holder.NOBODY:
            self._found[spot] = _Found(probed, 1, None)
            return
        known = self._found.get(spot)
        times = known.times + 1 if known is not None and known.probed == probed else 1
        # A stranger keeps the address from being announced: that he has gone is to be found out soon.
        soon = times == 1 or probed.holder is Holder.FOREIGN
        wait = AGAIN if soon else LATER
        self._found[spot] = _Found(probed, times, self._clock.monotonic() + wait)
