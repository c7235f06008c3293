"""BgpPeer on the wire, as OpenELB wrote it, and what is ours beside it."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from .afi_safis import AfiSafi
from .common import Asn, FullObjectMeta, LabelSelector, Port, Text, Ttl
from .described import Edit, doc
from .restart import GracefulRestart, Uint16

Octet = Annotated[int, Meta(ge=0, le=255)]
Microseconds = Annotated[int, Meta(ge=1, le=2**32 - 1)]


class SecretKeyRef(msgspec.Struct, rename="camel", kw_only=True):
    """A key of a Secret in our namespace."""

    name: Annotated[
        Text | None,
        doc(
            "The Secret's name.",
            vital=True,
            required=True,
            default="none: it has to be written",
            example="tor-password",
        ),
    ] = None
    key: Annotated[
        Text | None,
        doc(
            "The key of its data.",
            vital=True,
            required=True,
            default="none: it has to be written",
            example="password",
        ),
    ] = None


class NeighborConf(msgspec.Struct, rename="camel", kw_only=True):
    """Who the neighbour is."""

    neighbor_address: Annotated[
        str | None,
        doc(
            "The neighbour's IP; a link-local one as fe80::1%eth0.",
            vital=True,
            remedy="write an IP address",
            default="none: this or neighborDiscovery has to be written",
            example="192.0.2.1",
            edit=Edit.OTHER_NEIGHBOUR,
        ),
    ] = None
    neighbor_discovery: Annotated[
        Literal["DefaultGateway"] | None,
        doc(
            "In place of neighborAddress: the gateways of the node's default routes.",
            vital=True,
            ours=True,
            default="neighborAddress alone",
            example="DefaultGateway",
            edit=Edit.OTHER_NEIGHBOUR,
        ),
    ] = None
    peer_as: Annotated[
        Asn | None,
        doc(
            "The neighbour's AS number; 0 or absent takes whatever eBGP AS it shows.",
            vital=True,
            default="0",
            example=65001,
        ),
    ] = None
    local_as: Annotated[
        Asn | None,
        doc(
            "Our AS number towards this neighbour; 0 is the same as absent.",
            vital=True,
            default="that of BgpConf",
            example=65100,
        ),
    ] = None
    auth_password: Annotated[
        str | None,
        doc(
            "TCP MD5 password, at most 80 bytes.",
            vital=True,
            secret=True,
            default="none",
            example="as agreed with the router",
        ),
    ] = None
    auth_password_secret_ref: Annotated[
        SecretKeyRef | None, doc("The password in a Secret of our namespace.", vital=True, ours=True)
    ] = None
    description: Annotated[
        str | None, doc("Free text.", default="none", example="top of rack 1", edit=Edit.NOTHING)
    ] = None
    peer_group: Annotated[
        str | None,
        doc("Peer group in gobgpd.", default="none", example="routers", edit=Edit.NOTHING),
    ] = None
    peer_type: Annotated[
        Literal[0, 1] | None,
        doc(
            "0 internal, 1 external; follows from the AS numbers anyway.",
            default="as the AS numbers say",
            example=1,
            edit=Edit.NOTHING,
        ),
    ] = None
    remove_private_as: Annotated[
        Literal["NONE", "ALL", "REPLACE"] | None,
        doc("What becomes of private AS numbers in AS paths.", default="NONE", example="ALL"),
    ] = None
    route_flap_damping: Annotated[bool | None, doc("Route flap damping.", default="false", example=True)] = (
        None
    )
    send_community: Annotated[
        Literal[0, 1, 2, 3] | None,
        doc(
            "0 standard, 1 extended, 2 both, 3 none; stored by gobgpd only.",
            default="all kinds are sent",
            example=2,
            edit=Edit.NOTHING,
        ),
    ] = None
    neighbor_interface: Annotated[
        str | None,
        doc(
            "NIC of a link-local neighbour; counts only beside its address.",
            default="none",
            example="eth0",
            edit=Edit.OTHER_NEIGHBOUR,
        ),
    ] = None
    vrf: Annotated[
        str | None,
        doc(
            "VRF in gobgpd; the peer is left out, as ours has none.",
            default="none",
            example="red",
            edit=Edit.GOODBYE,
        ),
    ] = None
    allow_own_as: Annotated[
        Octet | None,
        doc("How often our AS may stand in a learned AS path.", default="0", example=1),
    ] = None
    replace_peer_as: Annotated[
        bool | None, doc("Replace the peer's AS in paths by ours.", default="false", example=True)
    ] = None
    admin_down: Annotated[
        bool | None,
        doc("Keep the session down.", vital=True, default="false", example=True, edit=Edit.GOODBYE),
    ] = None


class EbgpMultihop(msgspec.Struct, rename="camel", kw_only=True):
    """An eBGP neighbour that is not on-link."""

    enabled: Annotated[bool | None, doc("Whether it is.", default="false", example=True)] = None
    multihop_ttl: Annotated[
        Octet | None, doc("TTL of our packets; 0 or absent: 255.", default="255", example=3)
    ] = None


class TtlSecurity(msgspec.Struct, rename="camel", kw_only=True):
    """Generalized TTL security (RFC 5082)."""

    enabled: Annotated[
        bool | None, doc("Whether TTLs are checked.", vital=True, default="false", example=True)
    ] = None
    ttl_min: Annotated[
        Ttl | None,
        doc("The least TTL accepted; 255 when absent.", vital=True, default="255", example=254),
    ] = None


class TimersConfig(msgspec.Struct, rename="camel", kw_only=True):
    """Seconds, written as text."""

    connect_retry: Annotated[
        str | None, doc("Seconds between connection attempts.", default="5", example="10")
    ] = None
    hold_time: Annotated[
        str | None,
        doc(
            "0, or at least 3 (RFC 4271, 4.2).",
            default="9; 90 for a neighbour that is several hops away",
            example="30",
        ),
    ] = None
    keepalive_interval: Annotated[
        str | None, doc("Less than holdTime.", default="a third of holdTime", example="2")
    ] = None
    minimum_advertisement_interval: Annotated[str | None, doc("MRAI.", default="0", example="1")] = None


class Timers(msgspec.Struct, rename="camel", kw_only=True):
    """Timers of the session."""

    config: Annotated[TimersConfig | None, doc("Seconds, written as text.")] = None


class Transport(msgspec.Struct, rename="camel", kw_only=True):
    """The TCP connection."""

    mtu_discovery: Annotated[bool | None, doc("Path MTU discovery.", default="false", example=True)] = None
    passive_mode: Annotated[
        bool | None, doc("Wait for the neighbour to connect.", default="false", example=True)
    ] = None
    remote_address: Annotated[
        str | None, doc("Accepted as GoBGP does.", default="none", example="192.0.2.1")
    ] = None
    remote_port: Annotated[
        Port | None,
        doc("The neighbour's TCP port; 179 when absent.", default="179", example=17900),
    ] = None
    tcp_mss: Annotated[
        Uint16 | None, doc("TCP maximum segment size.", default="the kernel's", example=1240)
    ] = None
    local_address: Annotated[
        str | None,
        doc(
            "Our address towards this neighbour.",
            vital=True,
            ours=True,
            default="the kernel's choice",
            example="192.0.2.11",
        ),
    ] = None


class Bfd(msgspec.Struct, rename="camel", kw_only=True):
    """Bidirectional forwarding detection (RFC 5880); needs GoBGP 4.5 or later."""

    enabled: Annotated[
        bool | None, doc("Whether BFD watches the neighbour.", default="false", example=True)
    ] = None
    desired_minimum_tx_interval: Annotated[
        Microseconds | None, doc("Microseconds.", default="gobgpd's", example=100000)
    ] = None
    required_minimum_receive: Annotated[
        Microseconds | None, doc("Microseconds.", default="gobgpd's", example=100000)
    ] = None
    detection_multiplier: Annotated[
        Annotated[int, Meta(ge=1, le=255)] | None,
        doc("Lost packets until the neighbour counts as down.", default="gobgpd's", example=3),
    ] = None


class BgpPeerSpec(msgspec.Struct, rename="camel", kw_only=True):
    """A neighbour of the chosen nodes."""

    conf: Annotated[NeighborConf | None, doc("Who the neighbour is.", required=True)] = None
    ebgp_multihop: Annotated[EbgpMultihop | None, doc("For neighbours that are not on-link.")] = None
    ttl_security: Annotated[TtlSecurity | None, doc("RFC 5082; excludes ebgpMultihop.", ours=True)] = None
    timers: Annotated[Timers | None, doc("Timers.", edit=Edit.NEXT_SESSION)] = None
    transport: Annotated[Transport | None, doc("The TCP connection.")] = None
    graceful_restart: Annotated[GracefulRestart | None, doc("In place of BgpConf's.")] = None
    bfd: Annotated[Bfd | None, doc("BFD.", ours=True, edit=Edit.BFD)] = None
    afi_safis: Annotated[
        tuple[AfiSafi, ...] | None, doc("Address families; the neighbour's own when absent.")
    ] = None
    node_selector: Annotated[
        LabelSelector | None,
        doc(
            "Nodes that speak to this neighbour; all when absent.",
            vital=True,
            default="all",
            example={"matchLabels": {"openelb.kubesphere.io/rack": "r1"}},
            edit=Edit.NODES,
        ),
    ] = None


class BgpPeerDocument(msgspec.Struct, rename="camel", kw_only=True):
    """The whole object; its status is only ever written."""

    api_version: Any = None
    kind: Any = None
    metadata: FullObjectMeta = msgspec.field(default_factory=FullObjectMeta)
    spec: BgpPeerSpec = msgspec.field(default_factory=BgpPeerSpec)
    status: Any = None
