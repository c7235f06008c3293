"""Sessions that do not come up or do not stay: why, in words, on the BgpPeer; the good session never notices.

`second` is the BgpPeer of another router, which these tests set up wrongly, each in another way.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from openelb_bgp.model.meta import Kind
from tests.daemons.harness.confs import NODE_ASN
from tests.daemons.harness.frr import Frr, bgp_config
from tests.daemons.harness.house import House, problem
from tests.daemons.harness.manifests import bgp_peer, secret
from tests.daemons.harness.waiting import stays, wait_until

ASN = 65002


@pytest.fixture(scope="module")
def neighbour(house: House) -> Iterator[Frr]:
    """The other router; it knows no neighbours yet."""
    space = house.lan.routers[1]
    frr = Frr(space, bgp_config(space, asn=ASN, neighbors={}), house.folder)
    asyncio.run(frr.start())
    yield frr
    frr.stop()


@pytest.fixture
def expects(house: House, neighbour: Frr) -> Iterator[Callable[..., None]]:
    """Tells the other router of its neighbour: `expects(asn, "password x")`; forgotten after the test."""
    ours = house.lan.nodes[0].v4

    def tell(asn: int, *settings: str) -> None:
        lines = [f"neighbor {ours} remote-as {asn}", f"neighbor {ours} timers connect 1"]
        lines += [f"neighbor {ours} {one}" for one in settings]
        neighbour.configure(f"router bgp {ASN}", "no bgp ebgp-requires-policy", *lines)

    yield tell
    neighbour.configure(f"router bgp {ASN}", f"no neighbor {ours}")


def dialled(house: House) -> set[str]:
    """The BgpPeers that our gobgpd has a session for, up or not."""
    return {one["peer"] for one in house.ours.speaker["sessions"]}


@asynccontextmanager
async def second(house: House, *, asn: int = ASN, **spec: object) -> AsyncIterator[None]:
    """The house while it has that BgpPeer too; nothing is left of its session afterwards."""
    with house.with_file("second", bgp_peer("second", house.lan.routers[1].v4, asn=asn, **spec)):
        yield
    await wait_until(lambda: dialled(house) == {"router"}, within=30, what="the end of the session")


async def says(house: House, *words: str, within: float = 30) -> str:
    """Return what the BgpPeer says of its session once it is down with these words."""

    def said() -> str | None:
        found = house.ours.condition(Kind.BGP_PEER, "second", "Ready")
        down = found.get("status") == "False" and found.get("reason") == "NotEstablished"
        message = str(found.get("message"))
        return message if down and all(word in message for word in words) else None

    try:
        return await wait_until(said, within=within, what="the reason")
    except AssertionError as error:
        seen = house.ours.condition(Kind.BGP_PEER, "second", "Ready")
        raise AssertionError(f"{error}; its condition: {seen}") from None


async def established(house: House, within: float = 30) -> None:
    """Return when the session is up and the BgpPeer says so."""
    await wait_until(
        lambda: house.ours.condition(Kind.BGP_PEER, "second", "Ready").get("status") == "True",
        within=within,
        what="the session",
    )


def session(house: House) -> Mapping[str, Any]:
    """The session of `second` as the Speaker shows it; {} without one."""
    return next((one for one in house.ours.speaker.get("sessions", ()) if one["peer"] == "second"), {})


async def established_after(house: House, before: Mapping[str, Any], within: float = 30) -> Mapping[str, Any]:
    """Return the session once it is up again and another than `before`, which is shown for a while yet."""

    def again() -> Mapping[str, Any] | None:
        now = session(house)
        up = now.get("peerState", {}).get("sessionState") == "ESTABLISHED"
        return now if up and now["since"] != before["since"] else None

    return await wait_until(again, within=within, what="the next session")


async def test_a_router_that_refuses_us_may_have_no_neighbour_with_our_address(
    house: House, neighbour: Frr
) -> None:
    async with second(house):
        await says(house, "it has no neighbour with our address")


async def test_an_asn_that_is_not_the_routers_is_told(house: House, expects: Callable[..., None]) -> None:
    expects(NODE_ASN)
    async with second(house, asn=65099):
        await says(house, "ASN", "conf.peerAs")


async def test_an_asn_that_the_router_does_not_expect_of_us_is_told(
    house: House, expects: Callable[..., None]
) -> None:
    expects(65055)
    async with second(house):
        await says(house, "remote-as for us is not 65000")


async def test_a_wrong_password_is_one_of_the_reasons_told(
    house: House, expects: Callable[..., None]
) -> None:
    expects(NODE_ASN, "password right")
    async with second(house, conf={"authPassword": "wrong"}):
        said = await says(house, "no TCP connection", "password")
        assert "wrong" not in said and "right" not in said
        right = bgp_peer("second", house.lan.routers[1].v4, asn=ASN, conf={"authPassword": "right"})
        house.ours.write("second", right)
        await established(house)


async def test_a_router_that_wants_a_password_is_one_of_the_reasons_told(
    house: House, expects: Callable[..., None]
) -> None:
    expects(NODE_ASN, "password right")
    async with second(house):
        await says(house, "no TCP connection", "password")


async def test_a_port_where_nobody_listens_is_named(house: House) -> None:
    async with second(house, transport={"remotePort": 1790}):
        await says(house, "no TCP connection", "port 1790", "nobody listens")


async def test_a_router_that_is_not_there_at_all_is_named(house: House) -> None:
    async with second(house):
        house.ours.write("second", bgp_peer("second", "10.0.0.200", asn=ASN))
        await says(house, "10.0.0.200")


async def test_a_session_that_flaps_says_why_returns_each_time_and_is_counted(
    house: House, neighbour: Frr, expects: Callable[..., None]
) -> None:
    ours = house.lan.nodes[0].v4
    before = len(house.ours.logged("session_down", peer="second"))

    def told(times: int) -> bool:
        return len(house.ours.logged("session_down", peer="second")) == before + times

    expects(NODE_ASN)
    async with second(house):
        await established(house)
        neighbour.configure(f"router bgp {ASN}", f"neighbor {ours} shutdown message for lunch")
        await says(house, "administrative shutdown")
        await wait_until(lambda: told(1), within=30, what="the first loss in the log")
        neighbour.configure(f"router bgp {ASN}", f"no neighbor {ours} shutdown")
        await established(house)
        first = session(house)
        neighbour.vtysh(f"clear bgp {ours}")
        await wait_until(lambda: told(2), within=30, what="the second loss in the log")
        second_time = await established_after(house, first)
        assert second_time["peerState"]["flops"] == 2


async def test_a_firewall_that_drops_is_one_of_the_reasons_told(
    house: House, neighbour: Frr, expects: Callable[..., None]
) -> None:
    expects(NODE_ASN)
    async with second(house, timers={"config": {"holdTime": "3", "keepaliveInterval": "1"}}):
        await established(house)
        with dropping(neighbour):
            await says(house, "hold timer expired")
        await established(house)


async def test_a_firewall_from_the_start_is_one_of_the_reasons_told(
    house: House, neighbour: Frr, expects: Callable[..., None]
) -> None:
    expects(NODE_ASN)
    with dropping(neighbour):
        async with second(house):
            await says(house, "no TCP connection", "a firewall drops it")


async def test_a_password_in_a_secret_is_waited_for_used_and_kept_when_the_secret_goes(
    house: House, neighbour: Frr, expects: Callable[..., None]
) -> None:
    ours, wanted = house.lan.nodes[0].v4, {"authPasswordSecretRef": {"name": "passwords", "key": "second"}}
    expects(NODE_ASN, "password hush-hush")
    try:
        async with second(house, conf=wanted):
            await house.complaint(Kind.BGP_PEER, "second", "openelb-system/passwords", reason="SecretMissing")
            said = await problem(
                house.ours, "BgpPeer second", "openelb-system/passwords", reason="SecretMissing"
            )
            assert "the peer is not added without its password" in said
            # Never a session without it.
            assert dialled(house) == {"router"}
            house.ours.write("passwords", secret("passwords", other="x"))
            await house.complaint(Kind.BGP_PEER, "second", "no such key", reason="SecretMissing")
            house.ours.write("passwords", secret("passwords", second="hush-hush"))
            await established(house)
            await house.is_valid(Kind.BGP_PEER, "second")
            house.ours.remove("passwords")
            await problem(house.ours, "BgpPeer second", "the last password stays", reason="SecretMissing")
            await stays(lambda: neighbour.resets(ours) == 0, during=1, what="the session")
            # Also over a restart of ours, which begins without any memory but what lies beside gobgpd.
            house.ours.daemon.end()
            house.ours.start()
            await wait_until(lambda: house.ours.http("/readyz")[0] == 200, within=60, what="its start")
            await problem(house.ours, "BgpPeer second", reason="SecretMissing")
            assert neighbour.resets(ours) == 0
    finally:
        house.ours.remove("passwords")
    assert "hush-hush" not in house.ours.daemon.output()


@contextmanager
def dropping(router: Frr) -> Iterator[None]:
    """A firewall in the router that drops BGP without a word."""
    rules = ["add table inet firewall"]
    rules += ["add chain inet firewall input { type filter hook input priority 0; }"]
    rules += [f"add rule inet firewall input tcp {side} 179 drop" for side in ("sport", "dport")]
    router.namespace.run("nft", "-f", "-", stdin="\n".join(rules) + "\n")
    try:
        yield
    finally:
        router.namespace.run("nft", "delete", "table", "inet", "firewall")
