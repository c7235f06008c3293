"""The Source against a real API server behind a faulty proxy: whatever happens on the way, what is known in
the end is what stands there, and nothing is taken back meanwhile.
"""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lab.cluster.api import Api
from lab.cluster.kubelet import make_node, service, set_node_ready
from openelb_bgp.kube.scope import SPEAKER, Scope
from openelb_bgp.kube.selection import Selection
from openelb_bgp.model.meta import Key, Kind
from tests.daemons.harness.waiting import stays, wait_until
from tests.kube.accounts import READER, Account, make_account
from tests.kube.faulty_proxy import FaultyProxy
from tests.kube.following import HASTE, PACE, Known, follow
from tests.kube.harness.control_plane import ControlPlane

SERVICES = Scope(kinds={Kind.SERVICE: Selection()}, versioned=frozenset({Kind.SERVICE}), named=frozenset())


@pytest.fixture
def proxy(control_plane: ControlPlane) -> Iterator[FaultyProxy]:
    with FaultyProxy(control_plane) as proxy:
        yield proxy


@pytest.fixture
def account(control_plane: ControlPlane, tmp_path: Path) -> Account:
    return make_account(control_plane, tmp_path, READER)


def label(api: Api, namespace: str, name: str, **labels: str) -> None:
    api.patch("Service", name, {"metadata": {"labels": labels}}, namespace=namespace)


def stored(api: Api, namespace: str) -> dict[str, str]:
    """The Services that the API server has: name → resourceVersion."""
    items = api.items("Service", namespace=namespace)
    return {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in items}


async def agree(known: Known, api: Api, namespace: str, *, within: float = 30.0) -> None:
    """Return when what is known is what the API server has."""
    wanted = stored(api, namespace)
    await known.until(
        lambda _: known.services(namespace) == wanted and known.snapshot.listed,
        within=within,
        what=f"{wanted}",
    )


def lists(proxy: FaultyProxy) -> int:
    """How often the kind was listed; looks of one object are not lists."""
    return len([one for one in proxy.requests if one.verb == "list" and one.query.get("limit") != "1"])


async def test_what_is_listed_and_what_happens_then_is_known(
    account: Account, proxy: FaultyProxy, api: Api, namespace: str
) -> None:
    api.create(service("before", namespace=namespace))
    async with follow(account, proxy.url, SERVICES) as known:
        await agree(known, api, namespace)
        api.create(service("after", namespace=namespace))
        await agree(known, api, namespace)
        label(api, namespace, "before", a="1")
        await agree(known, api, namespace)
        api.delete("Service", "before", namespace=namespace)
        await agree(known, api, namespace)
        assert list(known.services(namespace)) == ["after"]
        assert lists(proxy) == 1


CUTS: dict[str, Callable[[FaultyProxy], object]] = {
    "cut": lambda proxy: proxy.cut("services"),
    "ended early": lambda proxy: proxy.end("services"),
    "expired": lambda proxy: proxy.expire("services"),
    "fallen silent": lambda proxy: proxy.fall_silent("services"),
    "disturbed by junk": lambda proxy: proxy.send("services", b"<html>\n"),
    "cut within a line": lambda proxy: proxy.cut_the_next_line("services"),
    "given a line of 3 MiB": lambda proxy: proxy.inflate_the_next_line("services", 3 << 20),
}


@pytest.mark.parametrize("fault", CUTS)
async def test_nothing_is_missed_when_a_watch_is(
    account: Account, proxy: FaultyProxy, api: Api, namespace: str, fault: str
) -> None:
    for name in ("changed", "deleted"):
        api.create(service(name, namespace=namespace))
    async with follow(account, proxy.url, SERVICES) as known:
        await agree(known, api, namespace)
        await wait_until(lambda: proxy.watches("services") or None, within=30)
        CUTS[fault](proxy)
        label(api, namespace, "changed", a="1")
        api.delete("Service", "deleted", namespace=namespace)
        api.create(service("new", namespace=namespace))
        await agree(known, api, namespace)
        assert known.labels(namespace, "changed") == {"a": "1"}
        assert lists(proxy) == (2 if fault == "expired" else 1)


async def test_a_watch_that_is_only_bookmarked_resumes_from_the_bookmark(
    account: Account, proxy: FaultyProxy, api: Api, namespace: str
) -> None:
    async with follow(account, proxy.url, SERVICES) as known:
        await agree(known, api, namespace)
        await wait_until(lambda: proxy.watches("services") or None, within=30)
        mark = stored_bookmark(api)
        proxy.send("services", mark.line)
        proxy.end("services")
        await wait_until(lambda: watches(proxy) == 2 or None, within=30)
        assert proxy.requests[-1].query["resourceVersion"] == mark.version


