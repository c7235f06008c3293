"""Where each address goes: which nodes may answer for it, who of them owns it, and how that came to be. Pure.

What many addresses have in common is worked out once, and what has not changed since the last plan is the
very same object: a node that dies costs something only for its own addresses.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from openelb_bgp.eligibility import Candidates, Eligibility
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.facts import Facts
from openelb_bgp.model.meta import EMPTY, Key
from openelb_bgp.model.pools import Eip
from openelb_bgp.model.reasons import Reason, Refused

from .claims import Claim, ClaimBook
from .neighbourhood import Ground, Neighbourhood
from .owners import Choice, choose_owner, contest, recent_moves
from .planned import Contest, Placement
from .ranks import Ranking

Placements = Mapping[Address, Placement]

SILENCE = 3.0
"""Seconds for which an owner that others leave an address to may not be heard answering for it. What each
node remembers of moves may differ: two must not leave an address to each other for ever."""


class PlacingMemory(msgspec.Struct, frozen=True, kw_only=True):
    """What saves the next placing work: the claims that this one was made of, and what was worked out."""

    by_address: Mapping[Address, tuple[Claim, ...]] = EMPTY
    ranking: Ranking = msgspec.field(default_factory=Ranking)
    contests: Mapping[Contest, Contest] = EMPTY


class _May(NamedTuple):
    """Who may answer for an address by the objects: those who stay, and those who drain."""

    staying: frozenset[str]
    leaving: frozenset[str]


class Placer:
    """Places the addresses of one plan.

    `elsewhere` are Services that other nodes must not announce yet, `placements` where everything was.
    """

    def __init__(
        self,
        book: ClaimBook,
        pools: Mapping[str, Eip],
        facts: Facts,
        eligibility: Eligibility,
        near: Neighbourhood,
        *,
        elsewhere: Mapping[Key, frozenset[str]],
        placements: Placements,
        before: PlacingMemory,
    ) -> None:
        self._book, self._pools, self._facts = book, pools, facts
        self._eligibility, self._near, self._elsewhere = eligibility, near, elsewhere
        self._placements, self._before = placements, before
        self._contests: dict[tuple[int, object], Contest] = {}
        self._not_owner: dict[str, Refused] = {}
        self._same_claims = book.by_address is before.by_address
        self._all_proven = not elsewhere and not facts.forwarding.services
        self.until: list[float | None] = []

    @property
    def memory(self) -> PlacingMemory:
        """What saves the next placing work."""
        return PlacingMemory(
            by_address=self._book.by_address,
            ranking=self._before.ranking,
            contests={one: one for one in self._contests.values()},
        )

    def place(self, reported: Mapping[Address, str]) -> Placements:
        """Every address. `reported` is whom Speakers have named last, for those never placed before."""
        if self._facts.members.void:
            return self._void_placements()
        found = {
            address: self._place(address, claims, reported.get(address, ""))
            for address, claims in self._book.by_address.items()
        }
        self._before.ranking.keep(found)
        return found

    def _void_placements(self) -> Placements:
        """What is known of others stays known; this node owns nothing."""
        why = Refused(
            Reason.OWNERSHIP_VOID,
            f"node {self._facts.node} has not heard yet who else is alive, and answers for nothing before",
        )
        placements = self._placements
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
        before = self._placements.get(address)
        if before is not None and self._stays(before, among):
            self.until.append(among.until)
            return before
        now = self._facts.now
        silent = before is not None and self._is_silent(before)
        choice = choose_owner(
            address,
            among,
            preferred=next((one.preferred for one in claims if one.preferred), ""),
            before=before,
            seen_since=now if silent else self._seen_since(ground, before),
            ranking=self._before.ranking,
            now=now,
        )
        self.until.append(choice.until)
        awaited = self._awaited(choice, before)
        if awaited is not None and now < awaited + SILENCE:
            self.until.append(awaited + SILENCE)
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
            awaited=awaited,
        )
        made = self._with_history(made, before, reported, choice.why, claims, ground)
        return before if before == made else made

    def _stays(self, before: Placement, among: Contest) -> bool:
        """Whether nothing has changed that decides: of 10,000 addresses a node's death concerns its share."""
        same = self._same_claims and before.among is among and not before.moves
        return same and self._facts.node in among.able and self._knows(before)

    def _knows(self, before: Placement) -> bool:
        """Whether what it says of this node is still said, and not what was said while it knew of nobody."""
        refused = before.refused
        if before.owner == self._facts.node:
            return refused is None
        return refused == self._owned_by(before.owner)

    def _awaited(self, choice: Choice, before: Placement | None) -> float | None:
        """Since when this node leaves the address to an owner only because it has moved so often."""
        if choice.heir != self._facts.node:
            return None
        if before is not None and before.awaited is not None and before.owner == choice.owner:
            return before.awaited
        return self._facts.now

    def _is_silent(self, before: Placement) -> bool:
        """Whether the owner that this node leaves it to has had its time and does not answer."""
        facts = self._facts
        late = before.awaited is not None and facts.now >= before.awaited + SILENCE
        return late and before.address not in facts.answering

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
        shared = self._candidates(claims[0]) if len(claims) == 1 and self._all_proven else None
        if shared is not None and shared.is_shared:
            # They live as long as this plan is made, and so do their ids.
            key: tuple[int, object] = (id(ground), id(shared))
            known = self._contests.get(key)
            if known is None:
                known = self._contests[key] = self._new_contest(_May(shared.eligible, shared.leaving), ground)
            return known
        may = self._may(claims)
        key = (id(ground), may)
        known = self._contests.get(key)
        if known is None:
            known = self._contests[key] = self._new_contest(may, ground)
        return known

    def _new_contest(self, may: _May, ground: Ground) -> Contest:
        able = may.staying & ground.interfaces.keys() or may.leaving & ground.interfaces.keys()
        made = contest(able, ground.stable_since, now=self._facts.now)
        # The same object as in the last plan where it is equal: then nothing is compared address by address.
        return self._before.contests.get(made, made)

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


def _common(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    first, *others = sets
    return first.intersection(*others)
