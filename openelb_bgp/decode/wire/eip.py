"""Eip on the wire."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from .common import FullObjectMeta, LabelSelector, Text, Uint32
from .described import Edit, Mode, doc

Length4 = Annotated[int, Meta(ge=1, le=32)]
Length6 = Annotated[int, Meta(ge=1, le=128)]
Repeat = Annotated[int, Meta(ge=0, le=255)]
Milliseconds = Annotated[int, Meta(ge=10, le=40950)]


class Advertisement(msgspec.Struct, rename="camel", kw_only=True):
    """One way in which a pool's addresses are advertised by BGP."""

    aggregation_length: Annotated[
        Length4 | None,
        doc(
            "Prefix length of the IPv4 routes; 32 when absent. Must lie inside the pool.",
            default="32",
            example=28,
        ),
    ] = None
    aggregation_length_v6: Annotated[
        Length6 | None,
        doc(
            "Prefix length of the IPv6 routes; 128 when absent. Must lie inside the pool.",
            default="128",
            example=124,
        ),
    ] = None
    communities: Annotated[
        tuple[str, ...] | None,
        doc(
            "Communities `a:b`, well-known names such as no-export, or large communities `a:b:c`.",
            default="none",
            example=["65000:100", "no-export", "65000:1:2"],
        ),
    ] = None
    local_pref: Annotated[
        Uint32 | None,
        doc("LOCAL_PREF; has an effect on iBGP peers only.", default="gobgpd's, 100", example=200),
    ] = None
    med: Annotated[Uint32 | None, doc("MULTI_EXIT_DISC.", default="none", example=50)] = None
    as_path_prepend: Annotated[
        Repeat | None, doc("How often our own ASN is prepended once more.", default="0", example=2)
    ] = None
    peers: Annotated[
        tuple[Text, ...] | None,
        doc(
            "Names of the BgpPeers that get these routes; all when absent.",
            vital=True,
            default="all",
            example=["tor"],
        ),
    ] = None
    node_selector: Annotated[
        LabelSelector | None,
        doc(
            "Nodes that advertise these routes; all when absent.",
            vital=True,
            default="all",
            example={"matchLabels": {"openelb.kubesphere.io/rack": "r1"}},
        ),
    ] = None
    service_selector: Annotated[
        LabelSelector | None,
        doc(
            "Services that are advertised so; all when absent.",
            vital=True,
            default="all",
            example={"matchLabels": {"tier": "gold"}},
        ),
    ] = None


class EipBgp(msgspec.Struct, rename="camel", kw_only=True):
    """BGP settings of a pool."""

    advertisements: Annotated[
        tuple[Advertisement, ...] | None,
        doc(
            "How addresses are advertised; several add up. Absent: one plain route to all peers.",
        ),
    ] = None


class EipVip(msgspec.Struct, rename="camel", kw_only=True):
    """VRRP settings of a vip pool."""

    virtual_router_ids: Annotated[
        str | None,
        doc(
            "VRIDs that may be used, such as `51-58` or `51,60-62`.",
            vital=True,
            default="16 of 32 to 255, by the pool's identity",
            example="51-58",
        ),
    ] = None
    advert_interval_ms: Annotated[
        Milliseconds | None,
        doc(
            "VRRP advertisement interval in milliseconds; 200 when absent.",
            default="200",
            example=500,
            edit=Edit.VRRP_TIMING,
        ),
    ] = msgspec.field(default=None, name="advertIntervalMs")
    unicast: Annotated[
        bool | None,
        doc(
            "Send VRRP to the other nodes one by one, not by multicast.",
            default="false",
            example=True,
            edit=Edit.VRRP_TIMING,
        ),
    ] = None


class EipLayer2(msgspec.Struct, rename="camel", kw_only=True):
    """ARP and NDP settings of a layer2 pool."""

    garp_interval_seconds: Annotated[
        Annotated[int, Meta(ge=0, le=86400)] | None,
        doc(
            "Seconds between periodic gratuitous announcements; 0 is the default interval.",
            default="30",
            example=60,
            edit=Edit.ANNOUNCEMENTS,
        ),
    ] = None
    any_subnet: Annotated[
        bool | None,
        doc(
            "Answer on interfaces whose subnet does not hold the address, too.", default="false", example=True
        ),
    ] = None


