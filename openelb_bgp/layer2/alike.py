"""Addresses that are alike: whoever can answer for one of them can answer for all. Pure.

Ten thousand addresses are of a few kinds. What decides is worked out once for each kind, and an address whose
kind is decided as before is not looked at again: a cycle in which nothing changes costs next to nothing.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from openelb_bgp.model.addresses import Address
from openelb_bgp.model.meta import EMPTY
from openelb_bgp.model.reasons import Refused

from .claims import ByAddress, Claim, preferred
from .neighbourhood import Neighbourhood
from .planned import Contest


class Likeness(NamedTuple):
    """What an address has in common with those that are alike.

    `where` is what its subnets are (or itself where a node has it); `who` what its Services ask of nodes;
    `preferred` whom any of them prefers.
    """

    pool: str
    version: int
    where: object
    who: tuple[object, ...]
    preferred: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What all of one likeness share: their contest, and where this node answers for them, or why not."""

    among: Contest
    interfaces: tuple[str, ...] = ()
    refused: Refused | None = None


class Alike(msgspec.Struct, frozen=True, kw_only=True):
    """The likeness of each address, and an address of each; `subnets` as the neighbourhood had them."""

    subnets: object = None
    by_address: ByAddress = EMPTY
    of: Mapping[Address, Likeness] = EMPTY
    samples: Mapping[Likeness, Address] = EMPTY


def compare(by_address: ByAddress, near: Neighbourhood, due: Iterable[Address], before: Alike) -> Alike:
    """The likenesses of now. `due` are the addresses with other claims than in `before`."""
    if by_address is before.by_address and near.subnets == before.subnets:
        return before
    known = before.of if near.subnets == before.subnets else EMPTY
    fresh = due if known else by_address
    found = {address: one for address, one in known.items() if address in by_address}
    # One object for all that are alike: ten thousand of them would be 3 MB.
    shared = {one: one for one in before.samples}
    for address in fresh:
        if address in by_address:
            likeness = _likeness(address, by_address[address], near)
            found[address] = shared.setdefault(likeness, likeness)
    return Alike(
        subnets=near.subnets,
        by_address=by_address,
        of=found,
        samples={likeness: address for address, likeness in found.items()},
    )


def _likeness(address: Address, claims: tuple[Claim, ...], near: Neighbourhood) -> Likeness:
    return Likeness(
        pool=claims[0].pool_name,
        version=address.version,
        where=near.signature(address),
        who=tuple([_asked(one) for one in claims]),
        preferred=preferred(claims),
    )


def _asked(claim: Claim) -> tuple[object, ...]:
    endpoints = claim.endpoints
    return (claim.pool_name, endpoints.refused, frozenset(endpoints.by_node) if claim.local else None)
