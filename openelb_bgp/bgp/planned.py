"""What a plan is: everything that one node's gobgpd shall run, and why it does not run more.

Values only, and what a plan remembers for the next one. How it is made is in `plan` and the modules beside
it; how it differs from what runs is `diff`'s matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from openelb_bgp.model.addresses import Address
from openelb_bgp.model.keys import DEFAULT_NAMESPACE
from openelb_bgp.model.meta import ObjectRef
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.statuses import PoolStatus, Problem

from .model import GlobalConf, PathAttrs, PathKey, PeerConf, RoutingPolicy

if TYPE_CHECKING:
    from .recall import PlanMemory

_NONE: Mapping[Any, Any] = MappingProxyType({})


class PlanOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How this process was started, as far as plans depend on it.

    `namespace` is where our Secrets and ConfigMaps are, `ignore_exclude_label` is `--ignore-exclude-lb`.
    """

    namespace: str = DEFAULT_NAMESPACE
    ignore_exclude_label: bool = False


DEFAULT_OPTIONS = PlanOptions()


class Probe(msgspec.Struct, frozen=True, order=True):
    """Another node's address that shall be probed every second on an interface, by ARP or NDP."""

    interface: str
    address: Address


class BgpPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What one node's gobgpd shall run.

    `complete` False says that something which decides has not been seen yet: then nothing may be withdrawn
    or pruned, and what runs stays. `global_conf` None (and complete) says that BGP shall not run here.
    `peers` is keyed by neighbour address. `changed` holds the keys whose path differs from the plan that
    was given as `previous`, None where all have to be compared. `left_out` says of a Service, Eip or
    BgpPeer why it is not announced or used by this node, or not wholly. `problems` are for the Speaker's
    status. `deadline` is the instant (monotonic) at which time alone changes the plan. `probes` are the
    addresses whose answers the next plan wants in `Facts.answering`.
    """

    node: str
    complete: bool = True
    global_conf: GlobalConf | None = None
    peers: Mapping[str, PeerConf] = _NONE
    routing: RoutingPolicy = RoutingPolicy()
    paths: Mapping[PathKey, PathAttrs] = _NONE
    changed: frozenset[PathKey] | None = None
    pools: tuple[PoolStatus, ...] = ()
    left_out: Mapping[ObjectRef, Refused] = _NONE
    problems: tuple[Problem, ...] = ()
    deadline: float | None = None
    probes: frozenset[Probe] = frozenset()
    standing_in_for: tuple[str, ...] = ()
    draining: bool = False
    memory: PlanMemory | None = None


def problem(ref: ObjectRef | str, reason: Reason, message: str) -> Problem:
    """A line for `Speaker.problems`."""
    return Problem(object=str(ref), reason=reason.value, message=message)


def soonest(*instants: float | None) -> float | None:
    """The earliest of those that are there."""
    return min((instant for instant in instants if instant is not None), default=None)
