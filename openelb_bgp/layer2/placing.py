"""Where each address goes: who of those that may answer for it (`able`) owns it, and why it does. Pure.

What many addresses have in common is worked out once (`alike`), and what has not changed since the last plan
is the very same object. A node that dies costs something only for its own addresses.
"""

from collections.abc import Callable, Iterator, Mapping, Set
from functools import cache

import msgspec

from openelb_bgp.eligibility import Eligibility
from openelb_bgp.lib.identity import changed_keys
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.facts import Facts
from openelb_bgp.model.meta import EMPTY, Key
from openelb_bgp.model.pools import Eip
from openelb_bgp.model.reasons import Reason, Refused

from .able import Able
from .alike import Alike, Likeness, Verdict, compare
from .claims import ByAddress, Claim, ClaimBook, preferred
from .neighbourhood import Ground, Neighbourhood
from .owners import MOST_MOVES, Choice, choose_owner, recent_moves
from .planned import Contest, Placement
from .ranks import Ranking

Placements = Mapping[Address, Placement]

SILENCE = 3.0
"""Seconds for which an owner that others leave an address to may not be heard answering for it. What each
node remembers of moves may differ: two must not leave an address to each other for ever."""

PASSING = 2.0
"""Seconds within which an address that returns to its last owner has not moved."""
_REPORTED_BY = 5.0
"""Seconds after a move by which the Speakers say so."""


class PlacingMemory(msgspec.Struct, frozen=True, kw_only=True):
    """What saves the next placing work: what was worked out, and from which claims.

    `placements` are those that came out. `own` are addresses about whose Services nodes differ, each of which
    is decided by itself; `restless` those whose moves decide.
    """

    by_address: ByAddress = EMPTY
    ranking: Ranking = msgspec.field(default_factory=Ranking)
    contests: Mapping[Contest, Contest] = EMPTY
    alike: Alike = Alike()
    verdicts: Mapping[Likeness, Verdict] = EMPTY
    placements: Placements = EMPTY
    own: frozenset[Address] = frozenset()
    restless: frozenset[Address] = frozenset()


