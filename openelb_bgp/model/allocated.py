"""Whether a Service's addresses are ours, and of which pool: the `allocated` annotation, read and written.

Everybody who needs the pool of an address asks here, so that an address that an edit left outside its pool
goes on being announced as that pool says. Who gets which address is decided in `ipam`.
"""

from collections.abc import Iterable, Mapping

from . import keys
from .addresses import Address, parse_address
from .pools import Eip
from .services import Service


def is_announceable(service: Service) -> bool:
    """Whether it has addresses in its status that may be ours."""
    return bool(service.ingress) and may_be_ours(service)


def may_be_ours(service: Service) -> bool:
    """Whether addresses that it has, or gets, may be ours: it asks for us, or we have marked it."""
    if service.type != "LoadBalancer" or service.meta.deleting:
        return False
    if service.load_balancer_class:
        return service.load_balancer_class == keys.LOAD_BALANCER_CLASS
    annotations = service.meta.annotations
    return (
        annotations.get(keys.MANAGED_ANNOTATION) == keys.MANAGED_VALUE
        or keys.ALLOCATED_ANNOTATION in annotations
        or keys.EIP_LABEL in service.meta.labels
    )


def parse_allocated(text: str) -> dict[Address, str]:
    """`IP=POOL[,IP=POOL]` as address → pool name; parts that cannot be read are left out."""
    given: dict[Address, str] = {}
    for part in text.split(","):
        address, _, pool = part.partition("=")
        try:
            given[parse_address(address)] = pool.strip()
        except ValueError:
            # Somebody edited it by hand: what is left still tells which addresses are ours.
            continue
    return given if all(given.values()) else {address: pool for address, pool in given.items() if pool}


def format_allocated(given: Iterable[tuple[Address | str, str]]) -> str:
    """The annotation's text for pairs of address (or its text) and pool name, in their order."""
    return ",".join([f"{address}={pool}" for address, pool in given])


def allocated(service: Service) -> dict[Address, str]:
    """What the Service's annotation says; empty where there is none (not taken over yet)."""
    text = service.meta.annotations.get(keys.ALLOCATED_ANNOTATION)
    return parse_allocated(text) if text else {}


def pool_of(address: Address, service: Service, eips: Mapping[str, Eip]) -> Eip | None:
    """The pool that an address of the Service belongs to, None if it is no pool's.

    The annotation decides, also for an address that the pool no longer holds; if it names a pool that is
    gone, or says nothing of the address, the pool that holds the address now: the one that OpenELB's label
    names before the others, which come by name.
    """
    noted = eips.get(allocated(service).get(address, ""))
    if noted is not None:
        return noted
    labelled = eips.get(service.meta.labels.get(keys.EIP_LABEL, ""))
    if labelled is not None and address in labelled:
        return labelled
    return next((eips[name] for name in sorted(eips) if address in eips[name]), None)
