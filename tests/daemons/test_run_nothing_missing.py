"""Nothing is silently missing: whatever keeps a Service from being announced is told where people look.

One house, from which one thing after another is taken: on the Service, on the Eip, on the BgpPeer and in the
Speaker's problems stands what is missing, and what helps.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from openelb_bgp.model import keys
from openelb_bgp.model.meta import Kind
from tests.daemons.harness import kernel
from tests.daemons.harness.house import WEB, House, problem
from tests.daemons.harness.manifests import (
    Object,
    bgp_conf,
    bgp_peer,
    cluster,
    eip,
    endpoints,
    node,
    service,
)
from tests.daemons.harness.waiting import wait_until

ELSEWHERE: dict[str, Any] = {"nodeSelector": {"matchLabels": {"rack": "elsewhere"}}}


@pytest.fixture
def good(house: House) -> dict[str, Object]:
    """The documents of the house by kind."""
    return {one["kind"]: one for one in cluster(house.lan)}


@contextmanager
def changed(house: House, good: dict[str, Object], **documents: Object | None) -> Iterator[None]:
    """The house with some documents different, or taken away where None is given; put back afterwards."""
    made = {**good, **documents}
    house.ours.write("good", *(one for one in made.values() if one is not None))
    try:
        yield
    finally:
        house.ours.write("good", *good.values())


async def condition(house: House, kind: Kind, name: str, type_: str, reason: str, *words: str) -> None:
    """Return once a condition is False for that reason and says these words, and more than the reason."""

    def found() -> dict[str, Any]:
        one = dict(house.ours.condition(kind, name, type_))
        is_it = (one.get("status"), one.get("reason")) == ("False", reason)
        return one if is_it and all(word in one["message"] for word in words) else {}

    try:
        made = await wait_until(found, within=30, what=f"{kind} {name} not {type_}")
    except AssertionError as error:
        seen = house.ours.condition(kind, name, type_)
        raise AssertionError(f"{error}; its condition: {seen}") from None
    assert len(made["message"]) > 40, made


async def on_service(house: House, reason: str, *words: str, name: str = "web") -> None:
    await condition(house, Kind.SERVICE, f"shop/{name}", keys.ANNOUNCED_CONDITION, reason, *words)


async def on_pool(house: House, reason: str) -> None:
    await condition(house, Kind.EIP, "pool", "Ready", reason)
    assert house.ours.events("pool")[-1][0] == "ConfigSpeakerFailed"


async def back(house: House) -> None:
    """Return when all is as it was before."""
    node, space = house.lan.nodes[0], house.router.namespace
    await wait_until(lambda: kernel.next_hops(space, WEB) == [node.v4], within=60, what="the route to web")
    await wait_until(lambda: house.ours.problems() == {}, within=30, what="the end of all problems")


async def test_no_bgpconf(house: House, good: dict[str, Object]) -> None:
    with changed(house, good, BgpConf=None):
        await on_service(house, "NoBgpConf")
        await on_pool(house, "NoBgpConf")
        await problem(house.ours, "BgpConf default", "create it with spec.as", reason="NoBgpConf")
        assert [reason for reason, _ in house.ours.events("web")][-1] == "DelBalancer"
    await back(house)


async def test_no_peer(house: House, good: dict[str, Object]) -> None:
    with changed(house, good, BgpPeer=None):
        await on_service(house, "NoPeer")
        await on_pool(house, "NoPeer")
        await problem(house.ours, "Node node1", "create one for each router", reason="NoPeer")
    await back(house)


async def test_no_peer_for_this_node(house: House, good: dict[str, Object]) -> None:
    other = bgp_peer("router", house.lan.routers[0].v4, **ELSEWHERE)
    with changed(house, good, BgpPeer=other):
        await on_service(house, "NoPeerForNode")
        await on_pool(house, "NoPeerForNode")
        await problem(house.ours, "Node node1", "nodeSelector", reason="NoPeerForNode")
        await condition(house, Kind.BGP_PEER, "router", "Ready", "NodeNotSelected")
    await back(house)


async def test_no_session(house: House, good: dict[str, Object]) -> None:
    with changed(house, good, BgpPeer=bgp_peer("router", "10.0.0.77")):
        await on_service(house, "NoSession", "no TCP connection to 10.0.0.77")
        await on_pool(house, "NoSession")
        await problem(house.ours, "BgpPeer router", "no TCP connection", reason="NotEstablished")
        await condition(house, Kind.BGP_PEER, "router", "Ready", "NotEstablished")
    await back(house)


async def test_no_endpoints(house: House, good: dict[str, Object]) -> None:
    with changed(house, good, EndpointSlice=None):
        await on_service(house, "NoEndpoints", "write one")
    await back(house)


async def test_no_endpoints_of_a_service_that_is_new(house: House) -> None:
    house.ours.write("bare", service("bare"))
    await on_service(house, "NoEndpoints", name="bare")
    assert [reason for reason, _ in house.ours.events("bare")] == ["AssignIP", "NoEndpoints"]
    house.ours.remove("bare")


async def test_no_local_endpoint_anywhere_known(house: House, good: dict[str, Object]) -> None:
    local = {"Service": service("web", local=True), "EndpointSlice": endpoints("web", "another-node")}
    with changed(house, good, **local):
        await on_service(house, "NoLocalEndpoint")
    await back(house)


async def test_no_eligible_node(house: House, good: dict[str, Object]) -> None:
    without_network = node("node1", house.lan.nodes[0].v4)
    without_network["status"]["conditions"] = [{"type": "NetworkUnavailable", "status": "True"}]
    with changed(house, good, Node=without_network):
        await on_service(house, "NodeNetworkUnavailable")
        await wait_until(lambda: kernel.next_hops(house.router.namespace, WEB) == [], within=30)
    await back(house)


async def test_a_pool_for_other_nodes(house: House, good: dict[str, Object]) -> None:
    elsewhere = eip("pool", good["Eip"]["spec"]["address"], default=True, **ELSEWHERE)
    with changed(house, good, Eip=elsewhere):
        await on_service(house, "NodeNotSelected")
    await back(house)


async def test_a_pool_that_is_gone_keeps_the_address_for_its_service(
    house: House, good: dict[str, Object]
) -> None:
    with changed(house, good, Eip=None):
        await on_service(house, "PoolGone", "create it again")
        await wait_until(lambda: kernel.next_hops(house.router.namespace, WEB) == [], within=30)
        assert house.ours.addresses("shop/web") == [WEB]
    await back(house)


async def test_a_peer_without_add_path_though_several_paths_go_to_it(
    house: House, good: dict[str, Object]
) -> None:
    few = bgp_peer("router", house.lan.routers[0].v4, afiSafis=[_ipv4(send_max=0)])
    house.ours.write("second", node("node2", "10.0.0.12"))
    with changed(house, good, BgpConf=bgp_conf(nextHops="Rack"), BgpPeer=few):
        await problem(house.ours, "BgpPeer router", "add", reason="NoAddPath")
    house.ours.remove("second")
    await back(house)


def _ipv4(*, send_max: int) -> Object:
    family = {"afi": "AFI_IP", "safi": "SAFI_UNICAST"}
    return {"config": {"family": family, "enabled": True}, "addPaths": {"config": {"sendMax": send_max}}}
