"""Statuses as they meet the API server: what becomes of a write whose object has meanwhile gone."""

from pathlib import Path

from structlog.testing import capture_logs

from openelb_bgp.kube.client import Client
from openelb_bgp.kube.event_book import EventBook, Reporter
from openelb_bgp.kube.status import kube_sink
from openelb_bgp.model import keys
from openelb_bgp.model.meta import Kind, ref
from openelb_bgp.model.statuses import LoadBalancerIngress, LoadBalancerStatus, ServiceStatus
from openelb_bgp.ports import StatusWrite
from openelb_bgp.runtime.clock import SystemClock
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
