"""Sessions between a real gobgpd and FRR, seen through the client: states, capabilities, events."""

import asyncio

import pytest

from openelb_bgp.bgp.gobgp.client import Client, ResetDirection
from openelb_bgp.bgp.gobgp.errors import SidecarUnavailable, Unsupported
from openelb_bgp.bgp.gobgp.watch import PeerWatch
from openelb_bgp.bgp.model import (
    Bfd,
    ObservedPeer,
    Password,
    PeerCapabilities,
    PeerEvent,
    PeerType,
    SessionState,
)
from openelb_bgp.model.addresses import Family
from tests.daemons.conftest import StartRouter
from tests.daemons.harness import kernel
from tests.daemons.harness.confs import NODE_ASN, ROUTER_ASN, changed, peer, service, speaker
from tests.daemons.harness.frr import Frr
from tests.daemons.harness.gobgp import NEW, Gobgpd
from tests.daemons.harness.netns import Lan
from tests.daemons.harness.waiting import stays, wait_until

BOTH = (Family.IPV4, Family.IPV6)


async def only_peer(client: Client) -> ObservedPeer:
    (found,) = await client.peers()
    return found


async def up(client: Client) -> ObservedPeer:
    async def established() -> ObservedPeer | None:
        seen = await only_peer(client)
        return seen if seen.established else None

    return await wait_until(established, within=30, what="the session")


@pytest.fixture
async def router(client: Client, lan: Lan, start_router: StartRouter) -> Frr:
    """FRR that waits for the node, and a started speaker that has no peer yet."""
    await client.start(speaker(lan.nodes[0]))
    return await start_router(lan.routers[0], neighbors={lan.nodes[0].v4: NODE_ASN})


async def next_state(watch: PeerWatch, wanted: SessionState) -> PeerEvent:
    async with asyncio.timeout(30):
        async for batch in watch:
            for event in batch:
                if event.session_state is wanted:
                    return event
    raise AssertionError("the watch ended")


async def test_shows_what_both_sides_agreed_on(client: Client, lan: Lan, router: Frr) -> None:
    await client.add_peer(changed(peer(lan.routers[0]), description="leaf 1"))
    seen = await up(client)
    assert seen.remote == PeerCapabilities(
        families=BOTH,
        add_path_receive=BOTH,
        graceful_restart=True,
        restart_time=120,
        long_lived_families=BOTH,
        four_octet_asn=True,
    )
    assert (seen.families, seen.add_path_send) == (BOTH, BOTH)
    assert (seen.peer_asn, seen.local_asn, seen.peer_type) == (ROUTER_ASN, NODE_ASN, PeerType.EXTERNAL)
    assert (seen.neighbor_address, seen.router_id) == (lan.routers[0].v4, lan.routers[0].v4)
    assert (seen.local_address, seen.description) == (lan.nodes[0].v4, "leaf 1")
    assert (seen.negotiated_hold_time, seen.hold_time, seen.keepalive_interval) == (9, 9, 3)
    assert seen.uptime is not None
    assert seen.received.open >= 1


async def test_peer_as_zero_takes_the_asn_that_the_router_shows_and_shows_it(
    client: Client, lan: Lan, router: Frr
) -> None:
    await client.add_peer(peer(lan.routers[0], asn=0))
    seen = await up(client)
    assert (seen.peer_asn, seen.peer_type) == (ROUTER_ASN, PeerType.EXTERNAL)
    await client.add_paths([service(1)])
    await wait_until(lambda: kernel.next_hops(router.namespace, "198.18.0.1") == [lan.nodes[0].v4], within=15)


async def test_a_password_guards_the_session_and_is_shown_nowhere(
    client: Client, lan: Lan, router: Frr
) -> None:
    router.configure(f"router bgp {ROUTER_ASN}", f"neighbor {lan.nodes[0].v4} password sesame")
    await client.add_peer(changed(peer(lan.routers[0]), auth_password=Password("sesame")))
    assert "sesame" not in repr(await up(client))


async def test_a_wrong_password_keeps_the_session_down(client: Client, lan: Lan, router: Frr) -> None:
    router.configure(f"router bgp {ROUTER_ASN}", f"neighbor {lan.nodes[0].v4} password sesame")
    await client.add_peer(changed(peer(lan.routers[0]), auth_password=Password("guess")))

    async def down() -> bool:
        return not (await only_peer(client)).established

    await stays(down, during=3, what="a session that is down")


