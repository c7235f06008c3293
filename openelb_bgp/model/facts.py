"""What this node itself knows that no object says: its links, gateways, sessions, probes, and the time.

Frozen; `host/` and the announcers are the sources, and a change of Facts is a wake-up. All instants are
seconds on the observer's monotonic clock, so a clock that is set changes nothing.
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from .addresses import Address, Family, Interface
from .forwarding import Forwarding
from .members import Members
from .meta import EMPTY

NOT_NICS = frozenset({"lo", "kube-ipvs0", "nodelocaldns"})
"""Interfaces by which nothing leaves the node; their addresses say nothing of a network beside it."""


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A network interface. `up` means administratively up with carrier."""

    name: str
    index: int
    mac: str = ""
    up: bool = False
    addresses: tuple[Interface, ...] = ()

    def on_link(self, address: Address) -> bool:
        """Whether the address lies in a subnet of this interface."""
        return any(one.version == address.version and address in one.network for one in self.addresses)

    @property
    def subnets(self) -> tuple[str, ...]:
        """Its subnets as text, sorted; without link-local ones, and single addresses, which are none."""
        found = {
            str(one.network)
            for one in self.addresses
            if not one.ip.is_link_local and one.network.prefixlen < one.max_prefixlen
        }
        return tuple(sorted(found))


class Gateway(msgspec.Struct, frozen=True, order=True):
    """A next hop of a default route; `metric` as the kernel orders them, lower wins."""

    version: int
    metric: int
    address: str
    interface: str

    @property
    def family(self) -> Family:
        """The family of the default route."""
        return Family(self.version)


class ProbeTarget(NamedTuple):
    """Another node's address that is asked for on an interface, every second, by ARP or NDP."""

    interface: str
    address: Address


class SessionFact(msgspec.Struct, frozen=True, kw_only=True):
    """A BGP session of this node, keyed by the neighbour's address.

    `since` is when it came up, `lost_at` when it last went; None for never. `negotiated` are the families
    in use, `add_path` those for which the peer takes several paths. `local_address` is our end of it.
    """

    peer: str
    established: bool
    since: float | None = None
    lost_at: float | None = None
    negotiated: frozenset[Family] = frozenset()
    add_path: frozenset[Family] = frozenset()
    local_address: Address | None = None
    remote_graceful_restart: bool = False


class SessionSeen(NamedTuple):
    """Another node's session as this node has observed it: whether it is up, and since when it is so."""

    up: bool
    since: float


class SpeakerFact(msgspec.Struct, frozen=True, kw_only=True):
    """What this node has observed of another's speaker.

    `established` and `without` map a BgpPeer's name to when this node first saw that speaker with, or
    without, an established session to it. `sessions` holds each session by BgpPeer and neighbour's address
    (without a zone), where a report tells them apart: one BgpPeer may stand for several gateways.
    `quiet_since` is when it stopped being ready or vanished, None
    while it lives. `caught_up_since` is when this node first saw it report everything that it wants as
    announced, None while it reports less. `leaving` is whether it last reported that its node is being
    taken out, `unproven` whether it reports that its node has not been seen forwarding since its boot.
    """

    node: str
    established: Mapping[str, float] = EMPTY
    without: Mapping[str, float] = EMPTY
    sessions: Mapping[tuple[str, str], SessionSeen] = EMPTY
    quiet_since: float | None = None
    caught_up_since: float | None = None
    leaving: bool = False
    unproven: bool = False

    @property
    def has_left(self) -> bool:
        """Whether the node was taken out on purpose: its speaker said so, and then went."""
        return self.leaving and self.quiet_since is not None


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that this node knows by itself at `now` (monotonic seconds).

    `routes` says of an address that a pool names by `can_reach:` which interface leads there, empty for
    none; one that is not in it has not been looked for yet. `answering` holds addresses of other nodes that
    answer our ARP or NDP probes. `adopted` holds the `(prefix, next hop)` texts found in gobgpd when it was
    adopted, None while it has not been read (a plan made then is not complete: what a restarted speaker
    stood in for is not known). `first_seen` is when this process began to observe. `forwarding` says what
    the node's data plane, as far as it has been seen working since boot, allows to announce. `members` are
    void until heartbeats run: whatever has one owner among the nodes has none here before.
    """

    node: str
    now: float
    links: tuple[Link, ...] = ()
    gateways: tuple[Gateway, ...] = ()
    routes: Mapping[Address, str] = EMPTY
    sessions: Mapping[str, SessionFact] = EMPTY
    speakers: Mapping[str, SpeakerFact] = EMPTY
    answering: frozenset[Address] = frozenset()
    adopted: frozenset[tuple[str, str]] | None = frozenset()
    gobgp_version: tuple[int, int] | None = None
    first_seen: float = 0.0
    forwarding: Forwarding = Forwarding()
    draining_since: float | None = None
    members: Members = Members()
