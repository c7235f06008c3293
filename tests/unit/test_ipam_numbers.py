"""The line on which both families stand."""

import pytest

from openelb_bgp.ipam.numbers import (
    Span,
    address_at,
    count_buggy,
    family_spans,
    holds,
    is_buggy,
    merge,
    number,
    span_of,
    subtract,
)
from openelb_bgp.model.addresses import Family, parse_address, parse_range


@pytest.mark.parametrize("text", ["0.0.0.0", "255.255.255.255", "::", "2001:db8::1", "ffff:" * 7 + "ffff"])
def test_an_address_comes_back_from_its_number(text: str) -> None:
    assert address_at(number(parse_address(text))) == parse_address(text)


def test_ipv6_stands_above_ipv4_and_the_two_never_touch() -> None:
    top, bottom = span_of(parse_range("255.255.255.255")), span_of(parse_range("::"))
    assert merge([bottom, top]) == (top, bottom)
    assert family_spans((top, bottom), Family.IPV4) == (top,)
    assert family_spans((top, bottom), Family.IPV6) == (bottom,)


@pytest.mark.parametrize(
    ("spans", "merged"),
    [
        ([], ()),
        ([(5, 9), (1, 3)], ((1, 3), (5, 9))),
        ([(1, 3), (4, 6)], ((1, 6),)),
        ([(1, 9), (2, 3), (8, 12)], ((1, 12),)),
    ],
)
def test_spans_that_overlap_or_touch_are_merged(spans: list[Span], merged: tuple[Span, ...]) -> None:
    assert merge(spans) == merged


@pytest.mark.parametrize(
    ("spans", "holes", "left"),
    [
        ([(0, 9)], [], ((0, 9),)),
        ([(0, 9)], [(3, 4)], ((0, 2), (5, 9))),
        ([(0, 9)], [(0, 0), (9, 9)], ((1, 8),)),
        ([(0, 9)], [(0, 20)], ()),
        ([(5, 9), (20, 29)], [(1, 6), (8, 22), (29, 40)], ((7, 7), (23, 28))),
    ],
)
def test_holes_are_cut_out_of_spans(spans: list[Span], holes: list[Span], left: tuple[Span, ...]) -> None:
    assert subtract(spans, holes) == left


def test_membership_is_found_at_both_ends_and_not_beyond() -> None:
    spans = ((2, 4), (8, 8))
    assert [value for value in range(11) if holds(spans, value)] == [2, 3, 4, 8]


@pytest.mark.parametrize(
    "span", [(0, 0), (0, 255), (1, 254), (255, 256), (254, 1025), (256, 256), (300, 3000)]
)
def test_buggy_addresses_are_counted_without_listing_them(span: Span) -> None:
    assert count_buggy(span) == sum(map(is_buggy, range(span[0], span[1] + 1)))


def test_no_ipv6_address_is_buggy() -> None:
    assert count_buggy(span_of(parse_range("2001:db8::/112"))) == 0
    assert not is_buggy(number(parse_address("2001:db8::ff00")))
