"""What the vip announcer is held to, and the node that it is held to it on."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import msgspec

from openelb_bgp.model.addresses import Interface
from openelb_bgp.model.facts import Facts, Link
from openelb_bgp.model.meta import Meta
from openelb_bgp.model.pools import Eip, Protocol, VipSettings
from openelb_bgp.model.snapshot import Snapshot
from tests.contract.process import MakeAnnouncer, Process
from tests.contract.virtual import LoopClock
from tests.contract.world import NODE, cluster, pool, with_

SUBNET = "198.19.255.1/15"
FOREIGN = "203.0.113.1"
ReadAddresses = Callable[[], tuple[Interface, ...]]


class HostedProcess(Process):
    """A speaker whose NIC, eth0, has the addresses that are there at the moment."""

    def __init__(self, make: MakeAnnouncer, read: ReadAddresses, *, resync: float) -> None:
        super().__init__(make, node=NODE, clock=LoopClock(), resync=resync)
        self._read = read

    def facts(self) -> Facts:
        link = Link(name="eth0", index=2, up=True, mac="02:00:00:00:00:01", addresses=self._read())
        return msgspec.structs.replace(super().facts(), links=(link,))

    def look_again(self) -> None:
        """What netlink's notifications do."""
        self.set_facts()


class ToldProcess(HostedProcess):
    """One whose kernel tells it of addresses that come and go, by a netlink socket in its namespace."""

    def __init__(
        self, make: MakeAnnouncer, read: ReadAddresses, listen: Callable[[], socket.socket], *, resync: float
    ) -> None:
        super().__init__(make, read, resync=resync)
        self._listen = listen

    @contextlib.asynccontextmanager
    async def running(self, *, withdraw: bool = False) -> AsyncIterator[Process]:
        loop = asyncio.get_running_loop()
        with self._listen() as kernel:
            loop.add_reader(kernel, self._hear, kernel)
            try:
                async with super().running(withdraw=withdraw) as process:
                    yield process
            finally:
                loop.remove_reader(kernel)

    def _hear(self, kernel: socket.socket) -> None:
        kernel.recv(65536)
        self.look_again()


def vip_pool(name: str = "pool", **changes: Any) -> Eip:
    """The pool of all Services, by VRRP."""
    settings = VipSettings(virtual_router_ids=tuple(range(51, 55)), advert_interval_ms=200)
    wanted = {"protocol": Protocol.VIP, "interfaces": ("eth0",), "vip": settings, **changes}
    return msgspec.structs.replace(pool(), meta=Meta(name=name), **wanted)


def vip_cluster(services: Iterable[int]) -> Snapshot:
    """Everything listed, and these Services."""
    return with_(cluster(services), vip_pool())


def with_a_bad_pool(snapshot: Snapshot) -> Snapshot:
    """The same, and a pool on a NIC that the node does not have."""
    return with_(snapshot, vip_pool("bad", interfaces=("eth9",), ranges=()))
