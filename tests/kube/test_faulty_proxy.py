"""The faulty proxy: each fault is one, as a client of its own sees it, and without any it changes nothing."""

import json
import ssl
import urllib.request
from collections.abc import Iterator
from http.client import HTTPResponse, IncompleteRead
from pathlib import Path

import pytest

from lab.cluster.api import Api, ApiError
from lab.cluster.keys import make_authority
from lab.cluster.kubelet import service
from tests.daemons.harness.netns import make_lan
from tests.daemons.harness.waiting import wait_until
from tests.kube.faulty_proxy import FaultyProxy
from tests.kube.harness.control_plane import ControlPlane


@pytest.fixture
def proxy(control_plane: ControlPlane) -> Iterator[FaultyProxy]:
    with FaultyProxy(control_plane) as proxy:
        yield proxy


@pytest.fixture
def client(control_plane: ControlPlane, proxy: FaultyProxy) -> Api:
    return Api(proxy.url, ca=control_plane.ca, token=control_plane.plane.admin_token, timeout=2.0)


class Watch:
    """A watch on the Services of `default` by way of the proxy, from now on."""

    def __init__(self, control_plane: ControlPlane, proxy: FaultyProxy) -> None:
        path = "/api/v1/namespaces/default/services"
        now = control_plane.api.request("GET", path)["metadata"]["resourceVersion"]
        url = f"{proxy.url}{path}?watch=1&resourceVersion={now}"
        headers = {"Authorization": f"Bearer {control_plane.plane.admin_token}"}
        trust = ssl.create_default_context(cafile=control_plane.ca)
        request = urllib.request.Request(url, headers=headers)
        self.answer: HTTPResponse = urllib.request.urlopen(request, timeout=2, context=trust)

    def next(self) -> tuple[str, str]:
        """The next event: its type and its object's name."""
        event = json.loads(self.answer.readline())
        return event["type"], event["object"].get("metadata", {}).get("name", "")


@pytest.fixture
def watch(control_plane: ControlPlane, proxy: FaultyProxy) -> Iterator[Watch]:
    watch = Watch(control_plane, proxy)
    yield watch
    watch.answer.close()


def test_without_a_fault_everything_passes_and_is_noted(client: Api, proxy: FaultyProxy, api: Api) -> None:
    made = client.create(service("web"))
    assert (
        client.get("Service", "web", namespace="default")
        == made
        == api.get("Service", "web", namespace="default")
    )
    client.patch("Service", "web", {"metadata": {"labels": {"a": "b"}}}, namespace="default")
    client.items("Service", labelSelector="a=b")
    client.delete("Service", "web", namespace="default")
    seen = [(one.verb, one.resource, one.namespace, one.name) for one in proxy.requests if one.resource]
    assert seen == [
        ("create", "services", "default", ""),
        ("get", "services", "default", "web"),
        ("patch", "services", "default", "web"),
        ("list", "services", "", ""),
        ("delete", "services", "default", "web"),
    ]


def test_an_answer_of_the_tests_own_comes_as_often_as_asked_and_only_where(
    client: Api, proxy: FaultyProxy
) -> None:
    rule = proxy.answer(429, reason="TooManyRequests", retry_after=1, verb="list", resource="services")
    client.get("Service", "kubernetes", namespace="default")
    with pytest.raises(ApiError) as refused:
        client.items("Service")
    assert (refused.value.status, refused.value.reason, rule.hits) == (429, "TooManyRequests", 1)
    assert len(client.items("Service")) == 1
    always = proxy.answer(502, body=b"<html>", times=0)
    assert [client.raw("GET", "/readyz") for _ in range(3)] == [(502, "<html>")] * 3
    always.remove()
    assert client.raw("GET", "/readyz") == (200, "ok")


def test_a_lost_answer_is_lost_after_the_deed(client: Api, proxy: FaultyProxy, api: Api) -> None:
    proxy.lose_the_answer(verb="create")
    with pytest.raises(OSError, match="POST"):
        client.create(service("web"))
    assert api.find("Service", "web", namespace="default") is not None
    proxy.hang_up(verb="delete")
    with pytest.raises(OSError, match="DELETE"):
        client.delete("Service", "web", namespace="default")
    assert api.find("Service", "web", namespace="default") is not None


def test_slow_answers_come_whole_and_late(client: Api, proxy: FaultyProxy, api: Api) -> None:
    whole = api.items("Service")
    proxy.drip(0.2, verb="list")
    proxy.delay(0.2, verb="list")
    assert client.items("Service") == whole
    assert client.items("Service") == whole
    proxy.never_answer(verb="list")
    with pytest.raises(OSError, match="timed out"):
        client.items("Service")


