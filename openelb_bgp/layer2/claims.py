"""Which addresses of layer2 pools there are, and which Services hold each. Pure.

Kept from plan to plan: what a Service claims is read again only when it, its EndpointSlices or the pools
changed. Who may answer is decided in `candidates`.
"""

from collections.abc import Iterable, Mapping

import msgspec

from openelb_bgp.eligibility import Backends
from openelb_bgp.lib.identity import changed_keys
from openelb_bgp.model import keys
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.meta import EMPTY, Key, Meta
from openelb_bgp.model.pools import Eip, Protocol
from openelb_bgp.model.reasons import Refused
from openelb_bgp.model.services import EndpointSlice, Service
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.readings import pool_for, read


class Claim(msgspec.Struct, frozen=True, gc=False):
    """One address of a Service; `pool` is a Refused where the pool was deleted.

    Of the Service only what decides: whether its policy is Local, and the node that it asks for, empty for
    any. What else is written to it makes no other claim.
    """

    service: Key
    address: Address
    endpoints: Backends
    pool: str | Refused
    local: bool = False
    preferred: str = ""

    @property
    def pool_name(self) -> str:
        """The pool's name, of a claim whose pool is there."""
        return "" if isinstance(self.pool, Refused) else self.pool


Claims = Mapping[Key, tuple[Claim, ...]]
ByAddress = Mapping[Address, tuple[Claim, ...]]


class ClaimBook(msgspec.Struct, frozen=True, kw_only=True):
    """All claims, and what they were read from. `by_address` holds an address's claims by Service."""

    eips: Mapping[str, Eip] = EMPTY
    pools: Mapping[str, Eip] = EMPTY
    nodes: Mapping[str, object] = EMPTY
    of_nodes: frozenset[Address] = frozenset()
    services: Mapping[Key, Service] = EMPTY
    slices: Mapping[Key, tuple[EndpointSlice, ...]] = EMPTY
    claims: Claims = EMPTY
    by_address: ByAddress = EMPTY


def preferred(claims: Iterable[Claim]) -> str:
    """The node that the first of them asks for which asks for any; empty for none."""
    return next((one.preferred for one in claims if one.preferred), "")


def read_claims(snapshot: Snapshot, before: ClaimBook) -> ClaimBook:
    """The claims of now; the same object as `before` where nothing changed."""
    pools = before.pools if snapshot.eips is before.eips else _without_statuses(snapshot.eips)
    of_nodes = before.of_nodes
    if snapshot.nodes is not before.nodes:
        of_nodes = frozenset(one for node in snapshot.nodes.values() for one in node.addresses)
    same = pools == before.pools and of_nodes == before.of_nodes
    due = _due(snapshot, before) if same else [*snapshot.services]
    found = {key: _claims_of(key, snapshot, pools, of_nodes) for key in due}
    changed = {key: some for key, some in found.items() if some != before.claims.get(key, ())}
    claims, by_address = before.claims, before.by_address
    if not same:
        claims = {key: changed.get(key) or before.claims[key] for key, some in found.items() if some}
        by_address = _by_address(claims)
    elif changed:
        claims = _with(before.claims, changed)
        by_address = _readdressed(before, claims, changed)
    return ClaimBook(
        eips=snapshot.eips,
        pools=before.pools if same else pools,
        nodes=snapshot.nodes,
        of_nodes=of_nodes,
        services=snapshot.services,
        slices=snapshot.slices,
        claims=claims,
        by_address=by_address,
    )


def _without_statuses(eips: Mapping[str, Eip]) -> dict[str, Eip]:
    """The pools without what their statuses change: writing one must not read everything anew."""
    return {name: msgspec.structs.replace(eip, meta=Meta(name=name)) for name, eip in sorted(eips.items())}


def _due(snapshot: Snapshot, before: ClaimBook) -> list[Key]:
    due = dict.fromkeys(changed_keys(old=before.services, new=snapshot.services))
    due.update(dict.fromkeys(changed_keys(old=before.slices, new=snapshot.slices)))
    return list(due)


def _claims_of(
    key: Key, snapshot: Snapshot, pools: Mapping[str, Eip], of_nodes: frozenset[Address]
) -> tuple[Claim, ...]:
    service = snapshot.services.get(key)
    if service is None:
        return ()
    preferred = service.meta.annotations.get(keys.PREFERRED_NODE_ANNOTATION, "").strip()
    found = []
    for reading in read(service, snapshot.slices.get(key, ())):
        pool = pool_for(reading, service, pools, protocol=Protocol.LAYER2, of_nodes=of_nodes)
        if pool is not None:
            name = pool if isinstance(pool, Refused) else pool.name
            found.append(Claim(key, reading.address, reading.endpoints, name, service.local, preferred))
    return tuple(found)


def _with(before: Claims, changed: Claims) -> Claims:
    gone = {key for key, some in changed.items() if not some}
    return {key: some for key, some in {**before, **changed}.items() if key not in gone}


def _readdressed(before: ClaimBook, claims: Claims, changed: Claims) -> ByAddress:
    """The same by address: only those of the changed Services are other objects."""
    touched = {one.address for key in changed for one in (*before.claims.get(key, ()), *changed[key])}
    sharing = {one.service for address in touched for one in before.by_address.get(address, ())}
    anew = _by_address({key: claims[key] for key in sharing | changed.keys() if key in claims})
    found = {**before.by_address, **{address: anew[address] for address in touched & anew.keys()}}
    for address in touched - anew.keys():
        found.pop(address, None)
    return found


def _by_address(claims: Claims) -> dict[Address, tuple[Claim, ...]]:
    found: dict[Address, tuple[Claim, ...]] = {}
    for key in sorted(claims):
        of_service = claims[key]
        for one in of_service:
            if not isinstance(one.pool, Refused):
                # Nearly every Service has one address, and that by itself: the tuple is there already.
                alone = of_service if len(of_service) == 1 else (one,)
                sharing = found.get(one.address)
                found[one.address] = alone if sharing is None else (*sharing, one)
    return found
