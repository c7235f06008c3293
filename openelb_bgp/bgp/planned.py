"""What a plan is: everything that one node's gobgpd shall run, and why it does not run more.

Values only, and what a plan remembers for the next one. How it is made is in `plan` and the modules beside
it; how it differs from what runs is `diff`'s matter.
"""

from collections.abc import Mapping

import msgspec

from openelb_bgp.model.facts import ProbeTarget
from openelb_bgp.model.keys import DEFAULT_NAMESPACE
from openelb_bgp.model.meta import EMPTY, ObjectRef
from openelb_bgp.model.reasons import Refused
from openelb_bgp.model.statuses import PoolStatus, Problem

from .doubt import NO_DOUBT, Doubt
from .model import GlobalConf, PathAttrs, PathKey, PeerConf, RoutingPolicy
from .recall import PlanMemory


class PlanOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How this process was started, as far as plans depend on it.

    `namespace` is where our Secrets and ConfigMaps are, `ignore_exclude_label` is `--ignore-exclude-lb`.
    """

    namespace: str = DEFAULT_NAMESPACE
    ignore_exclude_label: bool = False


DEFAULT_OPTIONS = PlanOptions()


class BgpPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What one node's gobgpd shall run.

    `complete` False says that something which decides has not been seen yet: then nothing may be withdrawn
    or pruned, and what runs stays. `global_conf` None (and complete) says that BGP shall not run here.
    `peers` is keyed by neighbour address. `changed` holds the keys whose path differs from the plan that
    was given as `previous`, None where all have to be compared. `doubt` says what else may be wanted though
    nobody has seen it: if gobgpd was found with it, it stays. `left_out` says of a Service, Eip or
    BgpPeer why it is not announced or used by this node, or not wholly. `problems` are for the Speaker's
    status. `deadline` is the instant (monotonic) at which time alone changes the plan. `probes` are the
    addresses whose answers the next plan wants in `Facts.answering`.
    """

    node: str
    complete: bool = True
    global_conf: GlobalConf | None = None
    peers: Mapping[str, PeerConf] = EMPTY
    routing: RoutingPolicy = RoutingPolicy()
    paths: Mapping[PathKey, PathAttrs] = EMPTY
    changed: frozenset[PathKey] | None = None
    pools: tuple[PoolStatus, ...] = ()
    left_out: Mapping[ObjectRef, Refused] = EMPTY
    problems: tuple[Problem, ...] = ()
    deadline: float | None = None
    probes: frozenset[ProbeTarget] = frozenset()
    standing_in_for: tuple[str, ...] = ()
    draining: bool = False
    doubt: Doubt = NO_DOUBT
    memory: PlanMemory | None = None
