"""What is known of a gobgpd that runs, and when it is read and listed anew."""

from collections.abc import Callable
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from openelb_bgp.bgp.memory import Memory
from openelb_bgp.bgp.model import GlobalConf, ObservedPath, PathAttrs, PathKey
from openelb_bgp.bgp.model import Path as BgpPath
from openelb_bgp.bgp.planned import BgpPlan
from openelb_bgp.bgp.running import Running
from openelb_bgp.model.addresses import Family
from tests.contract.gobgp_in_memory import MemoryClient, MemoryDaemon
from tests.unit.virtual_time import VirtualClock

RESYNC = 30.0
GLOBAL = GlobalConf(asn=65000, router_id="10.0.0.1")


def key(number: int) -> PathKey:
    return PathKey(IPv4Network(f"198.18.0.{number}/32"), 1)


class Client(MemoryClient):
    """A gobgpd on a machine where listing takes its time, during which something may happen."""

    def __init__(self, daemon: MemoryDaemon, clock: VirtualClock) -> None:
        super().__init__(daemon)
        self._clock = clock
        self.takes = 0.0
        self.meanwhile: Callable[[], None] = lambda: None

    async def paths(self, family: Family, *, local_only: bool = True) -> list[ObservedPath]:
        self.meanwhile()
        self.meanwhile = lambda: None
        self._clock.now += self.takes
        return await super().paths(family)


class Node:
    """A Running over a gobgpd with five paths, and what a hand does to them."""

    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock()
        self.daemon = MemoryDaemon({})
        self.client = Client(self.daemon, self.clock)
        self.running = Running(Memory(folder), clock=self.clock, resync=RESYNC)

    async def begin(self) -> None:
        await self.client.start(GLOBAL)
        await self.client.add_paths([BgpPath(key(number), PathAttrs()) for number in range(5)])

    async def read(self) -> set[int]:
        """Which of the paths it holds for being there."""
        await self.running.refresh(self.client)
        known = self.running.known(BgpPlan(node="a", global_conf=GLOBAL))
        return {int(one.prefix.network_address) & 0xFF for one in known.paths}

    def take_away(self, number: int) -> None:
        self.daemon.life.change_paths(delete=[key(number)])

    def put_there(self, number: int) -> None:
        self.daemon.life.change_paths(add=[BgpPath(key(number), PathAttrs())])


@pytest.fixture
async def node(tmp_path: Path) -> Node:
    node = Node(tmp_path)
    await node.begin()
    return node


async def test_another_number_of_paths_is_seen_with_the_next_reading(node: Node) -> None:
    assert await node.read() == {0, 1, 2, 3, 4}
    node.take_away(2)
    node.clock.now += RESYNC
    assert await node.read() == {0, 1, 3, 4}


async def test_one_taken_away_and_another_put_there_is_seen_soon_however_slow_the_machine(node: Node) -> None:
    node.client.takes = 5.0
    assert await node.read() == {0, 1, 2, 3, 4}
    node.take_away(2)
    node.put_there(77)
    node.clock.now += RESYNC
    assert await node.read() == {0, 1, 3, 4, 77}


async def test_what_comes_between_counting_and_listing_hides_nothing_later(node: Node) -> None:
    node.client.meanwhile = lambda: node.put_there(77)
    assert await node.read() == {0, 1, 2, 3, 4, 77}
    node.take_away(2)
    node.clock.now += RESYNC / 2
    node.running.doubt()
    assert await node.read() == {0, 1, 3, 4, 77}
