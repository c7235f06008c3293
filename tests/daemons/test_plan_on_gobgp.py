"""What a plan says each neighbour sees is what its router sees, on a real gobgpd of each version."""

from collections.abc import Callable
from ipaddress import ip_interface
from typing import Any

import msgspec
import pytest

from openelb_bgp.bgp.explain import Advertised, explain
from openelb_bgp.bgp.gobgp.client import Client
from openelb_bgp.bgp.model import Path
from openelb_bgp.bgp.plan import BgpPlan
from openelb_bgp.model.addresses import Family
from openelb_bgp.model.facts import Link
from openelb_bgp.model.pools import Advertisement
from openelb_bgp.model.routing import AfiSafi, NextHops
from tests.daemons.conftest import StartRouter
from tests.daemons.harness.confs import NODE_ASN
from tests.daemons.harness.frr import Frr
from tests.daemons.harness.netns import Lan, Namespace
from tests.daemons.harness.waiting import stays, wait_until
from tests.unit.plan_world import World, advert, conf, drained, node, peer, pool, service, world


@pytest.fixture
def lan(new_lan: Callable[..., Lan]) -> Lan:
    """Two routers and a node."""
    return new_lan(routers=2)


BOTH = (AfiSafi(family=Family.IPV4), AfiSafi(family=Family.IPV6))
WELL_KNOWN = {"gracefulShutdown": "65535:0"}
V4, V6 = "192.0.2.1/32", "2001:db8::1/128"


def lan_world(lan: Lan, *adverts: Advertisement, **changes: Any) -> World:
    """Node a is the LAN's; `outside` is router 1 by eBGP over IPv4, `inside` router 2 by iBGP over IPv6."""
    here, outside, inside = lan.nodes[0], *lan.routers
    interfaces = tuple(map(ip_interface, (f"{here.v4}/24", f"{here.v6}/64")))
    link = Link(name="eth0", index=2, up=True, addresses=interfaces)
    return world().with_(
        **{
            "nodes": [
                node("a", 1, addresses=(here.v4, here.v6)),
                node("b", 2, addresses=("10.0.0.77", "fd00:a::77")),
                node("c", 3, addresses=("10.0.0.78", "fd00:a::78")),
            ],
            "links": (link,),
            "sessions": {},
            "services": [service("web", "192.0.2.1", "2001:db8::1")],
            "eips": [pool(advertisements=adverts)],
            "bgp_peers": [
                peer("outside", outside.v4, asn=65001, afi_safis=BOTH),
                peer("inside", inside.v6, asn=NODE_ASN, afi_safis=BOTH),
            ],
            **changes,
        }
    )


async def start(client: Client, plan: BgpPlan) -> None:
    """A fresh gobgpd as the plan wants it."""
    assert plan.complete
    assert plan.global_conf is not None
    await client.start(plan.global_conf)
    await client.set_policies(plan.routing)
    await client.add_paths([Path(key, attrs) for key, attrs in plan.paths.items()])
    for one in plan.peers.values():
        quick = msgspec.structs.replace(one.timers, connect_retry=1, idle_hold_time_after_reset=1)
        await client.add_peer(msgspec.structs.replace(one, timers=quick))


async def start_routers(start_router: StartRouter, lan: Lan) -> tuple[Frr, Frr]:
    here, outside, inside = lan.nodes[0], *lan.routers
    return (
        await start_router(outside, neighbors={here.v4: NODE_ASN}),
        await start_router(inside, neighbors={here.v6: NODE_ASN}, asn=NODE_ASN),
    )


def expected(plan: BgpPlan, name: str, prefix: str, here: Namespace) -> list[dict[str, Any]]:
    """What that peer's router should show of a prefix, by next hop."""
    found = [
        one
        for path in explain(plan).paths
        if str(path.prefix) == prefix
        for one in path.to
        if one.peer == name
    ]
    return sorted((_as_router_shows(one, prefix, here) for one in found), key=lambda one: one["next hop"])


def _as_router_shows(one: Advertised, prefix: str, here: Namespace) -> dict[str, Any]:
    words = [text.split(" ", 1) for text in one.attributes]
    shown: dict[str, Any] = {
        "next hop": one.next_hop,
        "communities": sorted(value for name, value in words if name == "community"),
        "large": sorted(value for name, value in words if name == "large-community"),
        "med": next((int(value) for name, value in words if name == "med"), None),
        "as path": " ".join(
            ([str(NODE_ASN)] if one.peer == "outside" else [])
            + [value for name, value in words if name == "as-path-prepend"]
        ),
    }
    if one.peer == "inside":
        shown["local pref"] = next((int(value) for name, value in words if name == "local-pref"), 100)
    if one.next_hop == "self":
        over_v6 = ":" in one.neighbour
        shown["next hop"] = here.v6 if over_v6 or ":" in prefix else here.v4
    return shown


