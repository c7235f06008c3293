"""Who asks for an owned address is answered, and nobody else: asked by real kernels and by odd hosts."""

import asyncio
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address

import pytest

from openelb_bgp.host.arp import Arp, Operation
from openelb_bgp.host.ndp import Advertisement
from openelb_bgp.host.packets import Dropped, Packet
from openelb_bgp.layer2.owned import Handled
from tests.daemons.harness.netns import Lan
from tests.daemons.harness.owner import Host, Owner, cached, host, knock, mac_of, with_owner
from tests.daemons.harness.waiting import wait_until

VIP, VIP6 = "10.0.0.200", "fd00:a::200"
FOREIGN, FOREIGN6 = "10.0.0.201", "fd00:a::201"
OFFLINK, OFFLINK6 = "203.0.113.7", "2001:db8::7"


@pytest.fixture
def two(new_lan: Callable[..., Lan]) -> Lan:
    return new_lan(routers=0, nodes=2)


@pytest.fixture
def client(two: Lan) -> Iterator[Host]:
    with host(two.nodes[1]) as one:
        yield one


def arp_answer(owner: Owner, client: Host, *, to: str, address: str = VIP) -> Arp:
    ours = mac_of(owner.space)
    return Arp(
        operation=Operation.REPLY,
        source=ours,
        destination=client.mac,
        sender_mac=ours,
        sender=IPv4Address(address),
        target_mac=client.mac,
        target=IPv4Address(to),
    )


def ndp_answer(owner: Owner, client: Host, *, solicited: bool = True) -> Advertisement:
    ours = mac_of(owner.space)
    return Advertisement(
        source=ours,
        destination=client.mac if solicited else bytes.fromhex("333300000001"),
        sender=IPv6Address(VIP6),
        to=IPv6Address(client.space.v6 if solicited else "ff02::1"),
        target=IPv6Address(VIP6),
        mac=ours,
        solicited=solicited,
        override=True,
    )


async def quiet(owner: Owner, client: Host, *addresses: str) -> None:
    """Own these, and wait until the burst is over that nobody asked for."""
    owner.own(*addresses)
    for one in addresses:
        await client.hears_about(one, count=4 if ":" in one else 6)
    client.heard.clear()


@pytest.mark.parametrize("address", [VIP, VIP6])
def test_a_kernel_finds_the_owner(two: Lan, address: str) -> None:
    one, other = two.nodes

    async def scenario(owner: Owner) -> None:
        owner.own(address)
        assert owner.responder.problems == {}
        await knock(other, address)
        assert cached(other, address) == mac_of(one)
        assert owner.counts()["ANSWERED"] >= 1

    with_owner(one, scenario)


def test_a_kernel_that_looks_for_duplicates_finds_that_the_address_is_taken(two: Lan) -> None:
    one, other = two.nodes
    other.run("sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=1")

    async def scenario(owner: Owner) -> None:
        owner.own(VIP6)
        other.run("ip", "address", "add", f"{VIP6}/64", "dev", "eth0")
        await wait_until(
            lambda: "dadfailed" in other.run("ip", "address", "show", "dev", "eth0"),
            within=60.0,
            what="the duplicate to be found",
        )

    with_owner(one, scenario)


Ask = Callable[[Host, bytes], bytes]
Expect = Callable[[Owner, Host], Packet]

