"""A layer2 announcer in a node of a LAN, in its loop as a speaker runs it; its neighbours are told to it."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec

from openelb_bgp.host.netlink import HostFollower, HostState, read_host
from openelb_bgp.host.packets import build
from openelb_bgp.layer2.announcer import Layer2Announcer
from openelb_bgp.layer2.packets import Form, announcement
from openelb_bgp.layer2.planned import PlanOptions
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.facts import Link
from openelb_bgp.model.members import Member, MemberInterface, Members
from openelb_bgp.model.meta import Key, Kind
from openelb_bgp.model.pools import Eip
from openelb_bgp.model.services import EndpointSlice, Service
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.ports import Clock
from openelb_bgp.runtime.clock import SystemClock
from tests.contract.process import Process, eventually
from tests.daemons.harness.inside import call_inside, run_inside
from tests.daemons.harness.netns import Lan, Namespace
from tests.unit.layer2_world import endpoints, node, pool

OWN = "n11"
"""The node of the announcer: 10.0.0.11, as the first node of a LAN is called."""


class Owner:
    """An announcer with everything around it that a test may change; inside the first node of a LAN."""

    def __init__(self, lan: Lan, *, clock: Clock | None = None, **options: Any) -> None:
        self.lan = lan
        self.nodes = {OWN: node(OWN)}
        self.pools = {"lan": pool()}
        self.services: dict[Key, Service] = {}
        self.slices: dict[Key, tuple[EndpointSlice, ...]] = {}
        self.members = Members(void=False)
        self.host = HostState()
        clock = clock or SystemClock()
        self.process = Process(
            lambda wake: Layer2Announcer(options=PlanOptions(), clock=clock, wake=wake, **options),
            node=OWN,
            clock=clock,
            resync=30.0,
        )

    @property
    def link(self) -> Link:
        return next(link for link in self.host.links if link.name == "eth0")

    def add(self, *services: Service, backed_by: tuple[str, ...] = ()) -> None:
        for one in services:
            nodes = backed_by or tuple(self.nodes)
            self.services = {**self.services, one.key: one}
            self.slices = {**self.slices, one.key: (endpoints(one.meta.name, *nodes),)}

    def put_pool(self, eip: Eip) -> None:
        self.pools = {**self.pools, eip.name: eip}

    def hear(self, name: str, mac: str, *, alive: bool = True) -> None:
        """Another node's heartbeats begin, or end."""
        heard = MemberInterface(
            name="eth0", mac=mac, addresses=self.link.addresses, alive=alive, stable_since=0.0
        )
        self.nodes = {**self.nodes, name: node(name)}
        others = {**self.members.others, name: Member(node=name, interfaces={"eth0": heard})}
        self.members = msgspec.structs.replace(self.members, others=others)

    @property
    def snapshot(self) -> Snapshot:
        return Snapshot(
            eips=dict(self.pools),
            services=self.services,
            slices=self.slices,
            nodes=self.nodes,
            listed=frozenset(Kind),
        )

    def look(self) -> None:
        """Have it plan from what there is now."""
        self.know()
        self.process.put(self.snapshot)

    def know(self) -> None:
        """What the node knows by itself."""
        own = {
            link.name: MemberInterface(
                name=link.name, mac=link.mac, addresses=link.addresses, alive=link.up, stable_since=0.0
            )
            for link in self.host.links
        }
        members = msgspec.structs.replace(self.members, own=own)
        self.process.set_facts(links=self.host.links, gateways=self.host.gateways, members=members)

    async def settle(self) -> None:
        self.know()
        await self.process.settle(self.snapshot, within=60.0)

    @property
    def owned(self) -> set[str]:
        return {one.address for one in self.process.last.status.layer2.owned}

    @property
    def problems(self) -> dict[str, str]:
        return {one.object: one.reason for one in self.process.last.status.problems}

    @property
    def events(self) -> list[tuple[str, str]]:
        return [(one.reason, one.message) for told in self.process.told for one in told.events]

    async def follow(self) -> None:
        async for state in HostFollower().states():
            self.host = state
            self.know()


@contextlib.asynccontextmanager
async def running(lan: Lan, **options: Any) -> AsyncIterator[Owner]:
    """It runs, and follows this namespace's links."""
    owner = Owner(lan, **options)

    async def is_up() -> bool:
        owner.host = await read_host()
        return owner.link.up

    await eventually(is_up, within=60.0, what="the link")
    owner.look()
    async with owner.process.running(withdraw=True):
        following = asyncio.create_task(owner.follow())
        try:
            yield owner
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


def with_owner(lan: Lan, scenario: Callable[[Owner], Awaitable[None]], **options: Any) -> None:
    """Run a scenario inside the first node."""

    async def run() -> None:
        async with running(lan, **options) as owner:
            await scenario(owner)

    run_inside(lan.nodes[0], run)


async def resolve(space: Namespace, address: str) -> str:
    """The MAC that the kernel of a namespace finds for an address, empty for none, asked anew."""
    space.run("ip", "neighbour", "flush", "dev", "eth0")
    process = await asyncio.create_subprocess_exec(
        *space.argv("ping", "-c1", "-W1", address), stdout=asyncio.subprocess.DEVNULL
    )
    await process.wait()
    return cached(space, address)


def cached(space: Namespace, address: str) -> str:
    """The MAC in the kernel's cache."""
    said = space.run("ip", "neighbour", "show", address).split()
    return said[said.index("lladdr") + 1] if "lladdr" in said else ""


def mac_of(space: Namespace, interface: str = "eth0") -> str:
    return space.run("cat", f"/sys/class/net/{interface}/address").strip()


async def resolves(space: Namespace, address: str, mac: str) -> None:
    """Wait until the kernel of a namespace finds that MAC (empty: none)."""

    async def found() -> bool:
        return await resolve(space, address) == mac

    await eventually(found, within=20, what=f"{address} at {mac or 'nobody'}")


def say(space: Namespace, address: Address, mac: str) -> None:
    """Announce an address from a namespace, with whatever MAC."""
    form = Form.ARP_REQUEST if address.version == 4 else Form.ADVERTISEMENT
    frame = build(announcement(address, form, mac=bytes.fromhex(mac.replace(":", "")), gateway=None))

    def send() -> None:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as one:
            one.bind(("eth0", 0))
            one.send(frame)

    call_inside(space, send)
