"""Who claims which prefix: counts of claims, taken over from one plan to the next without copying them all.

Pure. What the claims mean is `resolve`'s matter.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from openelb_bgp.model.addresses import Network
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
        self._counts: dict[Network, dict[Bundle, int]] = {} if previous is None else previous._counts.copy()
        # None: there is no ledger before this one to tell differences from.
        self._before: dict[Network, Mapping[Bundle, int]] | None = None if previous is None else {}

    def enter(self, share: Share) -> None:
        """One more Service claims it."""
        counts = self._own(share.prefix)
        counts[share.bundle] = counts.get(share.bundle, 0) + 1

    def strike(self, share: Share) -> None:
        """One Service claims it no more."""
        counts = self._own(share.prefix)
        counts[share.bundle] -= 1
        if not counts[share.bundle]:
            del counts[share.bundle]

    def turns(self) -> Iterator[Turn]:
        """The prefixes whose claims differ from the previous ledger's. Ends the making of this one."""
        for prefix, before in (self._before or {}).items():
            now = self._counts[prefix]
            if not now:
                del self._counts[prefix]
            if before.keys() != now.keys():
                yield Turn(prefix, _distinct(before), _distinct(now))

    def claims(self, prefix: Network) -> tuple[Bundle, ...]:
        """What is claimed of a prefix now."""
        return _distinct(self._counts.get(prefix, EMPTY))

    def all_claims(self) -> Iterator[tuple[Network, tuple[Bundle, ...]]]:
        """What is claimed of every prefix now."""
        for prefix, counts in self._counts.items():
            yield prefix, _distinct(counts)

    def _own(self, prefix: Network) -> dict[Bundle, int]:
        """This ledger's own counts of a prefix, copied from the previous one's at the first touch."""
        if self._before is not None and prefix not in self._before:
            before = self._counts.get(prefix)
            self._before[prefix] = EMPTY if before is None else before
            self._counts[prefix] = {} if before is None else before.copy()
        return self._counts.setdefault(prefix, {})


def _distinct(counts: Mapping[Bundle, int]) -> tuple[Bundle, ...]:
    return tuple(counts) if len(counts) < 2 else tuple(sorted(counts))
