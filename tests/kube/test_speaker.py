"""A speaker in a cluster: it announces what the API server shows, and goes on while there is none."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from lab.cluster.kubelet import remove_pod, set_pod_ready
from openelb_bgp.model import keys
from tests.daemons.harness.kernel import RouteDeletions
from tests.daemons.harness.netns import Lan
from tests.daemons.harness.waiting import stays, wait_until
from tests.kube.harness.control_plane import ControlPlane
from tests.kube.harness.ours import controller
from tests.kube.harness.rack import Rack

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
async def rack(
    control_plane: ControlPlane, new_lan: Callable[..., Lan], tmp_path: Path, namespace: str
) -> AsyncIterator[Rack]:
    """Everything runs, and Service `web` is announced."""
    made = Rack(control_plane, new_lan(), tmp_path, namespace=namespace)
    try:
        await made.open()
        yield made
    finally:
        made.close()


async def test_an_address_becomes_a_route_and_every_object_says_so(rack: Rack) -> None:
    await rack.announced("web")
    announced = rack.seen.condition(rack.key("web"), "Announced")
    assert (announced["reason"], announced["message"]) == ("Announced", "announced by node1")
    await wait_until(
        lambda: "SetBalancer" in dict(rack.seen.events("web")), within=30, what="the event of it"
    )
    speaker = rack.api.get("Speaker", "node1")
    (owner,) = speaker["metadata"]["ownerReferences"]
    node = rack.api.get("Node", "node1")["metadata"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("Node", "node1", node["uid"])
    assert [one["peerState"]["sessionState"] for one in speaker["status"]["sessions"]] == ["ESTABLISHED"]
    await wait_until(
        lambda: rack.seen.status("Eip", "pool").get("announcedBy") == "1 node: node1",
        within=30,
        what="announced by",
    )
    await wait_until(lambda: rack.seen.status("Eip", "pool")["ready"], within=30, what="a ready pool")
    await wait_until(
        lambda: "ConfigSpeaker" in dict(rack.seen.events("pool")), within=30, what="the pool's event"
    )
    conf = rack.seen.status("BgpConf", "default")["nodesConfStatus"]["node1"]
    assert conf == {"routerId": rack.space.v4, "as": 65000}
    peer = rack.seen.status("BgpPeer", "router")["nodesPeerStatus"]["node1"]
    assert peer["peerState"]["sessionState"] == "ESTABLISHED"
    printed = rack.control_plane.kubectl("get", "speakers")
    assert "node1" in printed


async def test_services_come_change_and_go(rack: Rack) -> None:
    rack.api.create(rack.service("next"))
    rack.pod("next-1", app="next", number=11)
    await rack.routed("next")
    await rack.announced("next")
    local = {"spec": {"externalTrafficPolicy": "Local"}}
    rack.api.patch("Service", "next", local, namespace=rack.namespace)
    await rack.announced("next")
    remove_pod(rack.api, "next-1", namespace=rack.namespace)
    await wait_until(lambda: not rack.hops("next"), within=20, what="no route without an endpoint")
    await wait_until(
        lambda: "DelBalancer" in dict(rack.seen.events("next")), within=30, what="the event of the end"
    )
    rack.pod("next-2", app="next", number=12)
    await rack.routed("next")


async def test_whatever_stops_being_ours_loses_its_route_at_once_and_its_address_is_free(rack: Rack) -> None:
    api, namespace = rack.api, rack.namespace
    classed = rack.service("classed", loadBalancerClass=keys.LOAD_BALANCER_CLASS)
    del classed["metadata"]["annotations"]
    names = ("annotated", "typed", "classed", "deleted")
    for number, name in enumerate(names, start=20):
        api.create(classed if name == "classed" else rack.service(name))
        rack.pod(f"{name}-1", app=name, number=number)
    for name in names:
        await rack.routed(name)
    held = {rack.seen.addresses(rack.key(name))[0] for name in names}
    api.patch(
        "Service",
        "annotated",
        {"metadata": {"annotations": {keys.MANAGED_ANNOTATION: None}}},
        namespace=namespace,
    )
    for name in ("typed", "classed"):
        api.patch("Service", name, {"spec": {"type": "ClusterIP"}}, namespace=namespace)
    # A class cannot be changed or removed but with the type, which takes it away.
    api.patch("Service", "classed", {"spec": {"type": "LoadBalancer"}}, namespace=namespace)
    api.delete("Service", "deleted", namespace=namespace)
    await wait_until(
        lambda: not any(rack.router.paths(address) for address in held), within=10, what="the withdrawals"
    )
    await rack.seen.released(*(rack.key(name) for name in ("annotated", "typed", "classed")))
    await wait_until(lambda: rack.seen.status("Eip", "pool")["usage"] == 1, within=30, what="a free pool")
    assert rack.hops("web") == [rack.space.v4]
    api.create(rack.service("after"))
    assert await rack.seen.allocated(rack.key("after")) == ["198.51.100.2"]


async def test_with_claim_all_a_service_without_a_word_about_us_is_announced_until_that_ends(
    rack: Rack, tmp_path: Path
) -> None:
    plain = rack.service("plain")
    del plain["metadata"]["annotations"]
    theirs = rack.service("theirs", loadBalancerClass="example.org/theirs")
    for number, made in enumerate((plain, theirs), start=11):
        rack.api.create(made)
        name = made["metadata"]["name"]
        rack.pod(f"{name}-1", app=name, number=number)
    modest = rack.controller
    assert modest.terminate() == 0
    rack.controller = controller(rack.control_plane, tmp_path / "claiming", "--claim-all")
    rack.controller.start()
    await rack.routed("plain", within=60)
    (address,) = rack.seen.addresses(rack.key("plain"))
    assert rack.seen.addresses(rack.key("theirs")) == []
    assert rack.controller.terminate() == 0
    rack.controller = modest
    modest.start()
    await rack.seen.released(rack.key("plain"), within=60)
    await wait_until(lambda: not rack.router.paths(address), within=10, what="the withdrawal")
    assert rack.hops("web") == [rack.space.v4]


async def test_while_the_api_server_is_away_no_route_moves_and_what_changed_is_made_up_for(
    rack: Rack,
) -> None:
    with RouteDeletions(rack.router.namespace) as deletions:
        rack.proxy.refuse()
        rack.control_plane.api_server.end()
        await stays(lambda: rack.router.paths("198.51.100.1"), during=8.0, what="the route")
        rack.control_plane.start_api_server()
        rack.api.create(rack.service("meanwhile"))
        rack.pod("meanwhile-1", app="meanwhile", number=11)
        rack.proxy.accept()
        await rack.routed("meanwhile", within=60)
    assert (deletions.prefixes, rack.router.resets(rack.space.v4)) == ((), 0)
    await rack.announced("web")


async def test_a_speaker_that_starts_without_an_api_server_withdraws_nothing(rack: Rack) -> None:
    await rack.announced("web")
    with RouteDeletions(rack.router.namespace) as deletions:
        rack.speaker.daemon.end(signal.SIGKILL)
        rack.proxy.refuse()
        rack.speaker.start()
        await wait_until(lambda: len(rack.speaker.log) > 0, within=40, what="its first words")
        await stays(lambda: rack.router.paths("198.51.100.1"), during=8.0, what="the route")
        rack.proxy.accept()
        rack.api.create(rack.service("next"))
        rack.pod("next-1", app="next", number=11)
        await rack.routed("next", within=60)
    assert (deletions.prefixes, rack.router.resets(rack.space.v4)) == ((), 0)


async def test_a_node_that_boots_without_an_api_server_announces_nothing_until_there_is_one(
    rack: Rack, tmp_path: Path
) -> None:
    await rack.announced("web")
    rack.lan.set_carrier(rack.space, up=False)
    await wait_until(lambda: not rack.hops("web"), within=30, what="the hold time of a node without power")
    rack.proxy.refuse()
    for pid in rack.space.pids():
        os.kill(pid, signal.SIGKILL)
    rack.speaker.daemon.end()
    shutil.rmtree(tmp_path / "run")
    rack.lan.set_carrier(rack.space, up=True)
    rack.speaker.start()
    await wait_until(lambda: rack.speaker.logged("started"), within=40, what="its start")
    await stays(lambda: not rack.hops("web"), during=8.0, what="no route")
    rack.proxy.accept()
    await rack.routed("web", within=60)


async def test_a_pool_that_is_deleted_while_the_speaker_is_down_leaves_no_route_behind(rack: Rack) -> None:
    await rack.announced("web")
    rack.speaker.daemon.end(signal.SIGKILL)
    rack.api.delete("Eip", "pool")
    rack.speaker.start()
    await wait_until(lambda: not rack.hops("web"), within=30, what="the withdrawal")
    assert rack.router.resets(rack.space.v4) == 0
    # The Service keeps its address until it asks for another.
    assert rack.seen.addresses(rack.key("web")) == ["198.51.100.1"]
    await wait_until(
        lambda: rack.seen.condition(rack.key("web"), "Announced")["reason"] == "PoolGone",
        within=40,
        what="the reason",
    )


async def test_idle_a_speaker_asks_for_nothing(rack: Rack) -> None:
    await rack.announced("web")

    def asked() -> list[str]:
        return [f"{one.verb} {one.resource}" for one in rack.proxy.requests if one.verb != "watch"]

    async def quiet() -> bool:
        before = len(asked())
        await asyncio.sleep(2.0)
        return len(asked()) == before

    await wait_until(quiet, within=60, what="an idle speaker")
    before = asked()
    await stays(lambda: asked() == before, during=8.0, what="no request but watches")


async def test_sessions_count_only_while_the_speakers_pod_is_ready(rack: Rack) -> None:
    def ready() -> str:
        conditions = rack.seen.status("BgpPeer", "router").get("conditions", ())
        return next((str(one["reason"]) for one in conditions if one["type"] == "Ready"), "")

    await wait_until(lambda: ready() == "Established", within=40, what="the session")
    set_pod_ready(rack.api, "openelb-speaker-node1", namespace="openelb-system", ready=False)
    await wait_until(lambda: ready() == "NoSpeaker", within=40, what="no speaker that counts")
    assert rack.hops("web") == [rack.space.v4]
    set_pod_ready(rack.api, "openelb-speaker-node1", namespace="openelb-system")
    await wait_until(lambda: ready() == "Established", within=40, what="the session again")


async def test_a_report_that_somebody_deletes_comes_back(rack: Rack) -> None:
    await rack.announced("web")
    uid = rack.api.get("Speaker", "node1")["metadata"]["uid"]
    rack.api.delete("Speaker", "node1")
    await wait_until(lambda: _uid(rack) not in ("", uid), within=40, what="the report again")
    await rack.announced("web")


def _uid(rack: Rack) -> str:
    found = rack.api.find("Speaker", "node1")
    return "" if found is None else str(found["metadata"]["uid"])
