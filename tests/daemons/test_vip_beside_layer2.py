"""Both modes of one LAN on one interface, IPv4 and IPv6: neither touches what is the other's."""

from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.daemons.harness.manifests import Object, eip, endpoints, secret, service
from tests.daemons.harness.netns import Lan
from tests.daemons.harness.vips import LONG, VipCluster
from tests.daemons.harness.waiting import stays, wait_until

pytestmark = pytest.mark.timeout(600)

VIPS = {"vip4": "10.0.0.100", "vip6": "fd00:a::100"}
LAYER2 = {"arp4": "10.0.0.200", "arp6": "fd00:a::200"}


@pytest.fixture
async def cluster(new_lan: Callable[..., Lan], tmp_path: Path) -> AsyncIterator[VipCluster]:
    """Two nodes, and of each mode a pool and a Service of each family."""
    made = VipCluster(new_lan(nodes=2), tmp_path)
    made.write(*objects())
    made.start()
    yield made
    await made.stop()


def objects() -> list[Object]:
    pools: dict[str, Any] = {"protocol": "vip", "interface": "eth0"}
    found = [
        secret("openelb-membership", key="only-for-this-test"),
        eip("vip", ",".join(VIPS.values()), **pools),
        eip("layer2", ",".join(LAYER2.values()), **{**pools, "protocol": "layer2"}),
    ]
    for pool, names in (("vip", VIPS), ("layer2", LAYER2)):
        for name in names:
            made, behind = service(name, pool=pool), endpoints(name, "node1", "node2")
            if name.endswith("6"):
                made["spec"]["ipFamilies"] = ["IPv6"]
                behind["addressType"] = "IPv6"
                for one in behind["endpoints"]:
                    one["addresses"] = ["fd00:244::1"]
            found += [made, behind]
    return found


def answered(cluster: VipCluster, address: str) -> str:
    """The MAC that the client finds for an address; empty for none."""
    cluster.ping(address)
    entry = cluster.client.run("ip", "neigh", "show", address).split()
    return entry[entry.index("lladdr") + 1] if "lladdr" in entry else ""


def is_free(cluster: VipCluster, address: str) -> bool:
    return not cluster.holders(address)


async def test_each_address_is_one_node_s_and_the_end_of_one_mode_changes_nothing_of_the_other(
    cluster: VipCluster,
) -> None:
    for address in VIPS.values():
        await cluster.one_holder(address)
    for address in LAYER2.values():
        await wait_until(partial(answered, cluster, address), within=LONG, what=address)
        assert cluster.holders(address) == []
    for name in (*VIPS, *LAYER2):
        await cluster.controller.announced(f"shop/{name}", within=LONG)
    before = {address: answered(cluster, address) for address in LAYER2.values()}
    cluster.write(*(one for one in objects() if one["metadata"]["name"] not in ("vip", *VIPS)))
    for address in VIPS.values():
        await wait_until(partial(is_free, cluster, address), within=LONG, what=address)
    await stays(
        lambda: {one: answered(cluster, one) for one in LAYER2.values()} == before, during=2.0, what="layer2"
    )
