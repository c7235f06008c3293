"""Statuses in the shape that users read them (camelCase on the wire; omitted where empty).

They say what was observed, never what was asked for. Each has exactly one writer: a speaker writes its own
SpeakerStatus, the leading controller all the others. Times are RFC 3339 text, so an idle status never
changes.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from .conditions import Condition
from .meta import ObjectRef
from .reasons import Reason
from .services import IngressPort

ESTABLISHED = "ESTABLISHED"
"""The session state in which routes are exchanged (RFC 4271, 8.2.2)."""


class EipStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Of an Eip. Zeros are written; `used` maps an address to `ns/name`, `;` between sharers."""

    occupied: Annotated[bool, Meta(description="Whether every address is given.")] = False
    usage: Annotated[int, Meta(description="How many addresses are given.")] = 0
    pool_size: Annotated[int, Meta(description="How many addresses there are; at most 2^63-1.")] = 0
    used: Annotated[
        dict[str, str],
        Meta(description="Who has an address: `ns/name`, `;` between sharers; at most 1000 addresses."),
    ] = {}
    first_ip: Annotated[str, Meta(description="The lowest address.")] = msgspec.field(
        default="", name="firstIP"
    )
    last_ip: Annotated[str, Meta(description="The highest address.")] = msgspec.field(
        default="", name="lastIP"
    )
    ready: Annotated[bool, Meta(description="Whether at least one speaker has configured the pool.")] = False
    v4: Annotated[bool, Meta(description="Whether the pool holds IPv4 addresses.")] = False
    announced_by: Annotated[str, Meta(description="Which nodes announce addresses of the pool.")] = ""
    conditions: Annotated[
        tuple[Condition, ...], Meta(description="Valid: it can be used. Ready: it is announced somewhere.")
    ] = ()


class NodeConfStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What one node's gobgpd runs with."""

    router_id: Annotated[str, Meta(description="Router id.")] = ""
    asn: Annotated[int, Meta(description="AS number.")] = msgspec.field(default=0, name="as")


class BgpConfStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Of a BgpConf: per node."""

    nodes_conf_status: Annotated[
        dict[str, NodeConfStatus], Meta(description="By node: what its gobgpd runs with.")
    ] = {}
    conditions: Annotated[
        tuple[Condition, ...], Meta(description="Valid: it can be used. Ready: every node runs it.")
    ] = ()


class MessageCounts(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """BGP messages by type, in one direction."""

    notification: int = 0
    update: int = 0
    open: int = 0
    keepalive: int = 0
    refresh: int = 0
    discarded: int = 0
    total: int = 0


class Messages(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Messages received and sent, as of the last change of the session's state."""

    received: MessageCounts = MessageCounts()
    sent: MessageCounts = MessageCounts()


