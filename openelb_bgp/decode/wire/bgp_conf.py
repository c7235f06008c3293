"""BgpConf on the wire, as OpenELB wrote it, and what is ours beside it."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from .common import FullObjectMeta, OwnAsn, Text
from .described import ALL_MODES, Edit, doc
from .restart import GracefulRestart

# -1 is GoBGP's way to say "do not listen".
PORT_REMEDY = "write a port from 1 to 65535, or -1 to not listen; until then it is 179"
ListenPort = Annotated[int, Meta(ge=-1, le=65535)]
Octet = Annotated[int, Meta(ge=0, le=255)]
Duration = Annotated[float, Meta(ge=0, le=3600)]


class Drain(msgspec.Struct, rename="camel", kw_only=True):
    """How a node leaves."""

    grace_seconds: Annotated[
        Duration | None, doc("How long paths stay unattractive; 5 when absent.", default="5", example=10)
    ] = None
    taints: Annotated[
        tuple[Text, ...] | None,
        doc(
            "Keys of taints that drain a node; when absent three well-known ones.",
            default="ToBeDeletedByClusterAutoscaler, karpenter.sh/disrupted, "
            "node.kubernetes.io/out-of-service",
            example=["node.kubernetes.io/unschedulable"],
        ),
    ] = None


class BgpConfSpec(msgspec.Struct, rename="camel", kw_only=True):
    """BGP settings of all speakers."""

    asn: Annotated[
        OwnAsn | None,
        doc(
            "Our AS number.",
            vital=True,
            remedy="write our AS number, from 1 to 4294967295",
            default="none: one has to be written",
            example=65000,
            edit=Edit.GOBGPD,
        ),
    ] = msgspec.field(default=None, name="as")
    as_per_rack: Annotated[
        dict[str, OwnAsn] | None,
        doc(
            "AS numbers by the nodes' rack label; they replace `as`.",
            vital=True,
            default="`as` everywhere",
            example={"r1": 65011, "r2": 65012},
            edit=Edit.GOBGPD,
        ),
    ] = None
    router_id: Annotated[
        str | None,
        doc(
            "Router id of all nodes, as a dotted quad; the node's InternalIP when absent.",
            default="the node's IPv4 InternalIP, else a hash of its name",
            example="192.0.2.254",
            edit=Edit.GOBGPD,
        ),
    ] = None
    listen_port: Annotated[
        ListenPort | None,
        doc(
            "TCP port of gobgpd; 179 when absent, -1 to not listen.",
            remedy=PORT_REMEDY,
            default="179",
            example=17900,
            edit=Edit.GOBGPD,
        ),
    ] = None
    listen_addresses: Annotated[
        tuple[str, ...] | None,
        doc(
            "Addresses that gobgpd listens on; all when absent.",
            default="all",
            example=["192.0.2.11"],
            edit=Edit.GOBGPD,
        ),
    ] = None
    families: Annotated[
        tuple[Octet, ...] | None,
        doc(
            "No effect: each peer's afiSafis say what its session carries.",
            default="not written",
            example=[],
            edit=Edit.NOTHING,
        ),
    ] = None
    use_multiple_paths: Annotated[
        bool | None,
        doc("Multipath in gobgpd's own table.", default="false", example=True, edit=Edit.GOBGPD),
    ] = None
    graceful_restart: Annotated[
        GracefulRestart | None, doc("Defaults for all peers.", edit=Edit.NEW_SESSION)
    ] = None
    policy: Annotated[
        str | None,
        doc(
            "ConfigMap in our namespace whose key gobgp.conf holds GoBGP policy as TOML.",
            default="none: nothing is learned, and ours alone is advertised",
            example="bgp-policy",
            edit=Edit.ROUTES,
        ),
    ] = None
    next_hops: Annotated[
        Literal["Auto", "Self", "Rack"] | None,
        doc(
            "Whose next hops a speaker advertises; Auto when absent.",
            ours=True,
            default="Auto",
            example="Self",
            edit=Edit.ROUTES,
        ),
    ] = None
    stand_in_after_seconds: Annotated[
        Duration | None,
        doc(
            "How long a node has had no session before others stand in; 10 when absent.",
            ours=True,
            default="10",
            example=30,
            edit=Edit.ROUTES,
        ),
    ] = None
    weighted_ecmp: Annotated[
        bool | None,
        doc(
            "Weigh the nodes of a Local Service by their ready endpoints.",
            ours=True,
            default="false",
            example=True,
            edit=Edit.ROUTES,
        ),
    ] = None
    drain: Annotated[Drain | None, doc("How a node leaves.", ours=True, modes=ALL_MODES, edit=Edit.DRAIN)] = (
        None
    )


class BgpConfDocument(msgspec.Struct, rename="camel", kw_only=True):
    """The whole object; its status is only ever written."""

    api_version: Any = None
    kind: Any = None
    metadata: FullObjectMeta = msgspec.field(default_factory=FullObjectMeta)
    spec: BgpConfSpec = msgspec.field(default_factory=BgpConfSpec)
    status: Any = None
