"""The BGP announcer: observe, plan, diff, apply, for the one gobgpd beside this speaker.

It adopts a gobgpd that runs; a speaker that comes and goes changes nothing outside. How changes are carried
out is in `execute`, what is known of gobgpd in `running`, how it is reached and watched in `connection`.
"""

import contextlib
from collections.abc import Awaitable, Callable, Collection
from typing import Any

import msgspec
import structlog

from openelb_bgp.lib.instants import soonest
from openelb_bgp.model.facts import Facts
from openelb_bgp.model.pools import Protocol as PoolProtocol
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.statuses import PoolStatus, RouteCounts, SpeakerStatus
from openelb_bgp.ports import Announcement, Clock

from . import metrics, status
from .connection import Connection
from .daemon import CannotRestart, Daemon
from .diff import Configuration, diff, needs_restart, silent
from .execute import Executor
from .gobgp.client import ResetDirection
from .gobgp.errors import GobgpError, Rejected
from .gobgp.features import Features
from .memory import Memory
from .model import GlobalConf, ObservedGlobal, ObservedPeer, PathKey
from .plan import plan as make_plan
from .planned import BgpPlan, PlanOptions
from .port import Gobgp
from .recall import was_reported
from .rivals import Rivals
from .running import Running
from .session_reports import session_problems
from .status import Obstacles
from .wanted import Wanted
from .watched import Sessions

log = structlog.get_logger(__name__)

