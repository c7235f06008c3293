"""A Lease as an API server holds it, in virtual time: resourceVersions, conflicts, lost answers."""

import asyncio
import copy
from typing import Any

from openelb_bgp.kube.errors import AlreadyExists, Conflict, NotFound, TimedOut
from openelb_bgp.kube.resources import LEASES, Resource
from tests.unit.virtual_time import VirtualClock, settle


class ManualClock(VirtualClock):
    """Virtual time whose wall clock can be set apart from it, as an operator or NTP does."""

    def __init__(self) -> None:
        super().__init__(1000.0)
        self.wall_offset = 0.0

    def wall(self) -> float:
        return self.now + self.wall_offset

    def jump(self, seconds: float) -> None:
        """Time passes while the process is stopped: nobody wakes before it goes on."""
        self.now += seconds
        self._sleepers = [(max(self.now, due), woken) for due, woken in self._sleepers]


class Leases:
    """The API server's side: what is stored, at which version."""

    def __init__(self) -> None:
        self.stored: dict[str, Any] | None = None
        self.version = 100
        self.writes: list[tuple[float, str]] = []

    def holder(self) -> str:
        """Who holds it."""
        return "" if self.stored is None else self.stored["spec"].get("holderIdentity", "")

    def store(self, body: Any) -> dict[str, Any]:
        """Keep it at the next version."""
        self.version += 1
        self.stored = copy.deepcopy(body)
        self.stored["metadata"]["resourceVersion"] = str(self.version)
        return copy.deepcopy(self.stored)


class Road:
    """One process's way to the API server; it can be cut, or lose the answers."""

    def __init__(self, leases: Leases, clock: VirtualClock) -> None:
        self._leases = leases
        self._clock = clock
        self.cut = False
        self.answers_lost = 0

    async def get(
        self, resource: Resource, name: str, *, namespace: str = "", seconds: float | None = None
    ) -> dict[str, Any]:
        await self._travel(seconds)
        if self._leases.stored is None:
            raise NotFound("no such Lease", code=404)
        return copy.deepcopy(self._leases.stored)

    async def create(
        self, resource: Resource, body: Any, *, namespace: str = "", seconds: float | None = None
    ) -> dict[str, Any]:
        assert resource is LEASES
        await self._travel(seconds)
        if self._leases.stored is not None:
            raise AlreadyExists("there is one", code=409)
        return await self._answered(self._leases.store(body), seconds)

    async def replace(
        self, resource: Resource, name: str, body: Any, *, namespace: str = "", seconds: float | None = None
    ) -> dict[str, Any]:
        await self._travel(seconds)
        if self._leases.stored is None:
            raise NotFound("no such Lease", code=404)
        if body["metadata"]["resourceVersion"] != self._leases.stored["metadata"]["resourceVersion"]:
            raise Conflict("it has changed", code=409)
        return await self._answered(self._leases.store(body), seconds)

    async def _travel(self, seconds: float | None) -> None:
        await asyncio.sleep(0)
        if self.cut:
            await self._clock.sleep(seconds or 10.0)
            raise TimedOut("no answer in time", sent=True)

    async def _answered(self, answer: dict[str, Any], seconds: float | None) -> dict[str, Any]:
        if self.answers_lost:
            self.answers_lost -= 1
            await self._clock.sleep(seconds or 10.0)
            raise TimedOut("no answer in time", sent=True)
        return answer


__all__ = ["Leases", "ManualClock", "Road", "settle"]
