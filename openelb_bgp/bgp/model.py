"""The vocabulary of BGP: what a node's gobgpd shall run, and what it was seen to run.

Frozen values only, free of protobuf and of I/O: the plan makes them, the diff compares them, `gobgp/` puts
them on the wire and reads them back in the same words, so that desired and observed compare with `==`.
Policies are in `policy_model` and re-exported here. Kubernetes objects are not here (`openelb_bgp.model`),
and no decision is. Times are whole seconds unless a name says otherwise; 0 leaves a number to gobgpd.
"""

import hmac
import struct
from datetime import datetime
from enum import StrEnum

import msgspec

from openelb_bgp.bgp.policy_model import (
    Actions,
    AsPathPrepend,
    CommunityAction,
    CommunityMethod,
    Comparison,
    Conditions,
    DefinedKind,
    DefinedSet,
    Direction,
    Disposition,
    MatchOption,
    MatchSet,
    MedAction,
    NextHopKeyword,
    Operator,
    Origin,
    Policy,
    PolicyAssignment,
    PrefixRange,
    RouteType,
    RoutingPolicy,
    RpkiResult,
    Statement,
)
from openelb_bgp.model.addresses import Address, Family, Network

__all__ = [
    "Actions",
    "AddressFamily",
    "AdminState",
    "AsPathPrepend",
    "Bfd",
    "CommunityAction",
    "CommunityMethod",
    "Comparison",
    "Conditions",
    "DefinedKind",
    "DefinedSet",
    "Direction",
    "Disposition",
    "GlobalConf",
    "GracefulRestart",
    "LinkBandwidth",
    "MatchOption",
    "MatchSet",
    "MedAction",
    "MessageCounts",
    "NextHopKeyword",
    "ObservedGlobal",
    "ObservedPath",
    "ObservedPeer",
    "Operator",
    "Origin",
    "Password",
    "Path",
    "PathAttrs",
    "PathKey",
    "PeerCapabilities",
    "PeerConf",
    "PeerEvent",
    "PeerType",
    "Policy",
    "PolicyAssignment",
    "PrefixLimit",
    "PrefixRange",
    "RemovePrivate",
    "RouteType",
    "RoutingPolicy",
    "RpkiResult",
    "SessionState",
    "Statement",
    "TableCount",
    "Timers",
    "Transport",
]


class Password:
    """A TCP MD5 password (RFC 2385) that no repr, log line or encoder shows; `reveal()` gives the text."""

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        self.__text = text

    def reveal(self) -> str:
        """The text, for the one place that sends it to gobgpd."""
        return self.__text

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Password):
            return NotImplemented
        return hmac.compare_digest(self.__text.encode(), other.__text.encode())

    def __hash__(self) -> int:
        return hash((Password, self.__text))

    def __repr__(self) -> str:
        return "Password(***)"


