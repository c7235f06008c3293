"""Who leads: leader election by a Lease, and the Leadership that every write of the leader asks.

Nobody's wall clock is believed. A candidate counts, on its own monotonic clock, for how long the record has
not changed. A leader counts from the instant before it sent the renewal that was answered, and stops early
enough for its last write to be over: after `duration` - `request` nothing leaves this process, however long
it was stopped meanwhile. What left before and was lost on the way the kernel gives up within 10 s (`wire`),
the API server a second after us (`client`), and a new leader gives out nothing before `duration` + `request`
have passed. That leaves `duration` + `request` - 11 s for what nobody bounds: an API server that stands still
with a request in its hands. Source: coordination.k8s.io/v1, Lease.
"""

import asyncio
import contextlib
import math
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Protocol

import msgspec
import structlog

from openelb_bgp.ports import Clock

from .answers import Document
from .errors import AlreadyExists, Conflict, KubeError, NotFound, ServerError
from .leadership import Leadership, LeaseTimes
from .metrics import LEADING
from .resources import LEASES, Resource

log = structlog.get_logger(__name__)


class LeaseApi(Protocol):
    """What an election needs of `client.Client`; a body's resourceVersion must be the stored one."""

    async def get(
        self, resource: Resource, name: str, *, namespace: str = "", seconds: float | None = None
    ) -> Document:
        """One object. Raises NotFound."""
        ...

    async def create(
        self, resource: Resource, body: object, *, namespace: str = "", seconds: float | None = None
    ) -> Document:
        """A new object. Raises AlreadyExists."""
        ...

    async def replace(
        self,
        resource: Resource,
        name: str,
        body: object,
        *,
        namespace: str = "",
        seconds: float | None = None,
    ) -> Document:
        """The object as it shall be. Raises Conflict."""
        ...


Term = Callable[[Leadership], Awaitable[None]]
"""What a leader does; cancelled, and awaited, when its leadership ends."""