async def test_watches_pass_and_their_end_reaches_the_api_server(
    watch: Watch, proxy: FaultyProxy, api: Api
) -> None:
    api.create(service("web"))
    assert watch.next() == ("ADDED", "web")
    assert [(one.verb, one.resource) for one in proxy.watches("services")] == [("watch", "services")]
    watch.answer.close()
    await wait_until(lambda: not proxy.watches(), within=30)


@pytest.mark.parametrize("fault", ["cut", "end", "expire"])
def test_a_watch_ends_as_the_test_wants(watch: Watch, proxy: FaultyProxy, fault: str) -> None:
    assert getattr(proxy, fault)("services") == 1
    if fault == "expire":
        assert json.loads(watch.answer.readline())["object"]["code"] == 410
    if fault == "cut":
        with pytest.raises((OSError, IncompleteRead)):
            watch.answer.read()
    else:
        assert watch.answer.readline() == b""
    assert proxy.watches() == []


def test_half_a_line_arrives_and_then_the_end(watch: Watch, proxy: FaultyProxy, api: Api) -> None:
    proxy.cut_the_next_line("services")
    api.create(service("web"))
    # Line by line, what came before the end would be lost here.
    half = watch.answer.read1(1 << 16)
    assert half.startswith(b'{"type":"ADDED"') and not half.endswith(b"\n")
    with pytest.raises((OSError, IncompleteRead)):
        watch.answer.read()


def test_a_line_can_be_longer_than_any_limit(watch: Watch, proxy: FaultyProxy, api: Api) -> None:
    proxy.inflate_the_next_line("services", 3 << 20)
    api.create(service("web"))
    line = watch.answer.readline()
    assert len(line) > 3 << 20 and json.loads(line)["object"]["metadata"]["name"] == "web"
    proxy.send("services", b"not json\n")
    assert watch.answer.readline() == b"not json\n"


def test_a_silent_watch_says_nothing_and_stays_open(watch: Watch, proxy: FaultyProxy, api: Api) -> None:
    proxy.fall_silent("services")
    api.create(service("web"))
    with pytest.raises(TimeoutError):
        watch.answer.readline()
    assert len(proxy.watches()) == 1


def test_frozen_nothing_passes_and_nothing_is_closed(
    watch: Watch, client: Api, proxy: FaultyProxy, api: Api
) -> None:
    proxy.freeze()
    api.create(service("web"))
    with pytest.raises(OSError, match="timed out"):
        client.raw("GET", "/readyz")
    proxy.thaw()
    assert watch.next() == ("ADDED", "web")
    assert client.raw("GET", "/readyz") == (200, "ok")


def test_refused_all_connections_end_and_no_new_one_is_made(
    watch: Watch, client: Api, proxy: FaultyProxy
) -> None:
    client.items("Service")
    proxy.refuse()
    with pytest.raises((OSError, IncompleteRead)):
        watch.answer.read()
    with pytest.raises(OSError, match="GET"):
        client.items("Service")
    with pytest.raises(OSError, match="refused"):
        client.items("Service")
    proxy.accept()
    assert len(client.items("Service")) == 1


def test_a_new_authority_is_trusted_by_its_own_certificate_only(
    control_plane: ControlPlane, client: Api, proxy: FaultyProxy, tmp_path: Path
) -> None:
    new = make_authority(tmp_path / "new")
    proxy.use(new.server("proxy", ["127.0.0.1"]))
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        client.raw("GET", "/readyz")
    trusting = Api(proxy.url, ca=new.certificate, token=control_plane.plane.admin_token)
    assert trusting.raw("GET", "/readyz") == (200, "ok")


def test_the_api_servers_own_death_is_passed_on(own_control_plane: ControlPlane) -> None:
    with FaultyProxy(own_control_plane) as proxy:
        watch = Watch(own_control_plane, proxy)
        own_control_plane.api_server.end()
        with pytest.raises((OSError, IncompleteRead)):
            watch.answer.read()


def test_nodes_of_a_lan_reach_the_api_server_through_a_proxy_at_their_switch(
    control_plane: ControlPlane,
) -> None:
    lan = make_lan()
    try:
        with FaultyProxy.in_lan(control_plane, lan) as proxy:
            trust = str(control_plane.ca)
            assert lan.nodes[0].run("curl", "-sS", "--cacert", trust, f"{proxy.url}/readyz") == "ok"
    finally:
        lan.remove()
