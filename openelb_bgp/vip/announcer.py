"""The vip announcer: observe, plan, diff, apply, for the one keepalived beside this speaker.

It adopts a keepalived that runs: the same plan gives the same configuration, and that is not loaded again. So
a speaker that comes and goes moves no master. Whether this node is master shows on its interfaces.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping

import structlog

from openelb_bgp.lib.identity import same_objects
from openelb_bgp.lib.instants import soonest
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.facts import Facts
from openelb_bgp.model.meta import ObjectRef
from openelb_bgp.model.pools import Eip, Protocol
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.statuses import PoolStatus, Problem, RouteCounts, SpeakerStatus, VipStatus
from openelb_bgp.ports import Announcement, Clock, Event

from . import metrics
from .claims import Reader
from .diff import Change, Observed, Spot, diff, mastered, single_addresses, spots_of
from .figures import Figures, parse, strangers
from .loading import Loading
from .masters import reported, takeovers
from .model import Instance
from .plan import VipPlan
from .plan import plan as make_plan
from .port import ConfigRefused, Keeper, KeeperUnavailable, Life

log = structlog.get_logger(__name__)

KEEPALIVED = "keepalived"
"""The object of problems that are keepalived's as a whole."""

_PULSE = 1.0
"""Seconds between two looks at how keepalived stands."""
_BATCH = 0.5
"""Seconds between two reloads at least: each has keepalived announce all its addresses anew."""
_SETTLING = 3.0
"""Seconds after a reload in which what no configuration has any more may still be there."""
_RETRY = 30.0
"""Seconds until what keepalived refused is tried again: the interface may have come, or an update."""
_GOODBYE, _GLANCE = 5.0, 0.05
"""Seconds that its end may take, and between two looks whether it has come."""
_PATIENCE = 10.0
"""Seconds for which a keepalived that is out of order holds up what the node reports as applied."""
_FIGURES = 15.0
"""Seconds between two reports of keepalived on its instances."""


