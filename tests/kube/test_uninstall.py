"""Taking all of ours away while Services still hold addresses: it ends, and they stay as they are."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.cluster.kubelet import make_node, service
from openelb_bgp.model import keys
from tests.daemons.harness.manifests import bgp_conf, bgp_peer, eip
from tests.daemons.harness.processes import Daemon
from tests.daemons.harness.waiting import wait_until

from .component_account import NAMESPACE, account_of, controller_daemon
from .harness.control_plane import ControlPlane
from .harness.ours import Seen
from .kubelets import Kubelets
from .rendered import BASE

NAMES = ("one", "two", "three")


@pytest.fixture
def cluster(own_control_plane: ControlPlane, tmp_path: Path) -> Iterator[tuple[ControlPlane, Daemon]]:
    """The base is applied, its pods count as running, and a controller with its rights does."""
    plane = own_control_plane
    make_node(plane.api, "node1", addresses=["192.0.2.11"], labels={"kubernetes.io/os": "linux"})
    with Kubelets(plane.api, NAMESPACE):
        plane.kubectl("apply", "-k", str(BASE))
        plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        controller = controller_daemon(account_of(plane, tmp_path, "controller"), tmp_path)
        controller.start()
        yield plane, controller
        controller.end()


async def test_everything_of_ours_goes_within_a_minute_and_services_keep_their_addresses(
    cluster: tuple[ControlPlane, Daemon],
) -> None:
    plane, controller = cluster
    seen = Seen(plane.api)
    for made in (bgp_conf(), bgp_peer("router", "192.0.2.1"), eip("pool", "198.51.100.0/28", default=True)):
        plane.api.create(made)
    marked = {keys.MANAGED_ANNOTATION: keys.MANAGED_VALUE}
    for name in NAMES:
        plane.api.create(service(name, annotations=marked))
    held = {name: await seen.allocated(f"default/{name}", within=60) for name in NAMES}
    # kubectl returns once everything is gone, the namespace with what is in it, too.
    plane.kubectl("delete", "-k", str(BASE), "--timeout=55s")
    assert plane.api.find("Namespace", NAMESPACE) is None
    assert not [
        one for one in plane.api.items("CustomResourceDefinition") if keys.GROUP in one["spec"]["group"]
    ]
    assert {name: seen.addresses(f"default/{name}") for name in NAMES} == held
    plane.kubectl("delete", "service", *NAMES, "--timeout=30s")
    await wait_until(lambda: controller.alive, within=1, what=controller.output()[-2000:])
