"""Pools made ready for allocation: which addresses each can give, which pools an address lies in, which serve
a namespace. Everything besides the Services that a decision depends on is in a PoolBook, and two equal books
lead to equal decisions. Who gets an address is decided in `choice`.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from openelb_bgp.model import keys
from openelb_bgp.model.addresses import Address, Family
from openelb_bgp.model.meta import EMPTY, Kind, Meta
from openelb_bgp.model.pools import Eip, Protocol, defaults
from openelb_bgp.model.snapshot import Snapshot

from .numbers import (
    Span,
    count_buggy,
    family_spans,
    holds,
    is_buggy,
    merge,
    number,
    span_of,
    subtract,
)


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator's flags say about allocation.

    `claim_all` takes every LoadBalancer Service without a class. `own_addresses` are addresses of machines
    besides those that Node objects show; like these they are never given out.
    """

    claim_all: bool = False
    own_addresses: frozenset[Address] = frozenset()


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """One Eip as allocation sees it.

    `eip` carries only what decisions depend on: its metadata is reduced to name, age and default mark.
    `blocked` says that it overlaps another and gives nothing new. `spans` are all its addresses, `giveable`
    those without excluded ones and nodes' own, both ascending; `capacity` counts what it can give in all.
    """

    name: str
    eip: Eip
    blocked: bool
    spans: tuple[Span, ...]
    giveable: tuple[Span, ...]
    capacity: int
    families: frozenset[Family]

    @property
    def order(self) -> tuple[int, str]:
        """Lower comes first where several pools may serve."""
        return self.eip.priority, self.eip.name

    def giveable_of(self, family: Family) -> tuple[Span, ...]:
        """What it can give of one family."""
        return family_spans(self.giveable, family)

    def can_give(self, value: int) -> bool:
        """Whether it gives that address at all, taken or not."""
        return holds(self.giveable, value) and not (self.eip.avoid_buggy_ips and is_buggy(value))

    def binds(self, namespace: str, labels: Mapping[str, str]) -> bool:
        """Whether it is bound to the namespace, by name or by the namespace's labels."""
        wanted = self.eip.namespace_selector
        return namespace in self.eip.namespaces or (
            wanted is not None and all(labels.get(key) == value for key, value in wanted.items())
        )


class PoolBook:
    """All pools, nodes' addresses and namespaces' labels of one snapshot. Never changes."""

    def __init__(self, snapshot: Snapshot, *, rules: Rules, blocked_pools: frozenset[str]) -> None:
        self.rules = rules
        self.blocked_pools = blocked_pools
        self.eips = terms_of(snapshot.eips)
        self.invalid = invalid_eips(snapshot)
        self.node_numbers = node_numbers(snapshot, rules)
        self.namespaces = labels_of(snapshot)
        nodes = merge((value, value) for value in self.node_numbers)
        self.pools = {
            name: _compiled(eip, blocked=name in blocked_pools, nodes=nodes)
            for name, eip in self.eips.items()
        }
        self._defaults = {family: eip.name for family, eip in defaults(self.eips.values()).items()}
        self._starts, self._owners = _index(self.pools.values())
        self._candidates: dict[tuple[str, Family, Protocol | None], tuple[Pool, ...]] = {}

    def holding(self, value: int) -> tuple[str, ...]:
        """Names of the pools that the address lies in; those that overlap another come last, then by name."""
        return self._owners[bisect_right(self._starts, value)]

    def bound(self, pool: Pool, namespace: str) -> bool:
        """Whether the pool is bound to the namespace; one that is only mentioned has no labels."""
        return pool.binds(namespace, self.namespaces.get(namespace, EMPTY))

    def candidates(self, namespace: str, family: Family, protocol: Protocol | None) -> tuple[Pool, ...]:
        """The pools that may serve a Service that names none, in the order in which they are tried.

        Those bound to the namespace, then the family's default, then, if a protocol is asked for, those bound
        to no namespace; by priority, then name. All have the family, and the protocol if one is asked for.
        """
        asked = (namespace, family, protocol)
        found = self._candidates.get(asked)
        if found is None:
            found = self._candidates[asked] = self._find_candidates(namespace, family, protocol)
        return found

    def _find_candidates(self, namespace: str, family: Family, protocol: Protocol | None) -> tuple[Pool, ...]:
        fitting = sorted(
            (
                pool
                for pool in self.pools.values()
                if family in pool.families and protocol in (None, pool.eip.protocol)
            ),
            key=lambda pool: pool.order,
        )
        bound = [pool for pool in fitting if self.bound(pool, namespace)]
        others = [pool for pool in fitting if not self.bound(pool, namespace)]
        default = [pool for pool in others if pool.name == self._defaults.get(family)]
        unbound = [pool for pool in others if not pool.eip.is_default and not pool.eip.is_bound]
        return (*bound, *default, *(unbound if protocol else ()))


