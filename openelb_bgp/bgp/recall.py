"""What one plan remembers for the next, and a process finds of the one before: where the past decides.

Values only. Dropping a plan's memory costs time, and what only the past can tell: passwords of Secrets that
went, weights that just changed, gateways that just went, for whom this node stands in.
"""

from collections.abc import Mapping

import msgspec

from openelb_bgp.eligibility import NodeState
from openelb_bgp.model.cluster import Node
from openelb_bgp.model.meta import EMPTY
from openelb_bgp.model.pools import Eip
from openelb_bgp.model.routing import Drain
from openelb_bgp.model.snapshot import Snapshot

from .discovery import GatewayMemory
from .nexthops import HopMemory
from .routes import RouteBook
from .user_policy import UserPolicy
from .variants import LargeCommunity, Variant


def was_reported(snapshot: Snapshot, *, node: str, boot_id: str) -> bool:
    """Whether this node's Speaker tells of BGP on this boot: a process before ours, perhaps in another pod.

    A pod that takes another's place finds an empty folder, but neighbours that keep the routes of the one
    before, and would forget them if they were told of a boot.
    """
    before = snapshot.speakers.get(node)
    return before is not None and before.status.boot_id == boot_id and bool(before.status.gobgp.asn)


class Retired(msgspec.Struct, frozen=True):
    """A variant that no path uses any more, whose rules stay until then (monotonic seconds)."""

    variant: Variant
    until: float


class PlanMemory(msgspec.Struct, frozen=True, kw_only=True):
    """Everything remembered. `nodes`, `drain` and `eips` are what `states` and `pools` were made from."""

    nodes: Mapping[str, Node] = EMPTY
    drain: Drain | None = None
    states: Mapping[str, NodeState] = EMPTY
    eips: Mapping[str, Eip] = EMPTY
    pools: Mapping[str, Eip] = EMPTY
    hops: HopMemory | None = None
    gateways: GatewayMemory = EMPTY
    policy: UserPolicy | None = None
    book: RouteBook | None = None
    tagged: Mapping[LargeCommunity, Variant] = EMPTY
    retired: Mapping[LargeCommunity, Retired] = EMPTY
