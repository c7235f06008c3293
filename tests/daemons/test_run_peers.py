"""Ways to find and to speak to routers, by `run` on a node: gateways, link-local sessions, racks, weights."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from openelb_bgp.model import keys
from openelb_bgp.model.meta import Kind
from tests.daemons.conftest import StartRouter
from tests.daemons.harness import kernel
from tests.daemons.harness.confs import NODE_ASN, ROUTER_ASN
from tests.daemons.harness.house import WEB
from tests.daemons.harness.manifests import Object, bgp_conf, bgp_peer, cluster, eip, endpoints, node, service
from tests.daemons.harness.netns import Lan, Namespace
from tests.daemons.harness.openelb import OpenElb
from tests.daemons.harness.waiting import wait_until

RACK_ASN = 64_601


@pytest.fixture
def lan(new_lan: Callable[..., Lan]) -> Lan:
    """Two routers and a node."""
    return new_lan(routers=2)


@pytest.fixture
def ours(lan: Lan, tmp_path: Path) -> Iterator[OpenElb]:
    """Not started yet."""
    made = OpenElb(lan.nodes[0], tmp_path)
    yield made
    made.daemon.end()


def discovered(*families: str) -> Object:
    """One BgpPeer for the routers of every rack."""
    made = bgp_peer("gateway", None, conf={"neighborDiscovery": "DefaultGateway"})
    if families:
        wanted = ({"family": {"afi": one, "safi": "SAFI_UNICAST"}} for one in families)
        made["spec"]["afiSafis"] = [{"config": one} for one in wanted]
    return made


def sessions(ours: OpenElb) -> set[str]:
    """The neighbours with which a session is up, as the Speaker shows them."""
    states = [one["peerState"] for one in ours.speaker.get("sessions", ())]
    return {one["neighborAddress"] for one in states if one["sessionState"] == "ESTABLISHED"}


async def routed(space: Namespace, *hops: str, address: str = WEB) -> None:
    """Return once the kernel of a router has these next hops."""
    await wait_until(
        lambda: kernel.next_hops(space, address) == sorted(hops), within=60, what=f"{hops} in {space.name}"
    )


async def test_the_default_gateway_is_the_router_and_another_takes_its_place(
    lan: Lan, ours: OpenElb, start_router: StartRouter
) -> None:
    here, (first, second) = lan.nodes[0], lan.routers
    for space in lan.routers:
        await start_router(space, neighbors={here.v4: NODE_ASN})
    here.run("ip", "route", "add", "default", "via", first.v4)
    ours.write("good", bgp_conf(), discovered(), *cluster(lan)[2:])
    ours.start()
    await routed(first, here.v4)
    assert sessions(ours) <= {first.v4} and kernel.next_hops(second, WEB) == []
    moved = time.monotonic()
    here.run("ip", "route", "replace", "default", "via", second.v4)
    await routed(second, here.v4)
    await routed(first)
    # A link that flaps must not cost a session: the first router has kept it for 30 s.
    assert time.monotonic() - moved > 29
    await wait_until(lambda: sessions(ours) == {second.v4}, within=30, what="one session in the report")


async def test_an_ecmp_default_gives_a_session_per_gateway(
    lan: Lan, ours: OpenElb, start_router: StartRouter
) -> None:
    here = lan.nodes[0]
    for space in lan.routers:
        await start_router(space, neighbors={here.v4: NODE_ASN})
    hops = [word for space in lan.routers for word in ("nexthop", "via", space.v4)]
    here.run("ip", "route", "add", "default", *hops)
    ours.write("good", bgp_conf(), discovered(), *cluster(lan)[2:])
    ours.start()
    for space in lan.routers:
        await routed(space, here.v4)
    await wait_until(
        lambda: sessions(ours) == {space.v4 for space in lan.routers}, within=30, what="both in the report"
    )


async def test_a_link_local_gateway_carries_both_families(
    lan: Lan, ours: OpenElb, start_router: StartRouter
) -> None:
    """The router advertises itself (RFC 4861): a session by the interface, over it IPv4 by RFC 8950."""
    here, leaf = lan.nodes[0], lan.routers[0]
    router = await start_router(leaf, neighbors={})
    router.configure(
        f"router bgp {ROUTER_ASN}",
        *(f"neighbor {link_local(here)} {words}" for words in (f"remote-as {NODE_ASN}", "interface eth0")),
        *("address-family ipv4 unicast", f"neighbor {link_local(here)} activate"),
        *("address-family ipv6 unicast", f"neighbor {link_local(here)} activate"),
    )
    # A host that forwards takes no router advertisements unless it is told to.
    here.run("sysctl", "-q", "-w", "net.ipv6.conf.eth0.accept_ra=2")
    router.configure("interface eth0", "ipv6 nd ra-interval 3", "no ipv6 nd suppress-ra")
    pool6 = eip("pool6", "2001:db8::1-2001:db8::e", default=True)
    both = service("both")
    both["spec"] |= {"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv4", "IPv6"]}
    slices = endpoints("both", "node1"), endpoints6("both", "node1")
    ours.write("good", bgp_conf(), discovered("AFI_IP", "AFI_IP6"), *cluster(lan)[2:3], pool6, both, *slices)
    ours.start()
    await routed(leaf, link_local(here), address=WEB)
    await routed(leaf, link_local(here), address="2001:db8::1")
    neighbour = f"{link_local(leaf)}%eth0"
    await wait_until(lambda: sessions(ours) == {neighbour}, within=30, what="the session in the report")


def link_local(space: Namespace) -> str:
    """The address of its interface that is only good on that link."""
    shown = json.loads(space.run("ip", "-6", "-json", "address", "show", "dev", "eth0"))
    found = [one for link in shown for one in link.get("addr_info", ())]
    return next(str(one["local"]) for one in found if one["scope"] == "link")


def endpoints6(name: str, *nodes: str) -> Object:
    """The same as `endpoints`, in IPv6."""
    made = endpoints(name, *nodes)
    made["metadata"]["name"] += "-6"
    made["addressType"] = "IPv6"
    for index, one in enumerate(made["endpoints"], start=1):
        one["addresses"] = [f"fd00:{index}::10"]
    return made


async def test_each_rack_has_its_own_asn_and_a_node_that_moves_takes_the_other(
    lan: Lan, ours: OpenElb, start_router: StartRouter
) -> None:
    here, leaf = lan.nodes[0], lan.routers[0]
    router = await start_router(leaf, neighbors={here.v4: RACK_ASN})
    ours.write("node", racked(here, "a"))
    ours.write("good", bgp_conf(asPerRack={"a": RACK_ASN, "b": RACK_ASN + 1}), *cluster(lan)[1:])
    ours.start()
    await routed(leaf, here.v4)
    assert router.paths(f"{WEB}/32")[0]["aspath"]["string"] == str(RACK_ASN)
    conf = await wait_until(
        lambda: ours.status(Kind.BGP_CONF, "default").get("nodesConfStatus"), within=30, what="the report"
    )
    assert conf["node1"]["as"] == RACK_ASN
    router.configure("router bgp 65001", f"neighbor {here.v4} remote-as {RACK_ASN + 1}")
    ours.write("node", racked(here, "b"))
    await wait_until(
        lambda: [path["aspath"]["string"] for path in router.paths(f"{WEB}/32")] == [str(RACK_ASN + 1)],
        within=60,
        what="the route by the other rack's ASN",
    )


def racked(space: Namespace, rack: str) -> Object:
    made = node("node1", space.v4, space.v6)
    made["metadata"]["labels"] = {keys.RACK_LABEL: rack}
    return made


async def test_local_endpoints_are_weights_in_the_routers_kernel(
    lan: Lan, ours: OpenElb, start_router: StartRouter
) -> None:
    here, leaf = lan.nodes[0], lan.routers[0]
    await start_router(leaf, neighbors={here.v4: NODE_ASN})
    pods = ("node1", "node2", "node2", "node2")
    ours.write("nodes", node("node1", here.v4), node("node2", lan.routers[1].v4))
    ours.write(
        "good",
        bgp_conf(weightedEcmp=True, nextHops="Rack"),
        *cluster(lan)[1:3],
        service("web", local=True),
        endpoints("web", *pods),
    )
    ours.start()

    def weights() -> dict[str, int]:
        legs = kernel.routes(leaf).get(WEB, [])
        return {leg["gateway"]: leg["weight"] for leg in legs if "gateway" in leg and "weight" in leg}

    def thrice() -> bool:
        found = weights()
        return len(found) == 2 and found[lan.routers[1].v4] // found[here.v4] == 3

    await wait_until(thrice, within=60, what="both nodes, one with three times the weight of the other")
