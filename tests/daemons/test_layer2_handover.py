"""An address goes to another living node: its kernel's clients find somebody at every moment, and no two
announce in turns.
"""

from collections.abc import Callable
from ipaddress import ip_address

import msgspec
import pytest

from openelb_bgp.layer2.ranks import rank
from openelb_bgp.model.addresses import Address, Family
from tests.contract.process import eventually
from tests.daemons.harness.layer2 import OWN, Owner, mac_of, resolve, resolves, say, with_owner
from tests.daemons.harness.netns import Lan
from tests.daemons.harness.owner import host
from tests.daemons.test_layer2_announcer import after_us, before_us
from tests.unit.layer2_world import address, endpoints, pool, service

MAC = "02:00:00:00:00:77"
V6 = ip_address("fd00:a::200")


@pytest.fixture
def lan(new_lan: Callable[..., Lan]) -> Lan:
    """The announcer's node, and a client."""
    return new_lan(nodes=2)


def test_who_loses_an_address_answers_until_the_new_owner_announces_it(lan: Lan) -> None:
    client = lan.nodes[1]

    async def scenario(owner: Owner) -> None:
        heir = before_us(0)[0]
        owner.hear(heir, MAC)
        owner.add(service("web", address(0), local=True), backed_by=(OWN,))
        await owner.settle()
        owner.add(service("web", address(0), local=True), backed_by=(OWN, heir))
        await owner.settle()
        assert owner.process.reasons["Service shop/web"] == "NotOwner"
        assert await resolve(client, str(address(0))) == owner.link.mac
        say(client, address(0), MAC)
        await resolves(client, str(address(0)), "")

    with_owner(lan, scenario)


@pytest.mark.parametrize("version", [4, 6])
def test_a_new_owner_that_does_not_announce_is_told_by_itself_and_waited_for_a_moment_only(
    lan: Lan, version: int
) -> None:
    client = lan.nodes[1]

    async def scenario(owner: Owner) -> None:
        held = address(0) if version == 4 else V6
        heir = next(one for one in before_us(0) if rank(one, held) < rank(OWN, held))
        owner.hear(heir, mac_of(client))
        owner.put_pool(pool(text="10.0.0.100-10.0.0.250,fd00:a::200-fd00:a::20f"))
        backed(owner, held, OWN)
        await owner.settle()
        with host(client) as listening:
            backed(owner, held, OWN, heir)
            await owner.settle()
            await eventually(
                lambda: any(one.destination == listening.mac for one in listening.about(str(held))),
                within=60.0,
                what="what is said to the heir alone",
            )
            await resolves(client, str(held), "")

    with_owner(lan, scenario)


def backed(owner: Owner, held: Address, *nodes: str) -> None:
    """A Local Service with that address has pods on these nodes."""
    owner.add(service("web", held, local=True))
    slices = msgspec.structs.replace(endpoints("web", *nodes), family=Family.of(held))
    owner.slices = dict.fromkeys(owner.slices, (slices,))


def test_one_that_does_not_know_better_yet_does_not_announce_against_a_node_that_it_hears(lan: Lan) -> None:
    client = lan.nodes[1]

    async def scenario(owner: Owner) -> None:
        heir = after_us(0)[0]
        owner.hear(heir, MAC)
        owner.add(service("web", address(0), local=True), backed_by=(OWN, heir))
        await owner.settle()
        with host(client) as listening:
            # The news that this node has no endpoint any more reach the heir first.
            say(client, address(0), MAC)
            owner.add(service("web", address(0), local=True), backed_by=(heir,))
            await owner.settle()
            before = len(listening.about(str(address(0))))
            await eventually(lambda: owner.owned == set(), within=60.0, what="its report")
            assert len(listening.about(str(address(0)))) == before
            await resolves(client, str(address(0)), "")

    with_owner(lan, scenario)