class EipSpec(msgspec.Struct, rename="camel", kw_only=True):
    """A pool of addresses."""

    address: Annotated[
        str | None,
        doc(
            "One IP, `IP/length`, `IP1-IP2`, or a comma list of these; IPv4 or IPv6.",
            vital=True,
            required=True,
            remedy="write an IP, IP/length, IP1-IP2, or a comma list of these",
            default="none: one has to be written",
            example="192.0.2.0/28,192.0.2.32-192.0.2.40",
            edit=Edit.GIVEN_LATER,
        ),
    ] = None
    protocol: Annotated[
        Literal["bgp", "layer2", "vip"] | None,
        doc(
            "How addresses are announced; bgp when absent.",
            vital=True,
            remedy="write bgp, layer2 or vip",
            default="bgp",
            example="layer2",
            edit=Edit.PROTOCOL,
        ),
    ] = None
    interface: Annotated[
        str | None,
        doc(
            "NIC names or globs (a comma list), `can_reach:IP`, or `auto`, which is the same as absent.",
            default="auto: the NIC whose subnet holds the address",
            example="eth0,bond*",
            modes=(Mode.LAYER2, Mode.VIP),
            edit=Edit.OWNERS,
        ),
    ] = None
    disable: Annotated[
        bool | None,
        doc(
            "No new allocations; Services that hold an address keep it.",
            vital=True,
            default="false",
            example=True,
            edit=Edit.GIVEN_LATER,
        ),
    ] = None
    using_known_ips: Annotated[
        bool | None, doc("Accepted, without effect.", default="not written", example=True, edit=Edit.NOTHING)
    ] = msgspec.field(default=None, name="usingKnownIPs")
    priority: Annotated[
        int | None,
        doc(
            "Of pools bound to a namespace the lower goes first; 0.",
            default="0",
            example=10,
            edit=Edit.GIVEN_LATER,
        ),
    ] = None
    namespaces: Annotated[
        tuple[str, ...] | None,
        doc(
            "Namespaces that the pool is bound to, by name.",
            vital=True,
            default="none",
            example=["shop"],
            edit=Edit.GIVEN_LATER,
        ),
    ] = None
    namespace_selector: Annotated[
        dict[str, str] | None,
        doc(
            "Labels of the namespaces that the pool is bound to; {} binds all.",
            vital=True,
            default="none",
            example={"team": "shop"},
            edit=Edit.GIVEN_LATER,
        ),
    ] = None
    service_selector: Annotated[
        LabelSelector | None,
        doc(
            "Services that may take an address.",
            vital=True,
            ours=True,
            default="all",
            example={"matchLabels": {"tier": "gold"}},
            edit=Edit.GIVEN_LATER,
        ),
    ] = None
    enforce_namespaces: Annotated[
        bool | None,
        doc(
            "Refuse Services outside the bound namespaces even if they name the pool.",
            vital=True,
            ours=True,
            default="false",
            example=True,
            edit=Edit.GIVEN_LATER,
        ),
    ] = None
    exclude_addresses: Annotated[
        tuple[str, ...] | None,
        doc(
            "Addresses of the pool that are never given: an IP, IP/length or IP1-IP2 each.",
            vital=True,
            ours=True,
            default="none",
            example=["192.0.2.1", "192.0.2.8-192.0.2.9"],
            edit=Edit.GIVEN_LATER,
        ),
    ] = None
    avoid_buggy_ips: Annotated[
        bool | None,
        doc(
            "Never give IPv4 addresses that end in .0 or .255.",
            vital=True,
            ours=True,
            default="false",
            example=True,
            edit=Edit.GIVEN_LATER,
        ),
    ] = msgspec.field(default=None, name="avoidBuggyIPs")
    node_selector: Annotated[
        LabelSelector | None,
        doc(
            "Nodes that announce this pool; all when absent.",
            vital=True,
            ours=True,
            default="all",
            example={"matchLabels": {"openelb.kubesphere.io/rack": "r1"}},
            edit=Edit.ANNOUNCERS,
        ),
    ] = None
    bgp: Annotated[
        EipBgp | None, doc("Settings for protocol bgp.", ours=True, modes=(Mode.BGP,), edit=Edit.ROUTES)
    ] = None
    vip: Annotated[
        EipVip | None,
        doc("Settings for protocol vip.", ours=True, modes=(Mode.VIP,), edit=Edit.VIRTUAL_ROUTERS),
    ] = None
    layer2: Annotated[
        EipLayer2 | None,
        doc("Settings for protocol layer2.", ours=True, modes=(Mode.LAYER2,), edit=Edit.OWNERS),
    ] = None


class EipDocument(msgspec.Struct, rename="camel", kw_only=True):
    """The whole object; its status is only ever written."""

    api_version: Any = None
    kind: Any = None
    metadata: FullObjectMeta = msgspec.field(default_factory=FullObjectMeta)
    spec: Annotated[EipSpec, doc("What is wanted.")] = msgspec.field(default_factory=EipSpec)
    status: Any = None
