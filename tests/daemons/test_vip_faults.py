"""What goes wrong on a LAN with vip pools, and what a client of the LAN sees of it."""

import os
import signal
import tempfile
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from openelb_bgp.model import keys
from openelb_bgp.model.meta import Kind
from tests.daemons.harness.manifests import Object
from tests.daemons.harness.netns import Lan
from tests.daemons.harness.vips import LONG, Pinging, VipCluster, VipNode, pool, services
from tests.daemons.harness.waiting import stays, wait_until

WEB, ZOO = "10.0.0.100", "10.0.0.101"
NAMES = ["web", "zoo"]

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
async def cluster(new_lan: Callable[..., Lan], tmp_path: Path) -> AsyncIterator[VipCluster]:
    """Three nodes; `web` and `zoo` are served, and every node takes part."""
    made = VipCluster(new_lan(nodes=3), tmp_path)
    made.write(pool(), *services(NAMES, "node1", "node2", "node3"))
    made.start()
    await made.configured(WEB, ZOO)
    await made.one_holder(WEB, ZOO)
    await made.reached(WEB, ZOO)
    yield made
    await made.stop()


def others(cluster: VipCluster, node: VipNode) -> list[str]:
    return [one.name for one in cluster.nodes if one is not node]


def is_idle(node: VipNode) -> bool:
    return not node.held and not node.pid()


def drained(objects: list[Object], name: str) -> list[Object]:
    for one in objects:
        if (one["kind"], one["metadata"]["name"]) == ("Node", name):
            one["metadata"]["annotations"] = {keys.DRAIN_ANNOTATION: "true"}
    return objects


async def test_a_cut_cable_moves_what_the_node_had_and_nothing_comes_back_at_once(
    cluster: VipCluster, tmp_path: Path
) -> None:
    holder = await cluster.one_holder(WEB)
    with Pinging(cluster.client, WEB, tmp_path) as pinging:
        await pinging.goes_on()
        cluster.lan.set_carrier(holder.space, up=False)
        other = await cluster.one_holder(WEB, among=others(cluster, holder))
        await pinging.goes_on()
        cluster.lan.set_carrier(holder.space, up=True)
        await wait_until(lambda: WEB in holder.config, within=LONG, what="its part again")
        await stays(lambda: other.held >= {WEB}, during=3.0, what="the master of now")


async def test_keepalived_killed_is_replaced_and_the_event_says_from_whom(cluster: VipCluster) -> None:
    holder = await cluster.one_holder(WEB)
    await wait_until(lambda: WEB in cluster.master_report(holder.name), within=LONG, what="its report")
    holder.kill_keepalived()
    other = await cluster.one_holder(WEB, among=others(cluster, holder))
    await cluster.reached(WEB)
    said = f"node {other.name} has become VRRP master of {WEB}"

    def told() -> list[str]:
        return [text for text in cluster.told("web") if text.startswith(said) and holder.name in text]

    await wait_until(told, within=LONG, what="the event")
    await cluster.controller.announced("shop/web", within=LONG)

    def condition() -> bool:
        found = cluster.controller.condition(Kind.SERVICE, "shop/web", keys.ANNOUNCED_CONDITION)
        return str(found.get("message", "")).startswith(f"announced by {other.name} (")

    await wait_until(condition, within=LONG, what="the node and its MAC in the condition")


async def test_a_stalled_keepalived_is_killed_and_its_addresses_go(cluster: VipCluster) -> None:
    holder = await cluster.one_holder(WEB)
    os.kill(holder.pid("vrrp.pid"), signal.SIGSTOP)
    await cluster.one_holder(WEB, ZOO, among=others(cluster, holder))
    await cluster.reached(WEB)


async def test_services_come_and_go_and_no_other_loses_anything(cluster: VipCluster, tmp_path: Path) -> None:
    everywhere = ("node1", "node2", "node3")
    with Pinging(cluster.client, WEB, tmp_path) as web, Pinging(cluster.client, ZOO, tmp_path) as zoo:
        await web.goes_on()
        cluster.write(pool(), *services([*NAMES, "zulu"], *everywhere))
        await cluster.reached("10.0.0.102")
        cluster.write(pool(), *services(NAMES, *everywhere))
        await wait_until(lambda: not cluster.holders("10.0.0.102"), within=LONG, what="the end of it")
        await web.goes_on()
        await zoo.goes_on()
    assert (web.lost, zoo.lost) == ([], [])


