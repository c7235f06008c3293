"""Neighbour solicitation and advertisement (RFC 4861) as bytes. Pure; `packets` is the way in."""

import struct
from collections.abc import Mapping
from ipaddress import IPv6Address
from typing import NamedTuple

import msgspec

from .ethernet import ETHERTYPE_IPV6, HEADER, Dropped

UNSPECIFIED = IPv6Address(0)
_SOLICITED_NODE = int(IPv6Address("ff02::1:ff00:0"))

_IPV6 = struct.Struct("!IHBB16s16s")
_ICMPV6 = struct.Struct("!BBHI16s")
_PSEUDO_HEADER = struct.Struct("!16s16sIxxxB")
_ICMPV6_PROTOCOL = 58
_HOP_LIMIT = 255
_SOLICITATION, _ADVERTISEMENT = 135, 136
_SOURCE_MAC, _TARGET_MAC = 1, 2
_ROUTER, _SOLICITED, _OVERRIDE = 1 << 31, 1 << 30, 1 << 29


class Solicitation(msgspec.Struct, frozen=True, kw_only=True):
    """A neighbour solicitation (RFC 4861, 4.3).

    `mac` is the source link-layer address option, None where there is none. A `sender` of :: asks whether
    the address is free (duplicate address detection, RFC 4862, 5.4).
    """

    source: bytes
    destination: bytes
    sender: IPv6Address
    to: IPv6Address
    target: IPv6Address
    mac: bytes | None


class Advertisement(msgspec.Struct, frozen=True, kw_only=True):
    """A neighbour advertisement (RFC 4861, 4.4); `mac` is the target link-layer address option or None."""

    source: bytes
    destination: bytes
    sender: IPv6Address
    to: IPv6Address
    target: IPv6Address
    mac: bytes | None
    router: bool = False
    solicited: bool = False
    override: bool = False


def solicited_node(address: IPv6Address) -> IPv6Address:
    """The group that the holder of the address listens to (RFC 4291, 2.7.1)."""
    return IPv6Address(_SOLICITED_NODE | int(address) & 0xFFFFFF)


def multicast_mac(group: IPv6Address) -> bytes:
    """The MAC that carries an IPv6 group (RFC 2464, 7)."""
    return b"\x33\x33" + group.packed[12:]


def build_ndp(packet: Solicitation | Advertisement) -> bytes:
    """The whole frame."""
    if isinstance(packet, Solicitation):
        return _build(packet, _SOLICITATION, flags=0, option=_option(_SOURCE_MAC, packet.mac))
    flags = packet.router * _ROUTER | packet.solicited * _SOLICITED | packet.override * _OVERRIDE
    return _build(packet, _ADVERTISEMENT, flags=flags, option=_option(_TARGET_MAC, packet.mac))


def _build(packet: Solicitation | Advertisement, kind: int, *, flags: int, option: bytes) -> bytes:
    ends = packet.sender.packed, packet.to.packed
    body = _ICMPV6.pack(kind, 0, 0, flags, packet.target.packed) + option
    body = _ICMPV6.pack(kind, 0, _checksum(*ends, body), flags, packet.target.packed) + option
    header = _IPV6.pack(6 << 28, len(body), _ICMPV6_PROTOCOL, _HOP_LIMIT, *ends)
    return HEADER.pack(packet.destination, packet.source, ETHERTYPE_IPV6) + header + body


def _option(kind: int, mac: bytes | None) -> bytes:
    # RFC 4861, 4.6.1: the length counts units of 8 octets.
    return b"" if mac is None else bytes((kind, 1)) + mac


class _Envelope(NamedTuple):
    """The headers around an ICMPv6 message."""

    source: bytes
    destination: bytes
    sender: IPv6Address
    to: IPv6Address


def parse_ndp(frame: bytes, *, source: bytes, destination: bytes) -> Solicitation | Advertisement | Dropped:
    """The message in a frame of IPv6 whose Ethernet addresses have been read."""
    start = HEADER.size + _IPV6.size
    if len(frame) < start:
        return Dropped.TRUNCATED
    word, length, protocol, hop_limit, sender, to = _IPV6.unpack_from(frame, HEADER.size)
    if word >> 28 != 6:
        return Dropped.NOT_IPV6
    # No extension headers: hosts send none here, and fragments must be ignored (RFC 6980).
    if protocol != _ICMPV6_PROTOCOL:
        return Dropped.NOT_NEIGHBOUR_DISCOVERY
    body = frame[start : start + length]
    if not body or len(body) < length:
        return Dropped.TRUNCATED
    if body[0] not in (_SOLICITATION, _ADVERTISEMENT):
        return Dropped.NOT_NEIGHBOUR_DISCOVERY
    # RFC 4861, 7.1.1 and 7.1.2.
    if hop_limit != _HOP_LIMIT:
        return Dropped.HOP_LIMIT
    if len(body) < _ICMPV6.size:
        return Dropped.TRUNCATED
    if _checksum(sender, to, body) != 0:
        return Dropped.CHECKSUM
    return _parse_message(body, _Envelope(source, destination, IPv6Address(sender), IPv6Address(to)))


def _parse_message(body: bytes, around: _Envelope) -> Solicitation | Advertisement | Dropped:
    kind, code, _, flags, packed = _ICMPV6.unpack_from(body)
    target, options = IPv6Address(packed), _options(body[_ICMPV6.size :])
    if code != 0:
        return Dropped.CODE
    if options is None:
        return Dropped.BAD_OPTIONS
    if target.is_multicast:
        return Dropped.BAD_TARGET
    if kind == _ADVERTISEMENT:
        return _advertisement(around, target, options, flags)
    return _solicitation(around, target, options)


def _solicitation(
    around: _Envelope, target: IPv6Address, options: Mapping[int, bytes]
) -> Solicitation | Dropped:
    if around.sender == UNSPECIFIED and (around.to != solicited_node(target) or _SOURCE_MAC in options):
        return Dropped.BAD_PROBE
    return Solicitation(
        source=around.source,
        destination=around.destination,
        sender=around.sender,
        to=around.to,
        target=target,
        mac=options.get(_SOURCE_MAC),
    )


def _advertisement(
    around: _Envelope, target: IPv6Address, options: Mapping[int, bytes], flags: int
) -> Advertisement | Dropped:
    if around.to.is_multicast and flags & _SOLICITED:
        return Dropped.BAD_ANSWER
    return Advertisement(
        source=around.source,
        destination=around.destination,
        sender=around.sender,
        to=around.to,
        target=target,
        mac=options.get(_TARGET_MAC),
        router=bool(flags & _ROUTER),
        solicited=bool(flags & _SOLICITED),
        override=bool(flags & _OVERRIDE),
    )


def _options(data: bytes) -> dict[int, bytes] | None:
    """Each kind's first option of a MAC's size; None where one is malformed (RFC 4861, 4.6)."""
    found: dict[int, bytes] = {}
    while data:
        size = data[1] * 8 if len(data) > 1 else 0
        if size == 0 or size > len(data):
            return None
        if size == 8:
            found.setdefault(data[0], data[2:8])
        data = data[size:]
    return found


def _checksum(sender: bytes, to: bytes, body: bytes) -> int:
    """The ICMPv6 checksum (RFC 4443, 2.3; RFC 8200, 8.1); 0 over a body that carries the right one."""
    data = _PSEUDO_HEADER.pack(sender, to, len(body), _ICMPV6_PROTOCOL) + body
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
