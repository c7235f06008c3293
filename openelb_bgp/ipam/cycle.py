"""One allocation at work: the four steps over everything that may have changed since the last one.

A Memory holds what an allocation found out; the next one works on drafts of it and looks again only at
Services that are new objects, at those whose address another one touches, and at those that may get one now.
"""

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter

import msgspec

from openelb_bgp.lib.identity import changed_keys
from openelb_bgp.lib.tables import Table
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.meta import EMPTY, Key
from openelb_bgp.model.reasons import Refused
from openelb_bgp.model.snapshot import Snapshot

from .choice import Chooser
from .claims import Claim, Gap, Given, Want, claim_of, gap_of
from .decisions import Decision, decide, leave_alone, refuse_node_proxy, release
from .ledger import NO_FOOTPRINT, Footprint, Keys, Ledger, Place, add, footprint_of, remove
from .numbers import address_at, family_of
from .outcomes import Outcome
from .pools import PoolBook
from .requests import Standing
from .sharing import Contest, settle
from .usage import PoolUse, counted, unused

_Result = tuple[Want, Given | Refused]


class Memory(msgspec.Struct, frozen=True):
    """What an allocation found out, beside its result. Never changed once it is made.

    `present` says in whose status each number stands, `contests` who keeps one that several hold, `gaps`
    what Services lack, `refused` what those lack who get nothing before an address becomes free; `holders`
    and `blockers` are pages of a Ledger. `given` are the numbers that were given, `lows` says for each pool
    and family below which number all is taken.
    """

    book: PoolBook
    snapshot: Snapshot = Snapshot()
    claims: Table[Key, Claim] = Table()
    present: Table[int, Keys] = Table()
    contests: Table[int, Contest] = Table()
    gaps: Table[Key, Gap] = Table()
    refused: Table[Key, Gap] = Table()
    footprints: Table[Key, Footprint] = Table()
    holders: Mapping[str, Table[int, Keys]] = EMPTY
    blockers: Mapping[str, Table[int, Keys]] = EMPTY
    decisions: Table[Key, Decision] = Table()
    pools: Mapping[str, PoolUse] = EMPTY
    given: frozenset[int] = frozenset()
    lows: Mapping[Place, int] = EMPTY


def advance(memory: Memory, snapshot: Snapshot) -> Memory:
    """Allocate for the Services of a snapshot of the same book, starting from what is known of the last."""
    return _Cycle(memory, snapshot).run()


class _Cycle:
    def __init__(self, memory: Memory, snapshot: Snapshot) -> None:
        self._book = memory.book
        self._before = memory.snapshot.services
        self._snapshot, self._services = snapshot, snapshot.services
        self._claims = memory.claims.draft()
        self._present = memory.present.draft()
        self._contests = memory.contests.draft()
        self._gaps = memory.gaps.draft()
        self._refused = memory.refused.draft()
        self._footprints = memory.footprints.draft()
        self._holders = Ledger(memory.holders)
        self._blockers = Ledger(memory.blockers)
        self._decisions = memory.decisions.draft()
        self._pools = memory.pools
        self._given = memory.given
        self._lows = dict(memory.lows)

    def run(self) -> Memory:
        changed = changed_keys(old=self._before, new=self._services)
        touched = self._reclaim(changed)
        freed = self._note_freed(touched)
        for key in dict.fromkeys([*changed, *self._settle_contests(touched)]):
            self._decide(key)
        if freed:
            self._give_hope()
        chooser = self._serve_the_wanting()
        holders, blockers = self._holders.finish(), self._blockers.finish()
        return Memory(
            book=self._book,
            snapshot=self._snapshot,
            claims=self._claims.finish(),
            present=self._present.finish(),
            contests=self._contests.finish(),
            gaps=self._gaps.finish(),
            refused=self._refused.finish(),
            footprints=self._footprints.finish(),
            holders=holders,
            blockers=blockers,
            decisions=self._decisions.finish(),
            pools=self._count(holders, blockers),
            given=chooser.given,
            lows={**self._lows, **chooser.lows},
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

    def _note_freed(self, touched: Iterable[int]) -> bool:
        """Whether any address has become free, of those that stood in a status or were given last."""
        freed = [value for value in (*touched, *self._given) if value not in self._present]
        for value in freed:
            for pool in self._book.holding(value):
                at = pool, family_of(value).value
                # Of a pool that was never asked nothing is known: all of it may be free.
                if value < self._lows.get(at, value):
                    self._lows[at] = value
        return bool(freed)

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
        self._gaps.pop(key)
        self._refused.pop(key)
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

    def _give_hope(self) -> None:
        """Whoever was refused may be served now."""
        for key, gap in [*self._refused.items()]:
            self._gaps[key] = gap
            del self._refused[key]

    def _serve_the_wanting(self) -> Chooser:
        """Those who name an address come first: they must not find it given to one whom any would suit."""
        chooser = Chooser(
            self._book,
            claims=self._claims,
            reserved=self._present,
            keepers=self._keepers,
            lows=self._lows,
        )
        for claim in _in_turn([self._claims[key] for key in self._gaps]):
            key = claim.ref.key
            gap = self._gaps[key]
            results = [(want, chooser.choose(claim, want)) for want in gap.unmet]
            self._conclude(claim, decide(self._outcome(claim, gap, results)))
            if _depends_on_what_is_free(claim) and all(isinstance(one, Refused) for _, one in results):
                del self._gaps[key]
                self._refused[key] = gap
        return chooser

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
        old = self._footprints.get(key, NO_FOOTPRINT)
        if old != new:
            if new == NO_FOOTPRINT:
                del self._footprints[key]
            else:
                self._footprints[key] = new
            self._holders.move(key, old=old.holds, new=new.holds)
            self._blockers.move(key, old=old.blocks, new=new.blocks)

    def _count(
        self, holders: Mapping[str, Table[int, Keys]], blockers: Mapping[str, Table[int, Keys]]
    ) -> dict[str, PoolUse]:
        found = {}
        for name, pool in self._book.pools.items():
            before = self._pools.get(name) or unused(pool)
            found[name] = counted(
                before,
                holders=holders.get(name, before.holders),
                blocked=blockers.get(name, before.blocked),
            )
        return found


def _depends_on_what_is_free(claim: Claim) -> bool:
    """Whether a refusal stays as long as no address becomes free: of a named one others' ports count too."""
    return not claim.request.addresses and not claim.remembered


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
