"""What an owner says without having been asked, and what the caches of real kernels make of it."""

import asyncio
from collections.abc import Callable
from ipaddress import IPv4Address, ip_address

import pytest

from openelb_bgp.host.arp import Arp, Operation
from openelb_bgp.host.ethernet import BROADCAST, NO_MAC
from openelb_bgp.host.packets import build
from openelb_bgp.layer2.owned import Conflict, Handled, Spot
from openelb_bgp.layer2.packets import Form, announcement
from tests.daemons.harness.inside import run_inside
from tests.daemons.harness.netns import Lan, Namespace
from tests.daemons.harness.owner import DEADLINE, Host, Owner, cached, host, knock, mac_of, owning, with_owner
from tests.daemons.harness.waiting import wait_until

VIP, VIP6, OTHER = "10.0.0.200", "fd00:a::200", "10.0.0.201"


@pytest.fixture
def two(new_lan: Callable[..., Lan]) -> Lan:
    return new_lan(routers=1, nodes=2)


def plant(space: Namespace, address: str, mac: bytes) -> None:
    """Have a kernel believe that this MAC has it, as it would after having asked long ago."""
    space.run("ip", "neighbour", "replace", address, "lladdr", mac.hex(":"), "nud", "stale", "dev", "eth0")


OLD_OWNER = bytes.fromhex("0200000000ee")


@pytest.mark.parametrize("address", [VIP, VIP6])
def test_what_is_won_is_in_the_caches_of_those_who_knew_another_owner_before_anybody_asks(
    two: Lan, address: str
) -> None:
    one, other = two.nodes
    plant(other, address, OLD_OWNER)

    async def scenario(owner: Owner) -> None:
        owner.own(address)
        await wait_until(
            lambda: cached(other, address) == mac_of(one), within=DEADLINE, what="the new owner in the cache"
        )

    with_owner(one, scenario)


@pytest.mark.parametrize("address", [VIP, VIP6])
def test_two_owners_one_after_the_other_take_the_caches_along(two: Lan, address: str) -> None:
    one, next_one = two.nodes
    client = two.routers[0]

    async def scenario() -> None:
        async with owning(one) as owner:
            owner.own(address)
            await knock(client, address)
            assert cached(client, address) == mac_of(one)

    def wins() -> None:
        async def scenario(owner: Owner) -> None:
            owner.own(address)
            await wait_until(
                lambda: cached(client, address) == mac_of(next_one), within=DEADLINE, what="the next owner"
            )

        with_owner(next_one, scenario)

    run_inside(one, scenario)
    wins()


def test_the_gateway_is_asked_by_the_address_itself(two: Lan) -> None:
    one, gateway = two.nodes[0], two.routers[0]
    one.run("ip", "route", "add", "default", "via", gateway.v4)

    async def scenario(owner: Owner) -> None:
        with host(gateway) as listening:
            owner.own(VIP)
            expected = Arp(
                operation=Operation.REQUEST,
                source=mac_of(one),
                destination=listening.mac,
                sender_mac=mac_of(one),
                sender=IPv4Address(VIP),
                target_mac=NO_MAC,
                target=IPv4Address(gateway.v4),
            )
            await wait_until(
                lambda: expected in listening.about(VIP), within=DEADLINE, what="a request to the gateway"
            )

    with_owner(one, scenario)


def test_what_is_lost_is_not_announced_any_more_though_its_burst_is_not_over(two: Lan) -> None:
    one, other = two.nodes

    async def scenario(owner: Owner) -> None:
        with host(other) as listening:
            owner.own(VIP, OTHER, every=4.0)
            await listening.hears_about(VIP)
            owner.own(OTHER, every=4.0)
            before = len(listening.about(VIP))
            # The burst and one more.
            await listening.hears_about(OTHER, count=7)
            assert len(listening.about(VIP)) == before

    with_owner(one, scenario)


def test_it_is_announced_again_and_again(two: Lan) -> None:
    one, other = two.nodes

    async def scenario(owner: Owner) -> None:
        with host(other) as listening:
            owner.own(VIP, VIP6, every=0.5)
            await listening.hears_about(VIP, count=10)
            await listening.hears_about(VIP6, count=10)

    with_owner(one, scenario)