class Mark(msgspec.Struct):
    """A bookmark as the API server sends it about once a minute."""

    version: str
    line: bytes


def stored_bookmark(api: Api) -> Mark:
    made = api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": MARKED})
    version = made["metadata"]["resourceVersion"]
    event = {"type": "BOOKMARK", "object": {"kind": "Service", "metadata": {"resourceVersion": version}}}
    return Mark(version, msgspec.json.encode(event) + b"\n")


MARKED = {"generateName": "mark-", "namespace": "default"}


@pytest.mark.parametrize("status", [410, 429, 500, 502, 503])
async def test_an_api_server_that_refuses_for_a_while_is_asked_again(
    account: Account, proxy: FaultyProxy, api: Api, namespace: str, status: int
) -> None:
    api.create(service("before", namespace=namespace))
    proxy.answer(status, verb="list", times=3, retry_after=1 if status == 429 else None)
    proxy.answer(status, verb="watch", times=3)
    async with follow(account, proxy.url, SERVICES) as known:
        await agree(known, api, namespace)
        api.create(service("after", namespace=namespace))
        await agree(known, api, namespace)


async def test_a_watch_that_ends_at_once_is_begun_ever_more_slowly(
    account: Account, proxy: FaultyProxy, api: Api, namespace: str
) -> None:
    proxy.answer(200, body=b"", verb="watch", times=0)
    async with follow(account, proxy.url, SERVICES) as known:
        await agree(known, api, namespace)
        began, before = asyncio.get_running_loop().time(), watches(proxy)
        await wait_until(lambda: watches(proxy) >= before + 8 or None, within=30)
        # At 0.4 s each in the end, half of which jitter may take away.
        assert asyncio.get_running_loop().time() - began > 5 * 0.2
        assert lists(proxy) == 1


def watches(proxy: FaultyProxy) -> int:
    return len([one for one in proxy.requests if one.verb == "watch"])


async def test_slow_lists_come_whole_and_nobody_lists_twice(
    account: Account, proxy: FaultyProxy, api: Api, namespace: str
) -> None:
    for number in range(5):
        api.create(service(f"web-{number}", namespace=namespace))
    proxy.drip(1.5, verb="list")
    async with follow(account, proxy.url, SERVICES) as known:
        await agree(known, api, namespace)
        assert lists(proxy) == 1


async def test_pages_that_expire_on_the_way_are_asked_for_at_once(
    account: Account, proxy: FaultyProxy, api: Api, namespace: str
) -> None:
    names = [f"m{number}" for number in range(520)]
    for name in names:
        metadata = {"name": name, "namespace": namespace}
        api.create(
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {**metadata, "labels": {"kubernetes.io/service-name": name}},
                "addressType": "IPv4",
                "endpoints": [],
            }
        )
    proxy.answer(410, reason="Expired", verb="list")
    proxy.delay(0.0, verb="list")
    scope = Scope(
        kinds={Kind.ENDPOINT_SLICE: Selection(namespace=namespace)}, versioned=frozenset(), named=frozenset()
    )
    async with follow(account, proxy.url, scope) as known:
        await known.until(lambda snapshot: len(snapshot.slices) == len(names))
    limits = [one.query.get("limit") for one in proxy.requests if one.verb == "list"]
    assert limits == ["500", "500", None]


async def test_an_outage_takes_nothing_back_and_what_happened_meanwhile_is_known_after_it(
    account: Account, proxy: FaultyProxy, api: Api, namespace: str
) -> None:
    for name in ("kept", "deleted"):
        api.create(service(name, namespace=namespace))
    async with follow(account, proxy.url, SERVICES) as known:
        await agree(known, api, namespace)
        before = known.services(namespace)
        proxy.refuse()
        api.delete("Service", "deleted", namespace=namespace)
        api.create(service("new", namespace=namespace))
        await stays(lambda: known.services(namespace) == before, during=1.5, what="everything that was known")
        assert "no connection" in known.source.error
        proxy.accept()
        await agree(known, api, namespace)
        assert known.source.error == ""


async def test_after_a_long_outage_everything_is_listed_again(
    account: Account, proxy: FaultyProxy, api: Api, namespace: str
) -> None:
    pace = msgspec.structs.replace(PACE, outage=0.0)
    async with follow(account, proxy.url, SERVICES, pace=pace) as known:
        await agree(known, api, namespace)
        proxy.refuse()
        await wait_until(lambda: "no connection" in known.source.error or None, within=30)
        proxy.accept()
        await wait_until(lambda: lists(proxy) == 2 or None, within=30)


