"""The vocabulary of a BGP speaker and its peers, as they shall be. Import it from `openelb_bgp.bgp.model`.

Times are whole seconds unless a name says otherwise; 0 leaves a number to gobgpd. Who speaks to whom, and
with which defaults, is decided by the plan; what an edit does to a session by the diff.
"""

import hmac
from enum import StrEnum

import msgspec

from openelb_bgp.model.addresses import Family


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

    `listen_port` -1 does not listen. It holds a table for each family; which of them a session carries is a
    matter of its peer.
    """

    asn: int
    router_id: str
    listen_port: int = 179
    listen_addresses: tuple[str, ...] = ()
    use_multiple_paths: bool = False


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
    none. `peer_asn` 0 accepts whatever the peer shows. `neighbor_interface` with an empty address is an
    unnumbered session. An address with a zone (`fe80::1%eth0`) needs `transport.local_address` on GoBGP
    before 3.15, or every update resets it. `send_community` is stored by gobgpd and has no effect.
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
        return PeerType.INTERNAL if self.is_internal else PeerType.EXTERNAL

    @property
    def is_internal(self) -> bool:
        """Whether it is an iBGP peer."""
        return self.peer_asn == self.local_asn

    def carries(self, family: Family) -> bool:
        """Whether its session shall carry routes of the family."""
        return any(one.family is family and one.enabled for one in self.afi_safis)