class Placer:
    """Places the addresses of one plan.

    `elsewhere` are Services that other nodes must not announce yet, `placements` where everything was.
    `reported` tells whom Speakers have named last; it is asked only where that matters.
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
        reported: Callable[[], Mapping[Address, str]],
    ) -> None:
        self._reported = cache(reported)
        self._book, self._facts, self._near, self._elsewhere = book, facts, near, elsewhere
        self._placements, self._before = placements, before
        self._able = Able(pools, facts, eligibility, elsewhere=elsewhere, known=before.contests)
        self._due = changed_keys(old=before.by_address, new=book.by_address)
        self._alike = compare(book.by_address, near, self._due, before.alike)
        self._own = frozenset(self._of_unproven())
        self._verdicts: dict[Likeness, Verdict] = {}
        self._restless: frozenset[Address] = frozenset()
        self._found = placements
        self.looked_at: Set[Address] = frozenset()
        """The addresses that may have been placed otherwise; of the others only `among` is another."""
        self.until: list[float | None] = []

    @property
    def memory(self) -> PlacingMemory:
        """What saves the next placing work."""
        return PlacingMemory(
            by_address=self._book.by_address,
            ranking=self._before.ranking,
            contests=self._able.contests,
            alike=self._alike,
            verdicts=self._verdicts,
            placements=self._found,
            own=self._own,
            restless=self._restless,
        )

    def interfaces_of(self, address: Address) -> tuple[str, ...]:
        """Where this node answers for the address, if it owns it."""
        return self._verdicts[self._alike.of[address]].interfaces

    @property
    def stands_as_before(self) -> bool:
        """Whether this node would answer for each address where it would have, in the last plan."""
        before = self._before.verdicts
        return self._alike is self._before.alike and all(
            one in before and found.interfaces == before[one].interfaces
            for one, found in self._verdicts.items()
        )

    def place(self) -> Placements:
        """Every address.

        The very object of the last plan where no address is placed otherwise.
        """
        if self._facts.members.void:
            self._found = self._void_placements()
            self.looked_at = self._found.keys() | self._placements.keys()
            return self._found
        self._verdicts = {one: self._verdict(sample) for one, sample in self._alike.samples.items()}
        self.until.extend(one.among.until for one in self._verdicts.values())
        staying, leaving = self._concerned()
        unsure = self._unsure() | leaving
        placed = {address: self._place(address) for address in unsure}
        self._restless = self._before.restless - unsure | {
            address for address, one in placed.items() if _is_restless(one)
        }
        self.looked_at = unsure
        self._found = self._with({**staying, **placed})
        if self._due:
            self._before.ranking.keep(self._book.by_address)
        return self._found

    def _with(self, made: Placements) -> Placements:
        before, by_address = self._placements, self._book.by_address
        changed = {address: one for address, one in made.items() if before.get(address) is not one}
        gone = [address for address in before if address not in by_address] if self._due else []
        if not changed and not gone:
            return before
        found = {**before, **changed}
        for address in gone:
            del found[address]
        self.looked_at |= {*gone}
        return found

    def _unsure(self) -> frozenset[Address]:
        """The addresses that have to be looked at, whatever has become of their likenesses."""
        before = self._before
        by_wire = changed_keys(old=before.placements, new=self._placements)
        found = {*self._due, *by_wire, *self._own, *before.own, *before.restless}
        return frozenset(found & self._book.by_address.keys())

    def _concerned(self) -> tuple[Placements, frozenset[Address]]:
        """Of the addresses whose likeness is decided otherwise now, those that stay, and the others."""
        before = self._before.verdicts
        moved = {one: found for one, found in self._verdicts.items() if not _same(before.get(one), found)}
        if len(self._due) == len(self._alike.of):
            return EMPTY, frozenset()
        staying: dict[Address, Placement] = {}
        leaving: list[Address] = []
        for address, one in self._alike.of.items() if moved else ():
            if one in moved:
                known, now = self._placements.get(address), moved[one]
                if known is not None and self._stays(known, was=before.get(one), now=now, likeness=one):
                    staying[address] = msgspec.structs.replace(known, among=now.among)
                else:
                    leaving.append(address)
        return staying, frozenset(leaving)

    def _stays(self, known: Placement, *, was: Verdict | None, now: Verdict, likeness: Likeness) -> bool:
        """Whether its owner was the first before, and still is now that others are able."""
        is_plain = was is not None and was.refused is now.refused is None and not likeness.preferred
        if was is None or not is_plain or known.among is not was.among or _is_restless(known):
            return False
        settled = now.among.settled
        if known.owner not in settled or known.owner not in was.among.settled:
            return False
        is_alone = settled <= was.among.settled
        return is_alone or self._before.ranking.first(settled, known.address) == known.owner

    def _of_unproven(self) -> Iterator[Address]:
        """The addresses of Services whose forwarding has not been seen working everywhere."""
        for key in {*self._elsewhere, *self._facts.forwarding.services}:
            for one in self._book.claims.get(key, ()):
                if not isinstance(one.pool, Refused):
                    yield one.address

    def _verdict(self, sample: Address) -> Verdict:
        claims = self._book.by_address[sample]
        ground = self._near.ground(claims[0].pool_name, sample)
        among = self._able.contest(claims, ground, proven=True)
        node = self._facts.node
        return Verdict(
            among=among,
            interfaces=ground.interfaces.get(node, ()),
            refused=None if node in among.able else self._able.refusal(node, claims, ground),
        )

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
                address=address, pool=claims[0].pool_name, services=tuple(one.service for one in claims)
            )
            if known.owner == self._facts.node:
                known = msgspec.structs.replace(known, owner="")
            found[address] = msgspec.structs.replace(known, refused=why)
        return found

    def _place(self, address: Address) -> Placement:
        claims = self._book.by_address[address]
        pool = claims[0].pool_name
        ground = self._near.ground(pool, address)
        among = self._verdicts[self._alike.of[address]].among
        if address in self._own:
            among = self._able.contest(claims, ground, proven=False)
        before = self._believed(self._placements.get(address))
        now = self._facts.now
        silent = before is not None and self._is_silent(before)
        choice = choose_owner(
            address,
            among,
            preferred=preferred(claims),
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
            refused = self._able.not_here(claims, ground, among, owner=choice.owner)
        made = Placement(
            address=address,
            pool=pool,
            services=tuple([one.service for one in claims]),
            owner=choice.owner,
            since=now,
            among=among,
            pinned=choice.pinned,
            refused=refused,
            heir=choice.heir,
            awaited=awaited,
        )
        made = self._with_history(made, before, choice.why, claims, ground)
        return before if before == made and before is not None else made

    def _believed(self, before: Placement | None) -> Placement | None:
        """The same, with the owner that Speakers name if it has moved so often that it would stay with one.

        Of moves between others this node may have seen more or fewer than those.
        """
        now, me = self._facts.now, self._facts.node
        if before is None or now < before.since + _REPORTED_BY or before.owner == me:
            return before
        if len(recent_moves(before.moves, now=now)) < MOST_MOVES:
            return before
        said = self._reported().get(before.address, "")
        return before if said in ("", me, before.owner) else msgspec.structs.replace(before, owner=said)

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
        why: Refused | None,
        claims: tuple[Claim, ...],
        ground: Ground,
    ) -> Placement:
        """The same with how the address came to its owner."""
        now = made.since
        moves = () if before is None else recent_moves(before.moves, now=now)
        if before is not None and before.owner == made.owner:
            return msgspec.structs.replace(
                made, since=before.since, moves=moves, before=before.before, why=before.why
            )
        # Between two owners nobody may have been able: it has come from the last one all the same.
        first = before is None and not self._placements
        last = self._reported().get(made.address, "") if first else ""
        if before is not None:
            last = before.owner or before.before
        if last in ("", made.owner):
            return msgspec.structs.replace(made, moves=moves)
        reason = why or self._able.refusal(last, claims, ground)
        if before is not None and before.before == made.owner and now < before.since + PASSING:
            # Reports crossed each other: it never left, or nobody had noticed.
            return msgspec.structs.replace(made, moves=moves[:-1], before=last, why=reason)
        return msgspec.structs.replace(made, moves=(*moves, now), before=last, why=reason)


def _same(before: Verdict | None, now: Verdict) -> bool:
    """Whether the addresses of a likeness stay where they are, and this node says the same of them."""
    return before is not None and before.among is now.among and before.refused == now.refused


def _is_restless(one: Placement) -> bool:
    return one.awaited is not None or len(one.moves) >= MOST_MOVES
