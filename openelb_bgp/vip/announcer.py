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
from openelb_bgp.model.pools import Protocol
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.statuses import RouteCounts, SpeakerStatus, VipStatus
from openelb_bgp.ports import Announcement, Clock, Event

from . import metrics
from .claims import Reader
from .course import Course
from .diff import Change, Observed, Spot, diff, mastered, single_addresses, spots_of
from .loading import Loading
from .masters import reported, takeovers
from .model import Instance
from .plan import VipPlan
from .plan import plan as make_plan
from .port import ConfigRefused, Keeper, KeeperUnavailable
from .running import instances_of
from .told import blocked, pool_status, troubles
from .watching import Watching

log = structlog.get_logger(__name__)

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
        self._watching = Watching(keeper, clock=clock, wake=wake)
        self._plan: VipPlan | None = None
        self._masters: Mapping[str, Instance] | None = None
        self._holders: Mapping[Address, str] = {}
        self._loaded_at: float | None = None
        self._batch_at: float | None = None
        self._broken_at: float | None = None
        self._inputs: tuple[object, ...] = ()
        self._made: VipPlan | None = None
        self._retry_at: float | None = None
        self._course = Course()
        self._moving_at: float | None = None

    @property
    def protocol(self) -> Protocol:
        """Which pools it serves."""
        return Protocol.VIP

    def contribute(self, facts: Facts) -> Facts:
        """Nothing that other announcers would ask for."""
        return facts

    async def run(self) -> None:
        """Follow keepalived for ever: its state changes, its lives, its figures."""
        await self._watching.run()

    async def reconcile(self, snapshot: Snapshot, facts: Facts) -> Announcement:
        """Plan, observe, apply. A keepalived that is not there, or refuses, is reported."""
        if self._watching.life is None:
            await self._watching.connect()
        made = self._make_plan(snapshot, facts)
        if made.complete or self._plan is None:
            self._plan = made
            self._watching.instances = made.instances
        observed = Observed(config=self._keeper.config(), spots=single_addresses(facts.links))
        settled = made.complete and await self._converge(made, observed, snapshot)
        settled = settled or self._has_given_up(settled=settled)
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

    async def _converge(self, made: VipPlan, observed: Observed, snapshot: Snapshot) -> bool:
        """Make the plan run; False where it is not in effect."""
        now, self._batch_at = self._clock.monotonic(), None
        if self._retry_at is not None and now >= self._retry_at:
            self._retry_at = None
            self._loading.forgive()
        pools = [pool for pool in snapshot.eips.values() if pool.protocol is Protocol.VIP]
        step = self._course.step(made, observed, snapshot, now=now)
        instances, self._moving_at = step.instances, step.deadline
        change = diff(self._loading.text(instances), observed, pools)
        if self._watching.life is None:
            return False
        if change.remove and self._loaded_at is not None and now < self._loaded_at + _SETTLING:
            # keepalived is just taking them away itself.
            self._batch_at = self._loaded_at + _SETTLING
            change = Change(config=change.config)
        try:
            return await self._carry_out(change, instances) and self._is_up(instances)
        except KeeperUnavailable as error:
            self._watching.lose(error)
            return False

    def _has_given_up(self, *, settled: bool) -> bool:
        """Whether keepalived has been out of order for so long that nothing shall wait for it.

        Then it is an exception, told as such: the revision that a node has applied is that of all modes.
        """
        now = self._clock.monotonic()
        if settled or not (self._is_broken or self._loading.refused):
            self._broken_at = None
            return False
        self._broken_at = now if self._broken_at is None else self._broken_at
        return now >= self._broken_at + _PATIENCE

    async def _carry_out(self, change: Change, instances: tuple[Instance, ...]) -> bool:
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
        loaded = await self._loading.load(instances)
        self._loaded_at = self._clock.monotonic()
        if self._loading.blocked or self._loading.refused:
            self._retry_at = self._loaded_at + _RETRY
        await self._watching.connect()
        return loaded and not change.remove

    @property
    def _is_broken(self) -> bool:
        return bool(self._watching.error) or self._watching.failing

    def _is_up(self, instances: tuple[Instance, ...]) -> bool:
        return not instances or (self._watching.life is not None and self._watching.life.ready)

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
            services, moved = self._plan.services, self._course.moved
            yield from takeovers(won, self._plan.buckets, known, snapshot, facts, services, moved)
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
        told = troubles(self._watching.life, error=self._watching.error, refused=self._loading.refused)
        metrics.ADDRESSES.set(len(held))
        if self._watching.life is not None:
            metrics.RESTARTS.set(self._watching.life.restarts)
        return Announcement(
            protocol=self.protocol,
            revision=revision,
            settled=settled,
            status=SpeakerStatus(
                pools=tuple(pool_status(one, broken=self._is_broken) for one in made.pools),
                # Who is backup wants nothing that it does not have.
                routes=RouteCounts(desired=len(held), announced=len(held)),
                vip=VipStatus(
                    master=tuple(sorted(str(spot.address) for spot in held)),
                    virtual_routers=tuple(sorted(mastered(instances_of(observed.config), observed.spots))),
                ),
                problems=(*made.problems, *told, *self._watching.strangers),
                draining=made.draining,
            ),
            left_out={**made.left_out, **blocked(self._loading.blocked, made.services)},
            events=events,
            wake_at=soonest(
                made.deadline, self._retry_at, self._batch_at, self._moving_at, self._giving_up_at
            ),
        )

    @property
    def _giving_up_at(self) -> float | None:
        if self._broken_at is None or self._clock.monotonic() >= self._broken_at + _PATIENCE:
            return None
        return self._broken_at + _PATIENCE

    def _held(self, made: VipPlan, observed: Observed) -> list[Spot]:
        """The addresses of Services that are here, as keepalived has set them."""
        ours = spots_of(observed.config)
        known = made.services.keys() | self._course.unplaced
        return [spot for spot in observed.spots if spot in ours and spot.address in known]