def shown(router: Frr, name: str, prefix: str) -> list[dict[str, Any]]:
    """What a router shows of a prefix, by next hop."""
    family = "ipv6" if ":" in prefix else "ipv4"
    found = [_shown(path, internal=name == "inside") for path in router.paths(prefix, family)]
    return sorted(found, key=lambda one: str(one["next hop"]))


def _shown(path: dict[str, Any], *, internal: bool) -> dict[str, Any]:
    hops = [hop["ip"] for hop in path["nexthops"] if hop.get("scope") != "link-local"]
    one = {
        "next hop": hops[0],
        "communities": sorted(
            WELL_KNOWN.get(value, value) for value in path.get("community", {}).get("list", [])
        ),
        "large": sorted(path.get("largeCommunity", {}).get("list", [])),
        "med": path.get("metric"),
        "as path": path["aspath"]["string"].replace("Local", ""),
    }
    if internal:
        one["local pref"] = path.get("locPrf", path.get("localPref"))
    return one


async def agree(plan: BgpPlan, lan: Lan, outside: Frr, inside: Frr, *prefixes: str) -> None:
    """Wait until both routers see what the plan says, and nothing else."""
    for name, router in (("outside", outside), ("inside", inside)):
        for prefix in prefixes:
            await _agree(expected(plan, name, prefix, lan.nodes[0]), name, router, prefix)


async def _agree(want: list[dict[str, Any]], name: str, router: Frr, prefix: str) -> None:
    try:
        await wait_until(lambda: shown(router, name, prefix) == want, within=60)
    except AssertionError:
        # Said by comparing once more: the difference is what one wants to read.
        assert shown(router, name, prefix) == want
        raise


async def test_each_router_sees_what_the_plan_says_of_attributes_that_differ_by_peer(
    client: Client, lan: Lan, start_router: StartRouter
) -> None:
    plan = lan_world(
        lan,
        advert(peers=("outside",), communities=(0x10005,), med=3, as_path_prepend=2),
        advert(peers=("inside",), large_communities=((1, 2, 3),), local_pref=200),
        advert(peers=("inside",), aggregation_length=24, aggregation_length_v6=64),
    ).plan()
    await start(client, plan)
    outside, inside = await start_routers(start_router, lan)
    await agree(plan, lan, outside, inside, V4, V6, "192.0.2.0/24", "2001:db8::/64")
    await stays(lambda: outside.prefixes() == {V4}, during=1, what="what is not for that router")


async def test_a_draining_nodes_paths_are_less_wanted_by_both_kinds_of_peers(
    client: Client, lan: Lan, start_router: StartRouter
) -> None:
    calm = lan_world(lan, bgp_confs=[conf(next_hops=NextHops.RACK)])
    nodes = dict(calm.snapshot.nodes)
    leaving = msgspec.structs.replace(drained("b", 2), addresses=nodes["b"].addresses)
    plan = calm.with_(nodes=[nodes["a"], leaving, nodes["c"]]).plan(previous=calm.plan())
    await start(client, plan)
    outside, inside = await start_routers(start_router, lan)
    await agree(plan, lan, outside, inside, V4, V6)


async def test_a_change_of_what_peers_see_leaves_nothing_stale(
    client: Client, lan: Lan, start_router: StartRouter
) -> None:
    first = lan_world(lan, advert(communities=(0x10001,))).plan()
    await start(client, first)
    outside, inside = await start_routers(start_router, lan)
    await agree(first, lan, outside, inside, V4, V6)
    plan = first
    for adverts in (
        (advert(peers=("inside",)),),
        (advert(peers=("outside",), med=5),),
        (advert(peers=("outside",), med=6), advert(peers=("inside",), local_pref=0)),
        (),
    ):
        before, plan = plan, lan_world(lan, *adverts).plan(previous=plan)
        await client.set_policies(plan.routing)
        keys = plan.changed or frozenset()
        await client.add_paths([Path(key, plan.paths[key]) for key in keys if key in plan.paths])
        await client.withdraw_paths([key for key in keys if key in before.paths and key not in plan.paths])
        await agree(plan, lan, outside, inside, V4, V6)
    assert (outside.resets(lan.nodes[0].v4), inside.resets(lan.nodes[0].v6)) == (0, 0)


async def test_peer_as_zero_takes_the_asn_that_the_router_shows(
    client: Client, lan: Lan, start_router: StartRouter
) -> None:
    here, outside, _ = lan.nodes[0], *lan.routers
    plan = lan_world(lan, bgp_peers=[peer("outside", outside.v4, asn=0)]).plan()
    await start(client, plan)
    router = await start_router(outside, neighbors={here.v4: NODE_ASN})
    await wait_until(lambda: router.prefixes() == {V4}, within=30)
