"""When two Services may have one address, and who keeps it when two that may not both hold it."""

from collections.abc import Iterable, Mapping

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
    keepers: list[Claim] = []
    losers: dict[Key, tuple[Key, str]] = {}
    taken_over: set[Key] = set()
    for claim in sorted(holders, key=lambda one: one.age):
        for keeper in keepers:
            if _shared_before_us(address, claim.service) and _shared_before_us(address, keeper.service):
                taken_over |= {claim.key, keeper.key}
            elif why_not := why_not_shared(keeper.service, claim.service):
                losers[claim.key] = keeper.key, why_not
                break
        else:
            keepers.append(claim)
    kept = tuple(one.key for one in keepers)
    return Contest(kept, losers, frozenset(taken_over.intersection(kept)))


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
