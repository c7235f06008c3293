"""What stands in one Service's status and whose it is, and what of its request that leaves open.

A Claim depends on one Service and the PoolBook alone, so it is made once for each version of a Service.
What happens when two claim the same address is decided in `sharing`.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec

from openelb_bgp.model import keys
from openelb_bgp.model.addresses import Address, Family
from openelb_bgp.model.allocated import allocated
from openelb_bgp.model.meta import Key, ObjectRef
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.services import Ingress, Service

from .numbers import number
from .pools import PoolBook
from .requests import Request, Standing, request_of, standing_of


class Given(msgspec.Struct, frozen=True, gc=False):
    """An address of a Service.

    `pool` announces it and counts it; `origin` is the pool that the Service's annotation names for it, which
    differs only while a pool that the Service asks for by name is gone and another one covers the address.
    `reason` is POOL_GONE where no pool has it, ADDRESSES_OUTSIDE where an edit left it outside its pool.
    """

    address: Address
    pool: str
    origin: str
    reason: Reason | None = None


class Want(msgspec.Struct, frozen=True, gc=False):
    """One address that a Service asks for: this very one, or one of a pool, or any of the family."""

    family: Family
    address: Address | None = None
    pool: str = ""
    optional: bool = False


class Claim(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One Service's live addresses.

    `held` are ours, in the status's order; `foreign` the entries that are not. `reserved` are the numbers
    of all addresses in the status that nobody else may be given meanwhile, whoever they belong to.
    `remembered` are numbers that its annotation notes and its status lost, with their pools' names.
    """

    ref: ObjectRef
    service: Service
    standing: Standing
    request: Request
    held: tuple[Given, ...] = ()
    foreign: tuple[Ingress, ...] = ()
    reserved: tuple[int, ...] = ()
    remembered: tuple[tuple[int, str], ...] = ()

    @property
    def key(self) -> Key:
        """The Service's key."""
        return self.ref.key

    @property
    def age(self) -> tuple[float, Key]:
        """Sorts Services by creation, then key."""
        return self.service.meta.created, self.ref.key


class Gap(msgspec.Struct, frozen=True, gc=False):
    """What a request still lacks, and which held addresses it does not ask for (any more)."""

    unmet: tuple[Want, ...]
    surplus: tuple[Given, ...]


NO_GAP = Gap((), ())


def claim_of(service: Service, book: PoolBook) -> Claim | None:
    """The Service's claim; None if it concerns us in no way."""
    standing = standing_of(service, book.rules)
    request = request_of(service)
    if not service.ingress and standing is Standing.OURS and not _has_notes(service):
        return Claim(ref=service.ref, service=service, standing=standing, request=request)
    if standing is Standing.NOT_OURS and not _concerns_us(service):
        return None
    return _read_status(service, standing, request, book)


def gap_of(request: Request, held: Sequence[Given], book: PoolBook) -> Gap:
    """Compare what is asked for with what is held."""
    if not held and request.names_nothing:
        return _whole_gap(request)
    unmet: list[Want] = []
    left = list(held)
    for want in _wants(request, book):
        met = next((given for given in left if _meets(given, want, request)), None)
        if met is None:
            unmet.append(want)
        else:
            left.remove(met)
    surplus = tuple(
        given for given in left if not request.is_met_by(given.address, (given.pool, given.origin))
    )
    return Gap(tuple(unmet), surplus) if unmet or surplus else NO_GAP


@lru_cache(maxsize=256)
def _whole_gap(request: Request) -> Gap:
    """All that Services lack which have nothing and name nothing: the same for thousands of them."""
    return Gap(
        tuple(Want(family, optional=family in request.optional) for family in request.open_families), ()
    )


def _has_notes(service: Service) -> bool:
    return keys.ALLOCATED_ANNOTATION in service.meta.annotations


def _concerns_us(service: Service) -> bool:
    holds_addresses = service.type == "LoadBalancer" and bool(service.ingress)
    return holds_addresses or not keys.FINALIZERS_OF_OPENELB.isdisjoint(service.meta.finalizers)


