"""One node whose announcer works on a real LAN, in a namespace of its own; a client asks it by ARP."""

import asyncio
import contextlib
import ctypes
import os
import socket
import time
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any

import msgspec

from openelb_bgp.host.arp import Arp, Operation
from openelb_bgp.host.netlink import read_host
from openelb_bgp.host.packets import build, parse, parse_mac, who_has
from openelb_bgp.layer2.announcer import Layer2Announcer
from openelb_bgp.layer2.planned import PlanOptions
from openelb_bgp.model.members import MemberInterface, Members
from openelb_bgp.model.pools import Eip, Layer2Settings, Protocol
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.runtime.clock import SystemClock
from tests.contract.process import Process, eventually
from tests.contract.world import NODE, address, cluster, pool, with_
from tests.daemons.harness.inside import call_inside
from tests.daemons.harness.netns import Lan, Namespace

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_ASKED = [*range(12), 77]


@contextlib.contextmanager
def entered(space: Namespace) -> Iterator[None]:
    """This thread is inside; the sockets that it makes stay there."""
    with Path("/proc/thread-self/ns/net").open() as home, Path("/run/netns", space.name).open() as there:
        _enter(there.fileno())
        try:
            yield
        finally:
            _enter(home.fileno())


def _enter(handle: int) -> None:
    failed = _libc.setns(handle, _CLONE_NEWNET)
    assert not failed, f"cannot enter a namespace: {os.strerror(ctypes.get_errno())}"


class LanStage:
    """The stage of `announcers` for layer2. It is made inside the node's namespace, and used there."""

    def __init__(self, lan: Lan) -> None:
        self._lan = lan
        self._node, self._client = lan.nodes
        self._processes: list[Process] = []
        self._facts: dict[str, Any] = {}
        self._mac = b""

    async def begin(self) -> None:
        """Wait for the link, and learn what the node knows by itself."""

        async def is_up() -> bool:
            host = await read_host()
            link = next(one for one in host.links if one.name == "eth0")
            own = MemberInterface(
                name="eth0", mac=link.mac, addresses=link.addresses, alive=True, stable_since=0.0
            )
            members = Members(void=False, own={"eth0": own})
            self._facts = {"links": host.links, "gateways": host.gateways, "members": members}
            self._mac = parse_mac(link.mac) or b""
            return link.up

        await eventually(is_up, within=20, what="the link")

    def process(self, *, resync: float = 30.0) -> Process:
        clock = SystemClock()
        made = Process(
            lambda wake: Layer2Announcer(options=PlanOptions(), clock=clock, wake=wake),
            node=NODE,
            clock=clock,
            resync=resync,
            **self._facts,
        )
        self._processes.append(made)
        return made

    def cluster(self, services: Iterable[int]) -> Snapshot:
        return with_(cluster(services), self._pool("pool", "eth0"))

    def with_a_bad_object(self, snapshot: Snapshot) -> Snapshot:
        """A pool on an interface that this node does not have."""
        bad = self._pool("bad", "eth7")
        services = cluster([9]).services
        (service,) = services.values()
        noted = {key: text.replace("=pool", "=bad") for key, text in service.meta.annotations.items()}
        meta = msgspec.structs.replace(service.meta, annotations=noted)
        return with_(snapshot, bad, msgspec.structs.replace(service, meta=meta))

    async def announced(self) -> set[str]:
        # Beside this loop, on which the announcer answers.
        return {f"{one}/32" for one in await asyncio.to_thread(call_inside, self._client, self._ask)}

    async def activity(self) -> int:
        """What was won and lost: announcements repeat themselves by time alone."""
        return sum(len(told.events) for one in self._processes for told in one.told)

    async def put_something_foreign(self) -> None:
        self._client.run("ip", "address", "add", f"{address(50)}/32", "dev", "eth0")

    async def foreign_is_there(self) -> bool:
        return str(address(50)) in self._client.run("ip", "-o", "address", "show", "dev", "eth0")

    async def take_away(self, number: int) -> None:
        """What answers is the announcer's own sockets: a hand can take the link away, and give it back."""
        self._lan.set_carrier(self._node, up=False)
        self._lan.set_carrier(self._node, up=True)

    async def put_there(self, number: int) -> None:
        """A hand that gives the node the address itself, and takes it back."""
        self._node.run("ip", "address", "add", f"{address(number)}/32", "dev", "eth0")
        self._node.run("ip", "address", "delete", f"{address(number)}/32", "dev", "eth0")

    def _pool(self, name: str, interface: str) -> Eip:
        made = pool(protocol=Protocol.LAYER2, interfaces=(interface,), layer2=Layer2Settings(any_subnet=True))
        return msgspec.structs.replace(made, meta=msgspec.structs.replace(made.meta, name=name))

    def _ask(self) -> set[IPv4Address]:
        """The addresses for which the node answers within a moment."""
        found: set[IPv4Address] = set()
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as one:
            one.bind(("eth0", 0x0806))
            mac = one.getsockname()[4]
            for number in _ASKED:
                source = ip_address(self._client.v4)
                one.send(build(who_has(address(number), mac=mac, source=source)))
            until = time.monotonic() + 0.3
            while (left := until - time.monotonic()) > 0:
                one.settimeout(left)
                with contextlib.suppress(TimeoutError):
                    match parse(one.recv(2048)):
                        case Arp(operation=Operation.REPLY) as arp if arp.sender_mac == self._mac:
                            found.add(arp.sender)
        return found
