"""Ethernet: MACs, the header of a frame, and why a frame of ARP or NDP is dropped. Pure."""

import enum
import struct

ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_ARP = 0x0806
ETHERTYPE_IPV6 = 0x86DD
ETHERTYPES_OF_TAGS = frozenset({0x8100, 0x88A8, 0x9100})

BROADCAST = b"\xff" * 6
NO_MAC = bytes(6)

HEADER = struct.Struct("!6s6sH")
"""Destination, source, ethertype."""


class Dropped(enum.StrEnum):
    """Why a frame is not a packet that we use."""

    TRUNCATED = "truncated"
    VLAN_TAGGED = "vlan tagged"
    OTHER_PROTOCOL = "neither ARP nor IPv6"
    NOT_ETHERNET_IPV4 = "ARP for something else than IPv4 over Ethernet"
    UNKNOWN_OPERATION = "ARP, but neither request nor reply"
    NOT_IPV6 = "not an IPv6 header"
    NOT_NEIGHBOUR_DISCOVERY = "IPv6, but neither solicitation nor advertisement"
    HOP_LIMIT = "hop limit is not 255: it passed a router"
    CHECKSUM = "wrong checksum"
    CODE = "ICMPv6 code is not 0"
    BAD_OPTIONS = "an option of length 0 or beyond the end"
    BAD_TARGET = "the target is a multicast address"
    BAD_PROBE = "a solicitation from :: to elsewhere than the target's group, or with a source MAC"
    BAD_ANSWER = "an answer to a question, yet multicast"


def parse_mac(text: str) -> bytes | None:
    """The 6 bytes of `aa:bb:cc:dd:ee:ff`; None for the zero MAC, a longer one (InfiniBand) or no MAC."""
    try:
        mac = bytes.fromhex(text.replace(":", ""))
    except ValueError:
        return None
    return mac if len(mac) == 6 and mac != NO_MAC else None
