"""The Source while an API server of its own is killed, and its etcd compacted or replaced by an older one."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from lab.cluster.kubelet import service
from openelb_bgp.kube.scope import Scope
from openelb_bgp.kube.selection import Selection
from openelb_bgp.model.meta import Kind
from tests.daemons.harness.waiting import wait_until
from tests.kube.accounts import READER, Account, make_account
from tests.kube.faulty_proxy import FaultyProxy
from tests.kube.following import HASTE, Known, follow
from tests.kube.harness.control_plane import ControlPlane

SERVICES = Scope(kinds={Kind.SERVICE: Selection()}, versioned=frozenset({Kind.SERVICE}), named=frozenset())
PATIENT = msgspec.structs.replace(HASTE, silence=60.0)


@pytest.fixture
def account(own_control_plane: ControlPlane, tmp_path: Path) -> Account:
    return make_account(own_control_plane, tmp_path, READER)


@pytest.fixture
def proxy(own_control_plane: ControlPlane) -> Iterator[FaultyProxy]:
    with FaultyProxy(own_control_plane) as proxy:
        yield proxy


def web(number: int) -> dict[str, object]:
    return service(f"web-{number}")


async def knows(known: Known, plane: ControlPlane, *names: str) -> None:
    """Return when these Services are known, each as the API server has it."""
    items = plane.api.items("Service", namespace="default")
    stored = {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in items}
    assert set(stored) == {*names, "kubernetes"}
    await known.until(lambda _: known.services("default") == stored, within=40, what=str(stored))


async def test_a_kind_that_is_not_served_is_told_with_what_to_apply(
    account: Account, own_control_plane: ControlPlane, proxy: FaultyProxy
) -> None:
    pools = Scope(kinds={Kind.EIP: Selection()}, versioned=frozenset(), named=frozenset())
    async with follow(account, proxy.url, pools) as known:
        said = await wait_until(lambda: known.source.error or None, within=30, what="what is missing")
    assert said == (
        "the API server does not serve eips of network.kubesphere.io/v1alpha2; apply our "
        "CustomResourceDefinitions (manifests/crds)"
    )


async def test_a_killed_api_server_takes_nothing_along(
    account: Account, own_control_plane: ControlPlane, proxy: FaultyProxy
) -> None:
    plane = own_control_plane
    plane.api.create(web(1))
    async with follow(account, proxy.url, SERVICES, timeouts=PATIENT) as known:
        await knows(known, plane, "web-1")
        plane.api_server.end()
        await wait_until(lambda: known.source.error or None, within=30)
        assert list(known.services("default")) == ["kubernetes", "web-1"]
        plane.start_api_server()
        plane.api.create(web(2))
        await knows(known, plane, "web-1", "web-2")


async def test_a_compaction_that_forgets_where_we_were_is_healed_by_a_list(
    account: Account, own_control_plane: ControlPlane, proxy: FaultyProxy
) -> None:
    plane = own_control_plane
    plane.api.create(web(1))
    async with follow(account, proxy.url, SERVICES, timeouts=PATIENT) as known:
        await knows(known, plane, "web-1")
        proxy.refuse()
        plane.api.delete("Service", "web-1", namespace="default")
        plane.api.create(web(2))
        plane.compact()
        plane.api_server.end()
        plane.start_api_server()
        proxy.accept()
        await knows(known, plane, "web-2")


async def test_an_older_etcd_makes_what_came_after_it_undone(
    account: Account, own_control_plane: ControlPlane, proxy: FaultyProxy
) -> None:
    plane = own_control_plane
    plane.api.create(web(1))
    copy = plane.save()
    async with follow(account, proxy.url, SERVICES, timeouts=PATIENT) as known:
        await knows(known, plane, "web-1")
        plane.api.create(web(2))
        plane.api.delete("Service", "web-1", namespace="default")
        for number in range(500):
            # A control plane writes a hundred times as it starts.
            change = {"metadata": {"labels": {"n": str(number)}}}
            plane.api.patch("Service", "web-2", change, namespace="default")
        await knows(known, plane, "web-2")
        before = known.snapshot.revision
        plane.restore(copy)
        await knows(known, plane, "web-1")
        # Whoever starts now knows no higher one, and all have to agree on it.
        assert known.snapshot.revision < before
        # The watch hears what happens below the versions that were seen before.
        plane.api.create(web(3))
        assert plane.revision < before
        await knows(known, plane, "web-1", "web-3")
