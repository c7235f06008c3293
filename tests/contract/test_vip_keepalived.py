"""The vip announcer over a real keepalived under its sidecar: the same promises."""

import socket
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

import pytest

from openelb_bgp.model.addresses import Interface
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.vip.announcer import VipAnnouncer
from openelb_bgp.vip_sidecar import KeptKeepalived
from tests.contract.announcers import OutlivingContract
from tests.contract.process import eventually
from tests.contract.vip import FOREIGN, SUBNET, ToldProcess, vip_cluster, with_a_bad_pool
from tests.contract.virtual import LoopClock
from tests.contract.world import address
from tests.daemons.harness.inside import call_inside
from tests.daemons.harness.keepalived import Keepalived, on_nic
from tests.daemons.harness.netns import make_lan, sweep

pytestmark = pytest.mark.asyncio(loop_factories=["real"])

_RTMGRP_IPV4_IFADDR, _RTMGRP_IPV6_IFADDR = 0x10, 0x100


def _address_changes() -> socket.socket:
    """What the kernel says of addresses (rtnetlink(7)) in the namespace of whoever calls."""
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    made.setblocking(False)
    made.bind((0, _RTMGRP_IPV4_IFADDR | _RTMGRP_IPV6_IFADDR))
    return made


class RealStage:
    """keepalived under a sidecar in a node's namespace; announcers come and go outside of it."""

    def __init__(self, kept: Keepalived) -> None:
        self._kept = kept

    def process(self, *, resync: float = 30.0) -> ToldProcess:
        def make(wake: Callable[[], None]) -> VipAnnouncer:
            keeper = KeptKeepalived(self._kept.directory, starts=False)
            return VipAnnouncer(keeper, clock=LoopClock(), wake=wake)

        return ToldProcess(make, self._addresses, self._listen, resync=resync)

    def _addresses(self) -> tuple[Interface, ...]:
        return tuple(sorted(on_nic(self._kept.space), key=str))

    def _listen(self) -> socket.socket:
        return call_inside(self._kept.space, _address_changes)

    def cluster(self, services: Iterable[int]) -> Snapshot:
        return vip_cluster(services)

    def with_a_bad_object(self, snapshot: Snapshot) -> Snapshot:
        return with_a_bad_pool(snapshot)

    async def announced(self) -> set[str]:
        return {f"{one}/32" for one in self._kept.addresses} - {f"{FOREIGN}/32"}

    async def activity(self) -> int:
        config = self._kept.folder / "keepalived.conf"
        return config.stat().st_mtime_ns + self._kept.vrrp_pid

    async def take_away(self, number: int) -> None:
        self._kept.space.run("ip", "address", "delete", f"{address(number)}/32", "dev", "eth0")

    async def put_there(self, number: int) -> None:
        self._kept.space.run("ip", "address", "add", f"{address(number)}/32", "dev", "eth0")

    async def put_something_foreign(self) -> None:
        self._kept.space.run("ip", "address", "add", f"{FOREIGN}/32", "dev", "eth0")

    async def foreign_is_there(self) -> bool:
        return FOREIGN in self._kept.addresses


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[RealStage]:
    sweep()
    lan = make_lan()
    node = lan.nodes[0]
    node.run("ip", "address", "add", SUBNET, "dev", "eth0")
    kept = Keepalived(node, tmp_path)
    try:
        kept.sidecar.start()
        await eventually(kept.is_there, within=30, what="the sidecar")
        yield RealStage(kept)
    finally:
        kept.sidecar.end()
        lan.remove()


class TestKeepalived(OutlivingContract):
    """Everything that was promised."""
