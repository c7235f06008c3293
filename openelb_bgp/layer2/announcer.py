"""The layer2 announcer: plan who owns what, answer for this node's part, and say what the wire shows.

The responder does the answering, `apart` from this loop; what follows from a rival that is heard is decided
in `contention`, which addresses are asked for before they are announced in `first_probes`.
"""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping

import msgspec
import structlog

from openelb_bgp.host.strict_arp import answers_for_services
from openelb_bgp.model.facts import Facts
from openelb_bgp.model.members import Members
from openelb_bgp.model.pools import Protocol as PoolProtocol
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.ports import Announcement, Clock
from openelb_bgp.report.times import rfc3339

from . import metrics, told
from .account import FOREIGN_SECONDS, Account, Cycle, Met, Yielded
from .apart import Apart, Order
from .contention import Verdict, adopted, is_heard, judge, nodes_by_mac
from .first_probes import FirstProbes
from .owned import Conflict, Ownership, Probed, Spot
from .plan import PlanMemory
from .plan import plan as make_plan
from .planned import Layer2Plan, PlanOptions

log = structlog.get_logger(__name__)

HANDOVER = 1.0
"""Seconds for which a node that stops answers for what nobody has taken over yet."""
_SELDOM = 3600.0
"""Seconds between announcements of an address that a stranger announces too."""
_NEWS_SECONDS = 5.0
"""How long two nodes may both announce an address because news travel: only after that it is told."""
_UNUSABLE = 60.0
"""Seconds until an interface on which nothing could be announced is tried again."""


