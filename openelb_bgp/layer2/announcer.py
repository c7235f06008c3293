"""The layer2 announcer: plan who owns what, answer for this node's part, and say what the wire shows.

The responder does the answering; what follows from a rival that is heard is decided in `contention`, which
addresses are asked for before they are announced in `first_probes`.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

import msgspec
import structlog

from openelb_bgp.host.strict_arp import answers_for_services
from openelb_bgp.lib.instants import soonest
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.facts import Facts
from openelb_bgp.model.members import Members
from openelb_bgp.model.meta import ObjectRef
from openelb_bgp.model.pools import Protocol as PoolProtocol
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.statuses import Layer2Status, PoolStatus, Problem, SpeakerStatus
from openelb_bgp.ports import Announcement, Clock, Event
from openelb_bgp.report.times import rfc3339

from . import heard_check, metrics, told
from .contention import Verdict, adopted, is_heard, judge, nodes_by_mac
from .first_probes import FirstProbes
from .owned import Conflict, Holder, Ownership, Probed, Spot
from .plan import GARP_SECONDS, PlanMemory
from .plan import plan as make_plan
from .planned import Layer2Plan, Placement, PlanOptions
from .responder import Responder

log = structlog.get_logger(__name__)

TRUST = 0.6
"""Seconds for which what was decided holds without this process having run: less than others wait for it."""
_TICK = 0.1
_FOREIGN = 120.0
"""Seconds that a stranger's claim is reported after it was last heard."""
_SELDOM = 3600.0
"""Seconds between announcements of an address that a stranger announces too."""
_STARTING = 10.0
"""Seconds for which a node that starts counts as not settled while it has not heard who is alive."""
_UNUSABLE = 60.0
"""Seconds until an interface on which nothing could be announced is tried again."""


class _Yielded(NamedTuple):
    """To whom an address is left, and for how long nothing need be heard of it."""

    node: str
    until: float


class _Foreign(NamedTuple):
    """Who else has an address, and when that was last heard."""

    said: Refused
    at: float


