"""Which addresses of layer2 pools there are, and which Services hold each. Pure.

Kept from plan to plan: what a Service claims is read again only when it, its EndpointSlices or the pools
changed. Who may answer is decided in `candidates`.
"""

from collections.abc import Iterable, Mapping

import msgspec

from openelb_bgp.lib.identity import changed_keys
from openelb_bgp.model import keys
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.meta import EMPTY, Key, Meta
from openelb_bgp.model.pools import Eip, Protocol
from openelb_bgp.model.reasons import Refused
from openelb_bgp.model.services import EndpointSlice, Service
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.readings import Reading, pool_for, read


class Claim(msgspec.Struct, frozen=True, gc=False):
    """One address of a Service; `pool` is a Refused where the pool was deleted."""

    service: Service
    reading: Reading
    pool: str | Refused

    @property
    def pool_name(self) -> str:
        """The pool's name, of a claim whose pool is there."""
        return "" if isinstance(self.pool, Refused) else self.pool

    @property
    def preferred(self) -> str:
        """The node that the Service asks for, empty for any."""
        return self.service.meta.annotations.get(keys.PREFERRED_NODE_ANNOTATION, "").strip()


class ClaimBook(msgspec.Struct, frozen=True, kw_only=True):
    """All claims, and what they were read from. `by_address` holds an address's claims by Service."""

    eips: Mapping[str, Eip] = EMPTY
    pools: Mapping[str, Eip] = EMPTY
    nodes: Mapping[str, object] = EMPTY
    of_nodes: frozenset[Address] = frozenset()
    services: Mapping[Key, Service] = EMPTY
    slices: Mapping[Key, tuple[EndpointSlice, ...]] = EMPTY
    claims: Mapping[Key, tuple[Claim, ...]] = EMPTY
    by_address: Mapping[Address, tuple[Claim, ...]] = EMPTY

    @property
    def refused(self) -> dict[Key, Refused]:
        """The Services whose pool was deleted, with the reason."""
        return {
            key: one.pool
            for key, claims in self.claims.items()
            for one in claims
            if isinstance(one.pool, Refused)
        }


def read_claims(snapshot: Snapshot, before: ClaimBook) -> ClaimBook:
    """The claims of now; the same object as `before` where nothing changed."""
    pools = before.pools if snapshot.eips is before.eips else _without_statuses(snapshot.eips)
    of_nodes = before.of_nodes
    if snapshot.nodes is not before.nodes:
        of_nodes = frozenset(one for node in snapshot.nodes.values() for one in node.addresses)
    same = pools == before.pools and of_nodes == before.of_nodes
    due = _due(snapshot, before) if same else [*snapshot.services]
    claims = dict(before.claims) if same else {}
    for key in due:
        claims.pop(key, None)
        service = snapshot.services.get(key)
        if service is not None:
            found = _claims(service, snapshot.slices.get(key, ()), pools, of_nodes)
            if found:
                claims[key] = found
    if same and not due:
        claims = before.claims  # type: ignore[assignment]
    return ClaimBook(
        eips=snapshot.eips,
        pools=before.pools if same else pools,
        nodes=snapshot.nodes,
        of_nodes=of_nodes,
        services=snapshot.services,
        slices=snapshot.slices,
        claims=claims,
        by_address=before.by_address if claims is before.claims else _by_address(claims),
    )


def _without_statuses(eips: Mapping[str, Eip]) -> dict[str, Eip]:
    """The pools without what their statuses change: writing one must not read everything anew."""
    return {name: msgspec.structs.replace(eip, meta=Meta(name=name)) for name, eip in sorted(eips.items())}


def _due(snapshot: Snapshot, before: ClaimBook) -> list[Key]:
    due = dict.fromkeys(changed_keys(old=before.services, new=snapshot.services))
    due.update(dict.fromkeys(changed_keys(old=before.slices, new=snapshot.slices)))
    return list(due)


def _claims(
    service: Service,
    slices: tuple[EndpointSlice, ...],
    pools: Mapping[str, Eip],
    of_nodes: frozenset[Address],
) -> tuple[Claim, ...]:
    found = []
    for reading in read(service, slices):
        pool = pool_for(reading, service, pools, protocol=Protocol.LAYER2, of_nodes=of_nodes)
        if pool is not None:
            found.append(Claim(service, reading, pool if isinstance(pool, Refused) else pool.name))
    return tuple(found)


def _by_address(claims: Mapping[Key, Iterable[Claim]]) -> dict[Address, tuple[Claim, ...]]:
    found: dict[Address, list[Claim]] = {}
    for key in sorted(claims):
        for one in claims[key]:
            if not isinstance(one.pool, Refused):
                found.setdefault(one.reading.address, []).append(one)
    return {address: tuple(sharing) for address, sharing in found.items()}
