"""What an edit of a BgpPeer costs its session, the other sessions, and the routes in the routers' kernels.

Two FRR routers, one node. Each edit is made on the first router's BgpPeer; FRR says how often a session came
up, and netlink which routes were deleted.
"""

from collections.abc import AsyncIterator
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from openelb_bgp.model.addresses import Family
from openelb_bgp.model.routing import AfiSafi, Bfd, BgpPeer, GracefulRestart, Timers, Transport
from openelb_bgp.model.snapshot import Snapshot
from tests.contract.process import Process, eventually
from tests.contract.real import started
from tests.contract.world import NODE_ASN, ROUTER_ASN, cluster, peer, with_, without_peer
from tests.daemons.conftest import StartRouter
from tests.daemons.harness import kernel
from tests.daemons.harness.frr import Frr
from tests.daemons.harness.gobgp import NEW
from tests.daemons.harness.kernel import RouteDeletions
from tests.daemons.harness.netns import Lan, Namespace

ROUTES = 200
IPV4, IPV6 = AfiSafi(family=Family.IPV4), AfiSafi(family=Family.IPV6)

KEPT: dict[str, dict[str, Any]] = {
    "description": {"description": "leaf 1"},
    "hold time": {"timers": Timers(connect_retry=1, hold_time=30, keepalive_interval=10)},
    "description and hold time": {
        "description": "leaf one",
        "timers": Timers(connect_retry=1, hold_time=12, keepalive_interval=4),
    },
    "connect retry": {"timers": Timers(connect_retry=7, hold_time=9, keepalive_interval=3)},
    "minimum advertisement interval": {
        "timers": Timers(connect_retry=7, hold_time=9, minimum_advertisement_interval=1)
    },
    # More than the router sends back to us: what crosses a limit is switched off, however late it comes.
    "prefix limit": {"afi_safis": (AfiSafi(family=Family.IPV4, prefix_limit=10 * ROUTES),)},
    "its default said aloud": {"afi_safis": (AfiSafi(family=Family.IPV4, add_paths_send_max=255),)},
    "send community": {"send_community": "BOTH"},
}
RESET: dict[str, dict[str, Any]] = {
    "add-path": {"afi_safis": (AfiSafi(family=Family.IPV4, add_paths_send_max=8),)},
    "a family more": {"afi_safis": (IPV4, IPV6)},
    "a family less": {"afi_safis": (IPV4,)},
    "own ASN allowed": {"allow_own_asn": 1},
    "private ASNs removed": {"remove_private_as": "ALL"},
    "peer's ASN replaced": {"replace_peer_asn": True},
    "TTL security": {"ttl_security_min": 1},
    "multihop": {"ebgp_multihop_ttl": 5},
    "restart time": {"graceful_restart": GracefulRestart(restart_time=90)},
    "passive mode": {"transport": Transport(passive_mode=True)},
    "own address": {"transport": Transport(local_address=IPv4Address("10.0.0.11"))},
    "segment size": {"transport": Transport(tcp_mss=1000)},
}


class Scene(NamedTuple):
    """Two sessions that are up."""

    speaker: Process
    snapshot: Snapshot
    lan: Lan
    routers: tuple[Frr, Frr]

    @property
    def node(self) -> str:
        return self.lan.nodes[0].v4

    def peer(self, **changes: Any) -> BgpPeer:
        return peer(self.lan.routers[0].v4, "leaf1", **changes)

    def sessions(self) -> tuple[int, int]:
        """How often the session of each router came up."""
        first, second = (
            int(router.neighbor(self.node).get("connectionsEstablished") or 0) for router in self.routers
        )
        return first, second

    async def edit(self, changed: BgpPeer, *, sessions: int) -> None:
        """Edit the first BgpPeer, and wait until its session is complete, for the nth time."""
        await self.speaker.settle(with_(self.snapshot, changed))

        def complete() -> bool:
            seen = self.routers[0].neighbor(self.node)
            told = seen.get("gracefulRestartInfo", {}).get("endOfRibRecv", {})
            up = seen.get("bgpState") == "Established" and seen["connectionsEstablished"] == sessions
            return up and bool(told.get("ipv4Unicast"))

        await eventually(complete, within=40, what=f"session number {sessions}")