async def test_a_drain_loses_nothing(cluster: VipCluster, tmp_path: Path) -> None:
    holder = await cluster.one_holder(WEB)
    everything = services(NAMES, "node1", "node2", "node3")
    with Pinging(cluster.client, WEB, tmp_path) as pinging:
        await pinging.goes_on()
        cluster.controller.write(
            "cluster", *drained(cluster.node_objects(), holder.name), pool(), *everything
        )
        await cluster.one_holder(WEB, among=others(cluster, holder))
        await pinging.goes_on()
    assert pinging.lost == []


async def test_a_local_service_is_held_by_nodes_with_endpoints_and_follows_them(cluster: VipCluster) -> None:
    for nodes in (["node2"], ["node3"], ["node1", "node2"]):
        cluster.write(pool(), *services(["web"], *nodes, local=True))
        await cluster.one_holder(WEB, among=nodes)
        await cluster.reached(WEB)


async def test_a_local_service_changes_its_nodes_without_a_loss_and_disturbs_no_other(
    cluster: VipCluster, tmp_path: Path
) -> None:
    def placed(*ready: str, leaving: str = "") -> list[Object]:
        web = services(["web"], *ready, local=True)
        if leaving:
            # Its pod terminates, and serves on until it has ended.
            conditions = {"ready": False, "serving": True, "terminating": True}
            web[1]["endpoints"].append(
                {"addresses": ["10.244.0.9"], "nodeName": leaving, "conditions": conditions}
            )
        # In the same pool, and on the nodes that `web` comes to: it may be in the way.
        return [pool(), *web, *services(["zoo"], "node1", "node2", "node3", local=True)]

    def served_by(*nodes: str) -> bool:
        parts = [one for one in cluster.nodes if f" {WEB}/" in one.config]
        return {one.name for one in parts} == set(nodes) and len(cluster.holders(WEB)) == 1

    cluster.write(*placed("node1", "node2"))
    await wait_until(lambda: served_by("node1", "node2"), within=LONG, what="two nodes")
    with Pinging(cluster.client, WEB, tmp_path) as web, Pinging(cluster.client, ZOO, tmp_path) as zoo:
        await web.goes_on()
        await zoo.goes_on()
        cluster.write(*placed("node1", "node2", "node3"))
        await wait_until(lambda: served_by("node1", "node2", "node3"), within=LONG, what="three nodes")
        leaving = (await cluster.one_holder(WEB)).name
        stay = [one.name for one in cluster.nodes if one.name != leaving]
        cluster.write(*placed(*stay, leaving=leaving))
        await wait_until(lambda: served_by(*stay), within=LONG, what="the others")
        await web.goes_on()
        await zoo.goes_on()
    assert (web.lost, zoo.lost) == ([], [])


async def test_a_pool_that_is_deleted_takes_everything_with_it(cluster: VipCluster) -> None:
    cluster.write()
    for node in cluster.nodes:
        await wait_until(partial(is_idle, node), within=LONG, what="nothing left")


async def test_a_pool_that_was_deleted_while_the_speaker_was_away_leaves_nothing(cluster: VipCluster) -> None:
    holder = await cluster.one_holder(WEB)
    holder.speaker.daemon.end()
    assert WEB in holder.held
    # Another pool stays: a state without any status is one that no controller has written to.
    cluster.write(pool("other", "10.0.0.200"))
    holder.speaker.start()
    await wait_until(lambda: not holder.held, within=LONG, what="nothing left")


async def test_two_clusters_with_one_vrid_serve_beside_each_other_and_say_so(
    new_lan: Callable[..., Lan],
) -> None:
    lan = new_lan(nodes=2)
    made = []
    for index, address in enumerate(("10.0.0.100", "10.0.0.150")):
        # Below the test's own folder a socket's path would be too long.
        folder = Path(tempfile.mkdtemp(prefix="oelb-"))
        alone = Lan(lan.switch, lan.routers, (lan.nodes[index],))
        one = VipCluster(alone, folder, port=9940 + 2 * index)
        one.write(pool(f"lan{index}", address, virtualRouterIds="7"), *services(["web"], "node1"))
        one.start()
        made.append(one)
    try:
        await made[0].one_holder("10.0.0.100")
        await made[1].one_holder("10.0.0.150")
        await made[0].reached("10.0.0.100", "10.0.0.150")
        for one in made:
            ask = partial(one.nodes[0].speaker.problems, "VridInUseByOther")
            await wait_until(ask, within=LONG, what="the problem")
        await made[0].reached("10.0.0.100", "10.0.0.150")
    finally:
        for one in made:
            await one.stop()


