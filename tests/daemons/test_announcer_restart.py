"""What a router's kernel loses when gobgpd or the speaker beside it dies, is replaced or must be restarted.

The announcer with its sidecar and a real gobgpd, FRR as the neighbour; routes that FRR deletes are counted by
netlink.
"""

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from openelb_bgp.model.forwarding import Forwarding
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.snapshot import Snapshot
from tests.contract.process import eventually
from tests.contract.real import RealNode, started
from tests.contract.world import NODE_ASN, cluster, conf, peer, prefixes, with_, with_services
from tests.daemons.conftest import StartRouter
from tests.daemons.harness import kernel
from tests.daemons.harness.frr import Frr
from tests.daemons.harness.kernel import RouteDeletions
from tests.daemons.harness.netns import Lan, Namespace

UNPROVEN = Forwarding(refused=Refused(Reason.NOT_PROVEN, "kube-proxy has not answered yet"))


@pytest.fixture
async def node(gobgp_version: str, lan: Lan, tmp_path: Path) -> AsyncIterator[RealNode]:
    async with started(gobgp_version, lan.nodes[0], tmp_path) as node:
        yield node


@pytest.fixture
async def router(lan: Lan, start_router: StartRouter) -> Frr:
    return await start_router(lan.routers[0], neighbors={lan.nodes[0].v4: NODE_ASN})


def services(lan: Lan, number: int) -> Snapshot:
    return cluster(range(number), peers=[peer(lan.routers[0].v4)])


async def installed(router: Namespace, number: int, *, within: float = 90) -> None:
    await eventually(lambda: len(kernel.routes(router)) == number, within=within, what=f"{number} routes")


async def restarted(router: Frr, node: str, *, losses: int) -> None:
    """FRR has lost the session that often, and has been told by End-of-RIB which routes are left."""

    def complete() -> bool:
        seen = router.neighbor(node)
        told = seen.get("gracefulRestartInfo", {}).get("endOfRibRecv", {})
        up = seen.get("bgpState") == "Established" and seen.get("connectionsDropped") == losses
        return up and bool(told.get("ipv4Unicast"))

    await eventually(complete, within=90, what="End-of-RIB of a new session")


@pytest.mark.parametrize("number", [1_000, 20_000])
async def test_a_killed_gobgpd_costs_no_route(node: RealNode, lan: Lan, router: Frr, number: int) -> None:
    leaf = lan.routers[0]
    async with node.process(new_boot=True).running() as speaker:
        await speaker.settle(services(lan, number))
        await installed(leaf, number)
        with RouteDeletions(leaf) as deletions:
            await node.signal(signal.SIGKILL)
            await restarted(router, lan.nodes[0].v4, losses=1)
        assert deletions.prefixes == ()
        assert len(kernel.routes(leaf)) == number
        await speaker.until(lambda: not speaker.last.status.sessions[0].last_error)


async def test_a_speaker_that_goes_and_one_that_comes_touch_no_session(
    node: RealNode, lan: Lan, router: Frr
) -> None:
    leaf, snapshot = lan.routers[0], services(lan, 1_000)
    with RouteDeletions(leaf) as deletions:
        async with node.process(new_boot=True).running() as speaker:
            await speaker.settle(snapshot)
            await installed(leaf, 1_000)
        async with node.process().running() as successor:
            # Before it knows the cluster it leaves alone what it finds.
            await successor.look(msgspec.structs.replace(snapshot, services={}, listed=frozenset()))
            await successor.settle(with_services(snapshot, range(1_001)))
            await installed(leaf, 1_001)
            assert successor.last.status.routes.announced == 1_001
        assert router.neighbor(lan.nodes[0].v4)["connectionsEstablished"] == 1
    assert deletions.prefixes == ()


@pytest.mark.parametrize(
    "edit",
    [{"listen_port": 1790}, {"use_multiple_paths": True}, {"router_id": "10.9.9.9"}],
    ids=["port", "multipath", "router id"],
)
async def test_an_edit_that_takes_a_new_gobgpd_keeps_the_routes(
    node: RealNode, lan: Lan, router: Frr, edit: dict[str, object]
) -> None:
    leaf, snapshot = lan.routers[0], services(lan, 1_000)
    async with node.process(new_boot=True).running() as speaker:
        await speaker.settle(snapshot)
        await installed(leaf, 1_000)
        before = await node.pid()
        with RouteDeletions(leaf) as deletions:
            await speaker.settle(with_(snapshot, conf(**edit)))
            await restarted(router, lan.nodes[0].v4, losses=1)
        assert await node.pid() != before
    assert deletions.prefixes == ()
    assert set(kernel.routes(leaf)) == {one.removesuffix("/32") for one in prefixes(range(1_000))}


async def test_a_new_asn_keeps_the_routes_where_the_router_takes_any(
    node: RealNode, lan: Lan, start_router: StartRouter
) -> None:
    leaf, snapshot, address = lan.routers[0], services(lan, 1_000), lan.nodes[0].v4
    router = await start_router(leaf, neighbors={address: NODE_ASN})
    router.configure("router bgp 65001", f"neighbor {address} remote-as external")
    async with node.process(new_boot=True).running() as speaker:
        await speaker.settle(snapshot)
        await installed(leaf, 1_000)
        with RouteDeletions(leaf) as deletions:
            await speaker.settle(with_(snapshot, conf(asn=65010)))
            await restarted(router, address, losses=1)
        (path,) = router.paths("198.18.0.7/32")
        assert path["aspath"]["string"] == "65010"
    assert deletions.prefixes == ()


async def test_after_a_boot_the_router_forgets_what_the_node_announced_before(
    node: RealNode, lan: Lan, router: Frr
) -> None:
    """The routes of a node without a data plane would be kept for the whole restart time."""
    leaf, snapshot = lan.routers[0], services(lan, 10)
    async with node.process(new_boot=True).running() as speaker:
        await speaker.settle(snapshot)
        await installed(leaf, 10)
    await node.signal(signal.SIGKILL)
    async with node.process(new_boot=True, forwarding=UNPROVEN).running() as speaker:
        await speaker.settle(snapshot)
        await installed(leaf, 0, within=20)
        speaker.set_facts(forwarding=Forwarding())
        await installed(leaf, 10)
