"""Addresses of both families as one line of integers, and spans of them: the arithmetic of pools.

IPv6 stands above the whole of IPv4, so an integer alone says its family, a pool of both families is one
sorted list of spans, and sorting needs no address objects (which compare and hash slowly). What a pool may
give and to whom is not decided here.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from openelb_bgp.model.addresses import Address, AddressRange, Family

Span = tuple[int, int]
"""First and last number, both included."""

# One bit more than IPv4 needs: the families' ends must not touch, or `merge` would join them.
_ABOVE_IPV4 = 1 << 33
_ABOVE_ALL = 1 << 129


def number(address: Address) -> int:
    """The address's place on the line."""
    return int(address) if address.version == 4 else _ABOVE_IPV4 + int(address)


def address_at(value: int) -> Address:
    """The address with that number."""
    if value < _ABOVE_IPV4:
        return Family.IPV4.address(value)
    return Family.IPV6.address(value - _ABOVE_IPV4)


def family_of(value: int) -> Family:
    """The family of the address with that number."""
    return Family.IPV4 if value < _ABOVE_IPV4 else Family.IPV6


def span_of(addresses: AddressRange) -> Span:
    """The range as a span."""
    base = 0 if addresses.version == 4 else _ABOVE_IPV4
    return base + addresses.first, base + addresses.last


def family_spans(spans: Iterable[Span], family: Family) -> tuple[Span, ...]:
    """Those of one family."""
    is_v4 = family is Family.IPV4
    return tuple(span for span in spans if (span[0] < _ABOVE_IPV4) is is_v4)


def merge(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same numbers in ascending spans that neither overlap nor touch."""
    merged: list[Span] = []
    for first, last in sorted(spans):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)


def subtract(spans: Iterable[Span], holes: Sequence[Span]) -> tuple[Span, ...]:
    """What is left of the spans without the holes; `holes` as `merge` returns them."""
    left: list[Span] = []
    for first, last in spans:
        for hole_first, hole_last in holes[_reaching(holes, first) : bisect_left(holes, (last + 1,))]:
            if first < hole_first:
                left.append((first, hole_first - 1))
            first = hole_last + 1
        if first <= last:
            left.append((first, last))
    return tuple(left)


def holds(spans: Sequence[Span], value: int) -> bool:
    """Whether the number lies in one of the spans; `spans` ascending and disjoint."""
    index = bisect_right(spans, (value, _ABOVE_ALL)) - 1
    return index >= 0 and value <= spans[index][1]


def is_buggy(value: int) -> bool:
    """Whether it is an IPv4 address that ends in .0 or .255, which some old equipment refuses."""
    return value < _ABOVE_IPV4 and value & 0xFF in (0, 0xFF)


def count_buggy(span: Span) -> int:
    """How many addresses of the span are buggy."""
    first, last = span
    if first >= _ABOVE_IPV4:
        return 0
    ending_in_0 = last // 256 - (first - 1) // 256
    ending_in_255 = (last + 1) // 256 - first // 256
    return ending_in_0 + ending_in_255


def _reaching(holes: Sequence[Span], first: int) -> int:
    """Index of the first hole that ends at or after `first`."""
    index = bisect_left(holes, (first,))
    return index - 1 if index > 0 and holes[index - 1][1] >= first else index
