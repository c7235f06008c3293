"""Frames that Linux hosts sent on a LAN of network namespaces, read off the wire: what each asks, and claims.

10.0.0.12 and fd00:a::c are the host with MAC 72:41:ab:f3:ec:fc, fd00:a::77 is one that it had added.
"""

from ipaddress import ip_address

from openelb_bgp.host.ethernet import Dropped
from openelb_bgp.model.addresses import Address

_HOST = bytes.fromhex("7241abf3ecfc")
V4, V6, ADDED, ROUTABLE = (ip_address(text) for text in ("10.0.0.12", "fd00:a::c", "fd00:a::77", "fd00:a::b"))
ASKED = ip_address("10.0.0.11")
LINK_LOCAL = ip_address("fe80::7041:abff:fef3:ecfc")

Meaning = tuple[Address | None, tuple[Address, bytes] | None]

CAPTURED: dict[str, tuple[bytes, Meaning | Dropped]] = {
    name: (bytes.fromhex(frame), meaning)
    for name, frame, meaning in (
        (
            "an ARP request",
            "ffffffffffff7241abf3ecfc080600010800060400017241abf3ecfc0a00000c0000000000000a00000b",
            (ASKED, (V4, _HOST)),
        ),
        (
            "an ARP request to one host, for a cache entry grown old",
            "2613e3d379f77241abf3ecfc080600010800060400017241abf3ecfc0a00000c0000000000000a00000b",
            (ASKED, (V4, _HOST)),
        ),
        (
            "an ARP reply",
            "2613e3d379f77241abf3ecfc080600010800060400027241abf3ecfc0a00000c2613e3d379f70a00000b",
            (None, (V4, _HOST)),
        ),
        (
            "a solicitation",
            "3333ff00000b7241abf3ecfc86dd6000000000203afffd00000a00000000000000000000000cff02000000000000"
            "00000001ff00000b8700743500000000fd00000a00000000000000000000000b01017241abf3ecfc",
            (ROUTABLE, (V6, _HOST)),
        ),
        (
            "a solicitation to one host",
            "2613e3d379f77241abf3ecfc86dd6000000000203afffe800000000000007041abfffef3ecfcfd00000a00000000"
            "000000000000000b87006b9300000000fd00000a00000000000000000000000b01017241abf3ecfc",
            (ROUTABLE, (LINK_LOCAL, _HOST)),
        ),
        (
            "a look for duplicates, with a nonce (RFC 7527)",
            "3333ff0000777241abf3ecfc86dd6000000000203aff00000000000000000000000000000000ff02000000000000"
            "00000001ff000077870002c300000000fd00000a0000000000000000000000770e0142c5fb242df9",
            (ADDED, None),
        ),
        (
            "an unsolicited advertisement",
            "3333000000017241abf3ecfc86dd6000000000203afffd00000a000000000000000000000077ff02000000000000"
            "00000000000000018800d069a0000000fd00000a00000000000000000000007702017241abf3ecfc",
            (None, (ADDED, _HOST)),
        ),
        (
            "a solicited advertisement without a MAC",
            "2613e3d379f77241abf3ecfc86dd6000000000183afffd00000a00000000000000000000000cfe80000000000000"
            "2413e3fffed379f788003e1fc0000000fd00000a00000000000000000000000c",
            (None, (V6, _HOST)),
        ),
        (
            "a report of multicast groups",
            "3333000000167241abf3ecfc86dd6000000000240001fe800000000000007041abfffef3ecfcff02000000000000"
            "00000000000000163a000502000001008f0068d70000000104000000ff0200000000000000000001ff000000",
            Dropped.NOT_NEIGHBOUR_DISCOVERY,
        ),
        (
            "a redirect, with the packet that it is about",
            "2613e3d379f77241abf3ecfc86dd6000000000783afffe800000000000007041abfffef3ecfcfe80000000000000"
            "2413e3fffed379f78900573d00000000fd00000a00000000000000000000000cfd00000a00000000000000000000"
            "000c040a0000000000006000000000203afffe800000000000002413e3fffed379f7fd00000a0000000000000000"
            "0000000c87007a3800000000fd00000a00000000000000000000000c01012613e3d379f7",
            Dropped.NOT_NEIGHBOUR_DISCOVERY,
        ),
    )
}
