"""Who claims which prefix: counts of claims, taken over from one plan to the next without copying them all.

Pure. What the claims mean is `resolve`'s matter.
"""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from openelb_bgp.lib.tables import Table
from openelb_bgp.model.addresses import Network, network_number

from .claims import Share
from .resolve import Bundle


class Turn(NamedTuple):
    """One prefix whose claims changed: what stood before and what stands now, sorted, each claim once."""

    prefix: Network
    before: tuple[Bundle, ...]
    after: tuple[Bundle, ...]


Counts = tuple[tuple[Bundle, int], ...]
"""How many Services claim a prefix in which way. Nearly always it is one, in the way of thousands."""


class Ledger:
    """Claims by prefix. The ledger that it was made from never changes."""

    def __init__(self, previous: "Ledger | None" = None) -> None:
        self._pages: Table[int, _Page] = Table() if previous is None else previous._pages
        self._changed: dict[int, _Change] = {}
        # Equal counts are the same object.
        self._known: dict[Counts, Counts] = {} if previous is None else previous._known

    def enter(self, share: Share) -> None:
        """One more Service claims it."""
        counts = self._own(share).now
        counts[share.bundle] = counts.get(share.bundle, 0) + 1

    def strike(self, share: Share) -> None:
        """One Service claims it no more."""
        counts = self._own(share).now
        counts[share.bundle] -= 1
        if not counts[share.bundle]:
            del counts[share.bundle]

    def turns(self) -> Iterator[Turn]:
        """The prefixes whose claims differ from the previous ledger's. Ends the making of this one."""
        changed, self._changed = self._changed, {}
        pages = self._pages.draft()
        for number, (prefix, _, now) in changed.items():
            if now:
                counts = tuple(now.items())
                pages[number] = _Page(prefix, self._known.setdefault(counts, counts))
            else:
                pages.pop(number)
        self._pages = pages.finish()
        for prefix, before, now in changed.values():
            old, new = _distinct([bundle for bundle, _ in before]), _distinct(now)
            if old != new:
                yield Turn(prefix, old, new)

    def claims(self, prefix: Network) -> tuple[Bundle, ...]:
        """What is claimed of a prefix now."""
        page = self._pages.get(network_number(prefix))
        return () if page is None else page.claims

    def all_claims(self) -> Iterator[tuple[Network, tuple[Bundle, ...]]]:
        """What is claimed of every prefix now."""
        for page in self._pages.values():
            yield page.prefix, page.claims

    def _own(self, share: Share) -> "_Change":
        """What is made of a prefix's page, begun at the first touch from the previous ledger's."""
        change = self._changed.get(share.number)
        if change is None:
            page = self._pages.get(share.number)
            before = () if page is None else page.counts
            change = self._changed[share.number] = _Change(share.prefix, before, dict(before))
        return change


class _Page(NamedTuple):
    """What is claimed of one prefix."""

    prefix: Network
    counts: Counts

    @property
    def claims(self) -> tuple[Bundle, ...]:
        return _distinct([bundle for bundle, _ in self.counts])


class _Change(NamedTuple):
    """One prefix as it stood in the previous ledger, and as it stands now."""

    prefix: Network
    before: Counts
    now: dict[Bundle, int]


def _distinct(bundles: Collection[Bundle]) -> tuple[Bundle, ...]:
    return tuple(bundles) if len(bundles) < 2 else tuple(sorted(bundles))
