"""The controller: wiring of the daemon that gives addresses and writes every status but the Speakers'.

A cycle reads one snapshot, lets `ipam` decide, `admission` object and `report` put into words, and writes
what differs in one transaction.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable

import structlog
from prometheus_client import REGISTRY

from openelb_bgp import admission
from openelb_bgp.eligibility import Candidates, Eligibility, eligible_nodes
from openelb_bgp.ipam import NEEDED, Allocation, Rules, allocate
from openelb_bgp.lib.instants import soonest
from openelb_bgp.membership.pods import SpeakerPods
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.meta import Kind
from openelb_bgp.model.pools import Eip
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.services import Service
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.objections import Objections
from openelb_bgp.origin import Origin, Post, exit_code_of, feed, opened
from openelb_bgp.ports import Event, NotWritten, StatusWrite
from openelb_bgp.report.events import not_written
from openelb_bgp.report.foreseen import Foresight, answered
from openelb_bgp.report.leader import Report, report
from openelb_bgp.report.ledger import Ledger, resumed
from openelb_bgp.report.times import rfc3339
from openelb_bgp.runtime import log as logging
from openelb_bgp.runtime import process
from openelb_bgp.runtime.health import Check, serve_health, turns
from openelb_bgp.runtime.loop import Loop, Throttle, WakeUp
from openelb_bgp.runtime.pool_metrics import PoolMetrics
from openelb_bgp.settings import ControllerSettings

log = structlog.get_logger(__name__)

_RESYNC_SECONDS = 60.0
# What a cycle has written comes back, and speakers announce it, before the next one: in one process they
# share a processor. In a cluster whoever waits for an address would only wait longer.
_MOST_REST_SECONDS = 0.5
_KINDS = (*NEEDED, Kind.SPEAKER, Kind.ENDPOINT_SLICE, Kind.BGP_CONF, Kind.BGP_PEER)


def main(settings: ControllerSettings) -> int:
    """Run a controller until SIGTERM; returns the exit code."""
    logging.configure(
        verbosity=settings.logging.verbosity, colour=settings.logging.colour, remarks=settings.remarks
    )
    return process.run(lambda stop: exit_code_of(_serve(settings, stop)))


async def _serve(settings: ControllerSettings, stop: asyncio.Event) -> None:
    async with opened(settings.source, node=None, owner=True, webhook=settings.webhook) as origin:
        controller = Controller(settings, origin)
        async with serve_health(
            host=settings.metrics.host,
            port=settings.metrics.port,
            registry=REGISTRY,
            healthy=controller.healthy(),
            ready=controller.ready(),
        ):
            logging.started("controller", source=str(settings.source))
            tasks = {"feed": lambda: feed(origin), **origin.tasks, **controller.tasks()}
            await process.work_until(stop, tasks)


class Controller:
    """Allocation and statuses over an origin, whenever this process leads; else it stands by."""

    def __init__(self, settings: ControllerSettings, origin: Origin) -> None:
        self._settings = settings
        self._origin = origin
        self._wake = WakeUp()
        self._term: _Term | None = None
        origin.store.subscribe(self._wake.set)

    def tasks(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """What runs for as long as the controller does."""
        return {"controller": lambda: self._origin.lead(self._work)}

    async def _work(self, post: Post) -> None:
        """Lead, from what stands in the origin: of an earlier term nothing is remembered."""
        self._term = _Term(self._settings, self._origin, post, self._wake)
        try:
            await self._term.run()
        finally:
            self._term = None

    def healthy(self) -> dict[str, Check]:
        """What only a restart would mend."""
        return {"controller": lambda: None if self._term is None else self._term.stuck()}

    def ready(self) -> dict[str, Check]:
        """Whether statuses are true; while another controller leads, whether this one could take over."""
        return {"controller": self._problem, "origin": self._origin.trouble}

    def _problem(self) -> str | None:
        if not self._origin.store.snapshot.has_listed(*_kinds(self._origin)):
            return "not everything has been listed yet"
        return None if self._term is None else self._term.problem()


class _Term:
    """What the controller does while it leads, and what it remembers meanwhile."""

    def __init__(self, settings: ControllerSettings, origin: Origin, post: Post, wake: WakeUp) -> None:
        self._settings = settings
        self._store, self._clock, self._kinds = origin.store, origin.clock, _kinds(origin)
        self._pods = SpeakerPods() if origin.in_cluster else None
        self._sink, self._stored = post.sink, post.stored_statuses
        self._rules = Rules(claim_all=settings.claim_all)
        self._allocation: Allocation | None = None
        self._ledger: Ledger | None = None
        self._listed = False
        self._foresight = Foresight()
        self._metrics = PoolMetrics()
        self._objections = Objections(settings.source.namespace)
        self._loop = Loop(
            "controller",
            self._cycle,
            wake=wake,
            clock=self._clock,
            resync=_RESYNC_SECONDS,
            rest=0.0 if origin.in_cluster else _MOST_REST_SECONDS,
            throttle=Throttle(),
        )
        self.stuck = turns(self._loop, self._clock)

    async def run(self) -> None:
        """Cycle until cancelled."""
        try:
            await self._loop.run()
        finally:
            self._metrics.show({})

    def problem(self) -> str | None:
        """Why statuses may not be true, or None."""
        if not self._listed:
            return "not everything has been listed yet"
        return self._loop.error or None

    async def _cycle(self) -> float | None:
        snapshot = self._store.snapshot
        if not snapshot.has_listed(*self._kinds):
            return None
        if self._pods is not None:
            snapshot = self._pods.judge(snapshot)
        if self._ledger is None:
            self._ledger = resumed(await self._stored())
        ledger = answered(self._ledger, snapshot)
        # What was written and has not come back yet counts: else its address could be given once more.
        snapshot = self._foresight.of(snapshot, ledger)
        defects, look_again = self._objections.of(snapshot, now=self._clock.monotonic())
        allocation = allocate(
            snapshot,
            rules=self._rules,
            blocked_pools=admission.blocked_pools(snapshot),
            previous=self._allocation,
        )
        eligibility = Eligibility.of(snapshot, ignore_exclude_label=self._settings.ignore_exclude_lb)
        made = report(
            snapshot,
            allocation,
            may_announce=_asker(snapshot, eligibility),
            nodes=eligibility.nodes,
            defects=defects,
            ledger=ledger,
            now=rfc3339(self._clock.wall()),
        )
        await self._write(made)
        _log_warnings(made.events)
        # Only what is durable counts: a write that failed is made again from the state before it.
        self._allocation, self._ledger, self._listed = allocation, made.ledger, True
        self._metrics.show(allocation.pools)
        due = None if made.due is None else self._clock.monotonic() + made.due - self._clock.wall()
        return soonest(look_again, due, await self._bury(snapshot))

    async def _bury(self, snapshot: Snapshot) -> float | None:
        """Delete the Speakers whose pods are no more; returns when the next one is due."""
        if self._pods is None:
            return None
        dead, later = self._pods.dead(
            snapshot, after=self._settings.burial_seconds, now=self._clock.monotonic()
        )
        if dead:
            log.info("speakers_buried", nodes=[one.key.name for one in dead])
            await self._sink.write([StatusWrite(ref=one, status=None) for one in dead])
        return later

    async def _write(self, made: Report) -> None:
        try:
            await self._sink.write(made.writes, made.events)
        except NotWritten as error:
            # Told where it can be told: in the log of events that readers see, if that takes it.
            with contextlib.suppress(NotWritten):
                await self._sink.write((), not_written(made.writes, str(error)))
            raise


def _kinds(origin: Origin) -> tuple[Kind, ...]:
    """What has to be listed before anything is decided."""
    return (*_KINDS, Kind.POD) if origin.in_cluster else _KINDS


def _log_warnings(events: Iterable[Event]) -> None:
    """What is wrong with pools, peers and whatever cannot be used; Services would be too many for a log."""
    for event in events:
        if event.warning and (event.ref.kind is not Kind.SERVICE or event.reason == Reason.INVALID):
            log.warning("object_problem", object=str(event.ref), reason=event.reason, message=event.message)


def _asker(snapshot: Snapshot, eligibility: Eligibility) -> Callable[[Service, Address, Eip], Candidates]:
    def may_announce(service: Service, address: Address, pool: Eip) -> Candidates:
        return eligible_nodes(
            snapshot, service, address, selector=pool.node_selector, eligibility=eligibility
        )

    return may_announce