class Layer2Announcer:
    """Serves the pools of protocol `layer2` on one node."""

    def __init__(
        self,
        *,
        options: PlanOptions,
        clock: Clock,
        wake: Callable[[], None],
        incapable: str = "",
    ) -> None:
        """`wake` asks for a cycle. `incapable` says why this process can use no raw sockets at all."""
        self._options = options
        self._clock = clock
        self._wake = wake
        self._incapable = incapable
        self._responder = Responder(clock=clock, conflict=self._conflict, changed=wake)
        self._probes = FirstProbes(self._probe, clock=clock, done=wake)
        self._memory: PlanMemory | None = None
        self._facts: Facts | None = None
        self._macs: Mapping[str, str] = {}
        self._owned: Mapping[Spot, Ownership] = {}
        self._since: dict[Spot, str] = {}
        self._yielded: dict[Spot, _Yielded] = {}
        self._met: dict[Spot, _Foreign] = {}
        self._unusable: dict[str, float] = {}
        self._silent: frozenset[Address] = frozenset()
        self._told: frozenset[Problem] = frozenset()
        self._away = False
        metrics.COUNTS.of = self._responder

    @property
    def protocol(self) -> PoolProtocol:
        """Which pools it serves."""
        return PoolProtocol.LAYER2

    def contribute(self, facts: Facts) -> Facts:
        """The facts as they are: who is alive, membership says."""
        return facts

    async def run(self) -> None:
        """Probe what is new, and notice when this process was away; for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._probes.run())
            tasks.create_task(self._keep_trust())

    async def reconcile(self, snapshot: Snapshot, facts: Facts) -> Announcement:
        """Plan, and answer for this node's part."""
        if self._incapable:
            facts = msgspec.structs.replace(facts, members=Members())
        memory = make_plan(snapshot, facts, options=self._options, previous=self._memory)
        self._memory, self._facts = memory, facts
        self._macs = nodes_by_mac(snapshot, facts)
        self._review(memory.plan, facts)
        self._probes.want(memory.plan.first, nodes=_as_bytes(self._macs))
        self._responder.see(facts.links, facts.gateways)
        before = self._owned
        self._hold()
        self._away = False
        self._responder.answer_until(facts.now + TRUST)
        self._note_unusable(facts)
        return self._announcement(memory.plan, facts, snapshot.revision, before)

    async def close(self, *, withdraw: bool) -> None:
        """Stop answering; who comes next has been told by membership's goodbye."""
        self._responder.own({})
        self._responder.close()

    async def _keep_trust(self) -> None:
        """What was decided holds while this process runs; when it has not, the next cycle decides."""
        last = self._clock.monotonic()
        while True:
            await self._clock.sleep(_TICK)
            now = self._clock.monotonic()
            if now - last > TRUST:
                log.warning("was_away", seconds=round(now - last, 1))
                self._away = True
                self._wake()
            elif not self._away:
                self._responder.answer_until(now + TRUST)
            last = now

    async def _probe(self, spot: Spot, nodes: Collection[bytes]) -> Probed:
        return await self._responder.probe(spot, nodes=nodes)

    def _hold(self) -> None:
        """Answer for this node's part of the plan, but for what is not to be announced yet, or any more."""
        if self._memory is None:
            return
        plan = self._memory.plan
        self._owned = {
            spot: Ownership(_SELDOM) if spot in self._met else how
            for spot, how in plan.held.items()
            if spot not in self._yielded and (spot not in plan.first or self._probes.passed(spot))
        }
        self._responder.own(self._owned)

    def _review(self, plan: Layer2Plan, facts: Facts) -> None:
        """Forget what was met on the wire and holds no more."""
        self._yielded = {
            spot: one
            for spot, one in self._yielded.items()
            if spot in plan.held and facts.now < one.until and not is_heard(one.node, facts)
        }
        self._met = {
            spot: one
            for spot, one in self._met.items()
            if spot in plan.held and facts.now < one.at + _FOREIGN
        }

    def _conflict(self, conflict: Conflict) -> None:
        """Somebody else says that he has an address of ours."""
        # The responder is in the middle of a frame; what follows closes its sockets.
        asyncio.get_running_loop().call_soon(self._decide, conflict)

    def _decide(self, conflict: Conflict) -> None:
        spot, mac = conflict.spot, conflict.mac.hex(":")
        memory, facts, rival = self._memory, self._facts, self._macs.get(mac)
        if memory is None or facts is None or spot not in self._owned or rival == facts.node:
            return
        placement = memory.plan.placements[spot.address]
        verdict, now = judge(placement, rival, facts), self._clock.monotonic()
        metrics.CONFLICTS.labels("stranger" if rival is None else "node").inc()
        log.info("rival", address=str(spot.address), mac=mac, node=rival, verdict=verdict.name)
        match verdict:
            case Verdict.DEFEND:
                self._responder.announce([spot])
                return
            case Verdict.YIELD:
                wait = 1.5 * memory.plan.held[spot].garp_interval
                self._yielded[spot] = _Yielded(str(rival), now + wait)
            case Verdict.ADOPT:
                plan = adopted(memory.plan, spot.address, str(rival), now=now)
                self._memory = msgspec.structs.replace(memory, plan=plan, inputs=())
            case Verdict.BY_NODE:
                self._met[spot] = _Foreign(told.by_node(spot, str(rival), mac), now)
            case Verdict.FOREIGN:
                self._met[spot] = _Foreign(told.taken(spot, mac, announced=True), now)
        self._hold()
        self._wake()

    def _note_unusable(self, facts: Facts) -> None:
        for interface in self._responder.problems:
            self._unusable[interface] = facts.now + _UNUSABLE
        self._unusable = {name: until for name, until in self._unusable.items() if facts.now < until}

    def _announcement(
        self, plan: Layer2Plan, facts: Facts, revision: int, before: Mapping[Spot, Ownership]
    ) -> Announcement:
        holding = {spot for spot in self._owned if spot.interface not in self._responder.problems}
        now = rfc3339(self._clock.wall())
        self._since = {spot: self._since.get(spot, now) for spot in holding}
        checks = heard_check.to_check(plan.placements, facts, silent=self._silent)
        unheard = heard_check.not_heard(checks, facts)
        self._silent = frozenset(
            target.address for target in checks if self._is_silent(checks[target], facts)
        )
        met = [*self._met_problems(plan), *unheard]
        metrics.OWNED.set(len({spot.address for spot in holding}))
        metrics.NOT_HEARD.set(len(unheard))
        waiting = [spot for spot in plan.first if spot not in self._probes.found]
        started = facts.first_seen + _STARTING
        starting = facts.members.void and not self._incapable and facts.now < started
        return Announcement(
            protocol=self.protocol,
            revision=revision,
            settled=plan.complete and not waiting and not starting,
            status=SpeakerStatus(
                layer2=Layer2Status(owned=told.owned(self._since)),
                pools=tuple(self._pool(pool) for pool in plan.pools),
                draining=plan.draining,
                problems=(*plan.problems, *met, *self._host_problems(facts)),
            ),
            left_out={**plan.left_out, **self._left_out(plan)},
            events=(*self._won(plan, facts, holding, before), *self._warnings(met)),
            wake_at=soonest(
                plan.deadline,
                started if starting else None,
                self._probes.again_at(),
                heard_check.ends_at(checks, now=facts.now),
                *(one.until for one in self._yielded.values()),
                *(one.at + _FOREIGN for one in self._met.values()),
                *self._unusable.values(),
            ),
            probes=frozenset(checks),
            heartbeats=frozenset() if self._incapable else plan.heartbeats - self._unusable.keys(),
        )

    def _is_silent(self, placement: Placement, facts: Facts) -> bool:
        late = facts.now >= placement.since + heard_check.PATIENCE
        return late and placement.address not in facts.answering

    def _pool(self, pool: PoolStatus) -> PoolStatus:
        if pool.ready and self._incapable:
            return msgspec.structs.replace(pool, ready=False, reason=Reason.RAW_SOCKETS_IMPOSSIBLE.value)
        return pool

    def _host_problems(self, facts: Facts) -> list[Problem]:
        why = {"": self._incapable} if self._incapable else dict(self._responder.problems)
        found = list(told.unusable(facts.node, why))
        if sysctls := answers_for_services(facts.links):
            found.append(told.lax_arp(facts.node, sysctls))
        return found

    def _met_problems(self, plan: Layer2Plan) -> list[Problem]:
        """What was met on the wire, for each Service that it concerns."""
        said = {spot: one.said for spot, one in self._met.items()}
        for spot, found in self._probes.found.items():
            word = told.probed(spot, found, self._macs)
            if word is not None:
                said.setdefault(spot, word)
        return [
            problem
            for spot, refused in said.items()
            if spot.address in plan.placements
            for problem in told.of_services(plan.placements[spot.address], refused)
        ]

    def _left_out(self, plan: Layer2Plan) -> dict[ObjectRef, Refused]:
        """The Services whose address this node owns by the plan, and does not announce."""
        found: dict[ObjectRef, Refused] = {}
        for spot in plan.held:
            if spot in self._owned:
                continue
            refused = self._withheld(spot)
            for key in plan.placements[spot.address].services:
                found[told.service_ref(key)] = refused
        return found

    def _withheld(self, spot: Spot) -> Refused:
        if spot in self._yielded:
            node = self._yielded[spot].node
            return Refused(
                Reason.NOT_OWNER,
                f"node {node} announces it and comes first by hash, though nothing is heard of its speaker: "
                "see Membership in docs/layer2.md",
            )
        found = self._probes.found.get(spot)
        if found is not None and found.holder is Holder.FOREIGN and found.mac is not None:
            return told.taken(spot, found.mac.hex(":"), announced=False)
        return Refused(Reason.PROBING_ADDRESS, "others are asked whether they have it; this takes 200 ms")

    def _won(
        self, plan: Layer2Plan, facts: Facts, holding: set[Spot], before: Mapping[Spot, Ownership]
    ) -> list[Event]:
        fresh: dict[Address, list[Spot]] = {}
        for spot in holding - before.keys():
            fresh.setdefault(spot.address, []).append(spot)
        events: list[Event] = []
        for address, spots in sorted(fresh.items(), key=lambda item: int(item[0])):
            placement = plan.placements[address]
            if placement.before:
                reason = "" if placement.why is None else placement.why.reason.value
                metrics.FAILOVERS.labels(reason).inc()
            events += told.won(placement, spots, facts)
        return events

    def _warnings(self, problems: list[Problem]) -> list[Event]:
        """An event for each that has not been told yet."""
        new = frozenset(problems) - self._told
        self._told = frozenset(problems)
        refs = {str(ref): ref for ref in self._service_refs()}
        return [
            Event(ref=refs[one.object], reason=one.reason, message=one.message, warning=True)
            for one in sorted(new)
            if one.object in refs
        ]

    def _service_refs(self) -> list[ObjectRef]:
        if self._memory is None:
            return []
        return [
            told.service_ref(key) for one in self._memory.plan.placements.values() for key in one.services
        ]


def _as_bytes(macs: Mapping[str, str]) -> frozenset[bytes]:
    return frozenset(bytes.fromhex(mac.replace(":", "")) for mac in macs)


__all__ = ["GARP_SECONDS", "Layer2Announcer"]
