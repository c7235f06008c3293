"""What one plan remembers for the next: to save work, and where the past decides.

Values only. Dropping it costs time, and what only the past can tell: passwords of Secrets that went, weights
that just changed, gateways that just went, for whom this node stands in.
"""

from collections.abc import Mapping

import msgspec

from openelb_bgp.eligibility import NodeState
from openelb_bgp.model.cluster import Node
from openelb_bgp.model.meta import EMPTY
from openelb_bgp.model.pools import Eip
from openelb_bgp.model.routing import Drain

from .discovery import GatewayMemory
from .nexthops import HopMemory
from .routes import RouteBook
from .user_policy import UserPolicy
from .variants import LargeCommunity, Variant


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
