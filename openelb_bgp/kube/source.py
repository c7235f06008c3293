"""The Source over a cluster: a reflector for each kind, and for each Secret and ConfigMap that is named.

What a reflector does when the API server is away is its own matter; here their deliveries become batches.
"""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

from openelb_bgp.model.meta import EMPTY, Key, Kind
from openelb_bgp.ports import Clock, Delivery
from openelb_bgp.runtime.loop import WakeUp

from .client import Client
from .errors import Forbidden, KubeError
from .named import Named, References
from .reflector import Pace, Reflector, Witness, unwitnessed
from .scope import Scope
from .selection import Selection

_PATIENCE_SECONDS = 1.0
_ALL = Key("", "")
"""Follows a kind whole."""


class KubeSource:
    """A `ports.Source` over an API server. For one consumer.

    `error` is what keeps it from hearing, for the health page: it never ends because of it.
    """

    def __init__(
        self,
        client: Client,
        scope: Scope,
        clock: Clock,
        *,
        namespace: str,
        witnesses: Mapping[Kind, Witness] = EMPTY,
        pace: Pace | None = None,
    ) -> None:
        """`namespace` is ours, where Secrets and ConfigMaps are looked for that objects of ours name."""
        self._client = client
        self._scope = scope
        self._clock = clock
        self._witnesses = witnesses
        self._pace = pace
        self._wake = WakeUp()
        self._batch: list[Delivery] = []
        self._references = References(namespace, kube_proxy=scope.kube_proxy, heartbeats=scope.heartbeats)
        self._named = {kind: Named(kind) for kind in sorted(scope.named)}
        self._tasks: dict[tuple[Kind, Key], asyncio.Task[None]] = {}
        self._errors: dict[tuple[Kind, Key], KubeError] = {}

    @property
    def error(self) -> str:
        """What is wrong at the moment, empty when every kind is heard."""
        return next((str(error) for _, error in sorted(self._errors.items(), key=_first)), "")

    async def deliveries(self) -> AsyncGenerator[Sequence[Delivery], None]:
        """Batches for ever: first each kind whole, then what changes. Survives outages of any length."""
        try:
            for kind, selection in self._scope.kinds.items():
                self._start((kind, _ALL), self._follow(kind, selection))
            while True:
                await self._wake.wait()
                self._wake.clear()
                self._raise_what_ended()
                batch = await self._next()
                if batch:
                    yield batch
        finally:
            await self._stop(list(self._tasks))

    async def _next(self) -> Sequence[Delivery]:
        """What has come since the last batch, with what it newly names."""
        batch, self._batch = self._batch, []
        self._references.follow(batch)
        if await self._settle_named():
            # A peer that comes with its Secret is not to be told first that there is none.
            await self._wait_for_named()
        came, self._batch = self._batch, []
        self._references.follow(came)
        if came:
            # It may name more, which the next look follows.
            self._wake.set()
        return [*batch, *came]

    async def _settle_named(self) -> bool:
        """Follow those objects that are named, and no others; True when there are new ones."""
        is_more = False
        for kind, named in self._named.items():
            self._put(named.want(self._references.wanted(kind)))
            running = {name for one, name in self._tasks if one is kind and name != _ALL}
            await self._stop([(kind, name) for name in running - named.wanted])
            for name in sorted(named.wanted - running):
                selection = Selection(namespace=name.namespace, fields=f"metadata.name={name.name}")
                self._start((kind, name), self._follow_named(named, kind, name, selection))
                is_more = True
        return is_more

    async def _wait_for_named(self) -> None:
        until = self._clock.monotonic() + _PATIENCE_SECONDS
        while any(named.missing for named in self._named.values()):
            left = until - self._clock.monotonic()
            if left <= 0:
                return
            await self._wake.wait_within(left, self._clock)
            self._wake.clear()
            self._raise_what_ended()

    async def _follow(self, kind: Kind, selection: Selection) -> None:
        async with aclosing(self._reflector(kind, _ALL, selection).deliveries()) as batches:
            async for batch in batches:
                self._put(batch)

    async def _follow_named(self, named: Named, kind: Kind, name: Key, selection: Selection) -> None:
        async with aclosing(self._reflector(kind, name, selection).deliveries()) as batches:
            async for batch in batches:
                self._put(named.heard(name, batch))
                self._wake.set()

    def _reflector(self, kind: Kind, name: Key, selection: Selection) -> Reflector:
        return Reflector(
            self._client,
            kind,
            self._clock,
            selection=selection,
            versioned=kind in self._scope.versioned,
            tell=partial(self._note_error, kind, name),
            witness=self._witnesses.get(kind, unwitnessed),
            pace=self._pace,
        )

    def _note_error(self, kind: Kind, name: Key, error: KubeError | None) -> None:
        if error is None:
            self._errors.pop((kind, name), None)
            return
        self._errors[kind, name] = error
        if name != _ALL and isinstance(error, Forbidden):
            self._put(self._named[kind].unreadable(name))
            self._wake.set()

    def _put(self, batch: Sequence[Delivery]) -> None:
        if batch:
            self._batch.extend(batch)
            self._wake.set()

    def _start(self, of: tuple[Kind, Key], work: Coroutine[Any, Any, None]) -> None:
        task = self._tasks[of] = asyncio.create_task(work, name=f"{of[0]} {of[1]}".strip())
        task.add_done_callback(lambda _: self._wake.set())

    async def _stop(self, ended: Sequence[tuple[Kind, Key]]) -> None:
        tasks = [self._tasks.pop(of) for of in ended]
        for of in ended:
            self._errors.pop(of, None)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _raise_what_ended(self) -> None:
        """A reflector never ends: one that did found a defect of ours, which is not to be hidden."""
        for task in self._tasks.values():
            if task.done():
                task.result()


def _first(item: tuple[tuple[Kind, Key], KubeError]) -> tuple[Kind, Key]:
    return item[0]
