"""The client against a real API server behind a faulty proxy: what each request ends with, and how often it
was sent.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from lab.cluster.api import Api
from lab.cluster.keys import make_authority
from lab.cluster.kubelet import service
from openelb_bgp.kube.client import Client, Timeouts
from openelb_bgp.kube.errors import (
    AlreadyExists,
    Conflict,
    Distrusted,
    Expired,
    Forbidden,
    Invalid,
    KubeError,
    NotFound,
    ServerError,
    TimedOut,
    TooManyRequests,
    Unauthorized,
    Unreachable,
)
from openelb_bgp.kube.resources import JOBS, LEASES, RESOURCES
from openelb_bgp.kube.selection import Selection
from openelb_bgp.model.meta import Kind
from openelb_bgp.runtime.clock import SystemClock
from tests.kube.accounts import WRITER, Account, make_account
from tests.kube.faulty_proxy import FaultyProxy
from tests.kube.harness.control_plane import ControlPlane

SERVICES = RESOURCES[Kind.SERVICE]
MAPS = RESOURCES[Kind.CONFIG_MAP]
HASTE = Timeouts(connect=2.0, request=2.0, page=4.0, silence=2.0)


@pytest.fixture
def proxy(control_plane: ControlPlane) -> Iterator[FaultyProxy]:
    with FaultyProxy(control_plane) as proxy:
        yield proxy


@pytest.fixture
def account(control_plane: ControlPlane, tmp_path: Path) -> Account:
    return make_account(control_plane, tmp_path, WRITER)


@pytest.fixture
async def client(account: Account, proxy: FaultyProxy) -> AsyncIterator[Client]:
    async with Client(account.access(proxy.url), SystemClock(), manager="tests", timeouts=HASTE) as client:
        yield client


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def seen(proxy: FaultyProxy) -> list[str]:
    return [f"{one.verb} {one.resource}" for one in proxy.requests]


async def test_an_object_lives_through_all_verbs(client: Client, namespace: str) -> None:
    made = await client.create(MAPS, config_map("one", a="1"), namespace=namespace)
    assert (await client.get(MAPS, "one", namespace=namespace))["data"] == {"a": "1"}
    made["data"] = {"a": "2"}
    replaced = await client.replace(MAPS, "one", made, namespace=namespace)
    merged = await client.patch(MAPS, "one", {"data": {"b": "3"}}, form="merge", namespace=namespace)
    assert merged["data"] == {"a": "2", "b": "3"}
    test = [{"op": "test", "path": "/data/b", "value": "3"}, {"op": "remove", "path": "/data/b"}]
    assert (await client.patch(MAPS, "one", test, form="json", namespace=namespace))["data"] == {"a": "2"}
    applied = await client.apply(
        MAPS, "one", {**config_map("one", c="4")}, namespace=namespace, manager="others"
    )
    assert applied["data"] == {"a": "2", "c": "4"}
    with pytest.raises(Conflict):
        await client.delete(
            MAPS, "one", namespace=namespace, resource_version=replaced["metadata"]["resourceVersion"]
        )
    await client.delete(MAPS, "one", namespace=namespace, uid=made["metadata"]["uid"])
    with pytest.raises(NotFound):
        await client.get(MAPS, "one", namespace=namespace)


async def test_each_refusal_is_an_error_of_its_own(client: Client, namespace: str) -> None:
    made = await client.create(MAPS, config_map("one"), namespace=namespace)
    with pytest.raises(AlreadyExists):
        await client.create(MAPS, config_map("one"), namespace=namespace)
    await client.patch(MAPS, "one", {"data": {"a": "1"}}, form="merge", namespace=namespace)
    with pytest.raises(Conflict):
        await client.replace(MAPS, "one", made, namespace=namespace)
    with pytest.raises(Conflict, match="1 conflict"):
        await client.apply(
            MAPS, "one", config_map("one", a="2"), namespace=namespace, manager="others", force=False
        )
    with pytest.raises(Forbidden, match="cannot list resource"):
        await client.list_all(JOBS)
    with pytest.raises(Invalid) as invalid:
        await client.create(SERVICES, service("Not_A_Name", namespace=namespace), namespace=namespace)
    assert [cause.field for cause in invalid.value.causes] == ["metadata.name"]
    with pytest.raises(NotFound):
        await client.get(LEASES, "nobody", namespace=namespace)


async def test_a_version_that_is_no_longer_kept_is_told_in_the_watch_or_instead_of_it(
    client: Client, proxy: FaultyProxy
) -> None:
    batches = [batch async for batch in client.watch(SERVICES, resource_version="1")]
    (told,) = (json.loads(line) for batch in batches for line in batch)
    assert (told["type"], told["object"]["code"]) == ("ERROR", 410)
    proxy.answer(410, reason="Expired", verb="watch")
    with pytest.raises(Expired):
        async for _ in client.watch(SERVICES, resource_version="1"):
            pass


async def test_a_list_comes_in_pages_of_one_version(client: Client, namespace: str, api: Api) -> None:
    for number in range(7):
        api.create(config_map(f"m{number}") | {"metadata": {"name": f"m{number}", "namespace": namespace}})
    pages = [page async for page in client.pages(MAPS, Selection(namespace=namespace), page=3)]
    assert [len(page.items) for page in pages][:2] == [3, 3]
    assert len({page.resource_version for page in pages}) == 1
    assert [page.is_last for page in pages] == [False, False, True]


async def test_metadata_alone_can_be_asked_for(client: Client, namespace: str) -> None:
    await client.create(MAPS, config_map("one", a="secret"), namespace=namespace)
    items, _ = await client.list_all(
        MAPS, Selection(namespace=namespace, fields="metadata.name=one", metadata_only=True)
    )
    assert len(items) == 1 and b"secret" not in bytes(items[0])


async def test_who_asks_too_much_waits_and_asks_again(
    client: Client, proxy: FaultyProxy, namespace: str
) -> None:
    proxy.answer(429, retry_after=1, verb="create")
    await client.create(MAPS, config_map("one"), namespace=namespace)
    assert seen(proxy) == ["create configmaps"] * 2


async def test_who_is_to_wait_for_longer_than_there_is_time_is_told(
    client: Client, proxy: FaultyProxy, namespace: str
) -> None:
    proxy.answer(429, retry_after=30, verb="create")
    with pytest.raises(TooManyRequests) as refused:
        await client.create(MAPS, config_map("one"), namespace=namespace)
    assert (refused.value.retry_after, seen(proxy)) == (30.0, ["create configmaps"])


async def test_a_proxys_page_is_a_servers_error_and_shows_nothing_of_it(
    client: Client, proxy: FaultyProxy, namespace: str
) -> None:
    proxy.answer(502, body=b"<html>Bad Gateway</html>", times=0)
    with pytest.raises(ServerError, match=r"^answered 502$"):
        await client.create(MAPS, config_map("one"), namespace=namespace)
    proxy.answer(200, body=b"<html>Welcome</html>")
    with pytest.raises(ServerError, match="not an API server's"):
        await client.get(MAPS, "one", namespace=namespace)
    assert seen(proxy) == ["create configmaps", "get configmaps"]


@pytest.mark.parametrize("fault", ["hang_up", "lose_the_answer"])
async def test_a_broken_connection_is_tried_again_only_where_that_does_nothing_twice(
    client: Client, proxy: FaultyProxy, namespace: str, fault: str
) -> None:
    await client.create(MAPS, config_map("one"), namespace=namespace)
    proxy.requests.clear()
    for verb in ("get", "patch", "delete", "create"):
        getattr(proxy, fault)(verb=verb)
    await client.get(MAPS, "one", namespace=namespace)
    await client.apply(MAPS, "one", config_map("one", a="1"), namespace=namespace)
    assert seen(proxy) == ["get configmaps"] * 2 + ["patch configmaps"] * 2
    proxy.requests.clear()
    with pytest.raises(Unreachable) as broken:
        await client.create(MAPS, config_map("two"), namespace=namespace)
    assert (broken.value.sent, seen(proxy)) == (True, ["create configmaps"])


async def test_a_server_that_is_not_there_is_told_apart_from_one_that_may_have_heard(
    client: Client, proxy: FaultyProxy, namespace: str
) -> None:
    proxy.refuse()
    with pytest.raises(Unreachable, match="no connection") as refused:
        await client.create(MAPS, config_map("one"), namespace=namespace)
    assert not refused.value.sent
    proxy.accept()
    await client.create(MAPS, config_map("one"), namespace=namespace)


async def test_no_request_waits_for_ever(client: Client, proxy: FaultyProxy, namespace: str) -> None:
    proxy.never_answer(times=0)
    began = asyncio.get_running_loop().time()
    with pytest.raises(TimedOut) as late:
        await client.create(MAPS, config_map("one"), namespace=namespace)
    assert late.value.sent
    with pytest.raises(TimedOut):
        async for _ in client.watch(MAPS, resource_version="1"):
            pass
    assert asyncio.get_running_loop().time() - began < 2 * HASTE.request + 1.0


async def test_the_api_server_is_told_when_to_give_a_write_up(
    client: Client, proxy: FaultyProxy, namespace: str
) -> None:
    """A second after the client: what is given up may have been done, and only who waits in vain knows."""
    made = await client.create(MAPS, config_map("one", a="1"), namespace=namespace)
    await client.replace(MAPS, "one", made, namespace=namespace, seconds=0.5)
    await client.apply(MAPS, "one", config_map("one", a="2"), namespace=namespace)
    await client.patch(MAPS, "one", {"data": {"a": "3"}}, form="merge", namespace=namespace)
    await client.get(MAPS, "one", namespace=namespace)
    await client.delete(MAPS, "one", namespace=namespace)
    assert [(one.verb, one.query.get("timeout")) for one in proxy.requests] == [
        *(("create", "3s"), ("update", "2s"), ("patch", "3s"), ("patch", "3s")),
        *(("get", None), ("delete", "3s")),
    ]


async def test_an_expired_token_is_read_again_and_its_successor_used(
    account: Account, proxy: FaultyProxy, namespace: str
) -> None:
    account.renew(seconds=-1)
    access = account.access(proxy.url)
    async with Client(access, SystemClock(), manager="tests", timeouts=HASTE) as client:
        with pytest.raises(Unauthorized):
            await client.create(MAPS, config_map("one"), namespace=namespace)
        assert seen(proxy) == ["create configmaps"] * 2
        # The old one is still remembered when kubelet writes its successor.
        account.renew()
        await client.create(MAPS, config_map("one"), namespace=namespace)
        assert seen(proxy) == ["create configmaps"] * 4


async def test_a_new_authority_is_trusted_as_soon_as_kubelet_has_written_it(
    account: Account, client: Client, proxy: FaultyProxy, namespace: str, tmp_path: Path
) -> None:
    await client.create(MAPS, config_map("one"), namespace=namespace)
    new = make_authority(tmp_path / "new")
    proxy.refuse()
    proxy.use(new.server("proxy", ["127.0.0.1"]))
    proxy.accept()
    with pytest.raises(Distrusted, match="not trusted"):
        await client.get(MAPS, "one", namespace=namespace)
    account.renew(ca=new.certificate)
    assert (await client.get(MAPS, "one", namespace=namespace))["metadata"]["name"] == "one"


class Over(KubeError):
    """What the guard of a test raises."""


async def test_a_guard_stops_a_request_at_the_last_moment(
    client: Client, proxy: FaultyProxy, namespace: str
) -> None:
    asked: list[str] = []

    def not_the_first_time() -> None:
        asked.append("asked")
        if len(asked) > 1:
            raise Over("over")

    def never() -> None:
        raise Over("over")

    # The head and the body leave together: whichever is stopped, nothing has left.
    for guard in (never, not_the_first_time):
        with pytest.raises(Over):
            await client.guarded(guard, request=1.0).create(MAPS, config_map("one"), namespace=namespace)
    await client.create(MAPS, config_map("one"), namespace=namespace)
    assert seen(proxy) == ["create configmaps"]


async def test_one_connection_serves_requests_in_a_row(
    client: Client, proxy: FaultyProxy, namespace: str
) -> None:
    await client.create(MAPS, config_map("one"), namespace=namespace)
    for _ in range(20):
        await client.get(MAPS, "one", namespace=namespace)
    with pytest.raises(NotFound):
        await client.get(MAPS, "two", namespace=namespace)
    assert connections_to(proxy.url) == 1


def connections_to(url: str) -> int:
    """How many connections this host's clients have to it (proc(5), /proc/net/tcp)."""
    port = f":{int(url.rpartition(':')[2]):04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return len([1 for line in lines if line[2].endswith(port) and line[3] == "01"])


