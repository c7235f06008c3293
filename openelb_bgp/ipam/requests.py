"""What a Service asks for, read from its spec and annotations: whether it is ours, which families, which
addresses, which pools. Whether it can be had is decided in `choice`.
"""

import enum
from functools import lru_cache

import msgspec

from openelb_bgp.model import keys
from openelb_bgp.model.addresses import Address, Family, parse_address
from openelb_bgp.model.pools import Protocol
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.services import Service

from .pools import Rules

_BOTH = (Family.IPV4, Family.IPV6)


class Standing(enum.Enum):
    """What a Service is to us."""

    OURS = enum.auto()
    RELEASED = enum.auto()
    """It was ours, or it is being deleted: our addresses leave its status."""
    NODE_PROXY = enum.auto()
    """It asks us for what we do not offer."""
    NOT_OURS = enum.auto()


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a Service asks for.

    `families` in the Service's order; `optional` are those it can go without; `strict` says that it wrote
    them, so an address of another family is not wanted. `addresses` and `pools` are those it names.
    `open_families` are those for which it names no address. `refused` says what of it cannot be meant.
    """

    families: tuple[Family, ...]
    optional: frozenset[Family]
    strict: bool
    addresses: tuple[Address, ...] = ()
    pools: tuple[str, ...] = ()
    protocol: Protocol | None = None
    open_families: tuple[Family, ...] = ()
    refused: tuple[Refused, ...] = ()

    @property
    def names_nothing(self) -> bool:
        """Whether any address of the family will do."""
        return not self.addresses and not self.pools

    def is_met_by(self, address: Address, pools: tuple[str, ...]) -> bool:
        """Whether an address that it has, of any of these pools, is one that it asks for."""
        family = Family.of(address)
        if family not in self.families:
            return not self.strict
        if address not in self.addresses and any(one.version == address.version for one in self.addresses):
            return False
        return not self.pools or any(pool in self.pools for pool in pools)


def standing_of(service: Service, rules: Rules) -> Standing:
    """What the Service is to us."""
    annotations = service.meta.annotations
    if _asks_for_us(service, rules):
        if service.meta.deleting:
            return Standing.RELEASED
        if any(key.startswith(keys.NODE_PROXY_PREFIX) for key in annotations):
            return Standing.NODE_PROXY
        return Standing.OURS
    # The label alone is not enough: OpenELB 0.5 claimed Services that we leave alone without --claim-all,
    # and a take-over must not release them.
    return Standing.RELEASED if keys.ALLOCATED_ANNOTATION in annotations else Standing.NOT_OURS


def request_of(service: Service) -> Request:
    """What the Service asks for."""
    annotations = service.meta.annotations
    annotated = annotations.get(keys.ADDRESS_ANNOTATION, "")
    return _request(
        annotated or service.load_balancer_ip or "",
        keys.ADDRESS_ANNOTATION if annotated else "spec.loadBalancerIP",
        annotations.get(keys.EIP_ANNOTATION, ""),
        annotations.get(keys.PROTOCOL_ANNOTATION, ""),
        service.ip_families,
        service.ip_family_policy,
    )


def _asks_for_us(service: Service, rules: Rules) -> bool:
    if service.type != "LoadBalancer":
        return False
    if service.load_balancer_class:
        return service.load_balancer_class == keys.LOAD_BALANCER_CLASS
    return rules.claim_all or service.meta.annotations.get(keys.MANAGED_ANNOTATION) == keys.MANAGED_VALUE


@lru_cache(maxsize=4096)
def _request(
    addresses_text: str,
    addresses_from: str,
    pools_text: str,
    protocol_text: str,
    written: tuple[Family, ...],
    policy: str,
) -> Request:
    families = _families(written, policy)
    addresses, refused = _named_addresses(addresses_text, families, where=addresses_from)
    protocol, unknown = _named_protocol(protocol_text)
    pools = _parts(pools_text)
    # A name that cannot be meant must not be answered with some other address.
    guess = not refused and not (unknown and not pools)
    named = {Family.of(address) for address in addresses}
    return Request(
        families=families,
        optional=frozenset(families[1:]) if policy == "PreferDualStack" else frozenset(),
        strict=bool(written),
        addresses=addresses,
        pools=pools,
        protocol=None if pools else protocol,
        open_families=tuple(family for family in families if family not in named) if guess else (),
        refused=(*refused, *(() if pools else unknown)),
    )


def _families(written: tuple[Family, ...], policy: str) -> tuple[Family, ...]:
    """One family, or as many as the policy says (Kubernetes, IPv4/IPv6 dual-stack).

    The API server writes the families of a Service, so a single one under PreferDualStack means a cluster
    of one family; only where nothing is written (manifests in a folder) does the policy speak alone.
    """
    if policy == "RequireDualStack":
        return (*written, *(family for family in _BOTH if family not in written))
    return written or (_BOTH if policy == "PreferDualStack" else (Family.IPV4,))


def _named_addresses(
    text: str, families: tuple[Family, ...], *, where: str
) -> tuple[tuple[Address, ...], tuple[Refused, ...]]:
    addresses: list[Address] = []
    refused: list[Refused] = []
    for part in _parts(text):
        try:
            address = parse_address(part)
        except ValueError:
            refused.append(
                Refused(
                    Reason.BAD_REQUEST,
                    f"{part!r} in {where} is not an IP address; write one such as 192.0.2.1, or name an Eip "
                    f"in the annotation {keys.EIP_ANNOTATION}",
                )
            )
            continue
        if Family.of(address) in families:
            addresses.append(address)
        else:
            refused.append(_wrong_family(address))
    return tuple(dict.fromkeys(addresses)), tuple(refused)


def _wrong_family(address: Address) -> Refused:
    family = Family.of(address)
    return Refused(
        Reason.WRONG_FAMILY,
        f"{address} is {family}, which the Service does not have; add {family} to its spec.ipFamilies",
    )


def _named_protocol(text: str) -> tuple[Protocol | None, tuple[Refused, ...]]:
    if not text:
        return None, ()
    try:
        return Protocol(text), ()
    except ValueError:
        known = ", ".join(Protocol)
        return None, (
            Refused(
                Reason.BAD_REQUEST,
                f"protocol {text!r} is none of {known}; correct or remove the annotation "
                f"{keys.PROTOCOL_ANNOTATION}",
            ),
        )


def _parts(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