async def test_ipv6_and_ipv4_are_served_side_by_side(new_lan: Callable[..., Lan], tmp_path: Path) -> None:
    cluster = VipCluster(new_lan(nodes=2), tmp_path)
    six = pool("six", "fd00:a::100-fd00:a::10f")
    web6, slice6 = services(["web6"], "node1", "node2")
    web6["spec"]["ipFamilies"] = ["IPv6"]
    slice6["addressType"] = "IPv6"
    slice6["endpoints"] = [
        {"addresses": ["fd00:244::1"], "nodeName": name, "conditions": {"ready": True}}
        for name in ("node1", "node2")
    ]
    cluster.write(pool(), six, *services(["web"], "node1", "node2"), web6, slice6)
    cluster.start()
    try:
        for address in (WEB, "fd00:a::100"):
            await cluster.one_holder(address)
        await cluster.reached(WEB, "fd00:a::100")
        holder = await cluster.one_holder("fd00:a::100")
        holder.power_off()
        await cluster.reached("fd00:a::100")
    finally:
        await cluster.stop()


@pytest.mark.parametrize("vip", [{"unicast": True}, {"advertIntervalMs": 100}], ids=["unicast", "100 ms"])
async def test_other_ways_to_advertise_elect_one_master_too(
    new_lan: Callable[..., Lan], tmp_path: Path, vip: dict[str, Any]
) -> None:
    cluster = VipCluster(new_lan(nodes=2), tmp_path)
    cluster.write(pool(**vip), *services(["web"], "node1", "node2"))
    cluster.start()
    try:
        holder = await cluster.one_holder(WEB)
        other = next(one for one in cluster.nodes if one is not holder)
        await wait_until(lambda: WEB in other.config, within=LONG, what="the other node's part")
        await stays(lambda: cluster.holders(WEB) == [holder.name], during=2.0, what="one master")
        holder.power_off()
        await wait_until(lambda: WEB in other.held, within=LONG, what="the other node as master")
    finally:
        await cluster.stop()


async def test_without_keepalived_bgp_and_the_report_go_on(
    new_lan: Callable[..., Lan], tmp_path: Path
) -> None:
    cluster = VipCluster(new_lan(nodes=1), tmp_path, "--keepalived", "/opt/nowhere/keepalived")
    cluster.write(pool(), *services(["web"], "node1"))
    cluster.start()
    try:
        speaker = cluster.nodes[0].speaker

        def said() -> str:
            return speaker.problems("SidecarDown").get("keepalived", "")

        message = await wait_until(said, within=LONG, what="the problem")
        assert "/opt/nowhere/keepalived is not there: install keepalived" in message
        assert speaker.speaker["gobgp"]["version"]
    finally:
        await cluster.stop()


async def test_an_address_that_keepalived_refuses_is_left_out_and_its_service_is_told_why(
    new_lan: Callable[..., Lan], tmp_path: Path
) -> None:
    picky = tmp_path / "keepalived"
    picky.write_text(
        '#!/bin/sh\nfor last; do :; done\ncase "$*" in\n*--config-test*)\n'
        f'    if grep -q "{ZOO}/" "$last"; then echo "($last: Line 7) I do not like {ZOO}"; exit 5; fi ;;\n'
        'esac\nexec keepalived "$@"\n'
    )
    picky.chmod(0o755)
    cluster = VipCluster(new_lan(nodes=1), tmp_path, "--keepalived", str(picky))
    cluster.write(pool(), *services(NAMES, "node1"))
    cluster.start()
    try:
        await cluster.one_holder(WEB)
        (node,) = cluster.nodes

        def said() -> str:
            return node.speaker.problems("RefusedByKeepalived").get("Service shop/zoo", "")

        message = await wait_until(said, within=LONG, what="the problem")
        assert message == (
            f"{ZOO}: keepalived refuses it: (keepalived.conf: Line 7) I do not like {ZOO}; give the Service "
            "another address"
        )
        assert (ZOO in node.config, node.held) == (False, {WEB})
    finally:
        await cluster.stop()
