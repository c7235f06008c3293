"""The responder among real kernels: they ask for addresses that a node owns, and tell who answered."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import ip_address

import pytest

from openelb_bgp.host.netlink import read_host
from openelb_bgp.layer2.owned import Conflict, Handled, Ownership, Spot
from openelb_bgp.layer2.responder import Responder
from openelb_bgp.model.addresses import Family
from openelb_bgp.runtime.clock import SystemClock
from tests.daemons.harness.inside import run_inside
from tests.daemons.harness.netns import Lan, Namespace

DEADLINE = 10.0
VIP, VIP6 = "10.0.0.200", "fd00:a::200"


class Owner:
    def __init__(self, space: Namespace) -> None:
        self.space = space
        self.conflicts: list[Conflict] = []
        self.changes = 0
        self.responder = Responder(clock=SystemClock(), conflict=self.conflicts.append, changed=self._note)

    def _note(self) -> None:
        self.changes += 1

    async def look(self) -> None:
        host = await read_host()
        self.responder.see(host.links, host.gateways)

    def own(self, *addresses: str, interface: str = "eth0") -> None:
        self.responder.own({Spot(ip_address(one), interface): Ownership() for one in addresses})


@contextlib.asynccontextmanager
async def owning(space: Namespace) -> AsyncIterator[Owner]:
    owner = Owner(space)
    await owner.look()
    try:
        yield owner
    finally:
        owner.responder.close()


def with_owner(space: Namespace, scenario: Callable[[Owner], Awaitable[None]]) -> None:
    async def run() -> None:
        async with owning(space) as owner:
            await scenario(owner)

    run_inside(space, run)


def neighbour(space: Namespace, address: str) -> str | None:
    said = space.run("ip", "neighbour", "show", address).split()
    return said[said.index("lladdr") + 1] if "lladdr" in said else None


def mac_of(space: Namespace, interface: str = "eth0") -> str:
    return space.run("cat", f"/sys/class/net/{interface}/address").strip()


async def knock(space: Namespace, address: str) -> None:
    """Have the kernel ask for it, without waiting for what follows."""
    process = await asyncio.create_subprocess_exec(
        *space.argv("ping", "-c1", "-W1", address), stdout=asyncio.subprocess.DEVNULL
    )
    await process.wait()


@pytest.fixture
def two(new_lan: Callable[..., Lan]) -> Lan:
    return new_lan(nodes=2)


@pytest.mark.parametrize("address", [VIP, VIP6])
def test_a_client_finds_the_owner(two: Lan, address: str) -> None:
    one, client = two.nodes

    async def scenario(owner: Owner) -> None:
        owner.own(address)
        assert owner.responder.problems == {}
        await knock(client, address)
        assert neighbour(client, address) == mac_of(one)
        family = Family.of(ip_address(address))
        assert owner.responder.counts()[family, Handled.ANSWERED] >= 1

    with_owner(one, scenario)
