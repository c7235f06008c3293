"""Numbers that stand in text: lists of virtual router ids, seconds, dotted quads. Raise ValueError."""

from ipaddress import IPv4Address


def whole_number(text: str, *, low: int, high: int) -> int:
    """A decimal number within bounds. Raises ValueError with a sentence that says what is wrong."""
    stripped = text.strip()
    if not (stripped.isascii() and stripped.isdigit() and len(stripped) <= 10):
        raise ValueError("is not a whole number")
    number = int(stripped)
    if not low <= number <= high:
        raise ValueError(f"is not from {low} to {high}")
    return number


def virtual_router_ids(text: str) -> tuple[int, ...]:
    """VRIDs (RFC 9568, 5.2.3: 1 to 255) from `51-58` or `51,60-62`, ascending, each once."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        low = whole_number(first, low=1, high=255)
        high = whole_number(last, low=1, high=255) if dash else low
        if low > high:
            raise ValueError(f"has a range that goes down: {low}-{high}")
        found.update(range(low, high + 1))
    return tuple(sorted(found))


def router_id(text: str) -> str:
    """A BGP identifier as a dotted quad that is not 0.0.0.0 (RFC 6286, 2.1)."""
    try:
        address = IPv4Address(text.strip())
    except ValueError:
        raise ValueError("is not a dotted quad") from None
    if int(address) == 0:
        raise ValueError("is zero")
    return str(address)
