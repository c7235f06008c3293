"""vip mode over real keepalived in nodes of a LAN, from manifests to what a client of the LAN sees."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.daemons.harness.netns import Lan
from tests.daemons.harness.vips import LONG, Pinging, VipCluster, pool, services
from tests.daemons.harness.waiting import stays, wait_until

WEB = "10.0.0.100"


@pytest.fixture
async def cluster(new_lan: Callable[..., Lan], tmp_path: Path) -> AsyncIterator[VipCluster]:
    """Two nodes and Service `web`, served."""
    made = VipCluster(new_lan(nodes=2), tmp_path)
    made.write(pool(), *services(["web"], "node1", "node2"))
    made.start()
    yield made
    await made.stop()


async def test_an_address_is_held_by_one_node_and_answers_a_client(cluster: VipCluster) -> None:
    holder = await cluster.one_holder(WEB)
    await cluster.reached(WEB)
    await cluster.controller.announced("shop/web", within=LONG)
    await wait_until(lambda: cluster.master_report(holder.name) == [WEB], within=LONG, what="its report")


async def test_figures_tell_of_masters_transitions_advertisements_and_reloads(cluster: VipCluster) -> None:
    holder = await cluster.one_holder(WEB)
    backup = next(one for one in cluster.nodes if one is not holder)
    await cluster.configured(WEB)
    await wait_until(
        lambda: holder.figure("adverts_sent") > 0 and backup.figure("adverts_received") > 0,
        within=LONG,
        what="a report of each keepalived",
    )
    for name, value in (("masters", 1), ("addresses", 1), ("instances", 1), ("config_refusals_total", 0)):
        assert (name, holder.figure(name)) == (name, value)
    assert (backup.figure("masters"), backup.figure("instances")) == (0, 1)
    assert holder.figure('transitions_total{state="MASTER"}') >= 1
    assert holder.figure("reloads_total") >= 1


async def test_a_dead_node_is_replaced(cluster: VipCluster, tmp_path: Path) -> None:
    holder = await cluster.one_holder(WEB)
    other = next(one for one in cluster.nodes if one is not holder)
    await wait_until(lambda: WEB in other.config, within=LONG, what="the other node's part")
    await cluster.reached(WEB)
    with Pinging(cluster.client, WEB, tmp_path) as pinging:
        await pinging.goes_on()
        holder.power_off()
        await pinging.goes_on()
    assert other.held == {WEB}
    assert pinging.lost


async def test_a_killed_speaker_moves_no_master(cluster: VipCluster) -> None:
    holder = await cluster.settled(WEB)
    await cluster.reached(WEB)
    before = holder.pid(), holder.config
    holder.speaker.daemon.end()
    await stays(lambda: holder.held == {WEB}, during=1.0, what="the address")
    holder.speaker.start()
    await wait_until(lambda: holder.speaker.http("/readyz")[0] == 200, within=LONG, what="its successor")
    assert (holder.pid(), holder.config, holder.held) == (*before, {WEB})
