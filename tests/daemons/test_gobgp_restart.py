"""What a router's kernel loses while gobgpd dies and comes back, by the recipe and against it.

Routes that FRR deletes are counted by netlink. The recipe: start, paths, then peers with the restart bit.
"""

import signal
import time
from ipaddress import IPv4Address, IPv6Address

import msgspec
import pytest

from openelb_bgp.bgp.gobgp.client import Client
from openelb_bgp.bgp.model import GracefulRestart, LinkBandwidth, PathAttrs, PeerConf
from tests.daemons.conftest import StartRouter
from tests.daemons.harness import kernel
from tests.daemons.harness.confs import NODE_ASN, changed, peer, service, service6, speaker
from tests.daemons.harness.frr import Frr
from tests.daemons.harness.gobgp import Gobgpd
from tests.daemons.harness.kernel import RouteDeletions
from tests.daemons.harness.netns import Lan, Namespace
from tests.daemons.harness.waiting import wait_until


def restarting(conf: PeerConf) -> PeerConf:
    """The peer as a restarted speaker adds it."""
    restart = msgspec.structs.replace(conf.graceful_restart or GracefulRestart(), local_restarting=True)
    return changed(conf, graceful_restart=restart)


async def installed(router: Namespace, number: int, *, within: float = 60) -> None:
    await wait_until(lambda: len(kernel.routes(router)) == number, within=within, what=f"{number} routes")


@pytest.fixture
async def router(lan: Lan, start_router: StartRouter) -> Frr:
    return await start_router(lan.routers[0], neighbors={lan.nodes[0].v4: NODE_ASN})


@pytest.mark.parametrize("number", [1_000, 20_000])
async def test_by_the_recipe_a_killed_gobgpd_costs_no_route(
    client: Client, gobgpd: Gobgpd, lan: Lan, router: Frr, number: int
) -> None:
    node, leaf = lan.nodes[0], lan.routers[0]
    paths = [service(index) for index in range(number)]
    await client.start(speaker(node))
    await client.add_paths(paths)
    await client.add_peer(peer(leaf))
    await installed(leaf, number)
    with RouteDeletions(leaf) as deletions:
        gobgpd.daemon.end(signal.SIGKILL)
        await wait_until(lambda: router.resets(node.v4) == 1, within=10, what="FRR's notice of the death")
        async with await gobgpd.start() as again:
            await again.start(speaker(node))
            await again.add_paths(paths)
            await again.add_peer(restarting(peer(leaf)))
            await wait_until(lambda: router.established(node.v4), within=30)
            # What was not sent again goes with End-of-RIB (RFC 4724, 4.2): before it, nothing is proven.
            await wait_until(lambda: _end_of_rib(router, node), within=60, what="End-of-RIB")
    assert deletions.prefixes == ()
    assert len(kernel.routes(leaf)) == number


def _end_of_rib(router: Frr, node: Namespace) -> bool:
    restart = router.neighbor(node.v4).get("gracefulRestartInfo", {})
    return bool(restart.get("endOfRibRecv", {}).get("ipv4Unicast"))


async def test_without_graceful_restart_a_killed_gobgpd_costs_all_routes(
    client: Client, gobgpd: Gobgpd, lan: Lan, router: Frr
) -> None:
    await client.start(speaker(lan.nodes[0]))
    await client.add_paths(service(index) for index in range(100))
    await client.add_peer(changed(peer(lan.routers[0]), graceful_restart=None))
    await installed(lan.routers[0], 100)
    with RouteDeletions(lan.routers[0]) as deletions:
        gobgpd.daemon.end(signal.SIGKILL)
        await installed(lan.routers[0], 0, within=5)
    assert deletions.count == 100


async def test_a_silent_node_is_out_with_its_hold_time(client: Client, lan: Lan, router: Frr) -> None:
    """Graceful restart without `notification_enabled` does not make dead look like restarting."""
    await client.start(speaker(lan.nodes[0]))
    await client.add_paths([service(1)])
    await client.add_peer(peer(lan.routers[0]))
    await installed(lan.routers[0], 1)
    lan.set_carrier(lan.nodes[0], up=False)
    silent_since = time.monotonic()
    await installed(lan.routers[0], 0, within=15)
    assert 5 < time.monotonic() - silent_since < 12


async def test_a_speaker_that_starts_afresh_makes_its_router_flush_at_once(
    client: Client, gobgpd: Gobgpd, lan: Lan, router: Frr
) -> None:
    """What a rebooted node does: its peers are added empty and without the restart bit."""
    await client.start(speaker(lan.nodes[0]))
    await client.add_paths([service(1)])
    await client.add_peer(peer(lan.routers[0]))
    await installed(lan.routers[0], 1)
    gobgpd.daemon.end(signal.SIGKILL)
    async with await gobgpd.start() as again:
        await again.start(speaker(lan.nodes[0]))
        await again.add_peer(peer(lan.routers[0]))
        await installed(lan.routers[0], 0, within=15)


async def test_many_next_hops_of_one_prefix_arrive_by_add_path_with_their_weights(
    client: Client, lan: Lan, router: Frr
) -> None:
    node, leaf = lan.nodes[0], lan.routers[0]
    hops = [IPv4Address("10.0.0.100") + index for index in range(40)]
    await client.start(speaker(node))
    await client.add_paths(
        service(1, PathAttrs(next_hop=hop), identifier=index + 1) for index, hop in enumerate(hops)
    )
    await client.add_peer(peer(leaf))
    await wait_until(
        lambda: kernel.next_hops(leaf, "198.18.0.1") == sorted(map(str, hops)), within=30, what="40 next hops"
    )
    await client.withdraw_paths(service(1, identifier=index + 1).key for index in range(2, 40))
    await client.add_paths(
        service(
            1,
            PathAttrs(next_hop=hop, link_bandwidth=LinkBandwidth(NODE_ASN, 1e6 * weight)),
            identifier=weight,
        )
        for weight, hop in enumerate(hops[:2], start=1)
    )

    def weights() -> list[int]:
        legs = kernel.routes(leaf).get("198.18.0.1", [])
        return [leg["weight"] for leg in legs]

    await wait_until(lambda: len(weights()) == 2 and weights()[1] // weights()[0] == 2, within=10)


async def test_an_ipv6_route_over_an_ipv4_session_needs_its_own_next_hop(
    client: Client, lan: Lan, router: Frr
) -> None:
    node, leaf = lan.nodes[0], lan.routers[0]
    await client.start(speaker(node))
    await client.add_paths([service6(1, PathAttrs(next_hop=IPv6Address(node.v6))), service6(2)])
    await client.add_peer(peer(leaf))
    await wait_until(lambda: kernel.next_hops(leaf, "fd00:b::1") == [node.v6], within=30)
    await wait_until(lambda: len(router.prefixes("ipv6")) == 2, within=10)
    assert kernel.next_hops(leaf, "fd00:b::2") == []
