"""What FRR does to a route in the kernel when its set of next hops changes, counted by netlink.

By default zebra deletes an IPv6 route and adds it again; with `--v6-rr-semantics`, as the lab and these tests
start it, it replaces the route as it does for IPv4.
"""

from ipaddress import IPv4Address, IPv6Address

import pytest

from openelb_bgp.bgp.gobgp.client import Client
from openelb_bgp.bgp.model import Path, PathAttrs
from openelb_bgp.model.addresses import Address
from tests.daemons.conftest import StartRouter
from tests.daemons.harness import confs, kernel
from tests.daemons.harness.kernel import RouteDeletions
from tests.daemons.harness.netns import Lan
from tests.daemons.harness.waiting import wait_until


@pytest.mark.parametrize("family", [4, 6])
async def test_a_next_hop_that_joins_or_leaves_makes_no_gap(
    client: Client, lan: Lan, start_router: StartRouter, family: int
) -> None:
    node, space = lan.nodes[0], lan.routers[0]
    router = await start_router(space, neighbors={node.v4: confs.NODE_ASN})
    await client.start(confs.speaker(node))
    await client.add_peer(confs.peer(space))
    await wait_until(lambda: router.established(node.v4), within=30)
    own = node.v4 if family == 4 else node.v6

    def path(next_hop: str, identifier: int) -> Path:
        hop: Address = IPv4Address(next_hop) if family == 4 else IPv6Address(next_hop)
        make = confs.service if family == 4 else confs.service6
        return make(1, PathAttrs(next_hop=hop), identifier=identifier)

    others = ["10.0.0.77", "10.0.0.78"] if family == 4 else ["fd00:a::77", "fd00:a::78"]
    prefix = str(path(own, 1).key.prefix.network_address)

    async def goes_by(*next_hops: str) -> None:
        await wait_until(lambda: kernel.next_hops(space, prefix) == sorted(next_hops), within=30)

    await client.add_paths([path(own, 1)])
    await goes_by(own)
    with RouteDeletions(space) as deletions:
        await client.add_paths([path(others[0], 2)])
        await goes_by(own, others[0])
        await client.add_paths([path(others[1], 3)])
        await goes_by(own, *others)
        await client.withdraw_paths([path(own, 1).key])
        await goes_by(*others)
        await client.withdraw_paths([path(others[0], 2).key])
        await goes_by(others[1])
    assert deletions.prefixes == ()