class Election:
    """Takes part in the election for one Lease, for as long as `run` runs."""

    def __init__(
        self,
        client: LeaseApi,
        clock: Clock,
        *,
        namespace: str,
        name: str,
        identity: str,
        times: LeaseTimes | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`identity` is of this process alone: not the pod's name only, which a restarted container keeps."""
        self._client = client
        self._clock = clock
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._times = times or LeaseTimes()
        self._jitter = jitter
        self._seen: _Lease | None = None
        self._seen_at = 0.0
        self._written_until = -math.inf

    @property
    def holder(self) -> str:
        """Who holds the Lease as far as is known, empty for nobody."""
        return "" if self._seen is None else self._seen.spec.holder or ""

    async def run(self, term: Term) -> None:
        """Lead whenever possible, for ever; the Lease is given back at the end. Raises what the term does."""
        while True:
            leadership = await self._acquire()
            await self._serve(leadership, term)

    async def _acquire(self) -> Leadership:
        while True:
            try:
                if (leadership := await self._try()) is not None:
                    return leadership
            except (Conflict, AlreadyExists):
                # Another was faster; who, the next look shows.
                self._forget()
            except KubeError as error:
                log.debug("lease_not_read", error=str(error))
            await self._clock.sleep(self._times.renew * (1.0 + self._jitter() / 5))

    async def _try(self) -> Leadership | None:
        """Take the Lease if it is free."""
        await self._look()
        now = self._clock.monotonic()
        settled_at = self._settled_at(now)
        if settled_at is None:
            return None
        self._note(await self._send())
        log.info("leading", lease=self._name, identity=self._identity, settles_in=settled_at - now)
        until = now + self._times.writing
        return Leadership(self._clock, self._times, until=until, settled_at=settled_at)

    def _settled_at(self, now: float) -> float | None:
        """When all has arrived that former leaders sent, if the Lease is taken now; None: it is not free."""
        if self._seen is None or self.holder in ("", self._identity):
            return max(now, self._written_until + self._times.settling)
        if now - self._seen_at < max(self._times.duration, float(self._seen.spec.duration or 0)):
            return None
        log.info("lease_expired", holder=self.holder)
        return now + self._times.settling

    async def _look(self) -> None:
        """Read the Lease, and note when it changed."""
        try:
            found = await self._client.get(
                LEASES, self._name, namespace=self._namespace, seconds=self._times.request
            )
        except NotFound:
            if self.holder not in ("", self._identity):
                # Deleted under a leader, who does not know it yet.
                self._written_until = self._clock.monotonic() + self._times.writing
            self._seen = None
            return
        self._note(_read(found))

    def _note(self, lease: "_Lease") -> None:
        if self._seen is None or lease.version != self._seen.version:
            self._seen_at = self._clock.monotonic()
        self._seen = lease

    def _forget(self) -> None:
        self._seen = None

    async def _send(self) -> "_Lease":
        """Write the Lease as ours, on what was seen last."""
        now = datetime.fromtimestamp(self._clock.wall(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = _Spec() if self._seen is None else self._seen.spec
        ours = spec.holder == self._identity
        made = _Spec(
            holder=self._identity,
            duration=math.ceil(self._times.duration),
            acquired=spec.acquired if ours else now,
            renewed=now,
            transitions=(spec.transitions or 0) + (0 if ours or self._seen is None else 1),
        )
        return await self._write(made)

    async def _write(self, spec: "_Spec") -> "_Lease":
        seconds = self._times.request
        if self._seen is None:
            body: Document = {
                "apiVersion": LEASES.api_version,
                "kind": LEASES.kind,
                "metadata": {"name": self._name, "namespace": self._namespace},
                "spec": msgspec.to_builtins(spec),
            }
            made = await self._client.create(LEASES, body, namespace=self._namespace, seconds=seconds)
            return _read(made)
        # The rest of the object is not ours to change.
        body = {**self._seen.document, "spec": msgspec.to_builtins(spec)}
        made = await self._client.replace(
            LEASES, self._name, body, namespace=self._namespace, seconds=seconds
        )
        return _read(made)

    async def _serve(self, leadership: Leadership, term: Term) -> None:
        """Lead and renew until either ends; whatever the leader did has ended when this returns."""
        LEADING.set(1)
        working = asyncio.ensure_future(term(leadership))
        renewing = asyncio.create_task(self._renew(leadership), name="lease")
        try:
            await asyncio.wait({working, renewing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leadership_lost = renewing.done()
            await _ended(working)
            await _ended(renewing)
            LEADING.set(0)
            if not leadership_lost and leadership.is_on:
                await self._leave(leadership)
            self._written_until = self._clock.monotonic()
            leadership.end()
        for task in (working, renewing):
            if not task.cancelled():
                task.result()

    async def _renew(self, leadership: Leadership) -> None:
        """Renew until the leadership cannot be kept."""
        error = ""
        while leadership.is_on:
            rest = min(self._times.renew, max(0.0, leadership.until - self._clock.monotonic()))
            await self._clock.sleep(rest)
            sent_at = self._clock.monotonic()
            try:
                if not await self._renewed():
                    leadership.end()
                    log.warning("leadership_taken", holder=self.holder)
                    return
            except KubeError as problem:
                error = str(problem)
                continue
            leadership.renewed(sent_at + self._times.writing)
            error = ""
        log.warning("leadership_lost", error=error or "the process did not run for too long")

    async def _renewed(self) -> bool:
        """Renew once; False when somebody else holds it."""
        if self._seen is None:
            await self._look()
        if self._seen is None or self._seen.spec.holder != self._identity:
            return False
        try:
            self._note(await self._send())
        except (Conflict, NotFound):
            # Somebody touched it, or our own renewal came through unanswered.
            await self._look()
            if self.holder != self._identity or self._seen is None:
                return False
            self._note(await self._send())
        return True

    async def _leave(self, leadership: Leadership) -> None:
        """Give the Lease back, unless its next holder has to wait for what was sent."""
        if leadership.is_unsure:
            log.info("lease_kept", lease=self._name, why="a write may still be carried out")
        else:
            await self._release()

    async def _release(self) -> None:
        """Give it back, so that the next leader need not wait."""
        with contextlib.suppress(KubeError):
            try:
                await self._give_back()
            except Conflict:
                # The last renewal was cut short, and came through.
                await self._look()
                await self._give_back()

    async def _give_back(self) -> None:
        if self._seen is None or self.holder != self._identity:
            return
        spec = msgspec.structs.replace(self._seen.spec, holder=None, duration=1)
        self._note(await self._write(spec))
        log.info("lease_released", lease=self._name)


async def _ended(task: asyncio.Future[None]) -> None:
    """Cancel and await a task, whatever it ends with."""
    task.cancel()
    await asyncio.wait({task})


class _Spec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    holder: str | None = msgspec.field(default=None, name="holderIdentity")
    duration: int | None = msgspec.field(default=None, name="leaseDurationSeconds")
    acquired: str | None = msgspec.field(default=None, name="acquireTime")
    renewed: str | None = msgspec.field(default=None, name="renewTime")
    transitions: int | None = msgspec.field(default=None, name="leaseTransitions")


class _Lease(msgspec.Struct, frozen=True):
    """A Lease as it was seen, whole, and what of it counts."""

    document: Document
    version: str
    spec: _Spec


def _read(document: Document) -> _Lease:
    try:
        spec = msgspec.convert(document.get("spec") or {}, _Spec)
        return _Lease(document, str(document["metadata"]["resourceVersion"]), spec)
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise ServerError(f"the Lease cannot be read: {error}", code=502) from error
