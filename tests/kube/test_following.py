"""One object followed by its name, whatever the API server does."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.cluster.api import Api
from openelb_bgp.kube.answers import Document
from openelb_bgp.kube.client import Client
from openelb_bgp.kube.following import follow
from openelb_bgp.kube.resources import RESOURCES
from openelb_bgp.model.meta import Kind
from openelb_bgp.runtime.clock import SystemClock
from tests.daemons.harness.waiting import wait_until

from .accounts import NAMESPACE, make_account
from .faulty_proxy import FaultyProxy
from .harness.control_plane import ControlPlane

RULES = (
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list", "watch"], "resourceNames": ["one"]},
)
SOON = 20.0

Seen = list[str | None]


@pytest.fixture
def proxy(control_plane: ControlPlane) -> Any:
    with FaultyProxy(control_plane) as made:
        yield made


@asynccontextmanager
async def _following(control_plane: ControlPlane, proxy: FaultyProxy, folder: Path) -> AsyncIterator[Seen]:
    """What is seen of the ConfigMap `one`: its text, or None."""
    clock = SystemClock()
    seen: Seen = []

    def note(found: Document | None) -> None:
        seen.append(None if found is None else found["data"]["text"])

    account = make_account(control_plane, folder, RULES)
    async with Client(account.access(proxy.url), clock, manager="tests") as client:

        async def follower() -> None:
            config_maps = RESOURCES[Kind.CONFIG_MAP]
            async for found in follow(client, config_maps, "one", namespace=NAMESPACE, clock=clock):
                note(found)

        running = asyncio.create_task(follower())
        try:
            yield seen
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running


def _write(api: Api, text: str, *, name: str = "one") -> None:
    metadata = {"name": name, "namespace": NAMESPACE}
    api.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"text": text}})


async def test_it_is_seen_as_it_comes_changes_and_goes_and_no_other_is(
    control_plane: ControlPlane, proxy: FaultyProxy, tmp_path: Path
) -> None:
    api = control_plane.api
    async with _following(control_plane, proxy, tmp_path) as seen:
        await wait_until(lambda: seen == [None], within=SOON)
        await wait_until(lambda: proxy.watches("configmaps"), within=SOON)
        _write(api, "a")
        _write(api, "x", name="other")
        _write(api, "b")
        api.delete("ConfigMap", "one", namespace=NAMESPACE)
        await wait_until(lambda: seen[1:] == ["a", "b", None], within=SOON)
    asked = [request.query["fieldSelector"] for request in proxy.requests if request.resource == "configmaps"]
    assert set(asked) == {"metadata.name=one"}


@pytest.mark.parametrize(
    "harm",
    [
        lambda proxy: proxy.cut("configmaps"),
        lambda proxy: proxy.end("configmaps"),
        lambda proxy: proxy.expire("configmaps"),
        lambda proxy: proxy.send("configmaps", b"not json\n"),
        lambda proxy: proxy.send("configmaps", b'{"type":"ADDED","object":{}}\n'),
        lambda proxy: (proxy.answer(502, times=2), proxy.cut("configmaps")),
        lambda proxy: (proxy.answer(429, times=1, retry_after=0), proxy.cut("configmaps")),
    ],
    ids=["cut", "ended", "expired", "junk", "no version", "502", "429"],
)
async def test_what_changes_while_it_is_not_heard_is_seen_after(
    control_plane: ControlPlane, proxy: FaultyProxy, tmp_path: Path, harm: Callable[[FaultyProxy], object]
) -> None:
    async with _following(control_plane, proxy, tmp_path) as seen:
        await wait_until(lambda: proxy.watches("configmaps"), within=SOON)
        harm(proxy)
        _write(control_plane.api, "a")
        await wait_until(lambda: seen[-1] == "a", within=SOON)


async def test_a_server_that_ends_each_watch_at_once_is_asked_ever_less(
    control_plane: ControlPlane, proxy: FaultyProxy, tmp_path: Path
) -> None:
    rule = proxy.answer(200, body=b"", times=0, verb="watch", resource="configmaps")
    async with _following(control_plane, proxy, tmp_path) as seen:
        await wait_until(lambda: rule.hits, within=SOON)
        began = time.monotonic()
        await wait_until(lambda: rule.hits >= 4, within=SOON)
        # 0.2 s, doubled each time, of which chance takes half at the most.
        assert time.monotonic() - began > 0.6
        rule.remove()
        _write(control_plane.api, "a")
        await wait_until(lambda: seen[-1] == "a", within=SOON)
