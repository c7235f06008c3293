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
from openelb_bgp.model.reasons import Refused
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.ports import Announcement, Clock
from openelb_bgp.report.times import rfc3339

from . import metrics, told
from .account import Account, Cycle, Met
from .apart import Apart, Order
from .contention import Verdict, Yielded, adopted, is_heard, judge, nodes_by_mac, still_yielded
from .first_probes import FirstProbes
from .handover import Handover
from .owned import Conflict, Ownership, Probed, Spot
from .pace import Pace
from .plan import PlanMemory
from .plan import plan as make_plan
from .planned import Layer2Plan, PlanOptions
from .rivals import EVERY, Rounds

log = structlog.get_logger(__name__)

HANDOVER = 1.0
"""Seconds for which a node that stops answers for what nobody has taken over yet."""
_SELDOM = 3600.0
"""Seconds between announcements of an address that a stranger announces too."""
_REPORTED = 120.0
"""Seconds for which a rival is reported after it was last heard; longer where a round of asking is."""
_NEWS_SECONDS = 5.0
"""How long two nodes may both announce an address because news travel: only after that it is told."""
_UNUSABLE = 60.0
"""Seconds until an interface on which nothing could be announced is tried again."""
_TICK = 0.1
_LABELS = {Verdict.FOREIGN: "stranger", Verdict.BY_GATEWAY: "gateway"}


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
        self._rounds = Rounds()
        self._handover = Handover()
        self._unusable: dict[str, float] = {}
        self._account = Account()
        self._closing: asyncio.Event | None = None
        self._let_go: set[Spot] = set()
        # To answer for others than before costs something for all, and thousands may be taken over at once.
        self._pace = Pace(_TICK)
        self._is_unsettled = False
        metrics.COUNTS.of = self._responder

    @property
    def protocol(self) -> PoolProtocol:
        """Which pools it serves."""
        return PoolProtocol.LAYER2

    def contribute(self, facts: Facts) -> Facts:
        """The facts as they are: who is alive, membership says."""
        return facts

    async def run(self) -> None:
        """Probe what is new, look for rivals, hand over, and keep what answers running; for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._probes.run())
            tasks.create_task(self._responder.run())
            tasks.create_task(self._hand_over())
            tasks.create_task(self._look_for_rivals())

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
        before = {**self._owned, **self._handover.leaving}
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
        order = Order(
            owned=self._answered,
            leaving=self._handover.leaving.keys(),
            links=facts.links,
            gateways=facts.gateways,
            decided_at=facts.now,
        )
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
                    await self._until_let_go(self._closing)
        await self._responder.close()

    async def _until_let_go(self, closing: asyncio.Event) -> None:
        """Return once others have taken over everything."""
        while not closing.is_set():
            await self._clock.sleep(_TICK)
            if self._pace.is_due(self._clock.monotonic()):
                self._answer()

    async def _hand_over(self) -> None:
        """Go on with what time brings to those who wait for another."""
        while True:
            await self._clock.sleep(_TICK)
            now = self._clock.monotonic()
            if due := self._handover.due(now):
                self._responder.announce(due)
            if self._facts is not None:
                for spot, mac in self._handover.to_tell(self._facts, now=now):
                    self._responder.remind(spot, mac)
            if self._handover.is_over(now):
                self._settle()
            elif self._pace.is_due(now):
                self._catch_up()

    async def _look_for_rivals(self) -> None:
        """Ask for what is held, round by round."""
        while True:
            await self._clock.sleep(EVERY)
            suspected = (*self._suspected, *self._met)
            if spots := self._rounds.take(suspected=suspected, now=self._clock.monotonic()):
                self._responder.ask(spots)

    async def _probe(self, spot: Spot, nodes: Collection[bytes]) -> Probed:
        return await self._responder.probe(spot, nodes=nodes)

    def _choose(self) -> None:
        """What to answer for: of this node's part whatever may be announced by now, and still."""
        memory, facts = self._memory, self._facts
        if memory is None or facts is None:
            return
        plan, now = memory.plan, self._clock.monotonic()
        self._is_unsettled = False
        held = {
            spot: Ownership(_SELDOM) if spot in self._met and self._met[spot].is_foreign else how
            for spot, how in plan.held.items()
            if spot not in self._yielded
            and (spot in self._owned or not self._handover.is_taken(spot, facts, now=now))
            and (spot not in plan.first or self._probes.passed(spot))
        }
        self._handover.review(held, self._owned, plan, facts, now=now)
        if held != self._owned:
            self._owned = held
        self._rounds.keep(self._owned, now=now)

    @property
    def _answered(self) -> Mapping[Spot, Ownership]:
        """What is held, and what is being handed over."""
        leaving = self._handover.leaving
        return {**self._owned, **leaving} if leaving else self._owned

    def _answer(self) -> None:
        """Have that answered for from now on."""
        if self._let_go:
            self._owned = {spot: how for spot, how in self._owned.items() if spot not in self._let_go}
            self._let_go.clear()
        self._pace.did(self._clock.monotonic())
        self._responder.own(self._answered, leaving=self._handover.leaving.keys())

    def _catch_up(self) -> None:
        """Do what follows from what has been heard meanwhile."""
        if self._is_unsettled:
            self._settle()
        else:
            self._answer()

    def _settle(self) -> None:
        """Decide anew what to answer for, do so, and have that told."""
        self._choose()
        self._answer()
        self._wake()

    def _review(self, plan: Layer2Plan, facts: Facts) -> None:
        """Forget what was met on the wire and holds no more."""
        self._yielded = still_yielded(self._yielded, plan.held, facts)
        self._suspected = {spot: at for spot, at in self._suspected.items() if facts.now < at + _REPORTED}
        self._met = {
            spot: one for spot, one in self._met.items() if spot in plan.held and facts.now < one.until
        }

    def _decide(self, conflict: Conflict) -> None:
        """Somebody else says that he has an address of ours."""
        spot, mac = conflict.spot, conflict.mac.hex(":")
        memory, facts, rival = self._memory, self._facts, self._macs.get(mac)
        if memory is None or facts is None or rival == facts.node:
            return
        now = self._clock.monotonic()
        if rival is not None and self._handover.heard(spot, rival, now=now):
            self._follow(now)
        if spot not in self._owned:
            return
        if self._closing is not None:
            self._give_up(spot, self._closing)
            return
        placement = memory.plan.placements[spot.address]
        verdict = judge(placement, rival, facts, is_gateway=conflict.is_gateway)
        metrics.CONFLICTS.labels(_LABELS.get(verdict, "node")).inc()
        if spot not in self._met:
            log.info("rival", address=str(spot.address), mac=mac, node=rival, verdict=verdict.name)
        match verdict:
            case Verdict.DEFEND if rival is not None and is_heard(rival, facts):
                self._handover.insist(spot, now=now)
                return
            case Verdict.DEFEND:
                self._responder.announce([spot])
                return
            case Verdict.YIELD:
                self._yielded[spot] = Yielded(str(rival), now)
            case Verdict.ADOPT:
                plan = adopted(memory.plan, spot.address, str(rival), now=now)
                self._memory = msgspec.structs.replace(memory, plan=plan, inputs=())
            case Verdict.BY_NODE if spot not in self._met and self._may_be_news(spot, now):
                return
            case Verdict.BY_NODE:
                self._meet(spot, told.by_node(spot, str(rival), mac), now)
            case Verdict.BY_GATEWAY:
                self._meet(spot, told.by_gateway(spot, mac), now)
            case Verdict.FOREIGN:
                self._meet(spot, told.taken(spot, mac, announced=True), now)
        self._is_unsettled = True
        self._follow(now)

    def _follow(self, now: float) -> None:
        """Catch up, now or else in a moment with whatever else is heard until then."""
        if self._pace.wants(now):
            self._catch_up()

    def _may_be_news(self, spot: Spot, now: float) -> bool:
        """Whether a node that does not own the address may only not know so yet."""
        return now < self._suspected.setdefault(spot, now) + _NEWS_SECONDS

    def _meet(self, spot: Spot, said: Refused, now: float) -> None:
        self._met[spot] = Met(said, now + max(_REPORTED, 2 * self._rounds.seconds))

    def _give_up(self, spot: Spot, closing: asyncio.Event) -> None:
        """Somebody has taken over what this node leaves behind."""
        self._let_go.add(spot)
        if len(self._let_go) < len(self._owned):
            self._follow(self._clock.monotonic())
        else:
            self._answer()
            closing.set()


def _as_bytes(macs: Mapping[str, str]) -> frozenset[bytes]:
    return frozenset(bytes.fromhex(mac.replace(":", "")) for mac in macs)
