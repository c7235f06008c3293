"""Eip on the wire."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from .common import FullObjectMeta, LabelSelector, Text, Uint32, doc

Length4 = Annotated[int, Meta(ge=1, le=32)]
Length6 = Annotated[int, Meta(ge=1, le=128)]
Repeat = Annotated[int, Meta(ge=0, le=255)]
Milliseconds = Annotated[int, Meta(ge=10, le=40950)]


class Advertisement(msgspec.Struct, rename="camel", kw_only=True):
    """One way in which a pool's addresses are advertised by BGP."""

    aggregation_length: Annotated[
        Length4 | None, doc("Prefix length of the IPv4 routes; 32 when absent. Must lie inside the pool.")
    ] = None
    aggregation_length_v6: Annotated[
        Length6 | None, doc("Prefix length of the IPv6 routes; 128 when absent. Must lie inside the pool.")
    ] = None
    communities: Annotated[
        tuple[str, ...] | None,
        doc("Communities `a:b`, well-known names such as no-export, or large communities `a:b:c`."),
    ] = None
    local_pref: Annotated[Uint32 | None, doc("LOCAL_PREF; has an effect on iBGP peers only.")] = None
    med: Annotated[Uint32 | None, doc("MULTI_EXIT_DISC.")] = None
    as_path_prepend: Annotated[Repeat | None, doc("How often our own ASN is prepended once more.")] = None
    peers: Annotated[
        tuple[Text, ...] | None,
        doc("Names of the BgpPeers that get these routes; all when absent.", vital=True),
    ] = None
    node_selector: Annotated[
        LabelSelector | None, doc("Nodes that advertise these routes; all when absent.", vital=True)
    ] = None
    service_selector: Annotated[
        LabelSelector | None, doc("Services that are advertised so; all when absent.", vital=True)
    ] = None


class EipBgp(msgspec.Struct, rename="camel", kw_only=True):
    """BGP settings of a pool."""

    advertisements: Annotated[
        tuple[Advertisement, ...] | None,
        doc("How addresses are advertised; several add up. Absent: one plain route to all peers."),
    ] = None


class EipVip(msgspec.Struct, rename="camel", kw_only=True):
    """VRRP settings of a vip pool."""

    virtual_router_ids: Annotated[
        str | None, doc("VRIDs that may be used, such as `51-58` or `51,60-62`.", vital=True)
    ] = None
    advert_interval_ms: Annotated[
        Milliseconds | None, doc("VRRP advertisement interval in milliseconds; 200 when absent.")
    ] = msgspec.field(default=None, name="advertIntervalMs")
    unicast: Annotated[bool | None, doc("Send VRRP to the other nodes one by one, not by multicast.")] = None


class EipLayer2(msgspec.Struct, rename="camel", kw_only=True):
    """ARP and NDP settings of a layer2 pool."""

    garp_interval_seconds: Annotated[
        Annotated[int, Meta(ge=0, le=86400)] | None,
        doc("Seconds between periodic gratuitous announcements; 0 is the default interval."),
    ] = None
    any_subnet: Annotated[
        bool | None, doc("Answer on interfaces whose subnet does not hold the address, too.")
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
        ),
    ] = None
    protocol: Annotated[
        Literal["bgp", "layer2", "vip"] | None,
        doc("How addresses are announced; bgp when absent.", vital=True, remedy="write bgp, layer2 or vip"),
    ] = None
    interface: Annotated[
        str | None,
        doc("NIC names or globs (a comma list), `can_reach:IP`, or `auto`, which is the same as absent."),
    ] = None
    disable: Annotated[
        bool | None, doc("No new allocations; Services that hold an address keep it.", vital=True)
    ] = None
    using_known_ips: Annotated[bool | None, doc("Accepted, without effect.")] = msgspec.field(
        default=None, name="usingKnownIPs"
    )
    priority: Annotated[int | None, doc("Of pools bound to a namespace the lower goes first; 0.")] = None
    namespaces: Annotated[
        tuple[str, ...] | None, doc("Namespaces that the pool is bound to, by name.", vital=True)
    ] = None
    namespace_selector: Annotated[
        dict[str, str] | None,
        doc("Labels of the namespaces that the pool is bound to; {} binds all.", vital=True),
    ] = None
    service_selector: Annotated[
        LabelSelector | None, doc("Services that may take an address.", vital=True, ours=True)
    ] = None
    enforce_namespaces: Annotated[
        bool | None,
        doc(
            "Refuse Services outside the bound namespaces even if they name the pool.", vital=True, ours=True
        ),
    ] = None
    exclude_addresses: Annotated[
        tuple[str, ...] | None,
        doc(
            "Addresses of the pool that are never given: an IP, IP/length or IP1-IP2 each.",
            vital=True,
            ours=True,
        ),
    ] = None
    avoid_buggy_ips: Annotated[
        bool | None, doc("Never give IPv4 addresses that end in .0 or .255.", vital=True, ours=True)
    ] = msgspec.field(default=None, name="avoidBuggyIPs")
    node_selector: Annotated[
        LabelSelector | None, doc("Nodes that announce this pool; all when absent.", vital=True, ours=True)
    ] = None
    bgp: Annotated[EipBgp | None, doc("Settings for protocol bgp.", ours=True)] = None
    vip: Annotated[EipVip | None, doc("Settings for protocol vip.", ours=True)] = None
    layer2: Annotated[EipLayer2 | None, doc("Settings for protocol layer2.", ours=True)] = None


class EipDocument(msgspec.Struct, rename="camel", kw_only=True):
    """The whole object; its status is only ever written."""

    api_version: Any = None
    kind: Any = None
    metadata: FullObjectMeta = msgspec.field(default_factory=FullObjectMeta)
    spec: Annotated[EipSpec, doc("What is wanted.", vital=False)] = msgspec.field(default_factory=EipSpec)
    status: Any = None
