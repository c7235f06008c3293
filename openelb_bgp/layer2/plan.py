"""Who answers for each address of the layer2 pools, and what of it this node does.

Pure: this module only puts the parts together. Which addresses there are is read in `claims`, on which links
nodes can answer in `neighbourhood`, who owns an address is decided in `owners`.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from openelb_bgp.eligibility import Candidates, Eligibility
from openelb_bgp.lib.identity import same_objects
from openelb_bgp.lib.instants import soonest
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.facts import Facts
from openelb_bgp.model.meta import EMPTY, Key, Kind, ObjectRef, ref
from openelb_bgp.model.pools import Eip, Protocol
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.statuses import Problem

from .claims import Claim, ClaimBook, read_claims
from .neighbourhood import Ground, Neighbourhood
from .notes import first_of_all, heartbeats, held_elsewhere, pool_statuses, reported_owners
from .owned import Ownership, Spot
from .owners import choose_owner, contest, recent_moves
from .planned import DEFAULT_OPTIONS, Contest, Layer2Plan, Placement, PlanOptions
from .ranks import Ranking

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
    ranking: Ranking = msgspec.field(default_factory=Ranking)


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
    if previous is not None and _is_current(previous, inputs, elsewhere, now=facts.now):
        return previous
    before = previous or PlanMemory(plan=Layer2Plan(node=facts.node))
    book = read_claims(snapshot, before.book)
    made = _Planner(snapshot, facts, options, book, before, elsewhere).make()
    return PlanMemory(plan=made, inputs=inputs, held_elsewhere=elsewhere, book=book, ranking=before.ranking)


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
    previous: PlanMemory, inputs: tuple[object, ...], elsewhere: Mapping[Key, frozenset[str]], *, now: float
) -> bool:
    """Whether the same plan would be made again."""
    deadline = previous.plan.deadline
    return (
        same_objects(previous.inputs, inputs)
        and previous.held_elsewhere == elsewhere
        and (deadline is None or now < deadline)
    )


class _May(NamedTuple):
    """Who may answer for an address by the objects: those who stay, and those who drain."""

    staying: frozenset[str]
    leaving: frozenset[str]


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
        self._elsewhere = elsewhere
        self._pools = {name: pool for name, pool in book.pools.items() if pool.protocol is Protocol.LAYER2}
        self._eligibility = Eligibility.of(snapshot, ignore_exclude_label=options.ignore_exclude_label)
        self._near = Neighbourhood(snapshot, facts, self._pools)
        self._contests: dict[tuple[int, _May], Contest] = {}
        self._not_owner: dict[str, Refused] = {}
        self._until: list[float | None] = []

    def make(self) -> Layer2Plan:
        """The plan."""
        facts = self._facts
        me = self._eligibility.nodes.get(facts.node)
        placements = self._placements()
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
            heartbeats=heartbeats(self._pools, self._near, facts, me),
            deadline=soonest(*self._until, facts.forwarding.deadline),
            draining=me is not None and me.draining,
        )

    def _placements(self) -> Mapping[Address, Placement]:
        if self._facts.members.void:
            return self._void_placements()
        owners = reported_owners(self._snapshot) if not self._before.plan.placements else EMPTY
        found = {
            address: self._place(address, claims, owners.get(address, ""))
            for address, claims in self._book.by_address.items()
        }
        self._before.ranking.keep(found)
        return found

    def _void_placements(self) -> Mapping[Address, Placement]:
        """What is known of others stays known; this node owns nothing."""
        why = Refused(
            Reason.OWNERSHIP_VOID,
            f"node {self._facts.node} has not heard yet who else is alive, and answers for nothing before",
        )
        placements = self._before.plan.placements
        found = {}
        for address, claims in self._book.by_address.items():
            known = placements.get(address) or Placement(
                address=address, pool=claims[0].pool_name, services=tuple(one.service.key for one in claims)
            )
            if known.owner == self._facts.node:
                known = msgspec.structs.replace(known, owner="")
            found[address] = msgspec.structs.replace(known, refused=why)
        return found

    def _place(self, address: Address, claims: tuple[Claim, ...], reported: str) -> Placement:
        pool = claims[0].pool_name
        ground = self._near.ground(pool, address)
        among = self._contest(claims, ground)
        before = self._before.plan.placements.get(address)
        now = self._facts.now
        choice = choose_owner(
            address,
            among,
            preferred=next((one.preferred for one in claims if one.preferred), ""),
            before=before,
            seen_since=self._seen_since(ground, before),
            ranking=self._before.ranking,
            now=now,
        )
        self._until.append(choice.until)
        refused = None
        if choice.owner != self._facts.node:
            refused = self._refusal(claims, ground, among, choice.owner)
        made = Placement(
            address=address,
            pool=pool,
            services=tuple([one.service.key for one in claims]),
            owner=choice.owner,
            since=now,
            among=among,
            pinned=choice.pinned,
            refused=refused,
        )
        made = self._with_history(made, before, reported, choice.why, claims, ground)
        return before if before == made else made

    def _seen_since(self, ground: Ground, before: Placement | None) -> float:
        """Since when this node and the owner before serve without a break, and see the same moves."""
        both = {self._facts.node, "" if before is None else before.owner}
        return max((ground.stable_since[node] for node in both & ground.stable_since.keys()), default=0.0)

    def _with_history(
        self,
        made: Placement,
        before: Placement | None,
        reported: str,
        why: Refused | None,
        claims: tuple[Claim, ...],
        ground: Ground,
    ) -> Placement:
        """The same with how the address came to its owner. `reported` is whom a Speaker has named last."""
        now = made.since
        moves = () if before is None else recent_moves(before.moves, now=now)
        if before is not None and before.owner == made.owner:
            return msgspec.structs.replace(
                made, since=before.since, moves=moves, before=before.before, why=before.why
            )
        # Between two owners nobody may have been able: it has come from the last one all the same.
        last = reported if before is None else before.owner or before.before
        if last in ("", made.owner):
            return msgspec.structs.replace(made, moves=moves)
        reason = why or self._refusal_of(last, claims, ground)
        return msgspec.structs.replace(made, moves=(*moves, now), before=last, why=reason)

    def _contest(self, claims: tuple[Claim, ...], ground: Ground) -> Contest:
        may = self._may(claims)
        key = (id(ground), may)
        known = self._contests.get(key)
        if known is None:
            able = may.staying & ground.interfaces.keys() or may.leaving & ground.interfaces.keys()
            known = contest(able, ground.stable_since, now=self._facts.now)
            self._contests[key] = known
        return known

    def _may(self, claims: tuple[Claim, ...]) -> _May:
        """Whatever has endpoints must be reachable on the owner; a sharer that has none does not count."""
        candidates = [(one, self._candidates(one)) for one in claims]
        willing = [(one, found) for one, found in candidates if found.announcing]
        staying = [found.eligible - self._out(one.service.key) for one, found in willing]
        leaving = [found.leaving - self._out(one.service.key) for one, found in willing]
        if len(willing) == 1:
            return _May(staying[0], leaving[0])
        if not willing:
            return _May(frozenset(), frozenset())
        return _May(_common(staying), _common(leaving))

    def _candidates(self, claim: Claim) -> Candidates:
        selector = self._pools[claim.pool_name].node_selector
        return self._eligibility.candidates(claim.service, claim.reading.endpoints, selector=selector)

    def _out(self, service: Key) -> frozenset[str]:
        """The nodes on which the Service's forwarding has not been seen working yet."""
        elsewhere = self._elsewhere.get(service, frozenset())
        if service in self._facts.forwarding.services:
            return elsewhere | {self._facts.node}
        return elsewhere

    def _refusal(self, claims: tuple[Claim, ...], ground: Ground, among: Contest, owner: str) -> Refused:
        """Why this node does not answer for the address."""
        if self._facts.node in among.able:
            return self._owned_by(owner)
        return self._refusal_of(self._facts.node, claims, ground)

    def _refusal_of(self, node: str, claims: tuple[Claim, ...], ground: Ground) -> Refused:
        for one in claims:
            refused = self._candidates(one).refusal(node)
            if refused is not None:
                return refused
            if node == self._facts.node and (held := self._facts.forwarding.services.get(one.service.key)):
                return held
        return ground.refused.get(node) or Refused(
            Reason.NODE_SILENT, f"nothing is heard of the speaker of node {node}; see whether it runs"
        )

    def _owned_by(self, owner: str) -> Refused:
        known = self._not_owner.get(owner)
        if known is None:
            known = self._not_owner[owner] = Refused(
                Reason.NOT_OWNER, f"node {owner} answers for it; that is as it should be"
            )
        return known

    def _held(self, placements: Mapping[Address, Placement]) -> dict[Spot, Ownership]:
        me = self._facts.node
        held: dict[Spot, Ownership] = {}
        if self._facts.members.void:
            return held
        ownerships = {name: _ownership(pool) for name, pool in self._pools.items()}
        for address, one in placements.items():
            if one.owner == me:
                for interface in self._near.ground(one.pool, address).interfaces[me]:
                    held[Spot(address, interface)] = ownerships[one.pool]
        return held

    def _left_out(self, placements: Mapping[Address, Placement]) -> dict[ObjectRef, Refused]:
        found: dict[ObjectRef, Refused] = {}
        for key, refused in self._book.refused.items():
            found[self._book.services[key].ref] = refused
        for one in placements.values():
            if one.refused is not None:
                for key in one.services:
                    found.setdefault(self._book.services[key].ref, one.refused)
        return found

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


def _common(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    first, *others = sets
    return first.intersection(*others)


def _ownership(pool: Eip) -> Ownership:
    return Ownership(garp_interval=float(pool.layer2.garp_interval_seconds) or GARP_SECONDS)
