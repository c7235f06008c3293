"""Addresses that are probed before they are announced: what comes out together is decided upon together."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from openelb_bgp.layer2.first_probes import FirstProbes
from openelb_bgp.layer2.owned import Holder, Probed, Spot
from tests.unit.layer2_world import address
from tests.unit.virtual_time import VirtualClock, settle

NOBODY = Probed(Holder.NOBODY)


class Node:
    """Probes that take 0.2 s each and find nobody; `told` is when it was to be decided, and upon how many."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.told: list[tuple[float, int]] = []
        self.probes = FirstProbes(self.probe, clock=self.clock, done=self.done)

    async def probe(self, spot: Spot, nodes: Collection[bytes]) -> Probed:
        await self.clock.sleep(0.2)
        return NOBODY

    def done(self) -> None:
        self.told.append((round(self.clock.now, 3), len(self.probes.found)))


@asynccontextmanager
async def running(count: int) -> AsyncIterator[Node]:
    node = Node()
    node.probes.want([Spot(address(number), "eth0") for number in range(count)], nodes=frozenset())
    task = asyncio.create_task(node.probes.run())
    await settle()
    try:
        yield node
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_one_address_is_decided_upon_as_soon_as_its_probe_is_over() -> None:
    async with running(1) as node:
        await node.clock.move(1.0)
        assert node.told == [(0.2, 1)]


async def test_many_are_decided_upon_twice_a_second_and_when_the_last_probe_is_over() -> None:
    async with running(800) as node:
        await node.clock.move(5.0)
        assert node.told == [(0.6, 257), (1.2, 641), (1.4, 800)]
