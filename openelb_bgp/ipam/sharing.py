"""When two Services may have one address, and who keeps it when two that may not both hold it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from openelb_bgp.model import keys
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.meta import EMPTY, Key
from openelb_bgp.model.services import Service

from .claims import Claim


class Contest(msgspec.Struct, frozen=True):
    """Several of our Services hold one address in their status.

    `keepers` keep it, the earliest first; `losers` maps those that must leave it to a keeper and a sentence
    why; `taken_over` are keepers that share only because they did before we came.
    """

    keepers: tuple[Key, ...]
    losers: Mapping[Key, tuple[Key, str]] = EMPTY
    taken_over: frozenset[Key] = frozenset()


def why_not_shared(one: Service, other: Service) -> str:
    """What speaks against the two having one address; empty if nothing does."""
    clash = _listeners(one) & _listeners(other)
    if clash:
        protocol, port = min(clash)
        return f"both listen on {protocol} port {port}; give one of them another port or address"
    same_namespace = one.meta.namespace == other.meta.namespace
    if not same_namespace and not _invite_each_other(one, other):
        return (
            "they are in different namespaces; give both the annotation "
            f"{keys.ALLOW_SHARED_ANNOTATION} with the same value"
        )
    # Announced from one node's endpoints, the address would reach nodes without the other's.
    same_backends = same_namespace and bool(one.selector) and one.selector == other.selector
    if (one.local or other.local) and not same_backends:
        return (
            "externalTrafficPolicy is Local and their backends differ; give both the same selector, "
            "or the policy Cluster"
        )
    return ""


def settle(address: Address, holders: Iterable[Claim]) -> Contest:
    """Who keeps an address that several hold: the earliest, and whoever may share it with all keepers."""
    keepers = _Keepers()
    losers: dict[Key, tuple[Key, str]] = {}
    for claim in sorted(holders, key=lambda one: one.age):
        before_us = _shared_before_us(address, claim.service)
        found = keepers.objection(claim.service, before_us=before_us)
        if found is None:
            keepers.add(claim.service, before_us=before_us)
        else:
            losers[claim.key] = found
    taken_over = keepers.before_us if len(keepers.before_us) > 1 else ()
    return Contest(tuple(keepers.order), losers, frozenset(taken_over))


class _Terms(NamedTuple):
    """What of a Service besides its ports decides with whom it may share."""

    namespace: str
    invitation: str
    local: bool
    selector: frozenset[tuple[str, str]]


class _Keepers:
    """Those who keep one address, the earliest first.

    A thousand Services may share one, so they are known by what they listen on and by their terms: one more
    is not compared with each. `before_us` are those that had it when we took over: they share it among
    themselves whatever they are.
    """

    def __init__(self) -> None:
        self.order: dict[Key, int] = {}
        self.before_us: list[Key] = []
        self._services: dict[Key, Service] = {}
        self._listening: dict[tuple[tuple[str, int], bool], Key] = {}
        self._terms: dict[tuple[_Terms, bool], Key] = {}

    def add(self, service: Service, *, before_us: bool) -> None:
        """Count a Service in."""
        key = service.key
        self.order[key] = len(self.order)
        self._services[key] = service
        if before_us:
            self.before_us.append(key)
        for listener in _listeners(service):
            self._listening.setdefault((listener, before_us), key)
        self._terms.setdefault((_terms(service), before_us), key)

    def objection(self, service: Service, *, before_us: bool) -> tuple[Key, str] | None:
        """The earliest of those who must not share the address with the Service, and why not; else None."""
        strangers = self._strangers(service, before_us=before_us)
        first = min(strangers, key=self.order.__getitem__, default=None)
        return None if first is None else (first, why_not_shared(self._services[first], service))

    def _strangers(self, service: Service, *, before_us: bool) -> Iterator[Key]:
        """The first of each sort that speaks against the Service."""
        # Who was here before us is no matter to another who was.
        sorts = (False,) if before_us else (False, True)
        for listener in _listeners(service):
            yield from (
                self._listening[listener, sort] for sort in sorts if (listener, sort) in self._listening
            )
        for (_, sort), key in self._terms.items():
            if sort in sorts and why_not_shared(self._services[key], service):
                yield key


def _terms(service: Service) -> _Terms:
    invitation = service.meta.annotations.get(keys.ALLOW_SHARED_ANNOTATION, "")
    return _Terms(service.meta.namespace, invitation, service.local, frozenset(service.selector.items()))


def _listeners(service: Service) -> set[tuple[str, int]]:
    return {(port.protocol, port.port) for port in service.ports}


def _invite_each_other(one: Service, other: Service) -> bool:
    value = one.meta.annotations.get(keys.ALLOW_SHARED_ANNOTATION)
    return bool(value) and value == other.meta.annotations.get(keys.ALLOW_SHARED_ANNOTATION)


def _shared_before_us(address: Address, service: Service) -> bool:
    """Whether the Service held the address when we took over: not noted yet, or noted as such."""
    annotations = service.meta.annotations
    if keys.ALLOCATED_ANNOTATION not in annotations:
        return True
    return str(address) in annotations.get(keys.SHARED_AT_TAKEOVER_ANNOTATION, "").split(",")