class GracefulRestart(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 4724 settings, of the whole speaker or of one peer; `longlived_enabled` is RFC 9494.

    `local_restarting` tells gobgpd to open its next session with the restart bit set. `notification_enabled`
    is RFC 8538. `deferral_time` holds back all advertisements for a dead peer: keep it small.
    """

    enabled: bool = False
    restart_time: int = 0
    helper_only: bool = False
    deferral_time: int = 0
    notification_enabled: bool = False
    longlived_enabled: bool = False
    stale_routes_time: int = 0
    peer_restart_time: int = 0
    peer_restarting: bool = False
    local_restarting: bool = False
    mode: str = ""


class GlobalConf(msgspec.Struct, frozen=True, kw_only=True):
    """The speaker itself; any change of it needs StopBgp and StartBgp.

    `families` are GoBGP's own numbers (0 IPv4 unicast, 1 IPv6 unicast); () takes all. `listen_port` -1 does
    not listen.
    """

    asn: int
    router_id: str
    listen_port: int = 179
    listen_addresses: tuple[str, ...] = ()
    families: tuple[int, ...] = ()
    use_multiple_paths: bool = False
    graceful_restart: GracefulRestart | None = None


class PeerType(StrEnum):
    """iBGP or eBGP."""

    INTERNAL = "internal"
    EXTERNAL = "external"


class RemovePrivate(StrEnum):
    """What happens to private ASNs in paths towards this peer."""

    NONE = "none"
    ALL = "all"
    REPLACE = "replace"


class Timers(msgspec.Struct, frozen=True, kw_only=True):
    """A peer's timers, in seconds. GoBGP's defaults are 120, 90, a third of the hold time, 0 and 30."""

    connect_retry: int = 0
    hold_time: int = 0
    keepalive_interval: int = 0
    minimum_advertisement_interval: int = 0
    idle_hold_time_after_reset: int = 0


class Transport(msgspec.Struct, frozen=True, kw_only=True):
    """The TCP connection. `local_address` None lets the kernel choose; `remote_port` 0 is 179."""

    local_address: str | None = None
    bind_interface: str = ""
    passive_mode: bool = False
    remote_address: str = ""
    remote_port: int = 0
    mtu_discovery: bool = False
    tcp_mss: int = 0


class Bfd(msgspec.Struct, frozen=True, kw_only=True):
    """Single-hop BFD (RFC 5881), GoBGP 4.5 and later. Intervals in microseconds."""

    enabled: bool = True
    port: int = 0
    desired_minimum_tx_interval: int = 0
    required_minimum_receive: int = 0
    detection_multiplier: int = 0


class PrefixLimit(msgspec.Struct, frozen=True):
    """How many prefixes a peer may send; the session ends beyond it. `threshold_percent` warns before."""

    max_prefixes: int
    threshold_percent: int = 0


class AddressFamily(msgspec.Struct, frozen=True, kw_only=True):
    """One unicast address family of a peer.

    `add_paths_send_max` 0 sends one path a prefix. `llgr_restart_time` None: no long-lived graceful restart.
    """

    family: Family
    enabled: bool = True
    add_paths_receive: bool = False
    add_paths_send_max: int = 0
    mp_graceful_restart: bool = False
    llgr_restart_time: int | None = None
    prefix_limit: PrefixLimit | None = None


class PeerConf(msgspec.Struct, frozen=True, kw_only=True):
    """One session as it shall be; `neighbor_address` is its key in gobgpd.

    `name` is the BgpPeer it comes from and never reaches the wire. `local_asn` is the effective one, never 0:
    gobgpd before 3.15 fills it in at AddPeer but not at UpdatePeer, and would see a change where there is
    none. `peer_asn` 0 accepts whatever the peer shows (GoBGP 4.x). `neighbor_interface` alone, with an empty
    address, is an unnumbered session. `send_community` is stored by gobgpd and has no effect.
    `ebgp_multihop_ttl` and `ttl_security_min` exclude each other; None turns the feature off.
    """

    name: str
    neighbor_address: str
    peer_asn: int
    local_asn: int
    auth_password: Password | None = None
    description: str = ""
    peer_group: str = ""
    remove_private: RemovePrivate = RemovePrivate.NONE
    route_flap_damping: bool = False
    send_community: int = 0
    neighbor_interface: str = ""
    vrf: str = ""
    allow_own_asn: int = 0
    replace_peer_asn: bool = False
    admin_down: bool = False
    ebgp_multihop_ttl: int | None = None
    ttl_security_min: int | None = None
    timers: Timers = Timers()
    transport: Transport = Transport()
    graceful_restart: GracefulRestart | None = None
    bfd: Bfd | None = None
    afi_safis: tuple[AddressFamily, ...] = ()

    @property
    def peer_type(self) -> PeerType:
        """iBGP where both ASNs are equal, else eBGP."""
        return PeerType.INTERNAL if self.peer_asn == self.local_asn else PeerType.EXTERNAL


class PathKey(msgspec.Struct, frozen=True, cache_hash=True):
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


class Path(msgspec.Struct, frozen=True):
    """A path to originate."""

    key: PathKey
    attrs: PathAttrs = PathAttrs()


class ObservedGlobal(msgspec.Struct, frozen=True, kw_only=True):
    """What GetBgp shows of a started speaker (one that is not started is None)."""

    asn: int
    router_id: str
    listen_port: int
    listen_addresses: tuple[str, ...] = ()
    families: tuple[int, ...] = ()
    use_multiple_paths: bool = False
    graceful_restart: GracefulRestart | None = None


class SessionState(StrEnum):
    """States of the BGP finite state machine (RFC 4271, 8.2.2), spelt as in BgpPeer's status."""

    UNKNOWN = "UNKNOWN"
    IDLE = "IDLE"
    CONNECT = "CONNECT"
    ACTIVE = "ACTIVE"
    OPENSENT = "OPENSENT"
    OPENCONFIRM = "OPENCONFIRM"
    ESTABLISHED = "ESTABLISHED"


class AdminState(StrEnum):
    """Whether a peer is switched on; PFX_CT: switched off by its prefix limit."""

    UP = "UP"
    DOWN = "DOWN"
    PFX_CT = "PFX_CT"


class MessageCounts(msgspec.Struct, frozen=True, kw_only=True):
    """BGP messages of one direction since gobgpd started."""

    notification: int = 0
    update: int = 0
    open: int = 0
    keepalive: int = 0
    refresh: int = 0
    discarded: int = 0
    total: int = 0
    withdraw_update: int = 0
    withdraw_prefix: int = 0


class PeerCapabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What the peer's OPEN said; all empty before a session was up.

    `families` it speaks, `add_path_receive` families in which it takes several paths a prefix,
    `graceful_families` families that it preserves over our restart, `extended_next_hop` whether it takes
    IPv4 with IPv6 next hops (RFC 8950).
    """

    families: tuple[Family, ...] = ()
    add_path_receive: tuple[Family, ...] = ()
    graceful_restart: bool = False
    restart_time: int = 0
    graceful_families: tuple[Family, ...] = ()
    long_lived_families: tuple[Family, ...] = ()
    extended_next_hop: bool = False
    four_octet_asn: bool = False


class ObservedPeer(msgspec.Struct, frozen=True, kw_only=True):
    """A peer's state as ListPeer shows it, never with a password.

    `families` and `add_path_send` are what both sides agreed on in the current or last session.
    `local_address` is the session's own end while there is one. `disconnect_reason` and
    `disconnect_message` exist on GoBGP 4.x. Times are UTC; None: never up, never down.
    """

    neighbor_address: str
    neighbor_interface: str = ""
    peer_asn: int
    local_asn: int = 0
    peer_type: PeerType = PeerType.EXTERNAL
    peer_group: str = ""
    description: str = ""
    router_id: str = ""
    session_state: SessionState = SessionState.UNKNOWN
    admin_state: AdminState = AdminState.UP
    local_address: str = ""
    out_q: int = 0
    flops: int = 0
    queue_input: int = 0
    queue_output: int = 0
    received: MessageCounts = MessageCounts()
    sent: MessageCounts = MessageCounts()
    negotiated_hold_time: int = 0
    hold_time: int = 0
    keepalive_interval: int = 0
    connect_retry: int = 0
    uptime: datetime | None = None
    downtime: datetime | None = None
    remote: PeerCapabilities = PeerCapabilities()
    families: tuple[Family, ...] = ()
    add_path_send: tuple[Family, ...] = ()
    bfd_up: bool | None = None
    disconnect_reason: str = ""
    disconnect_message: str = ""

    @property
    def established(self) -> bool:
        """Whether the session is up."""
        return self.session_state is SessionState.ESTABLISHED


class PeerEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A peer came, changed its state or was deleted, as WatchEvent tells it; details are ListPeer's."""

    neighbor_address: str
    session_state: SessionState
    admin_state: AdminState = AdminState.UP
    deleted: bool = False


class ObservedPath(msgspec.Struct, frozen=True, kw_only=True):
    """A path in gobgpd's table. `local`: made through the API here, else learned from `neighbor`.

    `foreign` names attributes that `PathAttrs` has no word for: a local path with any is not ours.
    """

    key: PathKey
    attrs: PathAttrs
    local: bool
    neighbor: str = ""
    foreign: tuple[str, ...] = ()


class TableCount(msgspec.Struct, frozen=True):
    """How many prefixes and paths gobgpd's global table holds in one family, learned ones included."""

    destinations: int
    paths: int