async def test_idle_it_asks_for_nothing_but_watches(
    account: Account, proxy: FaultyProxy, api: Api, namespace: str
) -> None:
    timeouts = msgspec.structs.replace(HASTE, watch_least=0.8, watch_most=1.2, silence=30.0)
    async with follow(account, proxy.url, SERVICES, timeouts=timeouts) as known:
        await agree(known, api, namespace)
        proxy.requests.clear()
        batches = known.batches
        await wait_until(lambda: len(proxy.requests) >= 4 or None, within=30)
        assert {f"{one.verb} {one.resource}" for one in proxy.requests} == {"watch services"}
        assert known.batches == batches


async def test_a_heartbeat_of_a_node_wakes_nobody(
    account: Account, proxy: FaultyProxy, api: Api, namespace: str
) -> None:
    scope = Scope(kinds={Kind.NODE: Selection()}, versioned=frozenset(), named=frozenset())
    make_node(api, "node1", addresses=["192.0.2.21"])
    async with follow(account, proxy.url, scope) as known:
        await known.until(lambda snapshot: "node1" in snapshot.nodes)
        await wait_until(lambda: proxy.watches("nodes") or None, within=30)
        woken, batches, revision = known.woken, known.batches, known.snapshot.revision
        beat = {"status": {"nodeInfo": {"kernelVersion": "6.1.0"}}}
        api.patch("Node", "node1", beat, subresource="status")
        await wait_until(lambda: known.batches > batches or None, within=30)
        assert (known.woken, known.snapshot.revision) == (woken, revision)
        set_node_ready(api, "node1", ready=False)
        await known.until(lambda snapshot: snapshot.nodes["node1"].ready is False)


async def test_metadata_is_enough_for_namespaces(
    account: Account, proxy: FaultyProxy, api: Api, namespace: str
) -> None:
    scope = Scope(
        kinds={Kind.NAMESPACE: Selection(metadata_only=True)}, versioned=frozenset(), named=frozenset()
    )
    async with follow(account, proxy.url, scope) as known:
        await known.until(lambda snapshot: namespace in snapshot.namespaces)
        api.patch("Namespace", namespace, {"metadata": {"labels": {"team": "a"}}})
        await known.until(lambda snapshot: snapshot.namespaces[namespace].meta.labels.get("team") == "a")


async def test_a_service_that_is_no_load_balancer_any_more_is_gone_for_a_speaker(
    account: Account, proxy: FaultyProxy, api: Api, namespace: str
) -> None:
    kinds = {Kind.SERVICE: SPEAKER.kinds[Kind.SERVICE]}
    scope = Scope(kinds=kinds, versioned=frozenset({Kind.SERVICE}), named=frozenset())
    api.create(service("web", namespace=namespace))
    api.create(service("inner", namespace=namespace, type="ClusterIP"))
    async with follow(account, proxy.url, scope) as known:
        await known.until(lambda _: list(known.services(namespace)) == ["web"])
        api.patch("Service", "web", {"spec": {"type": "ClusterIP"}}, namespace=namespace)
        await known.until(lambda _: known.services(namespace) == {})
        api.patch("Service", "inner", {"spec": {"type": "LoadBalancer"}}, namespace=namespace)
        await known.until(lambda _: list(known.services(namespace)) == ["inner"])


async def test_slices_of_headless_services_are_not_read(
    account: Account, proxy: FaultyProxy, api: Api, namespace: str
) -> None:
    kinds = {Kind.ENDPOINT_SLICE: SPEAKER.kinds[Kind.ENDPOINT_SLICE]}
    scope = Scope(kinds=kinds, versioned=frozenset(), named=frozenset())
    api.create(
        service("headless", namespace=namespace, type="ClusterIP", clusterIP="None", selector={"a": "b"})
    )
    api.create(service("web", namespace=namespace, selector={"a": "b"}))

    def sliced() -> set[Any]:
        items = api.items("EndpointSlice", namespace=namespace)
        return {one["metadata"]["labels"]["kubernetes.io/service-name"] for one in items}

    await wait_until(lambda: sliced() == {"headless", "web"} or None, within=30)
    async with follow(account, proxy.url, scope) as known:
        await known.until(lambda snapshot: Key(namespace, "web") in snapshot.slices)
        assert Key(namespace, "headless") not in known.snapshot.slices
