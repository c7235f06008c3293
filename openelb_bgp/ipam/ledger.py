"""Who occupies which address: registers whose next version costs what changes in it."""

from collections.abc import Iterable, Mapping, MutableMapping

import msgspec

from openelb_bgp.lib.tables import Draft, Table
from openelb_bgp.model.meta import Key

from .claims import Claim, Given
from .numbers import number
from .pools import PoolBook

Keys = tuple[Key, ...]
Place = tuple[str, int]
"""A pool's name and a number in it."""


class Footprint(msgspec.Struct, frozen=True, gc=False):
    """What one Service occupies: addresses that a pool gave it, and others that stand in a pool's way."""

    holds: tuple[Place, ...] = ()
    blocks: tuple[Place, ...] = ()


NO_FOOTPRINT = Footprint()


def footprint_of(claim: Claim, addresses: Iterable[Given], book: PoolBook) -> Footprint:
    """What a Service occupies that will have these addresses and still shows those of its claim."""
    held = [(given.pool, number(given.address)) for given in addresses]
    numbers = dict.fromkeys([value for _, value in held])
    if claim.reserved:
        numbers.update(dict.fromkeys(claim.reserved))
    blocks = [
        place for value in numbers for pool in book.holding(value) if (place := (pool, value)) not in held
    ]
    return Footprint(tuple([place for place in held if place[0] in book.pools]), tuple(blocks))


def add(register: MutableMapping[int, Keys], value: int, key: Key) -> None:
    """Enter the key; keys of one number are sorted, so that history leaves no trace."""
    there = register.get(value)
    register[value] = (key,) if there is None else tuple(sorted((*there, key)))


def remove(register: MutableMapping[int, Keys], value: int, key: Key) -> None:
    """Strike the key out."""
    left = tuple(one for one in register.pop(value, ()) if one != key)
    if left:
        register[value] = left


class Ledger:
    """Pool → number → the Services there. A pool's page has a draft once it is written to."""

    def __init__(self, pages: Mapping[str, Table[int, Keys]]) -> None:
        self._pages = pages
        self._drafts: dict[str, Draft[int, Keys]] = {}

    def move(self, key: Key, *, old: tuple[Place, ...], new: tuple[Place, ...]) -> None:
        """Replace the places of one Service."""
        for pool, value in old:
            if (pool, value) not in new:
                remove(self._page(pool), value, key)
        for pool, value in new:
            if (pool, value) not in old:
                add(self._page(pool), value, key)

    def finish(self) -> Mapping[str, Table[int, Keys]]:
        """The pages as they stand; what was not written to is the same object."""
        if not self._drafts:
            return self._pages
        return {**self._pages, **{name: draft.finish() for name, draft in self._drafts.items()}}

    def _page(self, pool: str) -> Draft[int, Keys]:
        draft = self._drafts.get(pool)
        if draft is None:
            page = self._pages.get(pool) or Table()
            draft = self._drafts[pool] = page.draft()
        return draft
