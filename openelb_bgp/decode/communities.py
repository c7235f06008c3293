"""BGP communities as users write them: `a:b`, well-known names, and large ones `a:b:c`."""

from collections.abc import Mapping

# IANA, "Border Gateway Protocol (BGP) Well-known Communities".
WELL_KNOWN: Mapping[str, int] = {
    "graceful-shutdown": 0xFFFF0000,
    "accept-own": 0xFFFF0001,
    "llgr-stale": 0xFFFF0006,
    "no-llgr": 0xFFFF0007,
    "blackhole": 0xFFFF029A,
    "no-export": 0xFFFFFF01,
    "no-advertise": 0xFFFFFF02,
    "no-export-subconfed": 0xFFFFFF03,
    "local-as": 0xFFFFFF03,
    "no-peer": 0xFFFFFF04,
}

Large = tuple[int, int, int]


def community(text: str) -> int | Large:
    """A community as a 32-bit number (RFC 1997) or a large one as a triple (RFC 8092).

    Raises ValueError with a sentence that says what is wrong.
    """
    name = text.strip().lower().replace("_", "-")
    if name in WELL_KNOWN:
        return WELL_KNOWN[name]
    parts = name.split(":")
    if len(parts) == 1 or not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError("is not a community")
    # Ten digits hold every 32-bit number, and Python refuses to convert texts of thousands.
    if len(parts) > 3 or any(len(part) > 10 for part in parts):
        raise ValueError("has too many parts or digits")
    numbers = [int(part) for part in parts]
    limit = 0xFFFF if len(numbers) == 2 else 0xFFFFFFFF
    if max(numbers) > limit:
        raise ValueError(f"has a part above {limit}")
    if len(numbers) == 2:
        return numbers[0] << 16 | numbers[1]
    return numbers[0], numbers[1], numbers[2]