@pytest.fixture
async def scene(
    gobgp_version: str, new_lan: Any, start_router: StartRouter, tmp_path: Path
) -> AsyncIterator[Scene]:
    lan: Lan = new_lan(routers=2)
    first, second = [await start_router(one, neighbors={lan.nodes[0].v4: NODE_ASN}) for one in lan.routers]
    first.configure(f"router bgp {ROUTER_ASN}", f"neighbor {lan.nodes[0].v4} disable-connected-check")
    peers = [peer(one.v4, f"leaf{number}") for number, one in enumerate(lan.routers, 1)]
    snapshot = cluster(range(ROUTES), peers=peers)
    async with (
        started(gobgp_version, lan.nodes[0], tmp_path) as node,
        node.process(new_boot=True).running() as speaker,
    ):
        await speaker.settle(snapshot)
        for leaf in lan.routers:
            await eventually(partial(_has_all_routes, leaf), within=30, what="routes")
        yield Scene(speaker, snapshot, lan, (first, second))


def _has_all_routes(leaf: Namespace) -> bool:
    return len(kernel.routes(leaf)) == ROUTES


async def test_what_a_session_need_not_know_resets_none(scene: Scene) -> None:
    with RouteDeletions(scene.lan.routers[0]) as deletions:
        for fields in KEPT.values():
            await scene.edit(scene.peer(**fields), sessions=1)
        assert scene.sessions() == (1, 1)
        (shown, _) = scene.speaker.last.status.sessions
        assert shown.timers_state.hold_time == "9"
        await scene.speaker.settle(with_(scene.snapshot, scene.peer(description="leaf 1")))
        (shown, _) = scene.speaker.last.status.sessions
        assert shown.peer_state.description == "leaf 1"
    assert deletions.prefixes == ()


@pytest.mark.timeout(600)
async def test_what_takes_a_new_session_takes_one_and_no_route(scene: Scene) -> None:
    with RouteDeletions(scene.lan.routers[0]) as deletions:
        for number, (name, fields) in enumerate(RESET.items(), 2):
            await scene.edit(scene.peer(**fields), sessions=number)
            assert scene.sessions() == (number, 1), name
    assert deletions.prefixes == ()


@pytest.mark.parametrize("gobgp_version", [NEW])
async def test_bfd_is_switched_on_without_a_reset(scene: Scene) -> None:
    scene.routers[0].configure(f"router bgp {ROUTER_ASN}", f"neighbor {scene.node} bfd")
    with RouteDeletions(scene.lan.routers[0]) as deletions:
        await scene.edit(scene.peer(bfd=Bfd(enabled=True)), sessions=1)

        def up() -> bool:
            shown = scene.routers[0].neighbor(scene.node).get("peerBfdInfo", {})
            return bool(shown.get("status") == "Up")

        await eventually(up, within=40, what="BFD")
    assert scene.sessions() == (1, 1)
    assert deletions.prefixes == ()


async def test_a_new_password_concerns_one_peer(scene: Scene) -> None:
    with RouteDeletions(scene.lan.routers[0]) as deletions:
        await scene.speaker.settle(with_(scene.snapshot, scene.peer(auth_password="sesame")))
        await eventually(
            lambda: not scene.routers[0].established(scene.node), within=30, what="the end of the session"
        )
        scene.routers[0].configure(f"router bgp {ROUTER_ASN}", f"neighbor {scene.node} password sesame")
        await eventually(lambda: scene.sessions() == (2, 1), within=40, what="the new session")
        assert len(kernel.routes(scene.lan.routers[0])) == ROUTES
    assert deletions.prefixes == ()


async def test_a_peer_that_is_switched_off_forgets_the_routes_and_gets_them_back(scene: Scene) -> None:
    leaf, other = scene.lan.routers
    with RouteDeletions(other) as deletions:
        await scene.speaker.settle(with_(scene.snapshot, scene.peer(admin_down=True)))
        await eventually(lambda: not kernel.routes(leaf), within=30, what="routes that go")
        assert scene.speaker.last.status.sessions[0].last_error.startswith("switched off")
        await scene.speaker.settle(scene.snapshot)
        await eventually(lambda: len(kernel.routes(leaf)) == ROUTES, within=30, what="routes that return")
    assert deletions.prefixes == ()


async def test_a_peer_that_goes_and_one_that_comes_leave_the_other_alone(scene: Scene) -> None:
    leaf, other = scene.lan.routers
    with RouteDeletions(other) as deletions:
        await scene.speaker.settle(without_peer(scene.snapshot, "leaf1"))
        await eventually(lambda: not kernel.routes(leaf), within=30, what="routes that go")
        await scene.speaker.settle(scene.snapshot)
        await eventually(lambda: len(kernel.routes(leaf)) == ROUTES, within=30, what="routes that return")
        # Another object for the same router is the same session.
        renamed = with_(without_peer(scene.snapshot, "leaf1"), peer(leaf.v4, "first-leaf"))
        await scene.speaker.settle(renamed)
        assert {one.peer for one in scene.speaker.last.status.sessions} == {"first-leaf", "leaf2"}
    assert scene.sessions()[1] == 1
    assert deletions.prefixes == ()