async def test_every_request_counts_by_verb_resource_and_status(
    client: Client, proxy: FaultyProxy, namespace: str
) -> None:
    def count(verb: str, status: str) -> float:
        labels = {"verb": verb, "resource": "configmaps", "status": status}
        return REGISTRY.get_sample_value("openelb_bgp_kube_requests_total", labels) or 0.0

    before = [count("get", "404"), count("create", "201"), count("get", "none")]
    with pytest.raises(NotFound):
        await client.get(MAPS, "one", namespace=namespace)
    await client.create(MAPS, config_map("one"), namespace=namespace)
    proxy.hang_up(verb="get")
    await client.get(MAPS, "one", namespace=namespace)
    after = [count("get", "404"), count("create", "201"), count("get", "none")]
    assert [new - old for new, old in zip(after, before, strict=True)] == [1, 1, 1]


async def test_no_error_shows_a_token(
    account: Account, client: Client, proxy: FaultyProxy, namespace: str
) -> None:
    token = (account.folder.folder / "token").read_text()
    said = []
    for fault in (proxy.hang_up, proxy.never_answer, proxy.refuse):
        fault()
        with pytest.raises(KubeError) as error:
            await client.create(MAPS, config_map("one"), namespace=namespace)
        said += [str(error.value), repr(error.value.__cause__)]
    proxy.accept()
    assert not re.search(re.escape(token[-20:]) + "|Bearer", " ".join(said))