def same_terms(
    book: PoolBook, snapshot: Snapshot, *, seen: Snapshot, rules: Rules, blocked_pools: frozenset[str]
) -> bool:
    """Whether a new book of that snapshot would equal this one, which is that of `seen`."""
    return (
        rules == book.rules
        and blocked_pools == book.blocked_pools
        and (snapshot.invalid is seen.invalid or invalid_eips(snapshot) == book.invalid)
        and (snapshot.namespaces is seen.namespaces or labels_of(snapshot) == book.namespaces)
        and (snapshot.nodes is seen.nodes or node_numbers(snapshot, rules) == book.node_numbers)
        and (snapshot.eips is seen.eips or terms_of(snapshot.eips) == book.eips)
    )


def terms_of(eips: Mapping[str, Eip]) -> dict[str, Eip]:
    """The Eips without what allocation does not look at, so that writing a status changes nothing here."""
    return {name: msgspec.structs.replace(eip, meta=_bare_meta(eip)) for name, eip in sorted(eips.items())}


def invalid_eips(snapshot: Snapshot) -> frozenset[str]:
    """Names of Eips that are there but cannot be used."""
    return frozenset(ref.key.name for ref in snapshot.invalid if ref.kind is Kind.EIP)


def node_numbers(snapshot: Snapshot, rules: Rules) -> frozenset[int]:
    """Every address that a node has, as numbers."""
    own = (number(address) for address in rules.own_addresses)
    return frozenset(own).union(number(one) for node in snapshot.nodes.values() for one in node.addresses)


def labels_of(snapshot: Snapshot) -> dict[str, Mapping[str, str]]:
    """The labels of every namespace."""
    return {name: namespace.meta.labels for name, namespace in snapshot.namespaces.items()}


def _bare_meta(eip: Eip) -> Meta:
    annotations = {keys.DEFAULT_EIP_ANNOTATION: "true"} if eip.is_default else EMPTY
    return Meta(name=eip.name, annotations=annotations, created=eip.meta.created)


def _compiled(eip: Eip, *, blocked: bool, nodes: Sequence[Span]) -> Pool:
    spans = merge(span_of(one) for one in eip.ranges)
    giveable = subtract(subtract(spans, merge(span_of(one) for one in eip.excluded)), nodes)
    capacity = sum(last - first + 1 for first, last in giveable)
    if eip.avoid_buggy_ips:
        capacity -= sum(count_buggy(span) for span in giveable)
    return Pool(
        name=eip.name,
        eip=eip,
        blocked=blocked,
        spans=spans,
        giveable=giveable,
        capacity=capacity,
        families=eip.families,
    )


def _index(pools: Iterable[Pool]) -> tuple[list[int], list[tuple[str, ...]]]:
    """Where membership changes along the line, and who holds the addresses after each change.

    `owners[bisect_right(starts, value)]` are the pools of a number; `owners[0]` is the part before the first.
    """
    ordered = sorted(pools, key=lambda pool: (pool.blocked, pool.name))
    starts = sorted({edge for pool in ordered for first, last in pool.spans for edge in (first, last + 1)})
    owners: list[list[str]] = [[] for _ in range(len(starts) + 1)]
    for pool in ordered:
        for first, last in pool.spans:
            for index in range(bisect_right(starts, first), bisect_right(starts, last) + 1):
                owners[index].append(pool.name)
    return starts, [tuple(names) for names in owners]
