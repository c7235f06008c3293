"""One allocation at work: the four steps over everything that may have changed since the last one.

A Memory holds what an allocation found out; the next one works on copies of it and looks again only at
Services that are new objects, at those whose address another one touches, and at those that lack one.
"""

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter

import msgspec

from openelb_bgp.lib.identity import changed_keys
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.meta import EMPTY, Key
from openelb_bgp.model.reasons import Refused
from openelb_bgp.model.snapshot import Snapshot

from .choice import Chooser
from .claims import Claim, Gap, Given, Want, claim_of, gap_of
from .decisions import Decision, decide, leave_alone, refuse_node_proxy, release
from .ledger import NO_FOOTPRINT, Footprint, Keys, Ledger, add, footprint_of, remove
from .numbers import address_at
from .outcomes import Outcome
from .pools import PoolBook
from .requests import Standing
from .sharing import Contest, settle
from .usage import PoolUse

_Result = tuple[Want, Given | Refused]


class Memory(msgspec.Struct, frozen=True):
    """What an allocation found out, beside its result. Never changed once it is made.

    `present` says in whose status each number stands, `contests` who keeps one that several hold, `gaps`
    what Services lack; `holders` and `blockers` are pages of a Ledger.
    """

    book: PoolBook
    snapshot: Snapshot = Snapshot()
    claims: Mapping[Key, Claim] = EMPTY
    present: Mapping[int, Keys] = EMPTY
    contests: Mapping[int, Contest] = EMPTY
    gaps: Mapping[Key, Gap] = EMPTY
    footprints: Mapping[Key, Footprint] = EMPTY
    holders: Mapping[str, dict[int, Keys]] = EMPTY
    blockers: Mapping[str, dict[int, Keys]] = EMPTY
    decisions: Mapping[Key, Decision] = EMPTY
    pools: Mapping[str, PoolUse] = EMPTY


def advance(memory: Memory, snapshot: Snapshot) -> Memory:
    """Allocate for the Services of a snapshot of the same book, starting from what is known of the last."""
    return _Cycle(memory, snapshot).run()