class Queues(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Queue lengths of a session."""

    input: int = 0
    output: int = 0


class PeerState(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A session as gobgpd shows it; never the password."""

    session_state: str = "UNKNOWN"
    admin_state: str = ""
    neighbor_address: str = ""
    peer_as: int = 0
    local_as: int = 0
    peer_group: str = ""
    peer_type: str = ""
    description: str = ""
    router_id: str = ""
    out_q: int = 0
    flops: int = 0
    queues: Queues = Queues()
    messages: Messages = Messages()

    @property
    def is_established(self) -> bool:
        """Whether the session is up."""
        return self.session_state == ESTABLISHED


class TimersState(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A session's timers: seconds as text, as OpenELB wrote them; up and down times are RFC 3339."""

    negotiated_hold_time: str = ""
    hold_time: str = ""
    keepalive_interval: str = ""
    connect_retry: str = ""
    uptime: str = ""
    downtime: str = ""


class NodePeerStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A peer as one node sees it."""

    peer_state: Annotated[PeerState, Meta(description="The session.")] = PeerState()
    timers_state: Annotated[TimersState, Meta(description="Its timers.")] = TimersState()


class BgpPeerStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Of a BgpPeer: per node."""

    nodes_peer_status: Annotated[
        dict[str, NodePeerStatus], Meta(description="By node: the session with this neighbour.")
    ] = {}
    conditions: Annotated[
        tuple[Condition, ...],
        Meta(description="Valid: it can be used. Ready: every chosen node has a session."),
    ] = ()


class LoadBalancerIngress(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False
):
    """One address of a Service."""

    ip: str = ""
    hostname: str = ""
    ip_mode: str = ""
    ports: tuple[IngressPort, ...] = ()


class LoadBalancerStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A Service's addresses."""

    ingress: tuple[LoadBalancerIngress, ...] = ()


class ServiceStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """Of a Service: its addresses and our conditions."""

    load_balancer: LoadBalancerStatus = LoadBalancerStatus()
    conditions: tuple[Condition, ...] = ()


class InterfaceStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A NIC of the node."""

    name: str
    mac: str = ""
    subnets: tuple[str, ...] = ()
    up: bool = False


class GobgpStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The gobgpd beside the speaker; all empty where none answers."""

    version: str = ""
    asn: int = msgspec.field(default=0, name="as")
    router_id: str = ""


class SessionStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One session: `peer` names the BgpPeer; `since` and `lost_at` say when it came and went."""

    peer: str
    peer_state: PeerState = PeerState()
    timers_state: TimersState = TimersState()
    since: str = ""
    lost_at: str = ""
    last_error: str = ""


class PoolStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Whether this node has configured a pool, and why not."""

    name: str
    ready: bool = False
    reason: str = ""


class RouteCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many paths this node wants to announce and how many it does."""

    desired: int = 0
    announced: int = 0


class Problem(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Something that a speaker alone can know: `object` as `Kind name`, the Reason, and the remedy."""

    object: str
    reason: str
    message: str

    @classmethod
    def of(cls, ref: ObjectRef, reason: Reason, message: str) -> "Problem":
        """What is wrong with one object."""
        return cls(object=str(ref), reason=reason.value, message=message)


class OwnedAddress(msgspec.Struct, frozen=True, kw_only=True, order=True, omit_defaults=True, gc=False):
    """An address that a node answers for on one of its interfaces, whose MAC stands in `interfaces`."""

    address: str
    interface: str
    since: str = ""


class Layer2Status(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Addresses that this node answers for."""

    owned: tuple[OwnedAddress, ...] = ()


class VipStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Addresses that this node is VRRP master of, and the virtual routers, by keepalived's names for them."""

    master: tuple[str, ...] = ()
    virtual_routers: Annotated[
        tuple[str, ...],
        Meta(description="The virtual routers that the node is master of: v4_51_eth0 is IPv4, VRID 51."),
    ] = ()


class SpeakerSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The report at a glance, for columns that can only show what stands somewhere: `2/2` is up of all."""

    sessions: str = "0/0"
    routes: str = "0/0"
    problems: int = 0


class SpeakerStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Of a Speaker: what one node does and observes.

    `applied_revision` is the revision of the source up to which everything is applied; `problems` holds
    at most 100 entries and is where the exceptions stand.
    """

    started_at: Annotated[str, Meta(description="Since when the speaker runs.")] = ""
    boot_id: Annotated[str, Meta(description="The boot of the node that it runs in.")] = ""
    gobgp: Annotated[GobgpStatus, Meta(description="The gobgpd beside it.")] = GobgpStatus()
    interfaces: Annotated[
        tuple[InterfaceStatus, ...], Meta(description="The node's NICs that carry a subnet.")
    ] = ()
    sessions: Annotated[
        tuple[SessionStatus, ...], Meta(description="BGP sessions, and since when they are up or down.")
    ] = ()
    pools: Annotated[
        tuple[PoolStatus, ...], Meta(description="Whether the node has configured each pool, and why not.")
    ] = ()
    routes: Annotated[RouteCounts, Meta(description="How many routes are wanted and announced.")] = (
        RouteCounts()
    )
    applied_revision: Annotated[
        int, Meta(description="Up to which revision of the cluster everything is applied.")
    ] = 0
    standing_in_for: Annotated[
        tuple[str, ...],
        Meta(description="Nodes without a session, whose addresses this one announces for them."),
    ] = ()
    layer2: Annotated[Layer2Status, Meta(description="Addresses that the node answers for.")] = Layer2Status()
    vip: Annotated[VipStatus, Meta(description="Addresses that the node is VRRP master of.")] = VipStatus()
    problems: Annotated[
        tuple[Problem, ...], Meta(description="What only this node can know to be wrong; at most 100.")
    ] = ()
    draining: Annotated[bool, Meta(description="Whether the node is leaving.")] = False
    summary: Annotated[SpeakerSummary, Meta(description="All of it at a glance.")] = SpeakerSummary()


MAX_PROBLEMS = 100
MAX_USED = 1000

Status = EipStatus | BgpConfStatus | BgpPeerStatus | ServiceStatus | SpeakerStatus