class Layer2Announcer:
    """Serves the pools of protocol `layer2` on one node."""

    def __init__(
        self,
        *,
        options: PlanOptions,
        clock: Clock,
        wake: Callable[[], None],
        trust: float = 0.6,
        incapable: str = "",
    ) -> None:
        """`wake` asks for a cycle. `incapable` says why this process can use no raw sockets at all.

        For `trust` seconds what was decided holds without this process having run: less than others wait
        for it.
        """
        self._options = options
        self._clock = clock
        self._wake = wake
        self._incapable = incapable
        self._responder = Apart(clock=clock, trust=trust, conflict=self._decide, changed=wake)
        self._probes = FirstProbes(self._probe, clock=clock, done=wake)
        self._memory: PlanMemory | None = None
        self._facts: Facts | None = None
        self._macs: Mapping[str, str] = {}
        self._owned: Mapping[Spot, Ownership] = {}
        self._yielded: dict[Spot, Yielded] = {}
        self._met: dict[Spot, Met] = {}
        self._suspected: dict[Spot, float] = {}
        self._unusable: dict[str, float] = {}
        self._account = Account()
        self._closing: asyncio.Event | None = None
        metrics.COUNTS.of = self._responder

    @property
    def protocol(self) -> PoolProtocol:
        """Which pools it serves."""
        return PoolProtocol.LAYER2

    def contribute(self, facts: Facts) -> Facts:
        """The facts as they are: who is alive, membership says."""
        return facts

    async def run(self) -> None:
        """Probe what is new, and keep what answers running; for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._probes.run())
            tasks.create_task(self._responder.run())

    async def reconcile(self, snapshot: Snapshot, facts: Facts) -> Announcement:
        """Plan, and answer for this node's part."""
        incapable = self._incapable or told.failed(self._responder.failure)
        if incapable:
            facts = msgspec.structs.replace(facts, members=Members())
        memory = make_plan(snapshot, facts, options=self._options, previous=self._memory)
        self._memory, self._facts = memory, facts
        self._macs = nodes_by_mac(snapshot, facts)
        self._review(memory.plan, facts)
        self._probes.want(memory.plan.first, nodes=_as_bytes(self._macs))
        before = self._owned
        self._choose()
        cycle = Cycle(
            plan=memory.plan,
            facts=facts,
            revision=snapshot.revision,
            now=rfc3339(self._clock.wall()),
            owned=self._owned,
            before=before,
            probed=self._probes.found,
            confirmed=self._probes.confirmed,
            probe_again_at=self._probes.again_at(),
            yielded=dict(self._yielded),
            met=dict(self._met),
            macs=self._macs,
            unusable=self._unusable,
            incapable=incapable,
            lax=answers_for_services(facts.links),
        )
        troubles = await self._carry_out(facts)
        return self._account.announcement(
            msgspec.structs.replace(cycle, troubles=troubles, unusable=self._unusable)
        )

    async def _carry_out(self, facts: Facts) -> Mapping[str, str]:
        """Have it answered; returns what keeps this node from it, by interface."""
        order = Order(owned=self._owned, links=facts.links, gateways=facts.gateways, decided_at=facts.now)
        troubles = await self._responder.carry_out(order)
        self._unusable = {name: until for name, until in self._unusable.items() if facts.now < until}
        self._unusable |= dict.fromkeys(troubles, facts.now + _UNUSABLE)
        return troubles

    async def close(self, *, withdraw: bool) -> None:
        """Stop. The others have been told goodbye: what they announce is let go, the rest after a moment."""
        facts = self._facts
        if self._owned and facts is not None and any(is_heard(one, facts) for one in facts.members.others):
            self._closing = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HANDOVER):
                    await self._closing.wait()
        await self._responder.close()

    async def _probe(self, spot: Spot, nodes: Collection[bytes]) -> Probed:
        return await self._responder.probe(spot, nodes=nodes)

    def _choose(self) -> None:
        """What to answer for: of this node's part whatever may be announced by now, and still."""
        if self._memory is None:
            return
        plan = self._memory.plan
        self._owned = {
            spot: Ownership(_SELDOM) if spot in self._met else how
            for spot, how in plan.held.items()
            if spot not in self._yielded and (spot not in plan.first or self._probes.passed(spot))
        }

    def _review(self, plan: Layer2Plan, facts: Facts) -> None:
        """Forget what was met on the wire and holds no more."""
        self._yielded = {
            spot: one
            for spot, one in self._yielded.items()
            if spot in plan.held and facts.now < one.until and not is_heard(one.node, facts)
        }
        self._suspected = {
            spot: at for spot, at in self._suspected.items() if facts.now < at + FOREIGN_SECONDS
        }
        self._met = {
            spot: one
            for spot, one in self._met.items()
            if spot in plan.held and facts.now < one.at + FOREIGN_SECONDS
        }

    def _decide(self, conflict: Conflict) -> None:
        """Somebody else says that he has an address of ours."""
        spot, mac = conflict.spot, conflict.mac.hex(":")
        memory, facts, rival = self._memory, self._facts, self._macs.get(mac)
        if memory is None or facts is None or spot not in self._owned or rival == facts.node:
            return
        if self._closing is not None:
            self._let_go(spot, self._closing)
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
                self._yielded[spot] = Yielded(str(rival), now + wait)
            case Verdict.ADOPT:
                plan = adopted(memory.plan, spot.address, str(rival), now=now)
                self._memory = msgspec.structs.replace(memory, plan=plan, inputs=())
            case Verdict.BY_NODE if now < self._suspected.setdefault(spot, now) + _NEWS_SECONDS:
                return
            case Verdict.BY_NODE:
                self._met[spot] = Met(told.by_node(spot, str(rival), mac), now)
            case Verdict.FOREIGN:
                self._met[spot] = Met(told.taken(spot, mac, announced=True), now)
        self._choose()
        self._responder.own(self._owned)
        self._wake()

    def _let_go(self, spot: Spot, closing: asyncio.Event) -> None:
        """Somebody has taken over what this node leaves behind."""
        self._owned = {one: how for one, how in self._owned.items() if one != spot}
        self._responder.own(self._owned)
        if not self._owned:
            closing.set()


def _as_bytes(macs: Mapping[str, str]) -> frozenset[bytes]:
    return frozenset(bytes.fromhex(mac.replace(":", "")) for mac in macs)
