"""BgpConf and BgpPeer on the wire, as OpenELB wrote them, and what is ours beside it."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from .common import Asn, FullObjectMeta, LabelSelector, OwnAsn, Port, Seconds24, Text, Ttl, Uint32, doc

# -1 is GoBGP's way to say "do not listen".
PORT_REMEDY = "write a port from 1 to 65535, or -1 to not listen; until then it is 179"
ListenPort = Annotated[int, Meta(ge=-1, le=65535)]
RestartSeconds = Annotated[int, Meta(ge=0, le=4095)]
Uint16 = Annotated[int, Meta(ge=0, le=65535)]
Octet = Annotated[int, Meta(ge=0, le=255)]
Percent = Annotated[int, Meta(ge=0, le=100)]
Microseconds = Annotated[int, Meta(ge=1, le=2**32 - 1)]
Duration = Annotated[float, Meta(ge=0, le=3600)]


class GracefulRestart(msgspec.Struct, rename="camel", kw_only=True):
    """Graceful restart (RFC 4724); times in seconds."""

    enabled: Annotated[bool | None, doc("Whether graceful restart is offered.")] = None
    restart_time: Annotated[
        RestartSeconds | None, doc("How long the peer keeps our routes; at most 4095 (RFC 4724, 3).")
    ] = None
    helper_only: Annotated[bool | None, doc("Help a restarting peer, but ask for no help.")] = None
    deferral_time: Annotated[Uint16 | None, doc("How long a restarted speaker waits for End-of-RIB.")] = None
    notification_enabled: Annotated[bool | None, doc("RFC 8538: a NOTIFICATION does not end it.")] = None
    longlived_enabled: Annotated[bool | None, doc("Long-lived graceful restart (RFC 9494).")] = None
    stale_routes_time: Annotated[Seconds24 | None, doc("How long stale routes of a peer are kept.")] = None
    peer_restart_time: Annotated[Seconds24 | None, doc("Read-only in GoBGP; accepted.")] = None
    peer_restarting: Annotated[bool | None, doc("Read-only in GoBGP; accepted.")] = None
    local_restarting: Annotated[bool | None, doc("Set the restart bit in the next OPEN.")] = None
    mode: Annotated[str | None, doc("As GoBGP has it; accepted.")] = None


class Drain(msgspec.Struct, rename="camel", kw_only=True):
    """How a node leaves."""

    grace_seconds: Annotated[Duration | None, doc("How long paths stay unattractive; 5 when absent.")] = None
    taints: Annotated[
        tuple[Text, ...] | None, doc("Keys of taints that drain a node; when absent three well-known ones.")
    ] = None


class BgpConfSpec(msgspec.Struct, rename="camel", kw_only=True):
    """BGP settings of all speakers."""

    asn: Annotated[
        OwnAsn | None,
        doc("Our AS number.", vital=True, remedy="write our AS number, from 1 to 4294967295"),
    ] = msgspec.field(default=None, name="as")
    as_per_rack: Annotated[
        dict[str, OwnAsn] | None, doc("AS numbers by the nodes' rack label; they replace `as`.", vital=True)
    ] = None
    router_id: Annotated[
        str | None, doc("Router id of all nodes, as a dotted quad; the node's InternalIP when absent.")
    ] = None
    listen_port: Annotated[
        ListenPort | None, doc("TCP port of gobgpd; 179 when absent, -1 to not listen.", remedy=PORT_REMEDY)
    ] = None
    listen_addresses: Annotated[
        tuple[str, ...] | None, doc("Addresses that gobgpd listens on; all when absent.")
    ] = None
    families: Annotated[
        tuple[Octet, ...] | None, doc("No effect: each peer's afiSafis say what its session carries.")
    ] = None
    use_multiple_paths: Annotated[bool | None, doc("Multipath in gobgpd's own table.")] = None
    graceful_restart: Annotated[GracefulRestart | None, doc("Defaults for all peers.")] = None
    policy: Annotated[
        str | None, doc("ConfigMap in our namespace whose key gobgp.conf holds GoBGP policy as TOML.")
    ] = None
    next_hops: Annotated[
        Literal["Auto", "Self", "Rack"] | None,
        doc("Whose next hops a speaker advertises; Auto when absent.", ours=True),
    ] = None
    stand_in_after_seconds: Annotated[
        Duration | None,
        doc("How long a node has had no session before others stand in; 10 when absent.", ours=True),
    ] = None
    weighted_ecmp: Annotated[
        bool | None, doc("Weigh the nodes of a Local Service by their ready endpoints.", ours=True)
    ] = None
    drain: Annotated[Drain | None, doc("How a node leaves.", ours=True)] = None


class BgpConfDocument(msgspec.Struct, rename="camel", kw_only=True):
    """The whole object; its status is only ever written."""

    api_version: Any = None
    kind: Any = None
    metadata: FullObjectMeta = msgspec.field(default_factory=FullObjectMeta)
    spec: BgpConfSpec = msgspec.field(default_factory=BgpConfSpec)
    status: Any = None


class SecretKeyRef(msgspec.Struct, rename="camel", kw_only=True):
    """A key of a Secret in our namespace."""

    name: Annotated[Text | None, doc("The Secret's name.", vital=True, required=True)] = None
    key: Annotated[Text | None, doc("The key of its data.", vital=True, required=True)] = None


class NeighborConf(msgspec.Struct, rename="camel", kw_only=True):
    """Who the neighbour is."""

    neighbor_address: Annotated[
        str | None,
        doc(
            "The neighbour's IP; a link-local one as fe80::1%eth0.", vital=True, remedy="write an IP address"
        ),
    ] = None
    neighbor_discovery: Annotated[
        Literal["DefaultGateway"] | None,
        doc("In place of neighborAddress: the gateways of the node's default routes.", vital=True, ours=True),
    ] = None
    peer_as: Annotated[
        Asn | None,
        doc("The neighbour's AS number; 0 or absent takes whatever eBGP AS it shows.", vital=True),
    ] = None
    local_as: Annotated[
        Asn | None, doc("Our AS number towards this neighbour; 0 is the same as absent.", vital=True)
    ] = None
    auth_password: Annotated[
        str | None, doc("TCP MD5 password, at most 80 bytes.", vital=True, secret=True)
    ] = None
    auth_password_secret_ref: Annotated[
        SecretKeyRef | None, doc("The password in a Secret of our namespace.", vital=True, ours=True)
    ] = None
    description: Annotated[str | None, doc("Free text.")] = None
    peer_group: Annotated[str | None, doc("Peer group in gobgpd.")] = None
    peer_type: Annotated[
        Literal[0, 1] | None, doc("0 internal, 1 external; follows from the AS numbers anyway.")
    ] = None
    remove_private_as: Annotated[
        Literal["NONE", "ALL", "REPLACE"] | None, doc("What becomes of private AS numbers in AS paths.")
    ] = None
    route_flap_damping: Annotated[bool | None, doc("Route flap damping.")] = None
    send_community: Annotated[
        Literal[0, 1, 2, 3] | None, doc("0 standard, 1 extended, 2 both, 3 none; stored by gobgpd only.")
    ] = None
    neighbor_interface: Annotated[str | None, doc("NIC of an unnumbered or link-local neighbour.")] = None
    vrf: Annotated[str | None, doc("VRF in gobgpd.")] = None
    allow_own_as: Annotated[Octet | None, doc("How often our AS may stand in a learned AS path.")] = None
    replace_peer_as: Annotated[bool | None, doc("Replace the peer's AS in paths by ours.")] = None
    admin_down: Annotated[bool | None, doc("Keep the session down.", vital=True)] = None


class EbgpMultihop(msgspec.Struct, rename="camel", kw_only=True):
    """An eBGP neighbour that is not on-link."""

    enabled: Annotated[bool | None, doc("Whether it is.")] = None
    multihop_ttl: Annotated[Octet | None, doc("TTL of our packets; 0 or absent: 255.")] = None


class TtlSecurity(msgspec.Struct, rename="camel", kw_only=True):
    """Generalized TTL security (RFC 5082)."""

    enabled: Annotated[bool | None, doc("Whether TTLs are checked.", vital=True)] = None
    ttl_min: Annotated[Ttl | None, doc("The least TTL accepted; 255 when absent.", vital=True)] = None


class TimersConfig(msgspec.Struct, rename="camel", kw_only=True):
    """Seconds, written as text."""

    connect_retry: Annotated[str | None, doc("Seconds between connection attempts.")] = None
    hold_time: Annotated[str | None, doc("0, or at least 3 (RFC 4271, 4.2).")] = None
    keepalive_interval: Annotated[str | None, doc("Less than holdTime.")] = None
    minimum_advertisement_interval: Annotated[str | None, doc("MRAI.")] = None


class Timers(msgspec.Struct, rename="camel", kw_only=True):
    """Timers of the session."""

    config: Annotated[TimersConfig | None, doc("Seconds, written as text.")] = None


class Transport(msgspec.Struct, rename="camel", kw_only=True):
    """The TCP connection."""

    mtu_discovery: Annotated[bool | None, doc("Path MTU discovery.")] = None
    passive_mode: Annotated[bool | None, doc("Wait for the neighbour to connect.")] = None
    remote_address: Annotated[str | None, doc("Accepted as GoBGP does.")] = None
    remote_port: Annotated[Port | None, doc("The neighbour's TCP port; 179 when absent.")] = None
    tcp_mss: Annotated[Uint16 | None, doc("TCP maximum segment size.")] = None
    local_address: Annotated[
        str | None, doc("Our address towards this neighbour.", vital=True, ours=True)
    ] = None


class FamilyName(msgspec.Struct, rename="camel", kw_only=True):
    """An address family."""

    afi: Annotated[Literal["AFI_IP", "AFI_IP6"] | None, doc("IPv4 or IPv6.")] = None
    safi: Annotated[Literal["SAFI_UNICAST"] | None, doc("Unicast.")] = None


class AfiSafiConfig(msgspec.Struct, rename="camel", kw_only=True):
    """Which address family, and whether it is on."""

    family: Annotated[FamilyName | None, doc("The address family.")] = None
    enabled: Annotated[bool | None, doc("True when absent.")] = None


class AddPathsConfig(msgspec.Struct, rename="camel", kw_only=True):
    """Additional paths (RFC 7911)."""

    receive: Annotated[bool | None, doc("Take several paths of a prefix from the neighbour.")] = None
    send_max: Annotated[Octet | None, doc("How many paths of a prefix the neighbour gets.")] = None


class AddPaths(msgspec.Struct, rename="camel", kw_only=True):
    """Additional paths (RFC 7911)."""

    config: Annotated[AddPathsConfig | None, doc("Settings.")] = None


class EnabledConfig(msgspec.Struct, rename="camel", kw_only=True):
    """A switch."""

    enabled: Annotated[bool | None, doc("Whether it is on.")] = None


class MpGracefulRestart(msgspec.Struct, rename="camel", kw_only=True):
    """Graceful restart of one family."""

    config: Annotated[EnabledConfig | None, doc("Settings.")] = None


class LongLivedConfig(msgspec.Struct, rename="camel", kw_only=True):
    """Long-lived graceful restart of one family (RFC 9494)."""

    enabled: Annotated[bool | None, doc("Whether it is on.")] = None
    restart_time: Annotated[Seconds24 | None, doc("How long the peer keeps our routes, in seconds.")] = None


class LongLivedGracefulRestart(msgspec.Struct, rename="camel", kw_only=True):
    """Long-lived graceful restart of one family (RFC 9494)."""

    config: Annotated[LongLivedConfig | None, doc("Settings.")] = None


class PrefixLimits(msgspec.Struct, rename="camel", kw_only=True):
    """How many prefixes the neighbour may send."""

    max_prefixes: Annotated[Uint32 | None, doc("The most prefixes; 0 is no limit.")] = None
    shutdown_threshold_pct: Annotated[Percent | None, doc("Warn from this share on, in percent.")] = None


class AfiSafi(msgspec.Struct, rename="camel", kw_only=True):
    """One address family of the session."""

    config: Annotated[AfiSafiConfig | None, doc("Which family.")] = None
    add_paths: Annotated[AddPaths | None, doc("Additional paths.")] = None
    mp_graceful_restart: Annotated[MpGracefulRestart | None, doc("Graceful restart.")] = None
    long_lived_graceful_restart: Annotated[
        LongLivedGracefulRestart | None, doc("Long-lived graceful restart.", ours=True)
    ] = None
    prefix_limits: Annotated[PrefixLimits | None, doc("Limit on received prefixes.", ours=True)] = None


class Bfd(msgspec.Struct, rename="camel", kw_only=True):
    """Bidirectional forwarding detection (RFC 5880); needs GoBGP 4.5 or later."""

    enabled: Annotated[bool | None, doc("Whether BFD watches the neighbour.")] = None
    desired_minimum_tx_interval: Annotated[Microseconds | None, doc("Microseconds.")] = None
    required_minimum_receive: Annotated[Microseconds | None, doc("Microseconds.")] = None
    detection_multiplier: Annotated[
        Annotated[int, Meta(ge=1, le=255)] | None, doc("Lost packets until the neighbour counts as down.")
    ] = None


class BgpPeerSpec(msgspec.Struct, rename="camel", kw_only=True):
    """A neighbour of the chosen nodes."""

    conf: Annotated[NeighborConf | None, doc("Who the neighbour is.", required=True)] = None
    ebgp_multihop: Annotated[EbgpMultihop | None, doc("For neighbours that are not on-link.")] = None
    ttl_security: Annotated[TtlSecurity | None, doc("RFC 5082; excludes ebgpMultihop.", ours=True)] = None
    timers: Annotated[Timers | None, doc("Timers.")] = None
    transport: Annotated[Transport | None, doc("The TCP connection.")] = None
    graceful_restart: Annotated[GracefulRestart | None, doc("In place of BgpConf's.")] = None
    bfd: Annotated[Bfd | None, doc("BFD.", ours=True)] = None
    afi_safis: Annotated[
        tuple[AfiSafi, ...] | None, doc("Address families; the neighbour's own when absent.")
    ] = None
    node_selector: Annotated[
        LabelSelector | None, doc("Nodes that speak to this neighbour; all when absent.", vital=True)
    ] = None


class BgpPeerDocument(msgspec.Struct, rename="camel", kw_only=True):
    """The whole object; its status is only ever written."""

    api_version: Any = None
    kind: Any = None
    metadata: FullObjectMeta = msgspec.field(default_factory=FullObjectMeta)
    spec: BgpPeerSpec = msgspec.field(default_factory=BgpPeerSpec)
    status: Any = None