class VipAnnouncer:
    """Serves the pools of protocol `vip` on one node."""

    def __init__(
        self, keeper: Keeper, *, clock: Clock, wake: Callable[[], None], ignore_exclude_label: bool = False
    ) -> None:
        """`wake` asks for a cycle."""
        self._keeper = keeper
        self._clock = clock
        self._wake = wake
        self._ignore_exclude_label = ignore_exclude_label
        self._reader = Reader()
        self._loading = Loading(keeper)
        self._life: Life | None = None
        self._error = ""
        self._plan: VipPlan | None = None
        self._masters: Mapping[str, Instance] | None = None
        self._holders: Mapping[Address, str] = {}
        self._figures: Mapping[str, Figures] = {}
        self._strangers: tuple[Problem, ...] = ()
        self._figures_due = 0.0
        self._loaded_at: float | None = None
        self._batch_at: float | None = None
        self._broken_at: float | None = None
        self._inputs: tuple[object, ...] = ()
        self._made: VipPlan | None = None
        self._retry_at: float | None = None

    @property
    def protocol(self) -> Protocol:
        """Which pools it serves."""
        return Protocol.VIP

    def contribute(self, facts: Facts) -> Facts:
        """Nothing that other announcers would ask for."""
        return facts

    async def run(self) -> None:
        """Follow keepalived for ever: its state changes, its lives, its figures."""
        with self._keeper.listening(self._told) as remind:
            while True:
                remind()
                await self._look()
                await self._clock.sleep(_PULSE)

    def _told(self, line: str) -> None:
        """A line of the FIFO: `INSTANCE "v4_51_eth0" MASTER 254`."""
        words = line.split()
        if len(words) >= 3 and words[0] == "INSTANCE":
            metrics.TRANSITIONS.labels(words[2]).inc()
            log.info("vrrp_state", instance=words[1].strip('"'), state=words[2])
            self._wake()

    async def _look(self) -> None:
        before = self._life, self._error
        await self._connect()
        if (self._life, self._error) != before:
            self._wake()
        if self._clock.monotonic() >= self._figures_due and self._life is not None and self._life.ready:
            self._figures_due = self._clock.monotonic() + _FIGURES
            await self._read_figures()

    async def _connect(self) -> None:
        try:
            self._life, self._error = await self._keeper.connect(), ""
        except KeeperUnavailable as error:
            self._life, self._error = None, str(error)

    async def _read_figures(self) -> None:
        try:
            figures = parse(await self._keeper.report())
        except (KeeperUnavailable, ValueError) as error:
            log.warning("no_figures", error=str(error))
            return
        metrics.ADVERTS_SENT.set(sum(one.sent for one in figures.values()))
        metrics.ADVERTS_RECEIVED.set(sum(one.received for one in figures.values()))
        instances = () if self._plan is None else self._plan.instances
        found = tuple(strangers(instances, self._figures, figures))
        self._figures = figures
        if found != self._strangers:
            self._strangers = found
            self._wake()

    async def reconcile(self, snapshot: Snapshot, facts: Facts) -> Announcement:
        """Plan, observe, apply. A keepalived that is not there, or refuses, is reported."""
        if self._life is None:
            await self._connect()
        made = self._make_plan(snapshot, facts)
        if made.complete or self._plan is None:
            self._plan = made
        observed = Observed(config=self._keeper.config(), spots=single_addresses(facts.links))
        settled = made.complete and await self._converge(made, observed, snapshot.eips)
        given_up = self._has_given_up(settled=settled)
        # Nothing is changed while something cannot be read, which is told; other modes do not wait for it.
        settled = settled or given_up or bool(snapshot.unseen)
        events = tuple(self._changes(snapshot, facts, observed))
        return self._announcement(made, observed, snapshot.revision, settled, events)

    def _make_plan(self, snapshot: Snapshot, facts: Facts) -> VipPlan:
        """The plan; the one before where nothing that it was made from has changed."""
        inputs = (
            *(snapshot.eips, snapshot.services, snapshot.slices, snapshot.nodes, snapshot.bgp_confs),
            *(snapshot.listed, snapshot.unseen, facts.links, facts.gateways, facts.routes, facts.forwarding),
        )
        if self._made is None or not same_objects(self._inputs, inputs):
            self._inputs = inputs
            self._made = make_plan(
                snapshot, facts, self._reader, ignore_exclude_label=self._ignore_exclude_label
            )
        return self._made

    async def _converge(self, made: VipPlan, observed: Observed, eips: Mapping[str, Eip]) -> bool:
        """Make the plan run; False where it is not in effect."""
        now, self._batch_at = self._clock.monotonic(), None
        if self._retry_at is not None and now >= self._retry_at:
            self._retry_at = None
            self._loading.forgive()
        pools = [pool for pool in eips.values() if pool.protocol is Protocol.VIP]
        change = diff(self._loading.text(made.instances), observed, pools)
        if self._life is None:
            return False
        if change.remove and self._loaded_at is not None and now < self._loaded_at + _SETTLING:
            # keepalived is just taking them away itself.
            self._batch_at = self._loaded_at + _SETTLING
            change = Change(config=change.config)
        try:
            return await self._carry_out(change, made) and self._is_up(made)
        except KeeperUnavailable as error:
            self._life, self._error = None, str(error)
            return False

    def _has_given_up(self, *, settled: bool) -> bool:
        """Whether keepalived has been out of order for so long that nothing shall wait for it.

        Then it is an exception, told as such: the revision that a node has applied is that of all modes.
        """
        now = self._clock.monotonic()
        if settled or not (self._error or self._failing or self._loading.refused):
            self._broken_at = None
            return False
        self._broken_at = now if self._broken_at is None else self._broken_at
        return now >= self._broken_at + _PATIENCE

    async def _carry_out(self, change: Change, made: VipPlan) -> bool:
        for spot in change.remove:
            log.warning("stray_address", spot=str(spot))
            await self._keeper.remove(str(spot))
        if change.config is None:
            return not change.remove
        if self._loading.refused:
            return False
        if self._loaded_at is not None and self._clock.monotonic() < self._loaded_at + _BATCH:
            self._batch_at = self._loaded_at + _BATCH
            return False
        loaded = await self._loading.load(made.instances)
        self._loaded_at = self._clock.monotonic()
        if self._loading.blocked or self._loading.refused:
            self._retry_at = self._loaded_at + _RETRY
        await self._connect()
        return loaded and not change.remove

    def _is_up(self, made: VipPlan) -> bool:
        return not made.instances or (self._life is not None and self._life.ready)

    def _changes(self, snapshot: Snapshot, facts: Facts, observed: Observed) -> Iterator[Event]:
        """What there is to tell of masters since the last cycle."""
        if self._plan is None:
            return
        holders = {one: name for one, name in reported(snapshot).items() if name != facts.node}
        now = mastered(self._plan.instances, observed.spots)
        before, self._masters = self._masters, now
        metrics.MASTERS.set(len(now))
        metrics.INSTANCES.set(len(self._plan.instances))
        if before is not None:
            won = [one for name, one in now.items() if name not in before]
            known = {**self._holders, **holders}
            yield from takeovers(won, self._plan.buckets, known, snapshot, facts, self._plan.services)
        # A node that has just lost its keepalived reports no master any more: it was the last all the same.
        mine = {address: facts.node for one in now.values() for address in one.addresses}
        known = {**self._holders, **holders, **mine}
        self._holders = {one: name for one, name in known.items() if one in self._plan.services}

    async def close(self, *, withdraw: bool) -> None:
        """Let go of keepalived. With `withdraw` it says goodbye first, and others take over at once."""
        if withdraw and self._keeper.config():
            with contextlib.suppress(KeeperUnavailable, ConfigRefused, TimeoutError):
                await self._keeper.load("")
                async with asyncio.timeout(_GOODBYE):
                    await self._until_gone()

    async def _until_gone(self) -> None:
        while True:
            if (await self._keeper.connect()).pid is None:
                return
            await self._clock.sleep(_GLANCE)

    # What is said

    def _announcement(
        self,
        made: VipPlan,
        observed: Observed,
        revision: int,
        settled: bool,
        events: tuple[Event, ...],
    ) -> Announcement:
        held = self._held(made, observed)
        metrics.ADDRESSES.set(len(held))
        if self._life is not None:
            metrics.RESTARTS.set(self._life.restarts)
        return Announcement(
            protocol=self.protocol,
            revision=revision,
            settled=settled,
            status=SpeakerStatus(
                pools=tuple(self._pool(one) for one in made.pools),
                # Who is backup wants nothing that it does not have.
                routes=RouteCounts(desired=len(held), announced=len(held)),
                vip=VipStatus(master=tuple(sorted(str(spot.address) for spot in held))),
                problems=(*made.problems, *self._troubles(), *self._strangers),
                draining=made.draining,
            ),
            left_out={**made.left_out, **self._blocked(made)},
            events=events,
            wake_at=soonest(made.deadline, self._retry_at, self._batch_at, self._giving_up_at),
        )

    @property
    def _giving_up_at(self) -> float | None:
        if self._broken_at is None or self._clock.monotonic() >= self._broken_at + _PATIENCE:
            return None
        return self._broken_at + _PATIENCE

    def _held(self, made: VipPlan, observed: Observed) -> list[Spot]:
        """The addresses of Services that are here, as keepalived has set them."""
        ours = spots_of(observed.config)
        return [spot for spot in observed.spots if spot in ours and spot.address in made.services]

    def _pool(self, pool: PoolStatus) -> PoolStatus:
        if not pool.ready or not (self._error or self._failing):
            return pool
        return PoolStatus(name=pool.name, ready=False, reason=Reason.SIDECAR_DOWN)

    @property
    def _failing(self) -> bool:
        return self._life is not None and self._life.crash_loop

    def _troubles(self) -> Iterator[Problem]:
        if self._error:
            yield Problem(object=KEEPALIVED, reason=Reason.SIDECAR_DOWN, message=self._error)
        elif self._failing and self._life is not None:
            words = "; ".join(self._life.words[-3:]) or "without a word"
            yield Problem(
                object=KEEPALIVED,
                reason=Reason.SIDECAR_DOWN,
                message=f"keepalived does not come up: {words}; it is tried again, up to every 10 s",
            )
        if self._loading.refused:
            yield Problem(
                object=KEEPALIVED,
                reason=Reason.REFUSED_BY_KEEPALIVED,
                message=f"keepalived refuses its configuration: {self._loading.refused}; the one before "
                "stays in effect, and this one is tried again every 30 s",
            )

    def _blocked(self, made: VipPlan) -> dict[ObjectRef, Refused]:
        return {
            service: Refused(
                Reason.REFUSED_BY_KEEPALIVED,
                f"{address}: keepalived refuses it: {words}; give the Service another address",
            )
            for address, words in self._loading.blocked.items()
            for service in made.services.get(address, ())
        }
