"""BgpConf and BgpPeer: what users say about BGP. What a node makes of them is `bgp/plan.py`'s matter.

None stands for "not written": defaults depend on the peer, the node and the GoBGP version, so the plan
fills them in.
"""

import enum

import msgspec

from . import keys
from .addresses import Address, Family
from .meta import Key, Kind, LabelSelector, Meta, ObjectRef


class NextHops(enum.StrEnum):
    """Whose next hops a speaker advertises."""

    AUTO = "Auto"
    SELF = "Self"
    RACK = "Rack"


class GracefulRestart(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 4724 and RFC 9494 settings; times in seconds."""

    enabled: bool | None = None
    restart_time: int | None = None
    helper_only: bool | None = None
    deferral_time: int | None = None
    notification_enabled: bool | None = None
    longlived_enabled: bool | None = None
    stale_routes_time: int | None = None
    peer_restart_time: int | None = None
    peer_restarting: bool | None = None
    local_restarting: bool | None = None
    mode: str | None = None


DEFAULT_DRAIN_TAINTS = (
    "ToBeDeletedByClusterAutoscaler",
    "karpenter.sh/disrupted",
    "node.kubernetes.io/out-of-service",
)


class Drain(msgspec.Struct, frozen=True, kw_only=True):
    """How a node leaves: how long its paths stay unattractive, and which taints ask for it."""

    grace_seconds: float = 5.0
    taints: tuple[str, ...] = DEFAULT_DRAIN_TAINTS


class BgpConf(msgspec.Struct, frozen=True, kw_only=True):
    """The speakers' common BGP settings. Only the object named `default` counts."""

    meta: Meta
    asn: int
    asn_per_rack: tuple[tuple[str, int], ...] = ()
    router_id: str | None = None
    listen_port: int = 179
    listen_addresses: tuple[str, ...] = ()
    families: tuple[int, ...] = ()
    use_multiple_paths: bool = False
    graceful_restart: GracefulRestart | None = None
    policy: str | None = None
    next_hops: NextHops = NextHops.AUTO
    stand_in_after: float = 10.0
    weighted_ecmp: bool = False
    drain: Drain = Drain()

    @property
    def ref(self) -> ObjectRef:
        """Its reference."""
        return ObjectRef(Kind.BGP_CONF, Key("", self.meta.name))

    @property
    def left_to_cni(self) -> bool:
        """Whether its label hands it to the CNI."""
        return keys.CNI_LABEL in self.meta.labels


class AfiSafi(msgspec.Struct, frozen=True, kw_only=True):
    """One address family of a peer. `send_max` None is "not written"; times in seconds."""

    family: Family
    enabled: bool = True
    add_paths_receive: bool | None = None
    add_paths_send_max: int | None = None
    mp_graceful_restart: bool | None = None
    long_lived_restart_time: int | None = None
    long_lived_enabled: bool = False
    prefix_limit: int | None = None
    prefix_limit_shutdown_threshold: int | None = None


class Bfd(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 5880 settings; intervals in microseconds."""

    enabled: bool = False
    desired_minimum_tx_interval: int | None = None
    required_minimum_receive: int | None = None
    detection_multiplier: int | None = None


class Timers(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds; None where not written."""

    connect_retry: int | None = None
    hold_time: int | None = None
    keepalive_interval: int | None = None
    minimum_advertisement_interval: int | None = None


class Transport(msgspec.Struct, frozen=True, kw_only=True):
    """The TCP connection of a peer."""

    mtu_discovery: bool | None = None
    passive_mode: bool | None = None
    remote_address: str | None = None
    remote_port: int | None = None
    tcp_mss: int | None = None
    local_address: Address | None = None


LONGEST_PASSWORD = 80
"""Bytes of a TCP MD5 password: Linux, TCP_MD5SIG_MAXKEYLEN."""


class SecretKeyRef(msgspec.Struct, frozen=True):
    """A key of a Secret in our namespace."""

    name: str
    key: str


class BgpPeer(msgspec.Struct, frozen=True, kw_only=True):
    """A neighbour of the chosen nodes.

    `neighbor_address` is text because a link-local one carries its zone (`fe80::1%eth0`); None together
    with `neighbor_discovery` "DefaultGateway". `peer_asn` 0 takes whatever eBGP ASN the peer shows.
    """

    meta: Meta
    peer_asn: int
    neighbor_address: str | None = None
    neighbor_discovery: str | None = None
    local_asn: int | None = None
    auth_password: str | None = None
    auth_password_ref: SecretKeyRef | None = None
    description: str | None = None
    peer_group: str | None = None
    peer_type: str | None = None
    remove_private_as: str | None = None
    route_flap_damping: bool | None = None
    send_community: str | None = None
    neighbor_interface: str | None = None
    vrf: str | None = None
    allow_own_asn: int | None = None
    replace_peer_asn: bool | None = None
    admin_down: bool | None = None
    ebgp_multihop_ttl: int | None = None
    ttl_security_min: int | None = None
    timers: Timers = Timers()
    transport: Transport = Transport()
    graceful_restart: GracefulRestart | None = None
    bfd: Bfd | None = None
    afi_safis: tuple[AfiSafi, ...] = ()
    node_selector: LabelSelector | None = None

    def __repr__(self) -> str:
        return f"BgpPeer({self.meta.name!r}, {self.neighbor_address!r}, AS{self.peer_asn})"

    @property
    def name(self) -> str:
        """The object's name."""
        return self.meta.name

    @property
    def ref(self) -> ObjectRef:
        """Its reference."""
        return ObjectRef(Kind.BGP_PEER, Key("", self.meta.name))

    @property
    def left_to_cni(self) -> bool:
        """Whether its label hands it to the CNI."""
        return keys.CNI_LABEL in self.meta.labels