QUESTIONS: dict[str, tuple[str, Ask, Expect]] = {
    "an ARP request": (
        VIP,
        lambda client, _: client.arp_request(VIP),
        lambda owner, client: arp_answer(owner, client, to=client.space.v4),
    ),
    "an ARP request to the owner's MAC": (
        VIP,
        lambda client, mac: client.arp_request(VIP, to=mac),
        lambda owner, client: arp_answer(owner, client, to=client.space.v4),
    ),
    "an ARP probe": (
        VIP,
        lambda client, _: client.arp_request(VIP, sender="0.0.0.0"),
        lambda owner, client: arp_answer(owner, client, to="0.0.0.0"),
    ),
    "a padded ARP request": (
        VIP,
        lambda client, _: client.arp_request(VIP).ljust(60, b"\0"),
        lambda owner, client: arp_answer(owner, client, to=client.space.v4),
    ),
    "an ARP request of another subnet's host": (
        VIP,
        lambda client, _: client.arp_request(VIP, sender="198.51.100.1"),
        lambda owner, client: arp_answer(owner, client, to="198.51.100.1"),
    ),
    "an ARP request for an address outside the subnet": (
        OFFLINK,
        lambda client, _: client.arp_request(OFFLINK),
        lambda owner, client: arp_answer(owner, client, to=client.space.v4, address=OFFLINK),
    ),
    "a solicitation to the group": (VIP6, lambda client, _: client.solicitation(VIP6), ndp_answer),
    "a solicitation to the address": (
        VIP6,
        lambda client, mac: client.solicitation(VIP6, to=(VIP6, mac)),
        ndp_answer,
    ),
    "a solicitation without a source option": (
        VIP6,
        lambda client, mac: client.solicitation(VIP6, to=(VIP6, mac), with_mac=False),
        ndp_answer,
    ),
    "a look for duplicates": (
        VIP6,
        lambda client, _: client.solicitation(VIP6, sender="::", with_mac=False),
        lambda owner, client: ndp_answer(owner, client, solicited=False),
    ),
}


@pytest.mark.parametrize("which", QUESTIONS)
def test_each_kind_of_question_is_answered_as_its_standard_says(two: Lan, client: Host, which: str) -> None:
    address, ask, expected = QUESTIONS[which]

    async def scenario(owner: Owner) -> None:
        await quiet(owner, client, address)
        # The second time the answer is at hand.
        for count in (1, 2):
            client.send(ask(client, mac_of(owner.space)))
            assert await client.hears_about(address, count=count) == [expected(owner, client)] * count

    with_owner(two.nodes[0], scenario)


def changed(frame: bytes, offset: int, value: int) -> bytes:
    return frame[:offset] + bytes([value]) + frame[offset + 1 :]


def tagged(frame: bytes, vlan: int = 100) -> bytes:
    return frame[:12] + b"\x81\x00" + vlan.to_bytes(2) + frame[12:]


UNANSWERED: dict[str, tuple[Ask, Handled | Dropped]] = {
    "ARP of a VLAN": (lambda client, _: tagged(client.arp_request(VIP)), Dropped.VLAN_TAGGED),
    "ARP of a VLAN to the owner's MAC": (
        lambda client, mac: tagged(client.arp_request(VIP, to=mac)),
        Dropped.VLAN_TAGGED,
    ),
    "NDP of a VLAN": (lambda client, _: tagged(client.solicitation(VIP6)), Dropped.VLAN_TAGGED),
    "truncated ARP": (lambda client, _: client.arp_request(VIP)[:40], Dropped.TRUNCATED),
    "a truncated solicitation": (
        lambda client, mac: client.solicitation(VIP6, to=(VIP6, mac))[:70],
        Dropped.TRUNCATED,
    ),
    "a solicitation with less than it says": (
        lambda client, mac: client.solicitation(VIP6, to=(VIP6, mac))[:-2],
        Dropped.TRUNCATED,
    ),
    "a frame too long to be one": (
        lambda client, _: client.solicitation(VIP6) + bytes(900),
        Dropped.TRUNCATED,
    ),
    "ARP of another hardware": (
        lambda client, _: changed(client.arp_request(VIP), 15, 6),
        Dropped.NOT_ETHERNET_IPV4,
    ),
    "a reverse ARP": (lambda client, _: changed(client.arp_request(VIP), 21, 3), Dropped.UNKNOWN_OPERATION),
    "hop limit 254": (lambda client, _: changed(client.solicitation(VIP6), 21, 254), Dropped.HOP_LIMIT),
    "a wrong checksum": (lambda client, _: changed(client.solicitation(VIP6), 57, 1), Dropped.CHECKSUM),
    "an ARP reply to the owner": (
        lambda client, _: changed(client.arp_request(VIP), 21, 2),
        Handled.NO_QUESTION,
    ),
    "a sender that is everybody": (
        lambda client, _: client.arp_request(VIP)[:22] + b"\xff" * 6 + client.arp_request(VIP)[28:],
        Handled.BAD_SENDER,
    ),
}


