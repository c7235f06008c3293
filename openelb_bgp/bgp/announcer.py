"""The BGP announcer: plan, observe, diff, apply, for the one gobgpd beside this speaker.

It adopts a gobgpd that runs and never stops one; a speaker that comes and goes changes nothing outside. What
gobgpd runs is read back when it is adopted, after every failure and on each resync; in between our own
changes are the truth. How changes are carried out is in `execute`, how gobgpd is reached in `Daemon`.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import msgspec
import structlog

from openelb_bgp.model.facts import Facts
from openelb_bgp.model.pools import Protocol as PoolProtocol
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.statuses import GobgpStatus, PoolStatus, Problem, RouteCounts, SpeakerStatus
from openelb_bgp.ports import Announcement, Clock

from . import metrics
from .diff import Configuration, diff, needs_restart
from .execute import Executor, Failure
from .gobgp.canonical import canonical
from .gobgp.client import ResetDirection
from .gobgp.errors import GobgpError, SidecarUnavailable, UnknownApi
from .memory import Memory
from .model import RoutingPolicy
from .observe import observe
from .plan import plan as make_plan
from .planned import BgpPlan, PlanOptions
from .port import Gobgp
from .watched import Sessions

log = structlog.get_logger(__name__)


class Daemon(Protocol):
    """The gobgpd beside us, however it is kept."""

    async def connect(self) -> Gobgp:
        """A client of it. Raises GobgpError."""
        ...

    async def restart(self) -> None:
        """End it without a goodbye, so that peers keep its routes, and start it anew. Raises GobgpError."""
        ...

    async def hang_up(self, address: str) -> None:
        """End its TCP connection to a neighbour without a BGP word, where that can be done."""
        ...

    async def last_words(self) -> Sequence[str]:
        """What it wrote last, the newest line at the end."""
        ...


class BgpAnnouncer:
    """Serves the pools of protocol `bgp` on one node."""

    def __init__(
        self,
        daemon: Daemon,
        *,
        options: PlanOptions,
        memory: Memory,
        clock: Clock,
        wake: Callable[[], None],
        resync: float,
        new_boot: bool,
        booted: Callable[[], None],
    ) -> None:
        """`wake` asks for a cycle. `resync` is in seconds. `booted` is called once BGP runs on this boot."""
        self._daemon = daemon
        self._options = options
        self._memory = memory
        self._clock = clock
        self._wake = wake
        self._resync = resync
        self._new_boot = new_boot
        self._booted = booted
        self._plan: BgpPlan | None = None
        self._gobgp: Gobgp | None = None
        self._connected = asyncio.Event()
        self._actual: Configuration | None = None
        self._routing = _Canonical(None, RoutingPolicy())
        self._observed_at = 0.0
        self._sessions = Sessions(clock)
        self._adopted: frozenset[tuple[str, str]] | None = None
        self._failures: tuple[Failure, ...] = ()
        self._error: GobgpError | None = None

    @property
    def protocol(self) -> PoolProtocol:
        """Which pools it serves."""
        return PoolProtocol.BGP

    def contribute(self, facts: Facts) -> Facts:
        """The facts with our sessions, and with what was found when gobgpd was adopted."""
        gobgp = self._gobgp
        version = gobgp.features.version if gobgp is not None else None
        return msgspec.structs.replace(
            facts,
            sessions=self._sessions.facts,
            adopted=self._adopted,
            gobgp_version=None if version is None else version[:2],
        )

    async def run(self) -> None:
        """Follow gobgpd's sessions for ever; each change is a wake-up."""
        while True:
            await self._connected.wait()
            gobgp = self._gobgp
            if gobgp is None:
                self._connected.clear()
                continue
            try:
                await self._follow(gobgp)
            except GobgpError as error:
                await self._lose(error)
            self._wake()

    async def reconcile(self, snapshot: Snapshot, facts: Facts) -> Announcement:
        """Plan, observe, apply. A gobgpd that does not answer is reported; the next cycle tries again."""
        plan = make_plan(snapshot, facts, options=self._options, previous=self._plan)
        self._plan = plan
        self._sessions.name({address: peer.name for address, peer in plan.peers.items()})
        settled = False
        try:
            with metrics.APPLY_SECONDS.time():
                settled = await self._converge(plan)
        except GobgpError as error:
            metrics.APPLY_FAILURES.inc()
            await self._lose(error)
        return self._announcement(plan, revision=snapshot.revision, settled=settled)

    async def close(self, *, withdraw: bool) -> None:
        """Let go of gobgpd. With `withdraw` its paths are taken back and its peers deleted first."""
        if self._gobgp is None:
            return
        if withdraw and self._actual is not None:
            try:
                await self._apply(self._gobgp, _silent(self._actual), self._actual)
            except GobgpError as error:
                log.error("withdraw_failed", error=str(error))
        await self._disconnect()

    async def _converge(self, plan: BgpPlan) -> bool:
        gobgp = await self._connection()
        actual = await self._observed(gobgp, plan)
        if not plan.complete:
            return False
        desired = self._desired(plan, actual)
        if needs_restart(desired, actual):
            gobgp = await self._restart()
            actual = await self._observed(gobgp, plan)
        await self._apply(gobgp, desired, actual)
        return not self._failures

    async def _connection(self) -> Gobgp:
        if self._gobgp is None:
            self._gobgp = await self._daemon.connect()
            self._actual = None
            self._connected.set()
            version = self._gobgp.features.version
            log.info("gobgpd_connected", version=".".join(map(str, version)) if version else "unknown")
        self._error = None
        return self._gobgp

    async def _observed(self, gobgp: Gobgp, plan: BgpPlan) -> Configuration:
        now = self._clock.monotonic()
        if self._actual is not None and now - self._observed_at < self._resync:
            return self._actual
        actual = await observe(gobgp, plan, memory=self._memory)
        await self._read_sessions(gobgp)
        metrics.RESYNCS.inc()
        if self._actual is None:
            self._adopted = frozenset(
                (str(key.prefix), str(attrs.next_hop)) for key, attrs in actual.paths.items()
            )
            log.info("gobgpd_observed", paths=len(actual.paths), peers=len(actual.peers))
            # The plan was made without knowing this: another one, at once.
            self._wake()
        self._actual, self._observed_at = actual, now
        return actual

    def _desired(self, plan: BgpPlan, actual: Configuration) -> Configuration:
        if self._routing.source is not plan.routing:
            self._routing = _Canonical(plan.routing, canonical(plan.routing))
        if plan.global_conf is None:
            return _silent(actual)
        return Configuration(
            global_conf=plan.global_conf, routing=self._routing.value, peers=plan.peers, paths=plan.paths
        )

    async def _restart(self) -> Gobgp:
        log.info("gobgpd_restarting", why="the global configuration changed")
        await self._disconnect()
        await self._daemon.restart()
        return await self._connection()

    async def _apply(self, gobgp: Gobgp, desired: Configuration, actual: Configuration) -> None:
        changes = diff(desired, actual)
        if not changes:
            self._failures = ()
            return
        # Until all is done nobody knows what is there: an error in the middle makes the next cycle look.
        self._actual = None
        executor = Executor(gobgp, restarting=not self._new_boot, hang_up=self._daemon.hang_up)
        outcome = await executor.apply(changes, actual)
        self._failures = outcome.failures
        if (outcome.actual.peers, outcome.actual.global_conf) != (actual.peers, actual.global_conf):
            self._remember(outcome.actual)
            # An edit that leaves the sessions up is no event, and statuses shall show it at once.
            await self._read_sessions(gobgp)
        self._actual = None if outcome.failures else outcome.actual
        if outcome.actual.global_conf is not None and self._new_boot:
            self._new_boot = False
            self._booted()

    def _remember(self, actual: Configuration) -> None:
        try:
            self._memory.remember(actual.global_conf, actual.peers.values())
        except OSError as error:
            log.warning("peers_not_remembered", error=str(error))

    async def _follow(self, gobgp: Gobgp) -> None:
        async with gobgp.watch() as changes:
            async for _ in changes:
                await self._read_sessions(gobgp)
                self._wake()

    async def _read_sessions(self, gobgp: Gobgp) -> None:
        for address in self._sessions.update(await gobgp.peers()):
            # GoBGP 3.10 never sends to a peer without graceful restart that came up after a restart.
            if not self._sessions.facts[address].remote_graceful_restart:
                await gobgp.reset_peer(address, soft=True, direction=ResetDirection.OUT)

    async def _lose(self, error: GobgpError) -> None:
        if str(error) != str(self._error):
            log.error("gobgpd_lost", error=str(error))
        self._error = error
        await self._disconnect()

    async def _disconnect(self) -> None:
        gobgp, self._gobgp, self._actual = self._gobgp, None, None
        self._connected.clear()
        self._sessions.update(())
        if gobgp is not None:
            await gobgp.close()

    def _announcement(self, plan: BgpPlan, *, revision: int, settled: bool) -> Announcement:
        actual = self._actual
        announced = 0 if actual is None else len(actual.paths)
        metrics.ROUTES_DESIRED.set(len(plan.paths))
        metrics.ROUTES_ANNOUNCED.set(announced)
        return Announcement(
            protocol=self.protocol,
            revision=revision,
            settled=settled,
            status=SpeakerStatus(
                gobgp=self._gobgp_status(),
                sessions=self._sessions.statuses(),
                pools=tuple(self._pool(pool) for pool in plan.pools),
                routes=RouteCounts(desired=len(plan.paths), announced=announced),
                standing_in_for=plan.standing_in_for,
                draining=plan.draining,
                problems=(*plan.problems, *self._problems()),
            ),
            left_out=plan.left_out,
            wake_at=plan.deadline,
            probes=frozenset((probe.interface, probe.address) for probe in plan.probes),
        )

    def _gobgp_status(self) -> GobgpStatus:
        if self._gobgp is None:
            return GobgpStatus()
        features = self._gobgp.features
        version = f"{features.major}.x" if features.version is None else ".".join(map(str, features.version))
        conf = None if self._actual is None else self._actual.global_conf
        return GobgpStatus(
            version=version,
            asn=0 if conf is None else conf.asn,
            router_id="" if conf is None else conf.router_id,
        )

    def _pool(self, pool: PoolStatus) -> PoolStatus:
        if self._error is None or not pool.ready:
            return pool
        return msgspec.structs.replace(pool, ready=False, reason=Reason.SIDECAR_DOWN.value)

    def _problems(self) -> list[Problem]:
        found = [
            Problem(object=one.subject, reason=Reason.REJECTED_BY_GOBGP, message=one.message)
            for one in self._failures
        ]
        if self._error is not None:
            found.append(Problem(object="gobgpd", reason=_reason(self._error), message=_remedy(self._error)))
        return found


def _silent(actual: Configuration) -> Configuration:
    """Nothing announced and nobody spoken to; the daemon idles on."""
    return Configuration(global_conf=actual.global_conf, routing=actual.routing)


class _Canonical(NamedTuple):
    """A routing policy as gobgpd would read it back, and what it was made from."""

    source: RoutingPolicy | None
    value: RoutingPolicy


def _reason(error: GobgpError) -> Reason:
    return Reason.SIDECAR_UNKNOWN_API if isinstance(error, UnknownApi) else Reason.SIDECAR_DOWN


def _remedy(error: GobgpError) -> str:
    if isinstance(error, SidecarUnavailable):
        return f"{error}; see the sidecar's log, and that --runtime-dir is the one it was started with"
    return str(error)
