"""What a cordon, a drain and the deletion of a Node do to its routes, as docs/operations.md says."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from lab.cluster.kubelet import make_node, remove_pod
from openelb_bgp.model import keys
from tests.daemons.harness.netns import Lan
from tests.daemons.harness.waiting import stays, wait_until
from tests.kube.harness.control_plane import ControlPlane
from tests.kube.harness.rack import Rack

pytestmark = pytest.mark.timeout(240)

CORDON = "node.kubernetes.io/unschedulable"


@pytest.fixture
async def rack(
    control_plane: ControlPlane, new_lan: Callable[..., Lan], tmp_path: Path, namespace: str
) -> AsyncIterator[Rack]:
    """Everything runs, and Service `web` is announced; another node could take its addresses too."""
    made = Rack(control_plane, new_lan(), tmp_path, namespace=namespace)
    make_node(made.api, "node2", addresses=["10.0.0.99"])
    try:
        await made.open()
        yield made
    finally:
        made.close()


def _cordon(rack: Rack, on: bool) -> None:
    rack.api.patch("Node", "node1", {"spec": {"unschedulable": on}})


def _ask_for_drain(rack: Rack, value: str | None) -> None:
    rack.api.patch("Node", "node1", {"metadata": {"annotations": {keys.DRAIN_ANNOTATION: value}}})


async def test_a_cordoned_node_keeps_its_routes_unless_drain_taints_name_that_or_it_is_annotated(
    rack: Rack,
) -> None:
    _cordon(rack, True)
    await stays(lambda: rack.hops("web"), during=3, what="the route")
    rack.api.patch("BgpConf", "default", {"spec": {"drain": {"graceSeconds": 1, "taints": [CORDON]}}})
    await wait_until(lambda: not rack.hops("web"), within=20, what="the withdrawal")
    _cordon(rack, False)
    await rack.routed("web")
    _ask_for_drain(rack, "true")
    await wait_until(lambda: not rack.hops("web"), within=20, what="the withdrawal")
    _ask_for_drain(rack, None)
    await rack.routed("web")
    assert rack.router.resets(rack.space.v4) == 0


async def test_the_routes_of_a_node_that_is_deleted_go_as_soon_as_it_is_gone(rack: Rack) -> None:
    rack.api.delete("Node", "node1")
    await wait_until(lambda: not rack.hops("web"), within=5, what="the withdrawal")
    assert rack.router.resets(rack.space.v4) == 0
    # Then Kubernetes takes the pod away, and the kubelet, if there still is one, ends it.
    remove_pod(rack.api, "openelb-speaker-node1", namespace="openelb-system")
    assert rack.speaker.terminate() == 0
    await stays(lambda: not rack.hops("web"), during=1, what="no route")
    await wait_until(lambda: rack.api.find("Speaker", "node1") is None, within=30, what="its Speaker gone")
