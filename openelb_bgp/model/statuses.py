"""Statuses in the shape that users read them (camelCase on the wire; omitted where empty).

They say what was observed, never what was asked for. Each has exactly one writer: a speaker writes its own
SpeakerStatus, the leading controller all the others. Times are RFC 3339 text, so an idle status never
changes.
"""

import msgspec

from .conditions import Condition
from .meta import ObjectRef
from .reasons import Reason

ESTABLISHED = "ESTABLISHED"
"""The session state in which routes are exchanged (RFC 4271, 8.2.2)."""


class EipStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Of an Eip. Zeros are written; `used` maps an address to `ns/name`, `;` between sharers."""

    occupied: bool = False
    usage: int = 0
    pool_size: int = 0
    used: dict[str, str] = {}
    first_ip: str = msgspec.field(default="", name="firstIP")
    last_ip: str = msgspec.field(default="", name="lastIP")
    ready: bool = False
    v4: bool = False
    announced_by: str = ""
    conditions: tuple[Condition, ...] = ()


class NodeConfStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What one node's gobgpd runs with."""

    router_id: str = ""
    asn: int = msgspec.field(default=0, name="as")


class BgpConfStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Of a BgpConf: per node."""

    nodes_conf_status: dict[str, NodeConfStatus] = {}
    conditions: tuple[Condition, ...] = ()


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

    peer_state: PeerState = PeerState()
    timers_state: TimersState = TimersState()


class BgpPeerStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Of a BgpPeer: per node."""

    nodes_peer_status: dict[str, NodePeerStatus] = {}
    conditions: tuple[Condition, ...] = ()


class LoadBalancerIngress(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False
):
    """One address of a Service."""

    ip: str = ""
    hostname: str = ""
    ip_mode: str = ""


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


class Layer2Status(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Addresses that this node answers for."""

    owned: tuple[str, ...] = ()


class VipStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Addresses that this node is VRRP master of."""

    master: tuple[str, ...] = ()


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

    started_at: str = ""
    boot_id: str = ""
    gobgp: GobgpStatus = GobgpStatus()
    interfaces: tuple[InterfaceStatus, ...] = ()
    sessions: tuple[SessionStatus, ...] = ()
    pools: tuple[PoolStatus, ...] = ()
    routes: RouteCounts = RouteCounts()
    applied_revision: int = 0
    standing_in_for: tuple[str, ...] = ()
    layer2: Layer2Status = Layer2Status()
    vip: VipStatus = VipStatus()
    problems: tuple[Problem, ...] = ()
    draining: bool = False
    summary: SpeakerSummary = SpeakerSummary()


MAX_PROBLEMS = 100
MAX_USED = 1000

Status = EipStatus | BgpConfStatus | BgpPeerStatus | ServiceStatus | SpeakerStatus
