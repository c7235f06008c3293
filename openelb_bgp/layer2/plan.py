"""Who answers for each address of the layer2 pools, and what of it this node does.

Pure: this module only puts the parts together. Which addresses there are is read in `claims`, on which links
nodes can answer in `neighbourhood`, who owns an address is decided in `owners`.
"""

from collections.abc import Mapping

import msgspec

from openelb_bgp.eligibility import Eligibility
from openelb_bgp.lib.identity import changed_keys, same_objects
from openelb_bgp.lib.instants import soonest
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.facts import Facts
from openelb_bgp.model.meta import EMPTY, Key, Kind, ObjectRef, ref
from openelb_bgp.model.pools import Eip, Protocol
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.statuses import Problem

from .claims import ClaimBook, read_claims
from .neighbourhood import Neighbourhood
from .notes import first_of_all, heartbeats, held_elsewhere, pool_statuses, reported_owners
from .owned import Ownership, Spot
from .placing import Placer, PlacingMemory
from .planned import DEFAULT_OPTIONS, Layer2Plan, Placement, PlanOptions
from .told import service_ref

__all__ = ["Layer2Plan", "PlanMemory", "plan"]

GARP_SECONDS = 30.0
"""How often an address is announced again where its pool does not say."""
_NEEDED = (Kind.EIP, Kind.SERVICE, Kind.ENDPOINT_SLICE, Kind.NODE, Kind.BGP_CONF)


class PlanMemory(msgspec.Struct, frozen=True, kw_only=True):
    """What the next plan starts from. `inputs` are the objects that this one was made from."""

    plan: Layer2Plan
    inputs: tuple[object, ...] = ()
    held_elsewhere: Mapping[Key, frozenset[str]] = EMPTY
    book: ClaimBook = ClaimBook()
    placing: PlacingMemory = PlacingMemory()


def plan(
    snapshot: Snapshot,
    facts: Facts,
    *,
    options: PlanOptions = DEFAULT_OPTIONS,
    previous: PlanMemory | None = None,
) -> PlanMemory:
    """What `facts.node` shall hold, with what the next plan needs to know.

    `previous` is what this process made last, with the same options. Without it the process has just started.
    """
    if not snapshot.has_listed(*_NEEDED):
        return _waiting(snapshot, facts, previous)
    inputs = _inputs(snapshot, facts)
    elsewhere = held_elsewhere(snapshot, own=facts.node)
    if previous is not None and _is_current(previous, inputs, elsewhere, facts):
        return previous
    before = previous or PlanMemory(plan=Layer2Plan(node=facts.node))
    book = read_claims(snapshot, before.book)
    planner = _Planner(snapshot, facts, options, book, before, elsewhere)
    made = planner.make()
    return PlanMemory(
        plan=made, inputs=inputs, held_elsewhere=elsewhere, book=book, placing=planner.placing_memory
    )


def _waiting(snapshot: Snapshot, facts: Facts, previous: PlanMemory | None) -> PlanMemory:
    missing = ", ".join(kind for kind in _NEEDED if not snapshot.has_listed(kind))
    note = Problem.of(
        ref(Kind.NODE, facts.node),
        Reason.WAITING_FOR_SYNC,
        f"not listed yet: {missing}; nothing is changed until then",
    )
    before = previous or PlanMemory(plan=Layer2Plan(node=facts.node))
    kept = msgspec.structs.replace(before.plan, complete=False, problems=(note,), deadline=None)
    return msgspec.structs.replace(before, plan=kept, inputs=())


def _inputs(snapshot: Snapshot, facts: Facts) -> tuple[object, ...]:
    return (
        *(snapshot.eips, snapshot.services, snapshot.slices, snapshot.nodes, snapshot.bgp_confs),
        *(facts.links, facts.gateways, facts.routes, facts.members, facts.forwarding),
    )


def _is_current(
    previous: PlanMemory, inputs: tuple[object, ...], elsewhere: Mapping[Key, frozenset[str]], facts: Facts
) -> bool:
    """Whether the same plan would be made again."""
    deadline = previous.plan.deadline
    return (
        same_objects(previous.inputs, inputs)
        and previous.held_elsewhere == elsewhere
        and (deadline is None or facts.now < deadline)
        and previous.plan.awaited <= facts.answering
    )


