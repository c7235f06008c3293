"""Eip: a pool of addresses and how they are announced. Values only; `ipam` and the announcers decide."""

import enum
from collections.abc import Iterable, Mapping

import msgspec

from . import keys
from .addresses import Address, AddressRange, Family, total_size
from .meta import Key, Kind, LabelSelector, Meta, ObjectRef

INT64_MAX = 2**63 - 1


class Protocol(enum.StrEnum):
    """Which announcer serves a pool."""

    BGP = "bgp"
    LAYER2 = "layer2"
    VIP = "vip"


class Advertisement(msgspec.Struct, frozen=True, kw_only=True):
    """How the addresses of a pool are advertised by BGP, and to whom.

    `aggregation_length*` None is the full length. Communities are 32-bit numbers (RFC 1997), large ones
    triples (RFC 8092). `peers` names BgpPeers, empty for all.
    """

    aggregation_length: int | None = None
    aggregation_length_v6: int | None = None
    communities: tuple[int, ...] = ()
    large_communities: tuple[tuple[int, int, int], ...] = ()
    local_pref: int | None = None
    med: int | None = None
    as_path_prepend: int = 0
    peers: tuple[str, ...] = ()
    node_selector: LabelSelector | None = None
    service_selector: LabelSelector | None = None

    def length(self, family: Family) -> int:
        """The prefix length that this advertisement gives to an address of the family."""
        wanted = self.aggregation_length if family is Family.IPV4 else self.aggregation_length_v6
        return family.bits if wanted is None else wanted


PLAIN_ADVERTISEMENT = Advertisement()


class VipSettings(msgspec.Struct, frozen=True, kw_only=True):
    """VRRP settings of a vip pool. `advert_interval_ms` is in milliseconds."""

    virtual_router_ids: tuple[int, ...] = ()
    advert_interval_ms: int = 200
    unicast: bool = False


class Layer2Settings(msgspec.Struct, frozen=True, kw_only=True):
    """ARP and NDP settings of a layer2 pool. `garp_interval_seconds` 0 is the announcer's default."""

    garp_interval_seconds: int = 0
    any_subnet: bool = False


class Eip(msgspec.Struct, frozen=True, kw_only=True):
    """A pool.

    `ranges` are disjoint and in the order written. `interfaces` is the list of names or globs, or one
    `can_reach:IP`; empty means the NIC whose subnet holds the address. `namespaces` and
    `namespace_selector` bind the pool for automatic allocation; a selector that is the empty mapping
    binds every namespace, None binds none.
    """

    meta: Meta
    ranges: tuple[AddressRange, ...]
    excluded: tuple[AddressRange, ...] = ()
    protocol: Protocol = Protocol.BGP
    interfaces: tuple[str, ...] = ()
    disabled: bool = False
    priority: int = 0
    namespaces: frozenset[str] = frozenset()
    namespace_selector: Mapping[str, str] | None = None
    service_selector: LabelSelector | None = None
    enforce_namespaces: bool = False
    avoid_buggy_ips: bool = False
    node_selector: LabelSelector | None = None
    advertisements: tuple[Advertisement, ...] = ()
    vip: VipSettings = VipSettings()
    layer2: Layer2Settings = Layer2Settings()

    @property
    def name(self) -> str:
        """The pool's name."""
        return self.meta.name

    @property
    def ref(self) -> ObjectRef:
        """Its reference."""
        return ObjectRef(Kind.EIP, Key("", self.meta.name))

    @property
    def is_default(self) -> bool:
        """Whether the pool serves Services that no other pool is bound to."""
        return self.meta.annotations.get(keys.DEFAULT_EIP_ANNOTATION) == "true"

    @property
    def is_bound(self) -> bool:
        """Whether the pool is bound to any namespace, by name or by selector."""
        return bool(self.namespaces) or self.namespace_selector is not None

    @property
    def families(self) -> frozenset[Family]:
        """The families it has addresses of."""
        return frozenset(one.family for one in self.ranges)

    @property
    def size(self) -> int:
        """How many addresses its ranges hold, excluded ones included (not saturated)."""
        return total_size(self.ranges)

    @property
    def age(self) -> tuple[float, str]:
        """The older comes first, then the first by name: who has precedence where two claim the same."""
        return self.meta.created, self.meta.name

    def __contains__(self, address: Address) -> bool:
        return any(address in one for one in self.ranges)


def defaults(eips: Iterable[Eip]) -> dict[Family, Eip]:
    """The default pool of each family: of several that are marked the oldest, then the first by name."""
    found: dict[Family, Eip] = {}
    for eip in sorted((one for one in eips if one.is_default), key=lambda one: one.age):
        for family in eip.families:
            found.setdefault(family, eip)
    return found
