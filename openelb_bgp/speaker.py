"""The speaker: wiring of one node's daemon. What it decides is decided in the rooms below.

A cycle reads one snapshot and one set of facts, lets every announcer bring its part of the world to its
plan, and writes one report. It is woken by the source, by netlink, by sessions and by time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NoReturn

import msgspec
import structlog
from prometheus_client import REGISTRY

from openelb_bgp.eligibility import node_states
from openelb_bgp.forwarding import (
    KUBE_PROXY_PORT,
    ServiceChecks,
    Vouched,
    concluded,
    judge,
    service_checks,
    vouched,
)
from openelb_bgp.host.boot import read_boot_id, seconds_since_boot
from openelb_bgp.host.health_checks import HealthChecks
from openelb_bgp.host.netlink import HostFollower, HostState
from openelb_bgp.host.probe import Prober
from openelb_bgp.interfaces import targets
from openelb_bgp.lib.instants import soonest
from openelb_bgp.membership.observed import observe_speakers
from openelb_bgp.membership.on_demand import MembershipOnDemand
from openelb_bgp.membership.pods import SpeakerPods
from openelb_bgp.membership.timing import Timing
from openelb_bgp.model import keys
from openelb_bgp.model.facts import Facts, SpeakerFact
from openelb_bgp.model.forwarding import Forwarding
from openelb_bgp.model.meta import Kind, ref
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.routing import Drain
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.statuses import Problem
from openelb_bgp.origin import Origin, exit_code_of, feed, opened
from openelb_bgp.plugins import Announcers, Workplace
from openelb_bgp.ports import Announcer
from openelb_bgp.runtime import log as logging
from openelb_bgp.runtime import process
from openelb_bgp.runtime.abreast import Abreast
from openelb_bgp.runtime.health import Check, serve_health, turns
from openelb_bgp.runtime.loop import Loop, Throttle, WakeUp
from openelb_bgp.runtime.reporter import Reporter
from openelb_bgp.settings import SpeakerSettings

log = structlog.get_logger(__name__)


def main(settings: SpeakerSettings) -> int:
    """Run a speaker until SIGTERM; returns the exit code."""
    logging.configure(
        verbosity=settings.logging.verbosity, colour=settings.logging.colour, remarks=settings.remarks
    )
    return process.run(lambda stop: exit_code_of(_serve(settings, stop)))


async def _serve(settings: SpeakerSettings, stop: asyncio.Event) -> None:
    async with opened(settings.source, node=settings.node, owner=False) as origin:
        speaker = Speaker(settings, origin)
        async with serve_health(
            host=settings.metrics.host,
            port=settings.metrics.port,
            registry=REGISTRY,
            healthy=speaker.healthy(),
            ready=speaker.ready(),
        ):
            logging.started("speaker", node=settings.node, source=str(settings.source))
            await process.work_until(stop, {"feed": lambda: feed(origin), **speaker.tasks()})
        await speaker.close()
        if settings.withdraw_on_exit:
            # Else gobgpd goes on, and what the report says stays true until the successor comes. Taken away,
            # it would change the statuses of all Services twice; the controller buries it after a minute.
            await speaker.leave()


class Speaker:
    """One node's daemon over an origin."""

    def __init__(self, settings: SpeakerSettings, origin: Origin) -> None:
        self._settings = settings
        self._store, self._sink, self._clock = origin.store, origin.sink, origin.clock
        self._wake = WakeUp()
        self._host = HostState()
        self._host_known = asyncio.Event()
        self._following = HostFollower()
        self._host_is = origin.host_is
        self._trouble = origin.trouble
        self._announcers = Announcers(Workplace(settings, origin.clock, self._wake.set))
        self._abreast = Abreast(self._wake.set)
        self._prober = Prober(clock=origin.clock, changed=self._wake.set)
        self._membership = self._membership_on_demand()
        self._boot_id = read_boot_id()
        self._health = self._health_checks() if origin.in_cluster else None
        self._checks = ServiceChecks()
        self._forwarding = Forwarding()
        self._vouched: Vouched | None = None
        self._observed: Mapping[str, SpeakerFact] = {}
        self._pods = SpeakerPods() if origin.in_cluster else None
        self._reporter = Reporter(settings.node, sink=origin.sink, clock=origin.clock)
        self._started = origin.clock.monotonic()
        self._draining_since: float | None = None
        self._loop = Loop(
            "speaker",
            self._cycle,
            wake=self._wake,
            clock=self._clock,
            resync=settings.resync,
            throttle=Throttle(),
        )
        origin.store.subscribe(self._wake.set)

    def tasks(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """What runs for as long as the speaker does."""
        return {
            "host": self._follow_host,
            "probe": self._prober.run,
            "membership": self._membership.run,
            **({} if self._health is None else {"health-checks": self._health.run}),
            "loop": self._turn,
            "announcers": self._announcers.run,
        }

    async def _follow_host(self) -> None:
        async for state in self._following.states():
            self._host = state
            self._host_known.set()
            self._host_is(state)
            self._wake.set()

    async def _turn(self) -> NoReturn:
        # A plan for a machine without a NIC would take away what keepalived and gobgpd were found with.
        await self._host_known.wait()
        await self._loop.run()

    async def _cycle(self) -> float | None:
        snapshot = self._snapshot()
        self._following.aim(targets(snapshot.eips.values()))
        serving = self._announcers.serving(snapshot)
        facts = self._facts(snapshot, serving)
        announcements = await self._abreast.reconcile(serving, snapshot, facts)
        probes = {probe for one in announcements for probe in one.probes}
        self._prober.aim(probes, self._host.links)
        heartbeats = {interface for one in announcements for interface in one.heartbeats}
        self._membership.aim(heartbeats, self._host.links, snapshot)
        due = await self._reporter.report(
            snapshot, facts, announcements, problems=self._problems(), off=self._announcers.off
        )
        return soonest(due, self._forwarding.deadline, *(one.wake_at for one in announcements))

    def _snapshot(self) -> Snapshot:
        snapshot = self._store.snapshot
        if self._pods is not None:
            snapshot = self._pods.judge(snapshot)
        node = snapshot.nodes.get(self._settings.node)
        if self._draining_since is None or node is None:
            return snapshot
        asked = {**node.meta.annotations, keys.DRAIN_ANNOTATION: "true"}
        leaving = msgspec.structs.replace(node, meta=msgspec.structs.replace(node.meta, annotations=asked))
        return msgspec.structs.replace(snapshot, nodes={**snapshot.nodes, node.name: leaving})

    def _facts(self, snapshot: Snapshot, serving: Sequence[Announcer]) -> Facts:
        now = self._clock.monotonic()
        node = self._settings.node
        self._observed = observe_speakers(snapshot, own=node, before=self._observed, now=now)
        if self._health is not None:
            self._forwarding = self._judged(self._health, snapshot, now=now)
        facts = Facts(
            node=node,
            now=now,
            links=self._host.links,
            gateways=self._host.gateways,
            routes=self._host.routes,
            speakers=self._observed,
            answering=self._prober.answering,
            first_seen=self._started,
            forwarding=self._forwarding,
            draining_since=self._draining_since,
            members=self._membership.members,
        )
        for announcer in serving:
            facts = announcer.contribute(facts)
        return facts

    def _membership_on_demand(self) -> MembershipOnDemand:
        heartbeats = self._settings.heartbeats
        return MembershipOnDemand(
            self._settings.node,
            namespace=self._settings.source.namespace,
            clock=self._clock,
            changed=self._wake.set,
            timing=Timing(interval=heartbeats.interval, misses=heartbeats.misses),
            port=heartbeats.port,
            address=heartbeats.address,
            key_file=heartbeats.key_file,
        )

    def _health_checks(self) -> HealthChecks:
        return HealthChecks(
            self._settings.runtime_dir,
            node_port=KUBE_PROXY_PORT,
            boot_id=self._boot_id,
            booted=self._clock.monotonic() - seconds_since_boot(),
            clock=self._clock,
            changed=self._wake.set,
        )

    def _judged(self, health: HealthChecks, snapshot: Snapshot, *, now: float) -> Forwarding:
        """Aim the health checks at what the snapshot asks for, and conclude from their answers."""
        name = self._settings.node
        if not snapshot.has_listed(Kind.NODE, Kind.SERVICE, Kind.ENDPOINT_SLICE, Kind.SPEAKER):
            return Forwarding(known=False)
        node = snapshot.nodes.get(name)
        self._checks = service_checks(snapshot, node=name, before=self._checks)
        health.aim(self._checks.ports, () if node is None else node.addresses)
        if self._vouched is None:
            self._vouched = vouched(snapshot, node=name, boot_id=self._boot_id)
            health.conclude(node=False, services=self._vouched.services(health.facts))
            self._forwarding = Forwarding(unproven=self._vouched.unproven)
        done = concluded(health.facts, node, boot_id=self._boot_id, now=now, vouched=self._vouched.proven)
        health.conclude(node=done.node, services=done.services)
        return judge(health.facts, node=name, now=now, before=self._forwarding)

    def _problems(self) -> tuple[Problem, ...]:
        unproven = self._forwarding.unproven.items()
        found = [Problem.of(about, why.reason, why.message) for about, why in unproven]
        if self._prober.error:
            here = ref(Kind.NODE, self._settings.node)
            found.append(Problem.of(here, Reason.PROBING_IMPOSSIBLE, self._prober.error))
        return (*found, *self._membership.problems)

    async def close(self) -> None:
        """End, and tell the other nodes. With --withdraw-on-exit it drains first, then withdraws everything.

        Of a node that is going everything is withdrawn too: its routers would keep the routes for the restart
        time, and nobody comes back in it.
        """
        self._membership.leave()
        if self._settings.withdraw_on_exit:
            await self._drain()
        await self._abreast.close()
        await self._announcers.close(withdraw=self._settings.withdraw_on_exit or self._is_going())
        await self._membership.close()

    def _is_going(self) -> bool:
        """Whether the node shuts down, drains, or is deleted."""
        snapshot, name = self._store.snapshot, self._settings.node
        if not snapshot.has_listed(Kind.NODE):
            return False
        conf = snapshot.bgp_conf
        nodes = {key: one for key, one in snapshot.nodes.items() if key == name}
        states = node_states(nodes, drain=Drain() if conf is None else conf.drain)
        return name not in states or states[name].draining

    async def leave(self) -> None:
        """Take the report away."""
        await self._reporter.leave()

    async def _drain(self) -> None:
        """Go on as if the Node were annotated so, until its grace is over."""
        conf = self._store.snapshot.bgp_conf
        grace = (conf.drain if conf is not None else Drain()).grace_seconds
        self._draining_since = self._clock.monotonic()
        log.info("draining", seconds=grace)
        while (left := self._draining_since + grace - self._clock.monotonic()) > 0:
            wake_at = await self._cycle()
            asked = left if wake_at is None else max(0.0, wake_at - self._clock.monotonic())
            await self._clock.sleep(min(left, asked))

    def healthy(self) -> dict[str, Check]:
        """What only a restart would mend."""
        return {"loop": turns(self._loop, self._clock)}

    def ready(self) -> dict[str, Check]:
        """Whether this node announces what it should."""
        return {
            "loop": lambda: self._loop.error or None,
            "announcers": self._reporter.unsettled,
            "origin": self._trouble,
        }
