"""What one cycle of the announcer comes to: its Announcement, with what it remembers of the cycles before.

No I/O: what was planned and what the wire showed comes as a `Cycle`.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

import msgspec

from openelb_bgp.lib.instants import soonest
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.facts import Facts, ProbeTarget
from openelb_bgp.model.meta import EMPTY, ObjectRef
from openelb_bgp.model.pools import Protocol
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.statuses import Layer2Status, OwnedAddress, PoolStatus, Problem, SpeakerStatus
from openelb_bgp.ports import Announcement, Event

from . import heard_check, metrics, told
from .contention import Yielded, witnesses
from .owned import Holder, Ownership, Probed, Spot
from .placing import SILENCE
from .planned import Layer2Plan, Placement

LINGER = 2.0
"""Seconds for which an address that went to another node is reported here too: until that node reports it."""
_STARTING = 10.0
"""Seconds for which a node that starts counts as not settled while it has not heard who is alive."""


class Met(NamedTuple):
    """Who else has an address, and until when that is reported without being heard again."""

    said: Refused
    until: float

    @property
    def is_foreign(self) -> bool:
        """Whether it is a host over whose address is not to be fought."""
        return self.said.reason is Reason.ADDRESS_CONFLICT


class Cycle(msgspec.Struct, frozen=True, kw_only=True):
    """What was planned, and what the wire has shown.

    `owned` is answered for now, `before` was at the last cycle. `unusable` says by interface until when
    nothing is tried there, `troubles` what is wrong with one now; `incapable` why this process can do
    nothing at all, `lax` which sysctls let this node answer for every Service. `now` is text as people read
    it.
    """

    plan: Layer2Plan
    facts: Facts
    revision: int
    now: str
    owned: Mapping[Spot, Ownership]
    before: Mapping[Spot, Ownership]
    probed: Mapping[Spot, Probed]
    confirmed: Mapping[Spot, Probed]
    probe_again_at: float | None
    yielded: Mapping[Spot, Yielded]
    met: Mapping[Spot, Met]
    macs: Mapping[str, str]
    unusable: Mapping[str, float]
    troubles: Mapping[str, str] = EMPTY
    incapable: str = ""
    lax: str = ""


class Account:
    """Says what this node does, and remembers since when and what has been told."""

    def __init__(self) -> None:
        self._since: dict[Spot, str] = {}
        self._left: dict[Spot, tuple[str, float]] = {}
        self._reported: tuple[OwnedAddress, ...] = ()
        self._silent: frozenset[Address] = frozenset()
        self._told: frozenset[Problem] = frozenset()

    def announcement(self, cycle: Cycle) -> Announcement:
        """What the announcer reports of this cycle."""
        plan, facts = cycle.plan, cycle.facts
        holding = [spot for spot in cycle.owned if spot.interface not in cycle.troubles]
        self._keep_times(cycle, holding)
        checks = heard_check.to_check(plan.placements, facts, silent=self._silent)
        unheard = heard_check.not_heard(checks, facts)
        self._silent = heard_check.silent(checks, facts)
        met = [*_met_problems(cycle), *unheard]
        metrics.OWNED.set(len({spot.address for spot in holding}))
        metrics.NOT_HEARD.set(len(unheard))
        starts_until = _starts_until(cycle)
        waiting = [spot for spot in plan.first if spot not in cycle.probed]
        return Announcement(
            protocol=Protocol.LAYER2,
            revision=cycle.revision,
            settled=plan.complete and not waiting and starts_until is None,
            status=SpeakerStatus(
                layer2=Layer2Status(owned=self._reported),
                pools=_pools(cycle),
                draining=plan.draining,
                problems=(*plan.problems, *met, *_host_problems(cycle)),
            ),
            left_out={**plan.left_out, **_withheld(cycle)},
            events=(*_won(cycle, holding), *self._warnings(cycle, met)),
            wake_at=soonest(
                plan.deadline,
                starts_until,
                cycle.probe_again_at,
                heard_check.ends_at(checks, now=facts.now),
                *(until for _, until in self._left.values()),
                *(at for one in cycle.yielded.values() if (at := one.at + SILENCE) > facts.now),
                *(one.until for one in cycle.met.values()),
                *cycle.unusable.values(),
            ),
            probes=frozenset(checks) | heard_check.awaited(plan, facts) | _yielded(cycle),
            heartbeats=frozenset() if cycle.incapable else plan.heartbeats - cycle.unusable.keys(),
        )

    def _keep_times(self, cycle: Cycle, holding: Collection[Spot]) -> None:
        """What is held and since when, and what has just gone to another node."""
        if (
            not self._left
            and len(holding) == len(self._since)
            and all(map(self._since.__contains__, holding))
        ):
            return
        since = {spot: self._since.get(spot, cycle.now) for spot in holding}
        now, placements = cycle.facts.now, cycle.plan.placements
        for spot in self._since.keys() - since.keys():
            placement = placements.get(spot.address)
            if placement is not None and placement.owner not in ("", cycle.facts.node):
                self._left[spot] = self._since[spot], now + LINGER
        self._left = {
            spot: one for spot, one in self._left.items() if now < one[1] and spot.address in placements
        }
        self._since = since
        self._reported = told.owned({**{spot: at for spot, (at, _) in self._left.items()}, **since})

    def _warnings(self, cycle: Cycle, problems: Iterable[Problem]) -> list[Event]:
        """An event for each that has not been told yet."""
        now = frozenset(problems)
        new, self._told = now - self._told, now
        if not new:
            return []
        keys = (key for one in cycle.plan.placements.values() for key in one.services)
        refs = {str(ref): ref for ref in map(told.service_ref, keys)}
        return [
            Event(ref=refs[one.object], reason=one.reason, message=one.message, warning=True)
            for one in sorted(new)
            if one.object in refs
        ]


def _yielded(cycle: Cycle) -> frozenset[ProbeTarget]:
    """Where is asked whether the nodes still answer to which addresses are left."""
    return frozenset(ProbeTarget(spot.interface, spot.address) for spot in witnesses(cycle.yielded).values())


def _starts_until(cycle: Cycle) -> float | None:
    """Until when this node still counts as starting; None where it does not."""
    until = cycle.facts.first_seen + _STARTING
    starting = cycle.facts.members.void and not cycle.incapable and cycle.facts.now < until
    return until if starting else None


def _pools(cycle: Cycle) -> tuple[PoolStatus, ...]:
    if not cycle.incapable:
        return cycle.plan.pools
    reason = Reason.RAW_SOCKETS_IMPOSSIBLE.value
    return tuple(
        msgspec.structs.replace(one, ready=False, reason=reason) if one.ready else one
        for one in cycle.plan.pools
    )


def _host_problems(cycle: Cycle) -> list[Problem]:
    why = {"": cycle.incapable} if cycle.incapable else cycle.troubles
    found = list(told.unusable(cycle.facts.node, why))
    if cycle.lax:
        found.append(told.lax_arp(cycle.facts.node, cycle.lax))
    return found


def _met_problems(cycle: Cycle) -> list[Problem]:
    """What was met on the wire, for each Service that it concerns."""
    said = {spot: one.said for spot, one in cycle.met.items()}
    for spot, found in cycle.confirmed.items():
        if (word := told.probed(spot, found, cycle.macs)) is not None:
            said.setdefault(spot, word)
    placements = cycle.plan.placements
    return [
        problem
        for spot, refused in said.items()
        if spot.address in placements
        for problem in told.of_services(placements[spot.address], refused)
    ]


def _withheld(cycle: Cycle) -> dict[ObjectRef, Refused]:
    """The Services whose address this node owns by the plan, and does not announce."""
    return {
        told.service_ref(key): refused
        for spot in cycle.plan.held.keys() - cycle.owned.keys()
        for refused in [_why_not(spot, cycle)]
        for key in cycle.plan.placements[spot.address].services
    }


def _why_not(spot: Spot, cycle: Cycle) -> Refused:
    if spot in cycle.yielded:
        return Refused(
            Reason.NOT_OWNER,
            f"node {cycle.yielded[spot].node} announces it and comes first by hash, though nothing is heard "
            "of its speaker; see Membership in docs/layer2.md",
        )
    if spot not in cycle.plan.first:
        return Refused(Reason.NOT_OWNER, "another node has just announced it; this lasts a moment")
    found = cycle.probed.get(spot)
    if found is not None and found.holder is Holder.FOREIGN and found.mac is not None:
        return told.taken(spot, found.mac.hex(":"), announced=False)
    return Refused(Reason.PROBING_ADDRESS, "others are asked whether they have it; this takes 200 ms")


def _won(cycle: Cycle, holding: Iterable[Spot]) -> list[Event]:
    fresh: dict[Address, list[Spot]] = {}
    for spot in holding:
        if spot not in cycle.before:
            fresh.setdefault(spot.address, []).append(spot)
    events: list[Event] = []
    for address, spots in sorted(fresh.items(), key=lambda item: int(item[0])):
        placement = cycle.plan.placements[address]
        _count(placement)
        events += told.won(placement, spots, cycle.facts)
    return events


def _count(placement: Placement) -> None:
    if placement.before:
        reason = "" if placement.why is None else placement.why.reason.value
        metrics.FAILOVERS.labels(reason).inc()