class _Cycle:
    def __init__(self, memory: Memory, snapshot: Snapshot) -> None:
        self._book = memory.book
        self._before = memory.snapshot.services
        self._snapshot, self._services = snapshot, snapshot.services
        self._claims = dict(memory.claims)
        self._present = dict(memory.present)
        self._contests = dict(memory.contests)
        self._gaps = dict(memory.gaps)
        self._footprints = dict(memory.footprints)
        self._holders = Ledger(memory.holders)
        self._blockers = Ledger(memory.blockers)
        self._decisions = dict(memory.decisions)
        self._pools = memory.pools

    def run(self) -> Memory:
        changed = changed_keys(old=self._before, new=self._services)
        touched = self._reclaim(changed)
        for key in dict.fromkeys([*changed, *self._settle_contests(touched)]):
            self._decide(key)
        self._serve_the_wanting()
        return Memory(
            book=self._book,
            snapshot=self._snapshot,
            claims=self._claims,
            present=self._present,
            contests=self._contests,
            gaps=self._gaps,
            footprints=self._footprints,
            holders=self._holders.pages,
            blockers=self._blockers.pages,
            decisions=self._decisions,
            pools=self._count(),
        )

    # 1. What stands in the statuses.

    def _reclaim(self, keys: Iterable[Key]) -> set[int]:
        """Read these Services anew; returns the numbers that they held or hold."""
        touched: set[int] = set()
        for key in keys:
            old = self._claims.pop(key, None)
            for value in old.reserved if old else ():
                remove(self._present, value, key)
                touched.add(value)
            service = self._services.get(key)
            new = claim_of(service, self._book) if service else None
            if new is None:
                continue
            self._claims[key] = new
            for value in new.reserved:
                add(self._present, value, key)
                touched.add(value)
        return touched

    # 2. Who keeps what.

    def _settle_contests(self, touched: Iterable[int]) -> set[Key]:
        """Decide anew who keeps these numbers; returns the Services that this may concern."""
        concerned: set[Key] = set()
        for value in touched:
            was_contested = self._contests.pop(value, None) is not None
            keys = self._present.get(value, ())
            if len(keys) > 1:
                ours = [self._claims[key] for key in keys if self._claims[key].standing is Standing.OURS]
                if len(ours) > 1:
                    self._contests[value] = settle(address_at(value), ours)
            if was_contested or len(keys) > 1:
                concerned.update(keys)
        return concerned

    def _held(self, claim: Claim) -> Sequence[Given]:
        """What is left of a claim's addresses after the contests about them."""
        lost = [address for address, contest in self._contested(claim) if claim.key in contest.losers]
        return [given for given in claim.held if given.address not in lost] if lost else claim.held

    def _contested(self, claim: Claim) -> list[tuple[Address, Contest]]:
        """The addresses of a claim that others hold too."""
        contests = self._contests
        return [(address_at(value), contests[value]) for value in claim.reserved if value in contests]

    def _keepers(self, value: int) -> Keys:
        """The Services of ours that go on having a number of their status."""
        if value in self._contests:
            return self._contests[value].keepers
        keys = self._present.get(value, ())
        return tuple(key for key in keys if self._claims[key].standing is Standing.OURS)

    # 3. Who gets what.

    def _decide(self, key: Key) -> None:
        """Conclude what depends on nobody else; note what the others lack."""
        self._gaps.pop(key, None)
        claim = self._claims.get(key)
        if claim is None:
            self._forget(key)
        elif claim.standing is Standing.OURS:
            gap = gap_of(claim.request, self._held(claim), self._book)
            if gap.unmet:
                self._gaps[key] = gap
            else:
                self._conclude(claim, decide(self._outcome(claim, gap)))
        elif claim.standing is Standing.RELEASED:
            self._conclude(claim, release(claim))
        elif claim.standing is Standing.NODE_PROXY:
            self._conclude(claim, refuse_node_proxy(claim))
        else:
            self._conclude(claim, leave_alone(claim))

    def _serve_the_wanting(self) -> None:
        """Those who name an address come first: they must not find it given to one whom any would suit."""
        chooser = Chooser(self._book, claims=self._claims, reserved=self._present, keepers=self._keepers)
        for claim in _in_turn([self._claims[key] for key in self._gaps]):
            gap = self._gaps[claim.ref.key]
            results = [(want, chooser.choose(claim, want)) for want in gap.unmet]
            self._conclude(claim, decide(self._outcome(claim, gap, results)))

    def _outcome(self, claim: Claim, gap: Gap, results: Sequence[_Result] = ()) -> Outcome:
        request = claim.request
        failed = [(want, result) for want, result in results if isinstance(result, Refused)]
        # What is not asked for any more goes once everything asked for of its family is there.
        leaving = () if request.refused else gap.surplus
        outcome = Outcome(
            claim=claim,
            given=tuple([result for _, result in results if isinstance(result, Given)]),
            released=_unless_failed(leaving, failed) if leaving else (),
            refused=(*request.refused, *[result for want, result in failed if not want.optional]),
            notes=tuple([result for want, result in failed if want.optional]),
        )
        contested = self._contested(claim) if self._contests else ()
        return _with_contests(outcome, contested) if contested else outcome

    def _conclude(self, claim: Claim, decision: Decision) -> None:
        key = claim.ref.key
        if decision.ours or decision.changed or decision.refused:
            self._decisions[key] = decision
        else:
            self._decisions.pop(key, None)
        self._occupy(key, footprint_of(claim, decision.addresses, self._book))

    def _forget(self, key: Key) -> None:
        self._decisions.pop(key, None)
        self._occupy(key, NO_FOOTPRINT)

    # 4. How full the pools are.

    def _occupy(self, key: Key, new: Footprint) -> None:
        old = self._footprints.pop(key, NO_FOOTPRINT)
        if new != NO_FOOTPRINT:
            self._footprints[key] = new
        if old != new:
            self._holders.move(key, old=old.holds, new=new.holds)
            self._blockers.move(key, old=old.blocks, new=new.blocks)

    def _count(self) -> dict[str, PoolUse]:
        written = self._holders.written | self._blockers.written
        return {
            name: self._pools[name]
            if name in self._pools and name not in written
            else PoolUse(
                pool=pool,
                holders=self._holders.pages.get(name, {}),
                blocked=frozenset(self._blockers.pages.get(name, ())),
            )
            for name, pool in self._book.pools.items()
        }


def _unless_failed(leaving: Iterable[Given], failed: Iterable[tuple[Want, Refused]]) -> tuple[Address, ...]:
    families = {want.family.value for want, _ in failed}
    return tuple(one.address for one in leaving if one.address.version not in families)


_NAME, _NAMESPACE = attrgetter("ref.key.name"), attrgetter("ref.key.namespace")
_CREATED = attrgetter("service.meta.created")


def _in_turn(claims: list[Claim]) -> list[Claim]:
    """Those who name an address, then the older ones, then by key; sorted in place."""
    # By one thing at a time, the last one first: it takes a fifth of comparing tuples.
    for thing in (_NAME, _NAMESPACE, _CREATED, _names_no_address):
        claims.sort(key=thing)
    return claims


def _names_no_address(claim: Claim) -> bool:
    return not claim.request.addresses


def _with_contests(outcome: Outcome, contested: Sequence[tuple[Address, Contest]]) -> Outcome:
    key = outcome.claim.key
    return msgspec.structs.replace(
        outcome,
        lost={address: contest.losers[key] for address, contest in contested if key in contest.losers},
        won=tuple(
            (address, loser)
            for address, contest in contested
            for loser, (keeper, _) in sorted(contest.losers.items())
            if keeper == key
        ),
        taken_over=tuple(address for address, contest in contested if key in contest.taken_over),
    )
