"""Nothing that a router tells a speaker reaches another router, or the node's kernel.

Two leaves of different ASNs and one speaker; the first leaf announces a default route and 1,000 prefixes.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from openelb_bgp.model.addresses import Family
from openelb_bgp.model.snapshot import Snapshot
from tests.contract.process import eventually
from tests.contract.real import started
from tests.contract.world import (
    IMPORT_ALL,
    NODE_ASN,
    ROUTER_ASN,
    cluster,
    conf,
    peer,
    policy,
    prefixes,
    with_,
    with_services,
)
from tests.daemons.conftest import StartRouter
from tests.daemons.harness import kernel
from tests.daemons.harness.netns import Lan
from tests.daemons.harness.waiting import stays

OTHER_ASN = 65002
LEARNED = 1_000
ACCEPT_ALL = (
    IMPORT_ALL
    + """
default-export-policy = "accept-route"
export-policy-list = ["everything"]
[[policy-definitions]]
name = "everything"
[[policy-definitions.statements]]
name = "all"
[policy-definitions.statements.actions]
route-disposition = "accept-route"
"""
)


def learned_prefixes() -> tuple[str, ...]:
    return tuple(f"  network 203.{number // 256}.{number % 256}.0/24" for number in range(LEARNED))


@pytest.mark.parametrize("text", ["", IMPORT_ALL, ACCEPT_ALL], ids=["plain", "imports", "accepts everything"])
async def test_what_one_leaf_announces_reaches_neither_the_other_nor_the_kernel(
    new_lan: Callable[..., Lan], start_router: StartRouter, gobgp_version: str, tmp_path: Path, text: str
) -> None:
    lan = new_lan(routers=2)
    node, (source, sink) = lan.nodes[0], lan.routers
    first = await start_router(
        source,
        neighbors={node.v4: NODE_ASN},
        extra=(
            " address-family ipv4 unicast",
            *learned_prefixes(),
            f"  neighbor {node.v4} default-originate",
            " exit-address-family",
        ),
    )
    other = await start_router(sink, neighbors={node.v4: NODE_ASN}, asn=OTHER_ASN)
    async with (
        started(gobgp_version, node, tmp_path) as real,
        real.process(new_boot=True).running() as speaker,
    ):
        await speaker.settle(snapshot(lan, text))
        await eventually(lambda: other.prefixes() == prefixes(range(10)), within=40, what="our routes")

        async def told() -> bool:
            async with real.by_hand() as client:
                (seen, _) = await client.peers()
                kept = await client.count(Family.IPV4)
            return seen.received.update >= 1 and (not text or kept.paths == 10 + LEARNED + 1)

        await eventually(told, within=40, what="what the leaf announces, in gobgpd")
        # Edits of ours and soft resets must not let anything through either.
        await speaker.settle(with_services(speaker.snapshot, range(12)))
        await stays(
            lambda: other.prefixes() <= prefixes(range(12)), during=2, what="what the other leaf knows"
        )
        assert other.prefixes() == prefixes(range(12))
        assert kernel.routes(node) == {}
        assert first.neighbor(node.v4)["connectionsEstablished"] == 1


def snapshot(lan: Lan, text: str) -> Snapshot:
    first, second = lan.routers
    peers = [peer(first.v4, "leaf1", asn=ROUTER_ASN), peer(second.v4, "leaf2", asn=OTHER_ASN)]
    made = cluster(range(10), peers=peers)
    return with_(made, conf(policy="policy"), policy(text)) if text else made
