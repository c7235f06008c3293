"""What one Service claims: for each of its addresses the prefixes, and the nodes that are next hops of them.

Pure. Addresses stand in Service.status; which pool one belongs to is the model's word, who may announce it
`eligibility`'s. Claims of several Services on one prefix are added up in `resolve`.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from openelb_bgp.eligibility import Backends, Candidates, Eligibility, NodeState, backends
from openelb_bgp.model import keys
from openelb_bgp.model.addresses import Address, Family, Network
from openelb_bgp.model.allocated import allocated, pool_of
from openelb_bgp.model.pools import Eip, Protocol
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.services import EndpointSlice, Service

from .advertise import advertisements, lengths, lies_inside, places, prefix_of
from .model import PeerConf
from .nexthops import Hop
from .resolve import Bundle, Claim
from .weights import Weights, weights_of

_EITHER = (Family.IPV4, Family.IPV6)


class RouteTerms(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that Services' paths depend on besides the Services: equal terms, equal paths.

    `blanket` refuses everything; `refused` says why this node is no next hop in a family. `pools` are
    without the metadata that statuses change. `peers` are by family.
    """

    node: str
    blanket: Refused | None = None
    nodes: Mapping[str, NodeState]
    hops: Mapping[Family, tuple[Hop, ...]]
    refused: Mapping[Family, Refused]
    peers: Mapping[Family, Mapping[str, PeerConf]]
    pools: Mapping[str, Eip]
    one_path: frozenset[Family] = frozenset()
    weighted: bool = False
    asn: int = 0
    pinned: bool = False


class Share(NamedTuple):
    """What a Service says about one prefix."""

    prefix: Network
    bundle: Bundle


class Unit(msgspec.Struct, frozen=True):
    """One Service's part of the plan, and the objects that it was made from.

    `refused` says why this node announces it not, or not wholly.
    """

    service: Service
    slices: tuple[EndpointSlice, ...]
    shares: tuple[Share, ...] = ()
    refused: Refused | None = None


class _ByLength(msgspec.Struct, frozen=True):
    bundles: tuple[tuple[int, Bundle], ...]
    refused: Refused | None


def is_announceable(service: Service) -> bool:
    """Whether the addresses in its status may be ours: it asks for us, or we have marked it."""
    if service.type != "LoadBalancer" or service.meta.deleting or not service.ingress:
        return False
    if service.load_balancer_class:
        return service.load_balancer_class == keys.LOAD_BALANCER_CLASS
    annotations = service.meta.annotations
    return (
        annotations.get(keys.MANAGED_ANNOTATION) == keys.MANAGED_VALUE
        or keys.ALLOCATED_ANNOTATION in annotations
        or keys.EIP_LABEL in service.meta.labels
    )


