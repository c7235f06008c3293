"""The vocabulary of the paths that we originate. Import it from `openelb_bgp.bgp.model`.

Which paths a node has is the plan's matter; how they look on the wire is `gobgp/`'s.
"""

import struct

import msgspec

from openelb_bgp.model.addresses import Address, Family, Network


class PathKey(msgspec.Struct, frozen=True, cache_hash=True, gc=False):
    """What identifies a local path in gobgpd: adding a path of the same key replaces it.

    `identifier` is 32 bits; paths of one prefix with different identifiers stand side by side (RFC 7911).
    """

    prefix: Network
    identifier: int = 0

    @property
    def family(self) -> Family:
        """The family of its prefix."""
        return Family.of(self.prefix)


class LinkBandwidth(msgspec.Struct, frozen=True):
    """The link bandwidth extended community (draft-ietf-idr-link-bandwidth); `asn` has 16 bits.

    The wire has a 32-bit float: the value is rounded to one here, so that what is read back is equal.
    """

    asn: int
    bytes_per_second: float

    def __post_init__(self) -> None:
        (rounded,) = struct.unpack("f", struct.pack("f", self.bytes_per_second))
        msgspec.structs.force_setattr(self, "bytes_per_second", rounded)


class PathAttrs(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """The attributes of a path; share one value between paths, translation is done once per value.

    `next_hop` None is the unspecified address: gobgpd writes each session's own. Communities are 32-bit
    numbers (ASN << 16 | value), sorted and without duplicates by whoever makes them. `as_path_prepend` is the
    AS path of the local path itself; towards eBGP gobgpd puts its own ASN in front. ORIGIN is always IGP.
    """

    next_hop: Address | None = None
    communities: tuple[int, ...] = ()
    large_communities: tuple[tuple[int, int, int], ...] = ()
    local_pref: int | None = None
    med: int | None = None
    as_path_prepend: tuple[int, ...] = ()
    link_bandwidth: LinkBandwidth | None = None


class Path(msgspec.Struct, frozen=True, gc=False):
    """A path to originate."""

    key: PathKey
    attrs: PathAttrs = PathAttrs()
