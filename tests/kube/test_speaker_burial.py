"""Speakers of pods that are gone, or not ready for some time, are deleted; a live speaker makes it again.

The minute that this takes is two seconds here.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.cluster.api import Api
from lab.cluster.installation import SYSTEM, our_pod
from lab.cluster.kubelet import remove_pod, set_pod_ready
from openelb_bgp.model.keys import API_VERSION
from tests.daemons.harness.waiting import stays, wait_until
from tests.kube.harness.control_plane import ControlPlane
from tests.kube.harness.ours import Ours, controller, ready_cluster

NODES = ("node1", "node2", "node3")
AFTER = 2.0


@pytest.fixture
def api(control_plane: ControlPlane) -> Api:
    """Three nodes with speakers' pods, and what those speakers reported."""
    api = ready_cluster(control_plane, *NODES)
    for name in NODES:
        our_pod(api, "speaker", node=name, address="10.0.0.1")
        api.create({"apiVersion": API_VERSION, "kind": "Speaker", "metadata": {"name": name}})
        # One that has reported nothing yet does not count.
        reported = {"status": {"startedAt": "2026-01-01T00:00:00Z"}}
        api.patch("Speaker", name, reported, subresource="status")
    return api


@pytest.fixture
def ours(control_plane: ControlPlane, api: Api, tmp_path: Path) -> Iterator[Ours]:
    made = controller(control_plane, tmp_path, f"--speaker-burial-after={AFTER:g}")
    made.start()
    yield made
    made.daemon.end()


def speakers(api: Api) -> list[str]:
    return sorted(one["metadata"]["name"] for one in api.items("Speaker"))


async def test_the_speaker_of_a_pod_that_is_gone_or_silent_goes_and_that_of_one_that_returns_stays(
    api: Api, ours: Ours
) -> None:
    await wait_until(lambda: ours.logged("leading"), within=30, what="a leader")
    await stays(lambda: speakers(api) == list(NODES), during=2 * AFTER, what="all of them")
    for name in NODES[1:]:
        set_pod_ready(api, f"openelb-speaker-{name}", namespace=SYSTEM, ready=False)
    set_pod_ready(api, "openelb-speaker-node2", namespace=SYSTEM)
    remove_pod(api, "openelb-speaker-node1", namespace=SYSTEM)
    await wait_until(lambda: speakers(api) == ["node2"], within=40, what="two burials")
    await stays(lambda: speakers(api) == ["node2"], during=2 * AFTER, what="the one whose pod is back")
    buried = [name for line in ours.logged("speakers_buried") for name in line["nodes"]]
    assert sorted(buried) == ["node1", "node3"]
