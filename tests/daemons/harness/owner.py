"""A node that owns addresses, and a host beside it that asks with frames of its own making and listens."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address

from openelb_bgp.host.arp import Arp, Operation
from openelb_bgp.host.ethernet import BROADCAST, NO_MAC
from openelb_bgp.host.ndp import Solicitation, multicast_mac, solicited_node
from openelb_bgp.host.netlink import read_host
from openelb_bgp.host.packets import Dropped, Packet, build, parse
from openelb_bgp.layer2.owned import Conflict, Handled, Ownership, Spot
from openelb_bgp.layer2.packets import claimed
from openelb_bgp.layer2.responder import Responder
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.facts import Link
from openelb_bgp.runtime.clock import SystemClock
from tests.daemons.harness.inside import call_inside, run_inside
from tests.daemons.harness.netns import Namespace
from tests.daemons.harness.waiting import wait_until

DEADLINE = 20.0
ETH_P_ALL = 3


class Owner:
    """A responder in a node; it is told of links when `look` is called."""

    def __init__(self, space: Namespace) -> None:
        self.space = space
        self.conflicts: list[Conflict] = []
        self.changes: list[dict[str, str]] = []
        self.links: tuple[Link, ...] = ()
        self.responder = Responder(clock=SystemClock(), conflict=self.conflicts.append, changed=self._note)

    def _note(self) -> None:
        self.changes.append(dict(self.responder.problems))

    async def look(self) -> None:
        """See links and gateways as they are now."""
        host = await read_host()
        self.links = host.links
        self.responder.see(host.links, host.gateways)

    def own(self, *addresses: str, interface: str = "eth0", every: float = 60.0) -> None:
        """Own these and no others."""
        self.responder.own({Spot(ip_address(one), interface): Ownership(every) for one in addresses})

    def counts(self) -> dict[str, int]:
        """Frames by what became of them, both families together."""
        found: dict[str, int] = {}
        for (_, handled), count in self.responder.counts().items():
            found[handled.name] = found.get(handled.name, 0) + count
        return {name: count for name, count in found.items() if count}

    async def counted(self, handled: Handled | Dropped, count: int = 1) -> None:
        """Wait until so many frames have been handled that way."""
        await wait_until(
            lambda: self.counts().get(handled.name, 0) >= count,
            within=DEADLINE,
            what=f"{count} {handled.name}",
        )


@contextlib.asynccontextmanager
async def owning(space: Namespace) -> AsyncIterator[Owner]:
    """An owner inside, on the event loop of that namespace."""
    owner = Owner(space)
    await owner.look()
    try:
        yield owner
    finally:
        owner.responder.close()


def with_owner(space: Namespace, scenario: Callable[[Owner], Awaitable[None]]) -> None:
    """Run a scenario inside with an owner."""

    async def run() -> None:
        async with owning(space) as owner:
            await scenario(owner)

    run_inside(space, run)


class Host:
    """A raw socket on an interface of a namespace: sends what it is given, and keeps what has come in."""

    def __init__(self, space: Namespace, interface: str = "eth0") -> None:
        self.space = space
        self.mac = mac_of(space, interface)
        self._socket = call_inside(space, lambda: _opened(interface))
        self.heard: list[Packet] = []

    def close(self) -> None:
        """End."""
        self._socket.close()

    def send(self, *frames: bytes) -> None:
        """Put frames on the wire, in order."""
        for frame in frames:
            self._socket.send(frame)

    def listen(self) -> list[Packet]:
        """Everything of ARP and NDP that has come in so far."""
        with contextlib.suppress(BlockingIOError):
            while True:
                frame, (_, _, kind, *_) = self._socket.recvfrom(2048)
                packet = parse(frame)
                if kind != socket.PACKET_OUTGOING and not isinstance(packet, Dropped):
                    self.heard.append(packet)
        return self.heard

    def about(self, address: str) -> list[Packet]:
        """What has come in that says who has the address."""
        return [one for one in self.listen() if (said := claimed(one)) and said[0] == ip_address(address)]

    async def hears_about(self, address: str, *, count: int = 1) -> list[Packet]:
        """Wait for as many packets that say who has it."""
        await wait_until(
            lambda: len(self.about(address)) >= count,
            within=DEADLINE,
            what=f"{count} packets about {address}",
        )
        return self.about(address)

    def arp_request(self, target: str, *, to: bytes = BROADCAST, sender: str | None = None) -> bytes:
        """A frame; the sender is the host itself if not given."""
        return build(
            Arp(
                operation=Operation.REQUEST,
                source=self.mac,
                destination=to,
                sender_mac=self.mac,
                sender=IPv4Address(sender or self.space.v4),
                target_mac=NO_MAC,
                target=IPv4Address(target),
            )
        )

    def solicitation(
        self,
        target: str,
        *,
        to: tuple[str, bytes] | None = None,
        sender: str | None = None,
        with_mac: bool = True,
    ) -> bytes:
        """A frame; to the target's group and from the host itself if not given otherwise."""
        group = solicited_node(IPv6Address(target))
        address, mac = to or (str(group), multicast_mac(group))
        return build(
            Solicitation(
                source=self.mac,
                destination=mac,
                sender=IPv6Address(sender or self.space.v6),
                to=IPv6Address(address),
                target=IPv6Address(target),
                mac=self.mac if with_mac else None,
            )
        )

    def asks(self, target: str) -> bytes:
        """The ordinary question of either family."""
        return self.solicitation(target) if ":" in target else self.arp_request(target)


def _opened(interface: str) -> socket.socket:
    one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.htons(ETH_P_ALL))
    one.bind((interface, ETH_P_ALL))
    return one


@contextlib.contextmanager
def host(space: Namespace, interface: str = "eth0") -> Iterator[Host]:
    """A host for the `with` block."""
    one = Host(space, interface)
    try:
        yield one
    finally:
        one.close()


def mac_of(space: Namespace, interface: str = "eth0") -> bytes:
    """An interface's MAC."""
    return bytes.fromhex(space.run("cat", f"/sys/class/net/{interface}/address").strip().replace(":", ""))


def cached(space: Namespace, address: Address | str) -> bytes | None:
    """The MAC that a kernel has in its cache for an address."""
    said = space.run("ip", "neighbour", "show", str(address)).split()
    return bytes.fromhex(said[said.index("lladdr") + 1].replace(":", "")) if "lladdr" in said else None


async def knock(space: Namespace, address: str) -> None:
    """Have the kernel ask for an address; what follows does not matter."""
    process = await asyncio.create_subprocess_exec(
        *space.argv("ping", "-c1", "-W1", address), stdout=asyncio.subprocess.DEVNULL
    )
    await process.wait()
