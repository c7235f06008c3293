"""Who has an address, probed before it is announced: real kernels answer."""

import asyncio
from collections.abc import Callable
from ipaddress import IPv4Address, ip_address

import pytest

from openelb_bgp.host.packets import build
from openelb_bgp.layer2.asking import judge
from openelb_bgp.layer2.owned import Holder, Probed, Spot
from openelb_bgp.layer2.packets import Form, announcement, asked_for
from openelb_bgp.layer2.sockets import Unusable
from tests.daemons.harness.netns import Lan
from tests.daemons.harness.owner import DEADLINE, Owner, cached, host, mac_of, with_owner
from tests.daemons.harness.waiting import wait_until

FREE, FREE6 = "10.0.0.250", "fd00:a::250"
ONE, TWO, THREE = (bytes.fromhex(f"02000000000{number}") for number in (1, 2, 3))


def spot(address: str, interface: str = "eth0") -> Spot:
    return Spot(ip_address(address), interface)


@pytest.fixture
def two(new_lan: Callable[..., Lan]) -> Lan:
    return new_lan(routers=1, nodes=2)


@pytest.mark.parametrize(
    ("macs", "expected"),
    [
        ((), Probed(Holder.NOBODY)),
        ((ONE,), Probed(Holder.NODE, ONE)),
        ((TWO,), Probed(Holder.GATEWAY, TWO)),
        ((THREE,), Probed(Holder.FOREIGN, THREE)),
        ((ONE, TWO, THREE), Probed(Holder.FOREIGN, THREE)),
        ((TWO, ONE), Probed(Holder.GATEWAY, TWO)),
    ],
)
def test_a_foreign_host_is_told_from_our_nodes_and_the_gateway(
    macs: tuple[bytes, ...], expected: Probed
) -> None:
    assert judge(macs, nodes={ONE}, gateways={TWO}) == expected


@pytest.mark.parametrize("address", [FREE, FREE6])
def test_nobody_has_a_free_address_and_nobody_hears_of_it_by_the_probe(two: Lan, address: str) -> None:
    one, other = two.nodes

    async def scenario(owner: Owner) -> None:
        with host(other) as listening:
            assert await owner.responder.probe(spot(address), nodes=()) == Probed(Holder.NOBODY)
            assert listening.about(address) == []
            assert cached(other, address) is None

    with_owner(one, scenario)


@pytest.mark.parametrize("family", ["v4", "v6"])
def test_a_host_that_has_it_is_found_with_its_mac(two: Lan, family: str) -> None:
    one, other = two.nodes

    async def scenario(owner: Owner) -> None:
        where = spot(getattr(other, family))
        theirs = mac_of(other)
        assert await owner.responder.probe(where, nodes=()) == Probed(Holder.FOREIGN, theirs)
        assert await owner.responder.probe(where, nodes={theirs}) == Probed(Holder.NODE, theirs)

    with_owner(one, scenario)


def test_a_gateway_that_answers_for_it_is_told_apart(two: Lan) -> None:
    one, gateway = two.nodes[0], two.routers[0]
    one.run("ip", "route", "add", "default", "via", gateway.v4)
    gateway.run("ip", "address", "add", f"{FREE}/32", "dev", "eth0")

    async def scenario(owner: Owner) -> None:
        assert await owner.responder.probe(spot(FREE), nodes=()) == Probed(Holder.GATEWAY, mac_of(gateway))

    with_owner(one, scenario)


def test_many_are_probed_together(two: Lan) -> None:
    one, other = two.nodes
    held = [f"10.0.0.{number}" for number in range(100, 150)]
    lines = "".join(f"address add {address}/24 dev eth0\n" for address in held)
    other.run("ip", "-batch", "-", stdin=lines)

    async def scenario(owner: Owner) -> None:
        free = [str(IPv4Address("10.0.0.150") + number) for number in range(50)]
        found = await asyncio.gather(
            *(owner.responder.probe(spot(address), nodes=()) for address in (*held, *free))
        )
        assert found == [Probed(Holder.FOREIGN, mac_of(other))] * 50 + [Probed(Holder.NOBODY)] * 50

    with_owner(one, scenario)


def test_an_announcement_during_the_probe_counts_as_an_answer(two: Lan) -> None:
    one, other = two.nodes

    async def scenario(owner: Owner) -> None:
        with host(other) as rival:
            probing = asyncio.create_task(owner.responder.probe(spot(FREE), nodes=()))
            await wait_until(
                lambda: any(asked_for(one) == ip_address(FREE) for one in rival.listen()),
                within=DEADLINE,
                what="the probe",
            )
            rival.send(build(announcement(IPv4Address(FREE), Form.ARP_REPLY, mac=rival.mac)))
            assert await probing == Probed(Holder.FOREIGN, rival.mac)

    with_owner(one, scenario)


def test_where_it_cannot_be_asked_it_says_why(two: Lan) -> None:
    async def scenario(owner: Owner) -> None:
        for interface in ("eth9", "lo"):
            with pytest.raises(Unusable, match=f"{interface} is not an Ethernet interface of this node"):
                await owner.responder.probe(spot(FREE, interface), nodes=())

    with_owner(two.nodes[0], scenario)


def test_a_link_that_is_down_answers_nothing_and_breaks_nothing(two: Lan) -> None:
    one, other = two.nodes
    one.run("ip", "link", "set", "eth0", "down")

    async def scenario(owner: Owner) -> None:
        assert await owner.responder.probe(spot(other.v4), nodes=()) == Probed(Holder.NOBODY)

    with_owner(one, scenario)