@pytest.mark.parametrize("which", UNANSWERED)
def test_what_is_no_proper_question_is_counted_by_its_reason_and_not_answered(
    two: Lan, client: Host, which: str
) -> None:
    bad, reason = UNANSWERED[which]

    async def scenario(owner: Owner) -> None:
        await quiet(owner, client, VIP, VIP6)
        client.send(bad(client, mac_of(owner.space)))
        await owner.counted(reason)
        # What comes later is answered, so what came before never will be.
        client.send(client.arp_request(VIP), client.solicitation(VIP6))
        assert len(await client.hears_about(VIP)) == len(await client.hears_about(VIP6)) == 1
        assert owner.counts() == {reason.name: 1, "ANSWERED": 2}

    with_owner(two.nodes[0], scenario)


def test_a_priority_tag_is_no_vlan(two: Lan, client: Host) -> None:
    async def scenario(owner: Owner) -> None:
        await quiet(owner, client, VIP)
        client.send(tagged(client.arp_request(VIP), vlan=0))
        assert await client.hears_about(VIP) == [arp_answer(owner, client, to=client.space.v4)]

    with_owner(two.nodes[0], scenario)


def test_what_concerns_no_owned_address_does_not_even_reach_us(two: Lan, client: Host) -> None:
    async def scenario(owner: Owner) -> None:
        await quiet(owner, client, VIP, VIP6)
        client.send(*[client.asks(address) for address in (FOREIGN, FOREIGN6) for _ in range(100)])
        client.send(client.asks(VIP), client.asks(VIP6))
        await client.hears_about(VIP)
        await client.hears_about(VIP6)
        assert owner.counts() == {"ANSWERED": 2}
        assert not client.about(FOREIGN) + client.about(FOREIGN6)

    with_owner(two.nodes[0], scenario)


def test_a_loser_does_not_answer_what_came_before_it_lost(two: Lan, client: Host) -> None:
    async def scenario(owner: Owner) -> None:
        await quiet(owner, client, VIP, VIP6, FOREIGN)
        for address in (VIP, VIP6):
            client.send(client.asks(address))
            await client.hears_about(address)
        client.heard.clear()
        # Nothing is read before the loop goes on.
        client.send(*[client.asks(address) for address in (VIP, VIP6) for _ in range(50)])
        owner.own(FOREIGN)
        client.send(client.asks(VIP), client.asks(FOREIGN))
        await client.hears_about(FOREIGN)
        assert not client.about(VIP) + client.about(VIP6)

    with_owner(two.nodes[0], scenario)


def test_an_owner_in_doubt_says_nothing_until_it_is_told_to_go_on(two: Lan, client: Host) -> None:
    async def scenario(owner: Owner) -> None:
        await quiet(owner, client, VIP)
        loop = asyncio.get_running_loop()
        owner.responder.answer_until(loop.time() - 0.001)
        owner.own(VIP, FOREIGN)
        client.send(client.asks(VIP), client.asks(FOREIGN))
        await owner.counted(Handled.IN_DOUBT, 2)
        assert not client.about(VIP) + client.about(FOREIGN)
        owner.responder.answer_until(loop.time() + 60)
        client.send(client.asks(VIP))
        await client.hears_about(VIP)
        await client.hears_about(FOREIGN, count=6)

    with_owner(two.nodes[0], scenario)


@pytest.mark.parametrize("scattered", [False, True])
def test_of_10_000_addresses_each_one_owned_is_answered_for(two: Lan, client: Host, scattered: bool) -> None:
    step = 65_537 if scattered else 1
    first, first6 = int(IPv4Address("11.0.0.0")), int(IPv6Address("2001:db8:1::"))
    pool = [str(IPv4Address(first + step * number)) for number in range(10_000)]
    pool6 = [str(IPv6Address(first6 + step * number)) for number in range(10_000)]
    owned, others = [*pool[::40], *pool6[::40]], [*pool[1::40], *pool6[1::40]]

    async def scenario(owner: Owner) -> None:
        owner.own(*pool[::4], *pool6[::40])
        for address in (*owned, *others):
            client.send(client.asks(address))
            # Else the first would be too old once the last is sent.
            await asyncio.sleep(0)
        await owner.counted(Handled.ANSWERED, len(owned))
        counts = owner.counts()
        assert counts.pop("ANSWERED") == len(owned)
        assert counts.pop("NOT_OURS", 0) <= (len(others) // 5 if scattered else 0)
        assert counts == {}

    with_owner(two.nodes[0], scenario)
