"""Who claims which prefix: counts of claims, taken over from one plan to the next without copying them all.

Pure. What the claims mean is `resolve`'s matter.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from openelb_bgp.model.addresses import Network, network_number
from openelb_bgp.model.meta import EMPTY

from .claims import Share
from .resolve import Bundle


class Turn(NamedTuple):
    """One prefix whose claims changed: what stood before and what stands now, sorted, each claim once."""

    prefix: Network
    before: tuple[Bundle, ...]
    after: tuple[Bundle, ...]


class Ledger:
    """Claims by prefix. The ledger that it was made from never changes."""

    def __init__(self, previous: "Ledger | None" = None) -> None:
        self._pages: dict[int, _Page] = {} if previous is None else previous._pages.copy()
        self._changed: dict[int, _Change] = {}

    def enter(self, share: Share) -> None:
        """One more Service claims it."""
        counts = self._own(share).now.counts
        counts[share.bundle] = counts.get(share.bundle, 0) + 1

    def strike(self, share: Share) -> None:
        """One Service claims it no more."""
        counts = self._own(share).now.counts
        counts[share.bundle] -= 1
        if not counts[share.bundle]:
            del counts[share.bundle]

    def turns(self) -> Iterator[Turn]:
        """The prefixes whose claims differ from the previous ledger's. Ends the making of this one."""
        changed, self._changed = self._changed, {}
        for number, (before, now) in changed.items():
            if now.counts:
                self._pages[number] = now
            else:
                self._pages.pop(number, None)
            if before.keys() != now.counts.keys():
                yield Turn(now.prefix, _distinct(before), _distinct(now.counts))

    def claims(self, prefix: Network) -> tuple[Bundle, ...]:
        """What is claimed of a prefix now."""
        page = self._pages.get(network_number(prefix))
        return () if page is None else _distinct(page.counts)

    def all_claims(self) -> Iterator[tuple[Network, tuple[Bundle, ...]]]:
        """What is claimed of every prefix now."""
        for page in self._pages.values():
            yield page.prefix, _distinct(page.counts)

    def _own(self, share: Share) -> "_Change":
        """This ledger's own page of a prefix, copied from the previous one's at the first touch."""
        change = self._changed.get(share.number)
        if change is None:
            page = self._pages.get(share.number)
            before = EMPTY if page is None else page.counts
            counts = {} if page is None else page.counts.copy()
            change = self._changed[share.number] = _Change(before, _Page(share.prefix, counts))
        return change


class _Page(NamedTuple):
    """How many Services claim one prefix in which way."""

    prefix: Network
    counts: dict[Bundle, int]


class _Change(NamedTuple):
    """One prefix as it stood in the previous ledger, and as it stands now."""

    before: Mapping[Bundle, int]
    now: _Page


def _distinct(counts: Mapping[Bundle, int]) -> tuple[Bundle, ...]:
    return tuple(counts) if len(counts) < 2 else tuple(sorted(counts))
