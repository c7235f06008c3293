"""The BGP announcer over real gobgpd, both versions, with FRR outside: the same promises."""

import signal
from collections.abc import AsyncIterator, Iterable
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from openelb_bgp.bgp.model import Path as BgpPath
from openelb_bgp.bgp.model import PathAttrs, PathKey, PeerConf
from openelb_bgp.model.addresses import Family
from openelb_bgp.model.snapshot import Snapshot
from tests.contract.bgp import BgpContract
from tests.contract.process import Process, eventually
from tests.contract.real import RealNode, started
from tests.contract.world import (
    IMPORT_ALL,
    NODE_ASN,
    ROUTER_ASN,
    address,
    cluster,
    conf,
    peer,
    policy,
    with_,
)
from tests.daemons.harness.frr import Frr, bgp_config
from tests.daemons.harness.gobgp import VERSIONS
from tests.daemons.harness.netns import make_lan, sweep

FOREIGN = "203.0.113.0/24"

pytestmark = pytest.mark.asyncio(loop_factories=["real"])


class RealStage:
    """gobgpd under its sidecar in a node, and an FRR router."""

    def __init__(self, node: RealNode, frr: Frr) -> None:
        self._node, self._frr = node, frr
        self.router = frr.namespace.v4

    def process(self, *, resync: float = 30.0) -> Process:
        return self._node.process(resync=resync)

    def cluster(self, services: Iterable[int]) -> Snapshot:
        made = cluster(services, peers=[peer(self.router)])
        return with_(made, conf(policy="policy"), policy(IMPORT_ALL))

    def with_a_bad_object(self, snapshot: Snapshot) -> Snapshot:
        return with_(snapshot, peer("10.0.0.66", "bad", ttl_security_min=1, ebgp_multihop_ttl=2))

    async def announced(self) -> set[str]:
        # The router's own network is among them.
        return self._frr.prefixes() - {FOREIGN}

    async def activity(self) -> int:
        seen = self._frr.neighbor(self._node.space.v4)
        told = seen["messageStats"]
        return int(told["updatesRecv"] + told["notificationsRecv"] + seen["connectionsEstablished"])

    async def take_away(self, number: int) -> None:
        async with self._node.by_hand() as client:
            found = await client.paths(Family.IPV4)
            gone = [path.key for path in found if path.key.prefix.network_address == address(number)]
            await client.withdraw_paths(gone)

    async def put_there(self, number: int) -> None:
        async with self._node.by_hand() as client:
            await client.add_paths([BgpPath(PathKey(IPv4Network(address(number)), 9), PathAttrs())])

    async def put_something_foreign(self) -> None:
        lines = ("address-family ipv4 unicast", f"network {FOREIGN}")
        self._frr.configure(f"router bgp {ROUTER_ASN}", *lines)
        await eventually(self.foreign_is_there, within=30, what="the learned route")

    async def foreign_is_there(self) -> bool:
        async with self._node.by_hand() as client:
            found = await client.paths(Family.IPV4, local_only=False)
        return any(str(path.key.prefix) == FOREIGN and not path.local for path in found)

    async def sessions(self) -> int:
        return int(self._frr.neighbor(self._node.space.v4)["connectionsEstablished"])

    async def peers(self) -> set[str]:
        async with self._node.by_hand() as client:
            return {one.neighbor_address for one in await client.peers()}

    async def add_peer_by_hand(self, address: str) -> None:
        stranger = PeerConf(name="", neighbor_address=address, peer_asn=65077, local_asn=NODE_ASN)
        async with self._node.by_hand() as client:
            await client.add_peer(stranger)

    async def delete_peer_by_hand(self, address: str) -> None:
        async with self._node.by_hand() as client:
            await client.delete_peer(address)

    async def stop_bgp_by_hand(self) -> None:
        async with self._node.by_hand() as client:
            await client.stop(allow_graceful_restart=False)

    async def kill(self) -> None:
        await self._node.signal(signal.SIGKILL)

    async def hang(self) -> None:
        await self._node.signal(signal.SIGSTOP)

    async def lives(self) -> object:
        return await self._node.pid()


@pytest.fixture(params=VERSIONS)
async def stage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RealStage]:
    sweep()
    lan = make_lan()
    space, leaf = lan.nodes[0], lan.routers[0]
    frr = Frr(leaf, bgp_config(leaf, asn=ROUTER_ASN, neighbors={space.v4: NODE_ASN}), tmp_path)
    try:
        await frr.start()
        async with started(request.param, space, tmp_path) as node:
            yield RealStage(node, frr)
    finally:
        for daemon in frr.daemons.values():
            daemon.end()
        lan.remove()


class TestGobgpd(BgpContract):
    """Everything that was promised."""
