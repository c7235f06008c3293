"""The controller over a source and a sink in memory: one write for all, and what happens meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from openelb_bgp.controller import Controller
from openelb_bgp.decode.pool_text import ranges
from openelb_bgp.model import keys
from openelb_bgp.model.meta import Kind, Meta, ObjectRef
from openelb_bgp.model.pools import Eip
from openelb_bgp.model.services import Service
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.statuses import Status
from openelb_bgp.origin import Origin, Post
from openelb_bgp.ports import Changed, Event, Gone, Listed, NotWritten, StatusWrite
from openelb_bgp.report.foreseen import written
from openelb_bgp.runtime.clock import SystemClock
from openelb_bgp.runtime.store import Store
from openelb_bgp.settings import ControllerSettings, FilesSettings

MANY = 50
DEADLINE = 20.0


def service(number: int) -> Service:
    meta = Meta(name=f"{number:05}", namespace="shop", annotations={keys.MANAGED_ANNOTATION: "openelb"})
    return Service(meta=meta, type="LoadBalancer")


class World:
    """A cluster whose source shows at once what is written; `before` happens ahead of each write."""

    def __init__(self, services: int) -> None:
        self.store = Store()
        self.sizes: list[int] = []
        self.before: Callable[[], None] = lambda: None
        self._revision = 0
        self._changed = asyncio.Event()
        pool = Eip(
            meta=Meta(name="pool", annotations={keys.DEFAULT_EIP_ANNOTATION: "true"}),
            ranges=ranges("198.18.0.0/16"),
        )
        self.store.apply([Listed(kind, ()) for kind in Kind])
        self.store.apply([Changed(pool), *(Changed(service(number)) for number in range(services))])

    async def deliveries(self) -> AsyncIterator[Sequence[Changed]]:
        """The store is fed by hand."""
        yield ()

    async def write(self, writes: Sequence[StatusWrite], events: Sequence[Event] = ()) -> None:
        """Commit, and show it."""
        self.before()
        self._revision += 1
        self.sizes.append(len(writes))
        services = self.store.snapshot.services
        shown = [
            Changed(_shown(services[one.ref.key], one, self._revision))
            for one in writes
            if one.ref.key in services
        ]
        self.store.apply(shown)
        self._changed.set()

    async def until(self, holds: Callable[[Snapshot], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not holds(self.store.snapshot):
                self._changed.clear()
                await self._changed.wait()

    @asynccontextmanager
    async def controlled(self) -> AsyncIterator[None]:
        async def stored() -> Sequence[tuple[ObjectRef, Status]]:
            return ()

        async def lead(work: Callable[[Post], Awaitable[None]]) -> None:
            await work(Post(self, stored))

        origin = Origin(self.store, self, self, SystemClock(), lead, lambda _: None)
        settings = ControllerSettings(source=FilesSettings(files=Path()))
        (run,) = Controller(settings, origin).tasks().values()
        task = asyncio.ensure_future(run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _shown(service: Service, write: StatusWrite, revision: int) -> Service:
    there = written(service, write)
    meta = msgspec.structs.replace(there.meta, resource_version=str(revision))
    return msgspec.structs.replace(there, meta=meta)


def all_have_addresses(services: int) -> Callable[[Snapshot], bool]:
    def holds(snapshot: Snapshot) -> bool:
        held = [address for one in snapshot.services.values() for address in one.addresses]
        return len(held) == len(set(held)) == services

    return holds


async def test_many_services_get_their_addresses_in_one_write() -> None:
    world = World(MANY)
    async with world.controlled():
        await world.until(all_have_addresses(MANY))
    assert world.sizes[0] == MANY + 1


async def test_a_service_that_goes_while_its_address_is_written_is_served_when_it_returns() -> None:
    world = World(MANY)
    last = service(MANY - 1)

    def goes_and_returns() -> None:
        if not world.sizes:
            world.store.apply([Gone(last.ref)])
        elif len(world.sizes) == 1:
            world.store.apply([Changed(last)])

    world.before = goes_and_returns
    async with world.controlled():
        await world.until(all_have_addresses(MANY))


async def test_a_write_that_fails_is_made_again() -> None:
    world = World(MANY)

    def fails_once() -> None:
        world.before = lambda: None
        raise NotWritten("the disk is full; make room")

    world.before = fails_once
    async with world.controlled():
        await world.until(all_have_addresses(MANY))
    assert max(world.sizes) == MANY + 1
