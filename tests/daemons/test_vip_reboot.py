"""A node that boots beside one that serves: it takes part once it forwards, and takes over after a delay."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from openelb_bgp.forwarding import KUBE_PROXY_PORT
from openelb_bgp.host.boot import read_boot_id
from openelb_bgp.settings import FilesSettings, SpeakerSettings
from openelb_bgp.vip.model import PREEMPT_SECONDS
from tests.daemons.harness.gobgp import NEW, gobgpd_binary
from tests.daemons.harness.in_cluster import speaker_as_in_cluster
from tests.daemons.harness.inside import run_inside
from tests.daemons.harness.kube_proxy import KubeProxy
from tests.daemons.harness.manifests import Object
from tests.daemons.harness.netns import Lan
from tests.daemons.harness.vips import LONG, VipCluster, VipNode, pool, services
from tests.daemons.harness.waiting import stays, wait_until

NAMES = [f"web{number}" for number in range(8)]
ADDRESSES = {f"10.0.0.{100 + number}" for number in range(8)}


def settings_of(booted: VipNode) -> SpeakerSettings:
    files = FilesSettings(files=booted.speaker.manifests, state=booted.speaker.state)
    return SpeakerSettings(
        source=files, node=booted.name, runtime_dir=booted.speaker.runtime, gobgpd=gobgpd_binary(NEW)
    )


def as_kubelet_says(node: Object) -> Object:
    """The Node, ready since this boot."""
    status: dict[str, Any] = node["status"]
    ready = [{"type": "Ready", "status": "True"}]
    return {**node, "status": {**status, "conditions": ready, "nodeInfo": {"bootID": read_boot_id()}}}


async def test_a_node_that_boots_waits_until_it_forwards_and_then_a_while_more(
    new_lan: Callable[..., Lan], tmp_path: Path
) -> None:
    cluster = VipCluster(new_lan(nodes=2), tmp_path)
    booted, serving = cluster.nodes
    nodes = [as_kubelet_says(one) for one in cluster.node_objects()]
    cluster.controller.write("cluster", *nodes, pool(), *services(NAMES, "node1", "node2"))
    cluster.lan.switch.run("ip", "link", "set", "lo", "up")
    booted.space.run("ip", "link", "set", "lo", "up")
    cluster.controller.start()
    serving.speaker.start()
    await wait_until(lambda: serving.held == ADDRESSES, within=LONG, what="all on the node that serves")

    async def boots() -> None:
        proxy = KubeProxy(booted.space)
        await proxy.answer(KUBE_PROXY_PORT, 503)
        async with speaker_as_in_cluster(settings_of(booted), controls=False):
            await wait_until(lambda: proxy.asked, within=LONG, what="a question to kube-proxy")
            await stays(lambda: not booted.config, during=3.0, what="no part in anything")
            await proxy.answer(KUBE_PROXY_PORT, 200)
            await wait_until(lambda: booted.led, within=LONG, what="its part")
            began = time.monotonic()
            await stays(lambda: serving.held == ADDRESSES, during=PREEMPT_SECONDS / 2, what="the masters")
            await wait_until(lambda: booted.held == booted.led, within=LONG, what="what it comes first for")
            assert time.monotonic() - began > PREEMPT_SECONDS - 3
            assert serving.held == ADDRESSES - booted.led

    try:
        await asyncio.to_thread(run_inside, booted.space, boots)
    finally:
        await cluster.stop()
