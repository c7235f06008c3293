"""Why an address cannot be had: the sentences, each with what would help."""

from collections.abc import Iterable, Sequence

from openelb_bgp.model import keys
from openelb_bgp.model.addresses import Address, Family, parse_address
from openelb_bgp.model.meta import Key
from openelb_bgp.model.pools import Protocol
from openelb_bgp.model.reasons import Reason, Refused

from .claims import Claim
from .numbers import is_buggy, number
from .pools import Pool, PoolBook

_SHOWN = 5
"""How many pools a refusal describes."""


def objection(claim: Claim, pool: Pool, book: PoolBook) -> Refused | None:
    """Why the pool gives this Service nothing, whatever is free in it."""
    eip, service = pool.eip, claim.service
    if pool.blocked:
        return Refused(
            Reason.OVERLAP,
            f"Eip {eip.name} overlaps another Eip and gives no new address; make their addresses disjoint",
        )
    if eip.disabled:
        return Refused(
            Reason.EIP_DISABLED,
            f"Eip {eip.name} is disabled; set its spec.disable to false, or use another Eip",
        )
    namespace = service.meta.namespace
    if eip.enforce_namespaces and eip.is_bound and not book.bound(pool, namespace):
        return Refused(
            Reason.NAMESPACE_REFUSED,
            f"Eip {eip.name} serves only the namespaces that it is bound to; add {namespace} to its "
            "spec.namespaces, or use another Eip",
        )
    if eip.service_selector is not None and not eip.service_selector.matches(service.meta.labels):
        return Refused(
            Reason.SELECTOR_MISMATCH,
            f"the Service's labels do not match spec.serviceSelector of Eip {eip.name}; label the "
            "Service, or use another Eip",
        )
    return None


def wrong_family(pool: Pool, family: Family) -> Refused:
    """The pool has no address of the family."""
    return Refused(
        Reason.WRONG_FAMILY, f"Eip {pool.name} has no {family} address; add some to it, or name one that has"
    )


def pool_full(pool: Pool, family: Family) -> Refused:
    """The pool has none left."""
    return Refused(
        Reason.POOL_FULL, f"Eip {pool.name} has no free {family} address; add some to its spec.address"
    )


def outside_all(address: Address) -> Refused:
    """No pool holds the address."""
    return Refused(
        Reason.ADDRESS_OUTSIDE_POOL,
        f"{address} lies in no Eip; add it to one, or name an address that an Eip holds",
    )


def still_there(address: Address, holder: Key) -> Refused:
    """The address stands in the status of a Service that is not to keep it, or is not ours."""
    return Refused(
        Reason.ADDRESS_IN_USE,
        f"{address} is in the status of Service {holder}; it can be had once it has left that",
    )


def not_shared(address: Address, holder: Key, why_not: str) -> Refused:
    """Somebody has the address who must not share it with this Service."""
    return Refused(
        Reason.SHARING_REFUSED,
        f"{address} is in use by Service {holder} and cannot be shared with it: {why_not}",
    )


def unknown_pool(name: str, book: PoolBook) -> Refused:
    """There is no such pool, or it cannot be used."""
    if name in book.invalid:
        return Refused(
            Reason.EIP_NOT_FOUND, f"Eip {name} is not valid; correct what its condition Valid says"
        )
    remedy = "create it, or name another"
    if _is_address(name):
        remedy = f"an address is asked for in the annotation {keys.ADDRESS_ANNOTATION}"
    return Refused(Reason.EIP_NOT_FOUND, f"there is no Eip {name}; {remedy}")


def _is_address(name: str) -> bool:
    try:
        parse_address(name)
    except ValueError:
        return False
    return True


def outside_named(address: Address, named: Iterable[str], holding: Sequence[Pool]) -> Refused:
    """The address and the pools that the Service names do not go together."""
    where = f"it lies in Eip {holding[0].name}" if holding else "it lies in no Eip"
    return Refused(
        Reason.ADDRESS_OUTSIDE_POOL,
        f"{address} lies outside Eip {', '.join(named)}, which the Service names too ({where}); name an "
        "address and an Eip that belong together, or only one of them",
    )


def other_protocol(address: Address, pool: Pool, protocol: Protocol | None) -> Refused:
    """The pool of the address is not of the protocol that the Service asks for."""
    return Refused(
        Reason.NO_POOL,
        f"{address} lies in Eip {pool.name} of protocol {pool.eip.protocol}, but the Service asks for "
        f"{protocol}; correct or remove its annotation {keys.PROTOCOL_ANNOTATION}",
    )


def not_giveable(address: Address, pool: Pool, book: PoolBook) -> Refused | None:
    """Why the pool never gives this address of its own; None if it does."""
    value = number(address)
    if pool.can_give(value):
        return None
    if value in book.node_numbers:
        return Refused(Reason.ADDRESS_OF_NODE, f"{address} is an address of a node; name another")
    which = "avoidBuggyIPs" if pool.eip.avoid_buggy_ips and is_buggy(value) else "excludeAddresses"
    return Refused(
        Reason.ADDRESS_EXCLUDED, f"{address} is left out by spec.{which} of Eip {pool.name}; name another"
    )


def all_refused(tried: Sequence[Refused]) -> Refused:
    """Every candidate refused. A full pool is what people look for first, so it decides the reason."""
    full = next((one.reason for one in tried if one.reason is Reason.POOL_FULL), tried[0].reason)
    shown = ". ".join(one.message for one in tried[:_SHOWN])
    more = f". {len(tried) - _SHOWN} more Eips give nothing either" if len(tried) > _SHOWN else ""
    return Refused(full, shown + more)


def no_pool(namespace: str, family: Family, protocol: Protocol | None) -> Refused:
    """No pool is a candidate."""
    kind = f"{family} Eip" if protocol is None else f"{family} Eip of protocol {protocol}"
    return Refused(
        Reason.NO_POOL,
        f"no {kind} is bound to namespace {namespace} and none is the default; create one, bind one by "
        f'spec.namespaces, annotate one {keys.DEFAULT_EIP_ANNOTATION}: "true", or name one in the '
        f"Service's annotation {keys.EIP_ANNOTATION}",
    )
