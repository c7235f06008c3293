"""The door of IPAM: from one snapshot to every Service's Decision and every pool's use.

1. Read what stands in each Service's status, and reserve all of it (rule 0).
2. Where two that may not share hold one address, the earlier keeps it.
3. Whoever lacks an address gets one: those who name an address first, then by creation, then key.
4. Count.
"""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

from openelb_bgp.model.meta import EMPTY, Key, Kind
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.snapshot import Snapshot

from .cycle import Memory, advance
from .decisions import Decision
from .pools import PoolBook, Rules, same_terms
from .usage import PoolUse

NEEDED = (Kind.EIP, Kind.SERVICE, Kind.NAMESPACE, Kind.NODE)
"""Kinds that must have been listed whole before anything is given or released."""


@dataclasses.dataclass(frozen=True)
class Allocation:
    """The result of one allocation.

    `services` has a Decision for every Service that is ours, was ours, asks for a node proxy, or carries a
    finalizer of OpenELB; `pools` a PoolUse for every usable Eip; neither is in any order. While `waiting` is
    set nothing is decided, both are empty, and nothing may be written. What did not change since `previous`
    is the same object.
    """

    services: Mapping[Key, Decision]
    pools: Mapping[str, PoolUse]
    waiting: Refused | None = None
    _memory: Memory | None = dataclasses.field(default=None, repr=False, compare=False)


def allocate(
    snapshot: Snapshot,
    *,
    rules: Rules,
    blocked_pools: frozenset[str] = frozenset(),
    previous: Allocation | None = None,
) -> Allocation:
    """Decide which Service gets which address.

    `blocked_pools` names Eips that overlap another: they keep what they gave and give nothing new. The
    result depends on the snapshot, `rules` and `blocked_pools` alone; `previous` only saves work. The
    snapshot must show what earlier Allocations decided and somebody wrote (`Decision.written` helps
    where the source is slower). An address that leaves a Service is free once the snapshot no longer shows
    it there, so that it never stands in two statuses at once.
    """
    missing = [kind for kind in NEEDED if not snapshot.has_listed(kind)]
    if missing:
        message = f"not yet listed: {', '.join(missing)}; addresses are given and released once they are"
        return Allocation(EMPTY, EMPTY, Refused(Reason.WAITING_FOR_SYNC, message))
    memory = previous._memory if previous else None
    if memory is None or not same_terms(
        memory.book, snapshot, seen=memory.snapshot, rules=rules, blocked_pools=blocked_pools
    ):
        memory = Memory(PoolBook(snapshot, rules=rules, blocked_pools=blocked_pools))
    memory = advance(memory, snapshot)
    return Allocation(memory.decisions, MappingProxyType(memory.pools), None, memory)
