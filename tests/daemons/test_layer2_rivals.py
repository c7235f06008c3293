"""Somebody else on the LAN has an address of ours, and says so only when he is asked: kernels that answer,
and another cluster with the same pool.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from threading import Event

import msgspec
import pytest

from openelb_bgp.host.packets import Packet
from openelb_bgp.layer2.packets import asked_for
from openelb_bgp.model.addresses import Family
from tests.contract.process import eventually
from tests.daemons.harness.inside import run_inside
from tests.daemons.harness.layer2 import OWN, Owner, mac_of, running, with_owner
from tests.daemons.harness.netns import Lan, Namespace
from tests.daemons.harness.owner import Host, host
from tests.unit.layer2_world import address, endpoints, pool, service

V6 = ip_address("fd00:a::200")
WEB = "Service shop/web"
_BURST = 6
"""Announcements of an IPv4 address that has been won, where there is no gateway."""


@pytest.fixture
def lan(new_lan: Callable[..., Lan]) -> Lan:
    """Two nodes, and a router."""
    return new_lan(routers=1, nodes=2)


def message_of(owner: Owner, reason: str) -> str:
    """What is said of the Service `web` for that reason; empty for nothing."""
    said = owner.process.last.status.problems
    return next((one.message for one in said if (one.object, one.reason) == (WEB, reason)), "")


@pytest.mark.parametrize("version", [4, 6])
def test_a_host_that_only_answers_is_reported_with_its_mac_as_long_as_it_does(lan: Lan, version: int) -> None:
    stranger = lan.nodes[1]

    async def scenario(owner: Owner) -> None:
        held = address(0) if version == 4 else V6
        owner.put_pool(pool(text="10.0.0.100-10.0.0.250,fd00:a::200-fd00:a::20f"))
        owner.add(service("web", held))
        slices = endpoints("web", OWN)
        owner.slices = dict.fromkeys(owner.slices, (msgspec.structs.replace(slices, family=Family.of(held)),))
        await owner.settle()
        stranger.run("ip", "address", "add", f"{held}/{held.max_prefixlen}", "dev", "eth0", "nodad")
        await eventually(lambda: message_of(owner, "AddressConflict"), within=60.0, what="the report")
        assert mac_of(stranger) in message_of(owner, "AddressConflict")
        assert [one for one in owner.events if one[0] == "AddressConflict"] == [
            ("AddressConflict", message_of(owner, "AddressConflict"))
        ]
        assert owner.owned == {str(held)}

    with_owner(lan, scenario)


def test_a_gateway_that_answers_is_told_apart_and_the_address_announced_as_ever(lan: Lan) -> None:
    node, gateway = lan.nodes[0], lan.routers[0]
    node.run("ip", "route", "add", "default", "via", gateway.v4)

    async def scenario(owner: Owner) -> None:
        owner.add(service("web", address(0)))
        await owner.settle()
        gateway.run("ip", "address", "add", f"{address(0)}/32", "dev", "eth0")
        await eventually(lambda: message_of(owner, "AnsweredByGateway"), within=60.0, what="the report")
        assert mac_of(gateway) in message_of(owner, "AnsweredByGateway")

    with_owner(lan, scenario)


def test_two_clusters_with_the_same_pool_report_each_other_and_do_not_fight(lan: Lan) -> None:
    """They began while the LAN was in two, so neither could know of the other."""
    set_apart(lan, apart=True)
    ours, theirs = lan.nodes
    told: dict[str, str] = {}
    over = Event()

    async def cluster(node: Namespace) -> None:
        async with running(lan) as owner:
            owner.add(service("web", address(0)))
            await owner.settle()
            while not over.is_set():
                told[node.name] = message_of(owner, "AddressConflict")
                await asyncio.sleep(0.05)
            assert owner.owned == {str(address(0))}

    with host(lan.routers[0]) as router, ThreadPoolExecutor() as pool:
        running_clusters = [
            pool.submit(run_inside, node, lambda node=node: cluster(node)) for node in (ours, theirs)
        ]
        try:
            wait_until(lambda: len(router.about(str(address(0)))) >= 2 * _BURST, "the bursts to be over")
            set_apart(lan, apart=False)
            wait_until(lambda: mac_of(theirs) in told[ours.name], "our report")
            wait_until(lambda: mac_of(ours) in told[theirs.name], "their report")
            seen = len(questions(router))
            wait_until(lambda: len(questions(router)) >= seen + 2, "both to have asked again")
        finally:
            over.set()
        for one in running_clusters:
            one.result()
        # What was due already is said; the next one is due in an hour.
        assert len(router.about(str(address(0)))) <= 2 * (_BURST + 1)


def set_apart(lan: Lan, *, apart: bool) -> None:
    """Whether the two nodes cannot hear each other; the router hears both, and they keep their carriers."""
    for port in lan.ports(*lan.nodes):
        lan.switch.run("bridge", "link", "set", "dev", port, "isolated", "on" if apart else "off")


def questions(router: Host) -> list[Packet]:
    """Who has asked for the address, as nobody."""
    return [one for one in router.listen() if asked_for(one) == address(0)]


def wait_until(true: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.05)
