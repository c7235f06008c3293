"""Which addresses the vip pools have to serve, and which nodes may hold each of them.

Pure. All Services that share an address claim it together: a node holds it for all of them or for none.
"""

from collections.abc import Iterator, Mapping

import msgspec

from openelb_bgp.eligibility import Candidates, Eligibility
from openelb_bgp.model.addresses import Address, Family
from openelb_bgp.model.cluster import Node
from openelb_bgp.model.meta import EMPTY, Key, ObjectRef
from openelb_bgp.model.pools import Eip, Protocol
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.services import EndpointSlice, Service
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.readings import Reading, pool_for, read

_TURNED_AWAY = frozenset({Reason.NODE_EXCLUDED, Reason.NODE_NOT_SELECTED, Reason.NODE_UNKNOWN})
"""With these a node never holds an address of the pool; with others it may come back."""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """An address and the Services that have it.

    `nodes` may hold it, `leaving` only if none of those does. `apart` is set where the policy Local binds it
    to the nodes with endpoints: which these are, whether they may hold it just now or not. `since` is when
    the oldest of its Services was created. `refused` says why nobody may hold it.
    """

    pool: Eip
    address: Address
    services: tuple[ObjectRef, ...]
    nodes: frozenset[str]
    leaving: frozenset[str] = frozenset()
    apart: frozenset[str] | None = None
    since: float = 0.0
    refused: Refused | None = None
    candidates: Candidates


class _Read(msgspec.Struct, frozen=True):
    """A Service's readings, and what they were made from."""

    service: Service
    slices: tuple[EndpointSlice, ...]
    readings: tuple[Reading, ...]


class Reader:
    """Reads Services once for as long as they stay as they are."""

    def __init__(self) -> None:
        self._known: dict[Key, _Read] = {}

    def readings(self, snapshot: Snapshot) -> Iterator[tuple[Service, Reading]]:
        """Every address of every Service that may be ours."""
        before, self._known = self._known, {}
        for key, service in snapshot.services.items():
            slices = snapshot.slices.get(key, ())
            known = before.get(key)
            if known is None or known.service is not service or known.slices is not slices:
                known = _Read(service, slices, read(service, slices))
            self._known[key] = known
            for one in known.readings:
                yield service, one


def claims(snapshot: Snapshot, eligibility: Eligibility, reader: Reader) -> dict[Address, Claim]:
    """The claims by address."""
    of_nodes = frozenset(one for node in snapshot.nodes.values() for one in node.addresses)
    found: dict[Address, Claim] = {}
    for service, one in reader.readings(snapshot):
        pool = pool_for(one, service, snapshot.eips, protocol=Protocol.VIP, of_nodes=of_nodes)
        if isinstance(pool, Eip):
            claim = _claim(service, one, pool, eligibility)
            before = found.get(one.address)
            found[one.address] = claim if before is None else _joined(before, claim)
    return found


def _claim(service: Service, one: Reading, pool: Eip, eligibility: Eligibility) -> Claim:
    candidates = eligibility.candidates(service, one.endpoints, selector=pool.node_selector)
    staying, leaving = candidates.eligible, candidates.leaving
    return Claim(
        pool=pool,
        address=one.address,
        services=(service.ref,),
        nodes=staying or leaving,
        leaving=leaving if staying else frozenset(),
        apart=frozenset(one.endpoints.by_node) if service.local else None,
        since=service.meta.created,
        refused=one.endpoints.refused,
        candidates=candidates,
    )


def _joined(one: Claim, other: Claim) -> Claim:
    """What both allow."""
    if one.apart is None or other.apart is None:
        apart = other.apart if one.apart is None else one.apart
    else:
        apart = one.apart & other.apart
    nodes = one.nodes & other.nodes
    refused = one.refused or other.refused
    if not nodes and refused is None:
        refused = Refused(
            Reason.NO_ELIGIBLE_NODE,
            f"no node may hold {one.address} for all Services that share it; give them endpoints on one node",
        )
    return Claim(
        pool=one.pool,
        address=one.address,
        services=(*one.services, *other.services),
        nodes=nodes,
        leaving=(one.leaving | other.leaving) & (one.nodes | one.leaving) & (other.nodes | other.leaving),
        apart=apart,
        since=min(one.since, other.since),
        refused=refused,
        candidates=one.candidates if one.apart is not None else other.candidates,
    )


def can_answer(claim: Claim, snapshot: Snapshot, *, node: str) -> bool:
    """Whether the node's data plane still hands on what comes for the address.

    For the policy Local also by endpoints that terminate and serve on: kube-proxy takes these where a node
    has no others (KEP-1669).
    """
    return all(
        not snapshot.services[of.key].local
        or _has_endpoint(claim.address, snapshot.slices.get(of.key, ()), node)
        for of in claim.services
    )


def _has_endpoint(address: Address, slices: tuple[EndpointSlice, ...], node: str) -> bool:
    family = Family.of(address)
    return any(
        one.node == node and (one.ready or one.serving)
        for each in slices
        if each.family in (None, family)
        for one in each.endpoints
    )


def universe(pool: Eip, eligibility: Eligibility, nodes: Mapping[str, Node] = EMPTY) -> tuple[str, ...]:
    """The nodes that can ever hold an address of the pool, as they joined: ready or not, draining or not."""
    selector = pool.node_selector
    able = [
        state.name
        for state in eligibility.nodes.values()
        if (state.refused is None or state.refused.reason not in _TURNED_AWAY)
        and (selector is None or selector.matches(state.labels))
    ]
    return tuple(sorted(able, key=lambda name: (nodes[name].meta.created, name)))
