"""Lists in sentences: a few names, and how many more there are."""

from collections.abc import Iterable

_MOST = 5


def some(names: Iterable[str]) -> str:
    """`a, b, c` with at most five of them, then `and 3 more`."""
    listed = list(names)
    text = ", ".join(listed[:_MOST])
    return text if len(listed) <= _MOST else f"{text} and {len(listed) - _MOST} more"