class Claimer:
    """Makes Units on the same terms; what many Services have in common is worked out once."""

    def __init__(self, terms: RouteTerms, weights: Weights) -> None:
        self.weights = weights
        self._terms = terms
        self._eligibility = Eligibility(terms.nodes)
        self._announcing: dict[tuple[Candidates, Family], tuple[str, ...]] = {}
        self._by_length: dict[object, _ByLength] = {}
        self._inside: dict[tuple[str, Network], bool] = {}
        self._node_addresses = frozenset(
            address for node in terms.nodes.values() for address in node.addresses
        )

    def renew(self, weights: Weights) -> "Claimer":
        """The same, for the next plan."""
        self.weights = weights
        return self

    def unit(self, service: Service, slices: tuple[EndpointSlice, ...]) -> Unit:
        """One Service's part."""
        if not is_announceable(service):
            return Unit(service, slices)
        self.weights.begin(service.key)
        shares: list[Share] = []
        refusals: list[tuple[Address, Refused]] = []
        count = 0
        for address in service.addresses:
            pool = self._pool_of(address, service)
            if isinstance(pool, Eip):
                count += 1
                refused = self._claim(service, slices, address, pool, shares)
            else:
                count += pool is not None
                refused = pool
            if refused is not None:
                refusals.append((address, refused))
        return Unit(service, slices, tuple(shares), _summary(refusals, count))

    def _pool_of(self, address: Address, service: Service) -> Eip | Refused | None:
        """The BGP pool of an address; a Refused if its pool is gone; None if it is not ours to announce."""
        noted = allocated(service).get(address)
        if noted is None and address in self._node_addresses:
            # K3s's Klipper writes such addresses: announcing them would cut the node off.
            return None
        pool = self._terms.pools.get(noted) if noted else None
        pool = pool or pool_of(address, service, self._terms.pools)
        if pool is not None:
            return pool if pool.protocol is Protocol.BGP else None
        origin = noted or service.meta.labels.get(keys.EIP_LABEL, "")
        if not origin:
            return None
        return Refused(
            Reason.POOL_GONE,
            f"Eip {origin}, which {address} came from, is gone; create it again, or ask for another address",
        )

    def _claim(
        self,
        service: Service,
        slices: tuple[EndpointSlice, ...],
        address: Address,
        pool: Eip,
        shares: list[Share],
    ) -> Refused | None:
        """Add what the Service claims for one address; returns why this node itself is no next hop of it."""
        terms = self._terms
        if terms.blanket is not None:
            return terms.blanket
        family = _EITHER[address.version == 6]
        endpoints = backends(slices, family)
        candidates = self._eligibility.candidates(service, endpoints, selector=pool.node_selector)
        announcing = self._announcing_of(candidates, family)
        weights = self._weights(service, family, announcing, endpoints)
        by_length = self._bundles(service, pool, family, announcing, weights)
        vetoes = self._vetoes(candidates, family)
        if vetoes:
            shares.append(Share(prefix_of(address, family.bits), Bundle(vetoes=vetoes)))
        outside: Network | None = None
        for length, bundle in by_length.bundles:
            prefix = prefix_of(address, length)
            if length == family.bits or self._lies_inside(prefix, pool):
                shares.append(Share(prefix, bundle))
            else:
                outside = prefix
        if terms.node not in announcing:
            return candidates.refusal(terms.node) or terms.refused.get(family)
        return by_length.refused or (None if outside is None else _outside(pool, outside))

    def _announcing_of(self, candidates: Candidates, family: Family) -> tuple[str, ...]:
        """The nodes among our next hops that announce an address with those candidates."""
        known = self._announcing.get((candidates, family)) if candidates.is_shared else None
        if known is None:
            known = tuple(hop.node for hop in self._terms.hops[family] if _announces(hop, candidates))
            if candidates.is_shared:
                self._announcing[candidates, family] = known
        return known

    def _weights(
        self, service: Service, family: Family, announcing: Sequence[str], endpoints: Backends
    ) -> tuple[int, ...]:
        if not (self._terms.weighted and service.local and announcing):
            return ()
        wanted = weights_of(announcing, endpoints.by_node)
        settled = self.weights.settle(service.key, family, wanted)
        return tuple(settled[node] for node in announcing)

    def _vetoes(self, candidates: Candidates, family: Family) -> tuple[str, ...]:
        if not candidates.is_local:
            return ()
        return tuple(hop.node for hop in self._terms.hops[family] if candidates.lacks_local(hop.node))

    def _bundles(
        self,
        service: Service,
        pool: Eip,
        family: Family,
        announcing: tuple[str, ...],
        weights: tuple[int, ...],
    ) -> _ByLength:
        chosen = tuple(places(pool, service, self._terms.nodes[node]) for node in announcing)
        key = (pool.name, family, service.local, announcing, chosen, weights)
        known = self._by_length.get(key)
        if known is None:
            known = self._by_length[key] = self._make_bundles(
                pool, family, local=service.local, announcing=announcing, chosen=chosen, weights=weights
            )
        return known

    def _make_bundles(
        self,
        pool: Eip,
        family: Family,
        *,
        local: bool,
        announcing: tuple[str, ...],
        chosen: tuple[tuple[int, ...], ...],
        weights: tuple[int, ...],
    ) -> _ByLength:
        names = sorted({peer.name for peer in self._terms.peers[family].values()})
        claims: dict[int, list[Claim]] = {}
        for index, node in enumerate(announcing):
            found = lengths(pool, chosen[index], family=family, local=local, peers=names)
            for length, lines in found.items():
                # An aggregate stands for many Services: no single one's endpoints weigh it.
                weight = weights[index] if weights and length == family.bits else 0
                claims.setdefault(length, []).append(Claim(node, lines, weight))
        bundles = tuple((length, Bundle(tuple(claims[length]))) for length in sorted(claims, reverse=True))
        return _ByLength(bundles, self._unreached(pool, bundles, names))

    def _unreached(
        self, pool: Eip, bundles: Sequence[tuple[int, Bundle]], names: Sequence[str]
    ) -> Refused | None:
        """Why no neighbour hears of this node although it announces."""
        lines = [
            line
            for _, bundle in bundles
            for claim in bundle.claims
            if claim.node == self._terms.node
            for line in claim.lines
        ]
        if not lines:
            return Refused(
                Reason.NO_ADVERTISEMENT,
                f"no advertisement of Eip {pool.name} is for it on node {self._terms.node}; add one, or "
                "widen a serviceSelector or nodeSelector (an aggregate alone is none for a Local Service)",
            )
        wanted = [advertisements(pool)[line.place].peers for line in lines]
        if any(not peers or not set(peers).isdisjoint(names) for peers in wanted):
            return None
        elsewhere = ", ".join(sorted({name for peers in wanted for name in peers}))
        return Refused(
            Reason.NO_PEER_FOR_NODE,
            f"Eip {pool.name} advertises it only to peers that node {self._terms.node} does not speak to: "
            f"{elsewhere}; name others, or none for all",
        )

    def _lies_inside(self, prefix: Network, pool: Eip) -> bool:
        known = self._inside.get((pool.name, prefix))
        if known is None:
            known = self._inside[pool.name, prefix] = lies_inside(prefix, pool)
        return known


def _announces(hop: Hop, candidates: Candidates) -> bool:
    if hop.node in candidates.eligible:
        return True
    # While it drains it keeps its paths, made unattractive; then only if nobody else has the address.
    return hop.node in candidates.leaving and (not candidates.eligible or not hop.stopped)


def _outside(pool: Eip, prefix: Network) -> Refused:
    return Refused(
        Reason.AGGREGATE_OUTSIDE_POOL,
        f"the aggregate {prefix} does not lie wholly inside Eip {pool.name} and is left out; choose a longer "
        "aggregationLength, or widen the pool",
    )


def _summary(refusals: Sequence[tuple[Address, Refused]], count: int) -> Refused | None:
    """One Refused for a Service; where only some of its addresses are concerned it names the first."""
    if not refusals:
        return None
    address, refused = refusals[0]
    if count < 2 or (len(refusals) == count and all(other == refused for _, other in refusals)):
        return refused
    return Refused(refused.reason, f"{address}: {refused.message}")
