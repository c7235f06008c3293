"""Statuses as they meet the API server: what becomes of a write whose object, or whose owner, has meanwhile
gone.
"""

from pathlib import Path

from structlog.testing import capture_logs

from lab.cluster.kubelet import make_node
from openelb_bgp.kube.client import Client
from openelb_bgp.kube.event_book import EventBook, Reporter
from openelb_bgp.kube.status import kube_sink
from openelb_bgp.model import keys
from openelb_bgp.model.meta import Kind, ref
from openelb_bgp.model.statuses import (
    LoadBalancerIngress,
    LoadBalancerStatus,
    ServiceStatus,
    SpeakerStatus,
)
from openelb_bgp.ports import StatusWrite
from openelb_bgp.runtime.clock import SystemClock
from tests.daemons.harness.waiting import wait_until
from tests.kube.component_account import account_of
from tests.kube.harness.control_plane import ControlPlane


async def test_a_status_of_a_service_that_is_gone_is_given_up_in_silence(
    control_plane: ControlPlane, tmp_path: Path, namespace: str
) -> None:
    account = account_of(control_plane, tmp_path, "controller")
    clock, book = SystemClock(), EventBook(Reporter("openelb-controller", "node1"))
    given = LoadBalancerStatus(ingress=(LoadBalancerIngress(ip="192.0.2.1"),))
    write = StatusWrite(
        ref=ref(Kind.SERVICE, "gone", namespace=namespace),
        status=ServiceStatus(load_balancer=given),
        annotations={keys.ALLOCATED_ANNOTATION: "192.0.2.1=pool"},
        based_on="5",
        urgent=True,
    )
    async with (
        Client(account.access(), clock, manager="openelb-controller") as client,
        kube_sink(client, clock, book, uid_of=lambda _: "") as sink,
    ):
        with capture_logs() as logs:
            await sink.write([write])
    assert [one for one in logs if one["log_level"] == "warning"] == []
    assert len(book) == 0


async def test_a_speaker_that_is_made_when_its_node_has_just_gone_goes_after_it(
    installed: ControlPlane, tmp_path: Path
) -> None:
    """A report that was on its way when the Node was deleted, and its Speaker with it."""
    node = make_node(installed.api, "node1", addresses=["10.0.0.1"])["metadata"]["uid"]
    account = account_of(installed, tmp_path, "speaker")
    clock, book = SystemClock(), EventBook(Reporter("openelb-speaker", "node1"))
    known = [node]
    async with (
        Client(account.access(), clock, manager="openelb-speaker") as client,
        kube_sink(client, clock, book, uid_of=lambda _: known[0]) as sink,
    ):
        await sink.write([StatusWrite(ref=ref(Kind.SPEAKER, "node1"), status=SpeakerStatus())])
        known[0] = ""
        made = await wait_until(lambda: installed.api.find("Speaker", "node1"), within=20, what="the Speaker")
    (owner,) = made["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("Node", "node1", node)
