"""What must not be taken for deleted, because nobody has seen it since this process started.

Pure. An object that could not be read at the start, or cannot be used and has no good version left, says
nothing about what ran before: what gobgpd was found with stays until the object can be read again. What a
plan of this process has named once is known, and goes when it is no longer wanted.
"""

import msgspec

from openelb_bgp.doubts import doubtful_addresses, unusable
from openelb_bgp.model import keys
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.meta import Kind, ref
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.statuses import Problem

from .model import PathKey, PeerConf


class Doubt(msgspec.Struct, frozen=True, kw_only=True):
    """What may be wanted though the plan does not hold it.

    `everything`: the global part, all peers and all paths; `all_paths`: any path. `peers` are BgpPeers'
    names, `addresses` those of Services whose pool or whose own manifest cannot be used.
    """

    everything: bool = False
    all_paths: bool = False
    peers: frozenset[str] = frozenset()
    addresses: frozenset[Address] = frozenset()

    def __bool__(self) -> bool:
        return self != NO_DOUBT

    def concerns_peer(self, peer: PeerConf) -> bool:
        """Whether the peer may be wanted."""
        return self.everything or peer.name in self.peers

    def concerns_path(self, key: PathKey) -> bool:
        """Whether the path may be wanted."""
        return self.everything or self.all_paths or any(one in key.prefix for one in self.addresses)


NO_DOUBT = Doubt()


def doubt_of(snapshot: Snapshot, *, node: str) -> Doubt:
    """What cannot be known from this snapshot."""
    found = frozenset(unusable(snapshot))
    if snapshot.unseen or not found.isdisjoint(
        (ref(Kind.BGP_CONF, keys.BGP_CONF_NAME), ref(Kind.NODE, node))
    ):
        return Doubt(everything=True)
    if not found:
        return NO_DOUBT
    return Doubt(
        all_paths=any(one.kind is Kind.ENDPOINT_SLICE for one in found),
        peers=frozenset(one.key.name for one in found if one.kind is Kind.BGP_PEER),
        addresses=doubtful_addresses(snapshot, found),
    )


def unseen_problem(snapshot: Snapshot, *, node: str) -> tuple[Problem, ...]:
    """What the Speaker says while objects may exist that nobody has seen."""
    if not snapshot.unseen:
        return ()
    message = f"{snapshot.unseen}; whatever gobgpd was found with at the start stays until then"
    return (Problem.of(ref(Kind.NODE, node), Reason.SOURCE_INCOMPLETE, message),)