_RETRY = 2.0
"""Seconds until what gobgpd refused, or what another process was in the way of, is tried again."""
_RESTART_PAUSE = 60.0
"""Seconds between two restarts for one global configuration: it may be one that no gobgpd takes."""
_UNMOVED = (
    "gobgpd was restarted for this BgpConf, and shows another ASN, router id or port than it says: "
    "see the sidecar's log"
)


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
        boot_id: str,
        new_boot: bool,
        booted: Callable[[], None],
    ) -> None:
        """`wake` asks for a cycle. `resync` is in seconds. `booted` is called once BGP runs on this boot.

        `new_boot` says that nothing beside gobgpd tells of BGP on this boot; the Speaker's report still may.
        """
        self._daemon = daemon
        self._options = options
        self._clock = clock
        self._wake = wake
        self._boot_id = boot_id
        self._new_boot = new_boot
        self._booted = booted
        self._connection = Connection(daemon, clock=clock, changed=self._connection_changed)
        self._running = Running(memory, clock=clock, resync=resync)
        self._sessions = Sessions(clock)
        self._rivals = Rivals(daemon, clock=clock)
        self._features: Features | None = None
        self._adopted: frozenset[tuple[str, str]] | None = None
        self._plan: BgpPlan | None = None
        self._wanted = Wanted()
        self._restarted: tuple[GlobalConf, float] | None = None
        self._obstacles = Obstacles()

    @property
    def protocol(self) -> PoolProtocol:
        """Which pools it serves."""
        return PoolProtocol.BGP

    def contribute(self, facts: Facts) -> Facts:
        """The facts with our sessions, and with what was found when gobgpd was adopted."""
        version = None if self._features is None else self._features.version
        return msgspec.structs.replace(
            facts,
            sessions=self._sessions.facts,
            adopted=self._adopted,
            gobgp_version=None if version is None else version[:2],
        )

    async def run(self) -> None:
        """Keep a connection to gobgpd and follow its sessions for ever; each change is a wake-up."""
        await self._connection.run(self._follow, self._felt)

    async def reconcile(self, snapshot: Snapshot, facts: Facts) -> Announcement:
        """Observe, plan, apply. A gobgpd that does not answer is reported; the connection is made anew."""
        if self._new_boot and was_reported(snapshot, node=facts.node, boot_id=self._boot_id):
            self._new_boot = False
        async with self._connection.borrowed() as gobgp:
            observed = gobgp is not None and await self._tried(self._observe(gobgp))
            plan = self._make_plan(snapshot, facts)
            with metrics.APPLY_SECONDS.time():
                settled = gobgp is not None and observed and await self._tried(self._converge(gobgp, plan))
        return self._announcement(plan, revision=snapshot.revision, settled=settled)

    async def close(self, *, withdraw: bool) -> None:
        """Let go of gobgpd. With `withdraw` its paths are taken back and its peers deleted first."""
        async with self._connection.borrowed() as gobgp:
            actual = self._running.configuration
            if withdraw and gobgp is not None and actual is not None:
                await self._tried(self._apply(gobgp, silent(actual), actual, touched=None))
        await self._connection.close()

    async def _tried(self, work: Awaitable[bool]) -> bool:
        try:
            return await work
        except GobgpError as error:
            metrics.APPLY_FAILURES.inc()
            self._connection.give_up(error)
            return False

    async def _observe(self, gobgp: Gobgp) -> bool:
        reading = await self._running.refresh(gobgp)
        if reading is None:
            return True
        metrics.RESYNCS.inc()
        self._features = gobgp.features
        await self._see(gobgp, reading.peers)
        if self._adopted is None:
            self._adopted = frozenset(
                (str(key.prefix), str(attrs.next_hop)) for key, attrs in reading.paths.items()
            )
            log.info("gobgpd_adopted", paths=len(reading.paths), peers=len(reading.peers))
        elif reading.running is None and self._running.was_started:
            metrics.GOBGPD_RESTARTS.inc()
            log.warning("gobgpd_replaced")
        return True

    def _make_plan(self, snapshot: Snapshot, facts: Facts) -> BgpPlan:
        plan = make_plan(snapshot, self.contribute(facts), options=self._options, previous=self._plan)
        self._plan = plan
        self._running.note(plan)
        return plan

    async def _converge(self, gobgp: Gobgp, plan: BgpPlan) -> bool:
        """Make the plan run; False where it is not in effect."""
        self._obstacles = Obstacles()
        actual = self._running.known(plan)
        desired = self._wanted.configuration(plan, actual)
        if desired is None:
            self._sessions.name(plan.peers)
            return False
        self._running.touch(self._wanted.released)
        self._sessions.name(desired.peers)
        desired = await self._without_rivals(desired)
        if needs_restart(desired, actual):
            if await self._has_restarted(desired):
                return False
            desired = msgspec.structs.replace(desired, global_conf=actual.global_conf)
        if plan.complete:
            return await self._apply(gobgp, desired, actual, touched=self._running.touched)
        await self._apply(gobgp, desired, actual, touched=None)
        self._running.doubt()
        return False

    async def _without_rivals(self, desired: Configuration) -> Configuration:
        """Without the peers to which another process of this node speaks."""
        up = [address for address, fact in self._sessions.facts.items() if fact.established]
        in_use = await self._rivals.in_use(desired.peers, established=up)
        if not in_use:
            return desired
        self._hinder(in_use=in_use)
        peers = {address: peer for address, peer in desired.peers.items() if address not in in_use}
        return msgspec.structs.replace(desired, peers=peers)

    async def _has_restarted(self, desired: Configuration) -> bool:
        """Restart gobgpd for its new global part; False where that cannot be done or does not help."""
        wanted, now = desired.global_conf, self._clock.monotonic()
        if wanted is None:
            return False
        if self._restarted is not None and self._restarted[0] == wanted:
            self._hinder(unchanged=_UNMOVED)
            if now - self._restarted[1] < _RESTART_PAUSE:
                return False
        try:
            log.info("gobgpd_restarting", why="what it reads only at its start has changed in BgpConf")
            await self._daemon.restart()
        except CannotRestart as error:
            self._hinder(unchanged=str(error))
            return False
        self._restarted = wanted, now
        self._connection.give_up()
        return True

    def _hinder(self, **obstacles: Any) -> None:
        self._obstacles = msgspec.structs.replace(self._obstacles, **obstacles)

    async def _apply(
        self,
        gobgp: Gobgp,
        desired: Configuration,
        actual: Configuration,
        *,
        touched: Collection[PathKey] | None,
    ) -> bool:
        """Make `actual` what is desired; False where that is not in effect as a whole."""
        work = Executor(gobgp, actual, restarting=not self._new_boot, hang_up=self._daemon.hang_up)
        done = False
        try:
            await work.apply(diff(desired, actual, touched=touched))
            done = True
        finally:
            self._running.applied(work, wholly=done)
        self._hinder(failures=work.failures)
        if work.actual.peers != actual.peers:
            self._rivals.edited(old=actual.peers, new=work.actual.peers)
            # An edit that leaves the sessions up is no event, and statuses shall show it at once.
            await self._see(gobgp, await gobgp.peers())
        if desired.global_conf is not None:
            await self._note_start(desired.global_conf, started=work.actual.global_conf is not None)
        # A peer or a path that is refused is an exception, and told as such.
        return not any(one.general for one in work.failures)

    async def _note_start(self, conf: GlobalConf, *, started: bool) -> None:
        if started and self._new_boot:
            self._new_boot = False
            self._booted()
        if not started and any(status.is_port_taken(one) for one in self._obstacles.failures):
            self._hinder(port=conf.listen_port, holder=await self._daemon.holder(conf.listen_port))

    async def _follow(self, gobgp: Gobgp) -> None:
        async with gobgp.watch() as changes:
            async for _ in changes:
                await self._see(gobgp, await gobgp.peers())
                self._wake()

    async def _see(self, gobgp: Gobgp, peers: tuple[ObservedPeer, ...]) -> None:
        for address in self._sessions.update(peers):
            # GoBGP 3.10 never sends to a peer without graceful restart that came up after a restart.
            if not self._sessions.facts[address].remote_graceful_restart:
                with contextlib.suppress(Rejected):
                    await gobgp.reset_peer(address, soft=True, direction=ResetDirection.OUT)
        if self._sessions.wants_words:
            self._sessions.hear(await self._daemon.last_words())

    def _connection_changed(self) -> None:
        if not self._connection.is_up:
            self._sessions.lose()
            self._rivals.ended_all()
        self._wake()

    def _felt(self, running: ObservedGlobal | None) -> None:
        """A pulse: somebody may have stopped the speaker inside gobgpd."""
        if running is None and self._running.was_started:
            self._running.doubt()
            self._wake()

    def _announcement(self, plan: BgpPlan, *, revision: int, settled: bool) -> Announcement:
        obstacles = self._obstacles
        actual = self._running.configuration if self._connection.is_up else None
        announced = 0 if actual is None else len(actual.paths)
        metrics.ROUTES_DESIRED.set(len(plan.paths))
        metrics.ROUTES_ANNOUNCED.set(announced)
        features = self._features if self._connection.is_up else None
        troubles = status.daemon_problems(features, self._connection.error)
        sessions = self._sessions.statuses()
        retry_at = self._clock.monotonic() + _RETRY if obstacles else None
        return Announcement(
            protocol=self.protocol,
            revision=revision,
            settled=settled,
            status=SpeakerStatus(
                gobgp=status.gobgp_status(features, None if actual is None else actual.global_conf),
                sessions=sessions,
                pools=tuple(self._pool(pool) for pool in plan.pools),
                routes=RouteCounts(desired=len(plan.paths), announced=announced),
                standing_in_for=plan.standing_in_for,
                draining=plan.draining,
                problems=(*plan.problems, *troubles, *obstacles.problems(), *session_problems(sessions)),
            ),
            left_out={**plan.left_out, **obstacles.left_out(plan)} if obstacles else plan.left_out,
            wake_at=soonest(plan.deadline, retry_at, self._rivals.look_again_at),
            probes=plan.probes,
        )

    def _pool(self, pool: PoolStatus) -> PoolStatus:
        error = self._connection.error
        if error is None or not pool.ready:
            return pool
        return msgspec.structs.replace(pool, ready=False, reason=status.down_for(error).value)