async def test_an_asn_of_zero_takes_what_the_peer_shows(client: Client, lan: Lan, router: Frr) -> None:
    await client.add_peer(peer(lan.routers[0], asn=0))
    assert (await up(client)).peer_asn == ROUTER_ASN
    await client.add_paths([service(1)])
    await wait_until(lambda: kernel.next_hops(lan.routers[0], "198.18.0.1"), within=10)


async def test_the_unspecified_next_hop_becomes_the_sessions_own(
    client: Client, lan: Lan, router: Frr
) -> None:
    await client.add_paths([service(1)])
    await client.add_peer(peer(lan.routers[0]))
    await wait_until(lambda: kernel.next_hops(lan.routers[0], "198.18.0.1") == [lan.nodes[0].v4], within=30)


async def test_shows_what_a_peer_is_sent(client: Client, lan: Lan, router: Frr) -> None:
    await client.add_peer(peer(lan.routers[0]))
    await up(client)
    await client.add_paths([service(1), service(2)])
    sent = await client.advertised(lan.routers[0].v4, Family.IPV4)
    assert {path.key.prefix for path in sent} == {service(1).key.prefix, service(2).key.prefix}


async def test_the_watch_tells_of_a_session_that_comes_and_goes(
    client: Client, lan: Lan, router: Frr
) -> None:
    address = lan.routers[0].v4
    async with client.watch() as watch:
        await client.add_peer(peer(lan.routers[0]))
        assert await next_state(watch, SessionState.ESTABLISHED) == PeerEvent(
            neighbor_address=address, session_state=SessionState.ESTABLISHED
        )
        router.daemons["bgpd"].end()
        assert (await next_state(watch, SessionState.IDLE)).neighbor_address == address


async def test_a_new_watch_starts_with_the_state_of_all_peers(client: Client, lan: Lan, router: Frr) -> None:
    await client.add_peer(peer(lan.routers[0]))
    await up(client)
    async with client.watch() as watch:
        assert await anext(watch) == (
            PeerEvent(neighbor_address=lan.routers[0].v4, session_state=SessionState.ESTABLISHED),
        )


async def test_the_watch_ends_with_gobgpd(client: Client, gobgpd: Gobgpd) -> None:
    async with client.watch() as watch:
        gobgpd.daemon.end()
        with pytest.raises(SidecarUnavailable):
            async with asyncio.timeout(10):
                await anext(watch)


async def test_a_hard_reset_ends_the_session_and_a_soft_one_does_not(
    client: Client, lan: Lan, router: Frr
) -> None:
    await client.add_peer(peer(lan.routers[0]))
    await up(client)
    await client.reset_peer(lan.routers[0].v4, soft=True, direction=ResetDirection.BOTH)
    assert router.resets(lan.nodes[0].v4) == 0
    await client.reset_peer(lan.routers[0].v4, soft=False, direction=ResetDirection.BOTH)
    await wait_until(lambda: router.resets(lan.nodes[0].v4) == 1, within=10)


async def test_a_disabled_peer_stays_down_until_it_is_enabled(client: Client, lan: Lan, router: Frr) -> None:
    await client.add_peer(peer(lan.routers[0]))
    await up(client)
    await client.disable_peer(lan.routers[0].v4)
    await wait_until(lambda: router.resets(lan.nodes[0].v4) == 1, within=10)
    await client.enable_peer(lan.routers[0].v4)
    await up(client)


async def test_bfd_is_taken_by_4_8_and_refused_for_3_10(
    client: Client, lan: Lan, router: Frr, gobgp_version: str
) -> None:
    wanted = changed(
        peer(lan.routers[0]),
        bfd=Bfd(
            desired_minimum_tx_interval=300_000, required_minimum_receive=300_000, detection_multiplier=3
        ),
    )
    router.configure(f"router bgp {ROUTER_ASN}", f"neighbor {lan.nodes[0].v4} bfd")
    if gobgp_version != NEW:
        with pytest.raises(Unsupported, match="BFD"):
            await client.add_peer(wanted)
        return
    await client.add_peer(wanted)

    async def bfd_up() -> bool:
        return bool((await only_peer(client)).bfd_up)

    await wait_until(bfd_up, within=60, what="the BFD session")