def claims(by: Host, address: str) -> list[bytes]:
    """Every way to say that a host has an address."""
    forms = [Form.ADVERTISEMENT] if ":" in address else [Form.ARP_REQUEST, Form.ARP_REPLY]
    said = [build(announcement(ip_address(address), form, mac=by.mac)) for form in forms]
    asked = by.solicitation(address, sender=address) if ":" in address else None
    return [*said, *([asked] if asked else [by.arp_request(by.space.v4, sender=address)])]


@pytest.mark.parametrize("address", [VIP, VIP6])
def test_another_host_that_says_it_has_the_address_is_a_conflict_told_once_in_a_second(
    two: Lan, address: str
) -> None:
    one, other = two.nodes

    async def scenario(owner: Owner) -> None:
        with host(other) as rival:
            owner.own(address)
            frames = claims(rival, address)
            for frame in frames * 3:
                rival.send(frame)
            await owner.counted(Handled.CONFLICT, 3 * len(frames))
            spot = Spot(ip_address(address), "eth0")
            assert owner.conflicts == [Conflict(spot, rival.mac)]

            async def told_again() -> bool:
                rival.send(frames[0])
                return len(owner.conflicts) == 2

            await wait_until(told_again, within=DEADLINE, what="the conflict to be told again")

    with_owner(one, scenario)


@pytest.mark.parametrize("address", [VIP, VIP6])
def test_each_way_of_claiming_an_address_is_noticed(two: Lan, address: str) -> None:
    one, other = two.nodes

    async def scenario(owner: Owner) -> None:
        with host(other) as rival:
            owner.own(address)
            for number, frame in enumerate(claims(rival, address), start=1):
                rival.send(frame)
                await owner.counted(Handled.CONFLICT, number)

    with_owner(one, scenario)


def test_our_own_frames_that_a_switch_sends_back_are_no_conflict(two: Lan) -> None:
    one, other = two.nodes
    two.switch.run("bridge", "link", "set", "dev", "port1", "hairpin", "on")

    async def scenario(owner: Owner) -> None:
        with host(other) as listening:
            owner.own(VIP, VIP6)
            await owner.counted(Handled.FROM_US, 10)
            await listening.hears_about(VIP, count=6)
            assert owner.conflicts == []

    with_owner(one, scenario)


def test_a_request_in_somebody_elses_name_from_our_own_host_is_not_answered(two: Lan) -> None:
    one, other = two.nodes

    async def scenario(owner: Owner) -> None:
        owner.own(VIP)
        with host(other) as liar:
            forged = liar.arp_request(VIP).replace(liar.mac, mac_of(one))
            liar.send(forged)
            await owner.counted(Handled.FROM_US)

    with_owner(one, scenario)


def test_2000_addresses_won_at_once_are_all_announced_within_three_seconds(two: Lan) -> None:
    one, other = two.nodes
    addresses = [str(IPv4Address("10.0.8.0") + number) for number in range(2000)]

    async def scenario(owner: Owner) -> None:
        heard: set[str] = set()
        with host(other) as listening:
            loop = asyncio.get_running_loop()
            start = loop.time()
            owner.own(*addresses)

            def all_heard() -> bool:
                said = [one for one in listening.listen() if isinstance(one, Arp)]
                assert all(one.destination == BROADCAST for one in said)
                heard.update(str(one.sender) for one in said)
                listening.heard.clear()
                return heard >= set(addresses)

            await wait_until(all_heard, within=DEADLINE, what="all of them")
            # Paced: not sooner than the rate allows.
            assert loop.time() - start >= 1.9

    with_owner(one, scenario)


def test_a_flood_of_claims_from_forged_macs_is_told_a_thousand_times_at_most(two: Lan) -> None:
    one, other = two.nodes

    async def scenario(owner: Owner) -> None:
        owner.own(VIP)
        loop = asyncio.get_running_loop()
        with host(other) as rival:
            start = loop.time()
            for number in range(3000):
                mac = bytes.fromhex("0a") + number.to_bytes(5)
                rival.send(build(announcement(ip_address(VIP), Form.ARP_REQUEST, mac=mac)))
                await asyncio.sleep(0)
            await owner.counted(Handled.CONFLICT, 2500)
            assert 0 < len(owner.conflicts) <= 1000 * (1 + (loop.time() - start) // 1)

    with_owner(one, scenario)
