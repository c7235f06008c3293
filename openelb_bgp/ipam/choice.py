"""Rules 1 to 5 of the allocation order: which address a Service gets that lacks one, or why none.

1. It names a pool: from that; it names an address: from the pool that contains it, shared if it is taken.
2. The pools bound to its namespace, by priority, then name.
3. The default pool of the family.
4. With the protocol annotation: the first enabled, unbound pool of that protocol.
5. Otherwise a refusal that says what was tried and what would help.

Rule 0, that a live address is kept, has already been applied: what is live is not free here.
"""

from collections.abc import Callable, Container, Mapping, Sequence

from openelb_bgp.model.addresses import Address, Family
from openelb_bgp.model.meta import EMPTY, Key
from openelb_bgp.model.reasons import Refused

from .claims import Claim, Given, Want
from .numbers import Span, address_at, family_of, is_buggy, number
from .pools import Pool, PoolBook
from .refusals import (
    all_refused,
    no_pool,
    not_giveable,
    not_shared,
    objection,
    other_protocol,
    outside_all,
    outside_named,
    pool_full,
    still_there,
    unknown_pool,
    wrong_family,
)
from .sharing import why_not_shared


class Chooser:
    """Gives out addresses during one allocation, each to one Service unless Services share it."""

    def __init__(
        self,
        book: PoolBook,
        *,
        claims: Mapping[Key, Claim],
        reserved: Mapping[int, tuple[Key, ...]],
        keepers: Callable[[int], tuple[Key, ...]],
        lows: Mapping[tuple[str, int], int] = EMPTY,
    ) -> None:
        """`reserved` says who has an address in the status, `keepers` who of them goes on having it.

        `lows` says for pools, by name and family, below which number all that they could give is reserved.
        """
        self._book = book
        self._claims = claims
        self._reserved = reserved
        self._keepers = keepers
        self._given: dict[int, list[Key]] = {}
        self._before = lows
        self._frontiers: dict[tuple[str, int], _Frontier] = {}

    @property
    def given(self) -> frozenset[int]:
        """The numbers that were given."""
        return frozenset(self._given)

    @property
    def lows(self) -> dict[tuple[str, int], int]:
        """What `lows` should say next time, of the pools that were asked."""
        return {at: frontier.low for at, frontier in self._frontiers.items()}

    def choose(self, claim: Claim, want: Want) -> Given | Refused:
        """Give the Service what it wants, or say why not."""
        if want.address is not None:
            return self._named_address(claim, want.address)
        recalled = self._recalled(claim, want) if claim.remembered else None
        if recalled is not None:
            return recalled
        if want.pool:
            return self._named_pool(claim, want)
        return self._any_pool(claim, want.family)

    def _give(self, claim: Claim, value: int, pool: Pool) -> Given:
        self._given.setdefault(value, []).append(claim.key)
        return Given(address_at(value), pool.name, pool.name)

    def _is_free(self, value: int) -> bool:
        return value not in self._reserved and value not in self._given

    # Rule 1: what is named.

    def _named_pool(self, claim: Claim, want: Want) -> Given | Refused:
        pool = self._book.pools.get(want.pool)
        if pool is None:
            return unknown_pool(want.pool, self._book)
        return self._from_pool(claim, pool, want.family)

    def _named_address(self, claim: Claim, address: Address) -> Given | Refused:
        candidates = self._pools_for_address(claim, address)
        if isinstance(candidates, Refused):
            return candidates
        refusals: list[Refused] = []
        for pool in candidates:
            refusal = objection(claim, pool, self._book) or not_giveable(address, pool, self._book)
            if refusal is None:
                return self._take(claim, address, pool)
            refusals.append(refusal)
        return refusals[0]

    def _pools_for_address(self, claim: Claim, address: Address) -> list[Pool] | Refused:
        """The pools that hold a named address and may be used for it."""
        request = claim.request
        for name in request.pools:
            if name not in self._book.pools:
                return unknown_pool(name, self._book)
        holding = [self._book.pools[name] for name in self._book.holding(number(address))]
        if request.pools:
            inside = [pool for pool in holding if pool.name in request.pools]
            return inside or outside_named(address, request.pools, holding)
        if not holding:
            return outside_all(address)
        fitting = [pool for pool in holding if request.protocol in (None, pool.eip.protocol)]
        return fitting or other_protocol(address, holding[0], request.protocol)

    def _take(self, claim: Claim, address: Address, pool: Pool) -> Given | Refused:
        """The very address that the Service names: free, or shared with those who have it."""
        value = number(address)
        if self._is_free(value):
            return self._give(claim, value, pool)
        holders = (*self._keepers(value), *self._given.get(value, ()))
        for key in self._reserved.get(value, ()):
            if key not in holders and key != claim.key:
                return still_there(address, key)
        for holder in holders:
            why_not = why_not_shared(self._claims[holder].service, claim.service)
            if why_not:
                return not_shared(address, holder, why_not)
        return self._give(claim, value, pool)

    def _recalled(self, claim: Claim, want: Want) -> Given | None:
        """What the annotation still notes though somebody took it out of the status, if it is free."""
        for value, name in claim.remembered:
            pool = self._book.pools.get(name)
            if pool is None or family_of(value) is not want.family or want.pool not in ("", name):
                continue
            if claim.request.protocol not in (None, pool.eip.protocol):
                continue
            if pool.can_give(value) and self._is_free(value) and objection(claim, pool, self._book) is None:
                return self._give(claim, value, pool)
        return None

    # Rules 2 to 5: what nobody names.

    def _any_pool(self, claim: Claim, family: Family) -> Given | Refused:
        namespace, protocol = claim.service.meta.namespace, claim.request.protocol
        tried: list[Refused] = []
        for pool in self._book.candidates(namespace, family, protocol):
            result = self._from_pool(claim, pool, family)
            if isinstance(result, Given):
                return result
            tried.append(result)
        return all_refused(tried) if tried else no_pool(namespace, family, protocol)

    # One pool.

    def _from_pool(self, claim: Claim, pool: Pool, family: Family) -> Given | Refused:
        refusal = objection(claim, pool, self._book)
        if refusal is not None:
            return refusal
        if family not in pool.families:
            return wrong_family(pool, family)
        value = self._lowest_free(pool, family)
        if value is None:
            return pool_full(pool, family)
        return self._give(claim, value, pool)

    def _lowest_free(self, pool: Pool, family: Family) -> int | None:
        """The lowest free number of a family in the pool."""
        at = pool.name, family.value
        frontier = self._frontiers.get(at)
        if frontier is None:
            frontier = _Frontier(
                pool.giveable_of(family),
                start=self._before.get(at, 0),
                avoid_buggy=pool.eip.avoid_buggy_ips,
            )
            self._frontiers[at] = frontier
        return frontier.advance((self._reserved, self._given))


class _Frontier:
    """Walks up through what a pool can give. What lies below was taken, and stays so in one allocation."""

    def __init__(self, spans: Sequence[Span], *, start: int, avoid_buggy: bool) -> None:
        self._left = iter(spans)
        self._start = start
        self._next, self._last = start, start - 1
        self._avoid_buggy = avoid_buggy
        self._lowest: int | None = None

    @property
    def low(self) -> int:
        """Below it, all that could be given is reserved."""
        return self._next if self._lowest is None else self._lowest

    def advance(self, taken: tuple[Container[int], Container[int]]) -> int | None:
        """The next number that is in neither container, None at the end; steps over each taken one once."""
        reserved, given = taken
        while True:
            while self._next <= self._last:
                value = self._next
                self._next += 1
                if value in reserved or (self._avoid_buggy and is_buggy(value)):
                    continue
                if self._lowest is None:
                    self._lowest = value
                if value not in given:
                    return value
            span = next(self._left, None)
            if span is None:
                return None
            self._next, self._last = max(span[0], self._start), span[1]
