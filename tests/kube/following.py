"""A KubeSource that feeds a Store in the test's event loop: what a daemon would know.

async with follow(account, proxy.url, SERVICES_ONLY) as known:
    await known.until(lambda snapshot: "web" in names(snapshot))
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from openelb_bgp.kube.client import Client, Timeouts
from openelb_bgp.kube.reflector import Pace
from openelb_bgp.kube.scope import Scope
from openelb_bgp.kube.source import KubeSource
from openelb_bgp.lib.backoff import Backoff
from openelb_bgp.model.meta import Key
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.runtime.clock import SystemClock
from openelb_bgp.runtime.store import Store
from tests.daemons.harness.waiting import wait_until
from tests.kube.accounts import NAMESPACE, Account

HASTE = Timeouts(connect=2.0, request=2.0, page=10.0, silence=1.0, watch_least=20.0, watch_most=30.0)
PACE = Pace(backoff=Backoff(first=0.05, most=0.4), steady=0.5, outage=30.0)


class Known:
    """What has been delivered so far."""

    def __init__(self, source: KubeSource) -> None:
        self.store = Store()
        self.source = source
        self.batches = 0
        self.woken = 0
        self.store.subscribe(self._note)

    def _note(self) -> None:
        self.woken += 1

    @property
    def snapshot(self) -> Snapshot:
        """What is known now."""
        return self.store.snapshot

    def services(self, namespace: str) -> dict[str, str]:
        """The Services of a namespace: name → resourceVersion."""
        found = {key: one for key, one in self.snapshot.services.items() if key.namespace == namespace}
        return {key.name: one.meta.resource_version for key, one in sorted(found.items())}

    def labels(self, namespace: str, name: str) -> dict[str, str]:
        """A Service's labels; empty while it is not known."""
        service = self.snapshot.services.get(Key(namespace, name))
        return {} if service is None else dict(service.meta.labels)

    async def until(
        self, predicate: Callable[[Snapshot], object], *, within: float = 30.0, what: str = "the Snapshot"
    ) -> None:
        """Return when it holds."""
        await wait_until(lambda: bool(predicate(self.snapshot)) or None, within=within, what=what)

    async def feed(self) -> None:
        """Take what the source delivers, for ever."""
        async for batch in self.source.deliveries():
            self.batches += 1
            self.store.apply(batch)


@asynccontextmanager
async def follow(
    account: Account, url: str, scope: Scope, *, timeouts: Timeouts = HASTE, pace: Pace = PACE
) -> AsyncIterator[Known]:
    """A source for as long as the context lasts. An end of its own fails the test."""
    clock = SystemClock()
    async with Client(account.access(url), clock, manager="tests", timeouts=timeouts) as client:
        known = Known(KubeSource(client, scope, clock, namespace=NAMESPACE, pace=pace))
        task = asyncio.create_task(known.feed())
        try:
            yield known
        finally:
            ended = task.done()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            assert not ended, "the source ended by itself"
