"""What an Eip says in text: its address ranges and its interfaces."""

import itertools
import re
from ipaddress import ip_network

from openelb_bgp.model.addresses import AddressRange, Family, parse_address, parse_range, range_of

_PREFIX = re.compile(r"\s*([0-9A-Fa-f:.]+)/(\d{1,9})\s*")
# Linux: IFNAMSIZ 16 with the final zero, no slash, no blank, no colon (aliases). `*?[]` for globs.
_INTERFACE = re.compile(r"[^\s/:]{1,64}")

# Addresses that a Service can never have, with what they are.
_UNUSABLE = tuple(
    (range_of(ip_network(network)), what)
    for network, what in (
        ("0.0.0.0/8", "addresses of 'this network'"),
        ("127.0.0.0/8", "loopback addresses"),
        ("224.0.0.0/4", "multicast addresses"),
        ("255.255.255.255/32", "the broadcast address"),
        ("::/128", "the unspecified address"),
        ("::1/128", "the loopback address"),
        ("::ffff:0:0/96", "IPv4 addresses in IPv6 clothing"),
        ("fe80::/10", "link-local addresses"),
        ("ff00::/8", "multicast addresses"),
    )
)


def ranges(text: str) -> tuple[AddressRange, ...]:
    """A comma list of IP, IP/length and IP1-IP2, disjoint, in the order written.

    Raises ValueError with a sentence that says what is wrong.
    """
    found = tuple(address_range(part) for part in text.split(",") if part.strip())
    if not found:
        raise ValueError("holds no address")
    ordered = sorted(found)
    for before, after in itertools.pairwise(ordered):
        if before.overlaps(after):
            raise ValueError(f"holds {before} and {after}, which overlap")
    for one in found:
        for unusable, what in _UNUSABLE:
            if one.overlaps(unusable):
                raise ValueError(f"holds {what}")
    return found


def address_range(text: str) -> AddressRange:
    """One IP, IP/length or IP1-IP2. Raises ValueError with a sentence that says what is wrong."""
    if prefix := _PREFIX.fullmatch(text):
        address, length = parse_address(prefix[1]), int(prefix[2])
        bits = Family.of(address).bits
        if length > bits:
            raise ValueError(f"has prefix length {length}, above {bits}")
    elif "/" in text:
        raise ValueError("is not an IP/length")
    try:
        return parse_range(text)
    except ValueError as error:
        # The remedy that some of these sentences end with is part of ours.
        raise ValueError(f"is no address range: {str(error).partition(';')[0]}") from None


def interfaces(text: str) -> tuple[str, ...]:
    """Names or globs, or one `can_reach:IP`; () for `auto` and for blank text. Raises ValueError."""
    if text.strip() in ("", "auto"):
        return ()
    kind, colon, target = text.strip().partition(":")
    if colon:
        if kind != "can_reach":
            raise ValueError("is neither a NIC nor can_reach:IP")
        return (f"can_reach:{parse_address(target)}",)
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    for name in names:
        if not _INTERFACE.fullmatch(name):
            raise ValueError(f"holds {name!r}, which is no name of a NIC")
    return names