def _read_status(service: Service, standing: Standing, request: Request, book: PoolBook) -> Claim:
    notes = {number(address): pool for address, pool in allocated(service).items()}
    held: dict[int, Given] = {}
    foreign: list[Ingress] = []
    reserved: list[int] = []
    for entry in service.ingress:
        if entry.ip is None:
            foreign.append(entry)
            continue
        value = number(entry.ip)
        if value in held:
            continue
        given = _whose(entry.ip, value, service, request, notes, book)
        if given is not None:
            reserved.append(value)
        if given is None or (standing is Standing.RELEASED and not _may_release(value, service, notes)):
            foreign.append(entry)
        else:
            held[value] = given
    return Claim(
        ref=service.ref,
        service=service,
        standing=standing,
        request=request,
        held=tuple(held.values()) if standing in (Standing.OURS, Standing.RELEASED) else (),
        foreign=tuple(foreign),
        reserved=tuple(reserved),
        remembered=tuple((value, pool) for value, pool in notes.items() if value not in held),
    )


def _may_release(value: int, service: Service, notes: Mapping[int, str]) -> bool:
    """Whether we gave an address of a Service that is no longer ours."""
    return value in notes or (not notes and service.meta.deleting)


def _whose(
    address: Address,
    value: int,
    service: Service,
    request: Request,
    notes: Mapping[int, str],
    book: PoolBook,
) -> Given | None:
    """Which pool an address in the status belongs to (rule 0: whoever gave it); None if it is not ours."""
    holding = book.holding(value)
    noted = notes.get(value)
    if noted is not None:
        return _noted(address, noted, holding, request, book)
    if value in book.node_numbers:
        # Such as K3s's Klipper writes them: announcing a node's own address would cut the node off.
        return None
    label = service.meta.labels.get(keys.EIP_LABEL, "")
    if holding:
        pool = label if label in holding else holding[0]
        return Given(address, pool, pool)
    if label and not _has_notes(service):
        return Given(address, label, label, _reason_outside(label, book))
    return None


def _noted(address: Address, noted: str, holding: tuple[str, ...], request: Request, book: PoolBook) -> Given:
    """The annotation says who gave it, also for an address that an edit left outside."""
    if noted in holding:
        return Given(address, noted, noted)
    if noted in book.pools or not holding:
        return Given(address, noted, noted, _reason_outside(noted, book))
    # The pool is gone and another covers its address. A Service that asks for the old one by name must not
    # be taken to ask for another address when it comes back, so its annotation goes on naming it.
    return Given(address, holding[0], noted if noted in request.pools else holding[0])


def _reason_outside(pool: str, book: PoolBook) -> Reason:
    return Reason.ADDRESSES_OUTSIDE if pool in book.pools else Reason.POOL_GONE


def _wants(request: Request, book: PoolBook) -> list[Want]:
    wants = [Want(Family.of(address), address) for address in request.addresses]
    if request.pools:
        wants += _wants_of_pools(request, book)
    else:
        wants += [Want(family, optional=family in request.optional) for family in request.open_families]
    return wants


def _wants_of_pools(request: Request, book: PoolBook) -> list[Want]:
    """From each named pool one address of each family that it has.

    A pool that has none of them, and a family that none of them has, are wants too: they will be refused
    with a reason. A pool may also be named only to say where a named address must lie.
    """
    wants: list[Want] = []
    useless = [] if request.addresses else list(request.pools)
    for family in request.open_families:
        serving = [name for name in request.pools if _may_serve(name, family, book)]
        wants += [Want(family, pool=name) for name in serving]
        useless = [name for name in useless if name not in serving]
        if not serving:
            wants.append(Want(family, pool=request.pools[0], optional=family in request.optional))
            useless = [name for name in useless if name != request.pools[0]]
    return wants + [Want(family, pool=name) for name in useless for family in request.open_families[:1]]


def _may_serve(pool: str, family: Family, book: PoolBook) -> bool:
    """Also where there is no such pool: that is then the reason."""
    return pool not in book.pools or family in book.pools[pool].families


def _meets(given: Given, want: Want, request: Request) -> bool:
    if given.address.version != want.family.value:
        return False
    if want.address is not None:
        return given.address == want.address and request.is_met_by(given.address, (given.pool, given.origin))
    return not want.pool or want.pool in (given.pool, given.origin)
