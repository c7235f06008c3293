"""Lists in sentences, short enough for a status: a few names, and how many more there are."""

from collections.abc import Iterable

MOST_NAMED = 5


def some(names: Iterable[str]) -> str:
    """At most five names, then how many more there are: `a, b, c, d, e and 3 more`."""
    listed = list(names)
    shown, more = ", ".join(listed[:MOST_NAMED]), len(listed) - MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown
