"""The BGP announcer over a gobgpd in memory, in virtual time: its promises, and what only this can stage."""

from collections.abc import Callable, Iterable
from ipaddress import IPv4Network, ip_interface
from pathlib import Path

import pytest

from openelb_bgp.bgp.announcer import BgpAnnouncer
from openelb_bgp.bgp.memory import Memory
from openelb_bgp.bgp.model import ObservedPath, PathAttrs, PathKey, PeerConf
from openelb_bgp.bgp.model import Path as BgpPath
from openelb_bgp.bgp.planned import PlanOptions
from openelb_bgp.model.facts import Link
from openelb_bgp.model.snapshot import Snapshot
from tests.contract.bgp import BgpContract
from tests.contract.gobgp_in_memory import MemoryDaemon, Router
from tests.contract.process import Process, eventually
from tests.contract.virtual import LoopClock
from tests.contract.world import IMPORT_ALL, NODE, address, cluster, conf, peer, policy, with_

ROUTER = "10.0.0.1"
FOREIGN = PathKey(IPv4Network("203.0.113.0/24"))

pytestmark = pytest.mark.asyncio(loop_factories=["virtual"])


class MemoryStage:
    """A node in memory with one router."""

    router = ROUTER

    def __init__(self, folder: Path) -> None:
        self.routers = {ROUTER: Router()}
        self.daemon = MemoryDaemon(self.routers)
        self.memory = Memory(folder)
        self._edits = 0

    def process(self, *, resync: float = 30.0, new_boot: bool = False) -> Process:
        def make(wake: Callable[[], None]) -> BgpAnnouncer:
            return BgpAnnouncer(
                self.daemon,
                options=PlanOptions(),
                memory=self.memory,
                clock=LoopClock(),
                wake=wake,
                resync=resync,
                boot_id="this boot",
                new_boot=new_boot,
                booted=lambda: None,
            )

        addresses = (ip_interface("10.0.0.11/24"), ip_interface("fd00:a::b/64"))
        link = Link(name="eth0", index=2, up=True, addresses=addresses)
        return Process(make, node=NODE, clock=LoopClock(), resync=resync, links=(link,))

    def cluster(self, services: Iterable[int]) -> Snapshot:
        return with_(cluster(services, peers=[peer(ROUTER)]), conf(policy="policy"), policy(IMPORT_ALL))

    def with_a_bad_object(self, snapshot: Snapshot) -> Snapshot:
        return with_(snapshot, peer("10.0.0.66", "bad", ttl_security_min=1, ebgp_multihop_ttl=2))

    async def announced(self) -> set[str]:
        return {str(key.prefix) for key in self.routers[ROUTER].routes}

    async def activity(self) -> int:
        return self.daemon.life.edits + self.routers[ROUTER].sessions

    async def take_away(self, number: int) -> None:
        life = self.daemon.life
        life.change_paths(delete=[key for key in life.paths if key.prefix.network_address == address(number)])

    async def put_there(self, number: int) -> None:
        self.daemon.life.change_paths(add=[BgpPath(PathKey(IPv4Network(address(number)), 9))])

    async def put_something_foreign(self) -> None:
        path = ObservedPath(key=FOREIGN, attrs=PathAttrs(), local=False, neighbor=ROUTER)
        self.daemon.life.learned[FOREIGN] = path

    async def foreign_is_there(self) -> bool:
        return FOREIGN in self.daemon.life.learned

    async def sessions(self) -> int:
        return self.routers[ROUTER].sessions

    async def peers(self) -> set[str]:
        return set(self.daemon.life.peers)

    async def add_peer_by_hand(self, address: str) -> None:
        stranger = PeerConf(name="", neighbor_address=address, peer_asn=65077, local_asn=65000)
        self.daemon.life.add_peer(stranger)

    async def delete_peer_by_hand(self, address: str) -> None:
        self.daemon.life.delete_peer(address, hung_up=False)

    async def stop_bgp_by_hand(self) -> None:
        self.daemon.life.stop()

    async def kill(self) -> None:
        self.daemon.kill()

    async def hang(self) -> None:
        self.daemon.life.hung = True

    async def lives(self) -> object:
        return self.daemon.lives


@pytest.fixture
async def stage(tmp_path: Path) -> MemoryStage:
    return MemoryStage(tmp_path)


class TestInMemory(BgpContract):
    """Everything that was promised."""

    async def test_the_more_paths_there_are_the_less_often_they_are_listed(self, stage: MemoryStage) -> None:
        # Half a second for 10,000 is to be no more than 0.3 % of all time.
        many = range(10_000)
        async with stage.process(resync=30.0).running() as speaker:
            await speaker.settle(stage.cluster(many))
            started = LoopClock().monotonic()
            await stage.take_away(5)
            await stage.put_there(20_000)
            routes, by_hand = stage.daemon.life.paths, PathKey(IPv4Network(address(20_000)), 9)
            await eventually(lambda: by_hand not in routes, within=400, what="the path that was put there")
            assert 100.0 < LoopClock().monotonic() - started < 200.0
            await self.outside(stage, many)

    async def test_a_router_that_another_reaches_while_ours_dials_is_left_to_it(
        self, stage: MemoryStage
    ) -> None:
        del stage.routers[ROUTER]
        stage.daemon.other_listens = True
        async with stage.process().running() as speaker:
            speaker.put(stage.cluster(range(1)))
            await eventually(lambda: stage.daemon.life.peers, within=5, what="the peer")
            stage.daemon.neighbours_of_others = {ROUTER: "bird (7)"}
            # No event tells of it.
            await eventually(lambda: not stage.daemon.life.peers, within=1.5, what="the end of the dialling")
            await speaker.until(lambda: speaker.reasons.get("BgpPeer router") == "PeerInUseByOther", within=1)