class _Planner:
    """One plan in the making."""

    def __init__(
        self,
        snapshot: Snapshot,
        facts: Facts,
        options: PlanOptions,
        book: ClaimBook,
        before: PlanMemory,
        elsewhere: Mapping[Key, frozenset[str]],
    ) -> None:
        self._snapshot, self._facts, self._book, self._before = snapshot, facts, book, before
        self._pools = {name: pool for name, pool in book.pools.items() if pool.protocol is Protocol.LAYER2}
        self._eligibility = Eligibility.of(snapshot, ignore_exclude_label=options.ignore_exclude_label)
        self._near = Neighbourhood(snapshot, facts, self._pools)
        self._placer = Placer(
            book,
            self._pools,
            facts,
            self._eligibility,
            self._near,
            elsewhere=elsewhere,
            placements=before.plan.placements,
            before=before.placing,
            reported=lambda: reported_owners(snapshot),
        )

    def make(self) -> Layer2Plan:
        """The plan."""
        facts = self._facts
        me = self._eligibility.nodes.get(facts.node)
        placements = self._placer.place()
        held = self._held(placements)
        return Layer2Plan(
            node=facts.node,
            complete=facts.forwarding.known,
            placements=placements,
            held=held,
            first=first_of_all(held, placements, self._book, self._snapshot, before=self._before.plan),
            pools=pool_statuses(self._pools, self._near, facts, me),
            left_out=self._left_out(placements),
            problems=self._problems(),
            awaited=frozenset(one.address for one in placements.values() if one.awaited is not None),
            heartbeats=heartbeats(self._pools, self._near, facts, me),
            deadline=soonest(*self._placer.until, facts.forwarding.deadline),
            draining=me is not None and me.draining,
        )

    @property
    def placing_memory(self) -> PlacingMemory:
        """What saves the next plan work."""
        return self._placer.memory

    def _held(self, placements: Mapping[Address, Placement]) -> Mapping[Spot, Ownership]:
        me, before = self._facts.node, self._before
        if self._facts.members.void:
            return {}
        is_same = placements is before.plan.placements and self._book.pools is before.book.pools
        if is_same and self._placer.stands_as_before:
            return before.plan.held
        held: dict[Spot, Ownership] = {}
        ownerships = {name: _ownership(pool) for name, pool in self._pools.items()}
        for address, one in placements.items():
            if one.owner == me:
                for interface in self._placer.interfaces_of(address):
                    held[Spot(address, interface)] = ownerships[one.pool]
        return held

    def _left_out(self, placements: Mapping[Address, Placement]) -> Mapping[ObjectRef, Refused]:
        """Of each Service why this node does not announce it; only those that changed are looked at."""
        before = self._before
        known = before.plan.placements
        changed = dict.fromkeys(changed_keys(old=before.book.claims, new=self._book.claims))
        for address in self._placer.looked_at:
            for one in (known.get(address), placements.get(address)):
                changed.update(dict.fromkeys(() if one is None else one.services))
        if not changed:
            return before.plan.left_out
        found = dict(before.plan.left_out)
        for key in changed:
            about, refused = service_ref(key), self._refusal_of(key, placements)
            found.pop(about, None)
            if refused is not None:
                found[about] = refused
        return found

    def _refusal_of(self, service: Key, placements: Mapping[Address, Placement]) -> Refused | None:
        claims = self._book.claims.get(service, ())
        gone = [one.pool for one in claims if isinstance(one.pool, Refused)]
        found = [placements.get(one.address) for one in claims]
        refused = [one.refused for one in found if one is not None and one.refused is not None]
        return next(iter((*gone, *refused)), None)

    def _problems(self) -> tuple[Problem, ...]:
        facts = self._facts
        here = ref(Kind.NODE, facts.node)
        found: list[Problem] = []
        if facts.forwarding.refused is not None:
            found.append(Problem.of(here, facts.forwarding.refused.reason, facts.forwarding.refused.message))
        if facts.node not in self._eligibility.nodes:
            message = f"there is no Node {facts.node}; register it, or correct --node-name"
            found.append(Problem.of(here, Reason.NODE_UNKNOWN, message))
        return tuple(found)


def _ownership(pool: Eip) -> Ownership:
    return Ownership(garp_interval=float(pool.layer2.garp_interval_seconds) or GARP_SECONDS)
