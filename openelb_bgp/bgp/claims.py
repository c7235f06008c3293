"""What one Service claims: for each of its addresses the prefixes, and the nodes that are next hops of them.

Pure. Which addresses a Service has is read in `readings`, who may announce one is `eligibility`'s word.
Claims of several Services on one prefix are added up in `resolve`.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from openelb_bgp.eligibility import Candidates, Eligibility, NodeState
from openelb_bgp.model.addresses import Family, Network, number_of_holder
from openelb_bgp.model.advertising import advertisements, lies_inside, outside, prefix_of
from openelb_bgp.model.pools import Eip, Protocol
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.services import EndpointSlice, Service
from openelb_bgp.readings import Reading, pool_for, read

from .advertise import lengths, places, places_at
from .model import PeerConf
from .nexthops import Hop
from .resolve import Bundle, Claim
from .weights import Weights, weights_of


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
    """What a Service says about one prefix, which has that number."""

    number: int
    prefix: Network
    bundle: Bundle


class Unit(msgspec.Struct, frozen=True, gc=False):
    """One Service's part of the plan, and what it was made from.

    `refused` says why this node announces it not, or not wholly.
    """

    service: Service
    slices: tuple[EndpointSlice, ...]
    readings: tuple[Reading, ...] = ()
    shares: tuple[Share, ...] = ()
    refused: Refused | None = None


class _Announced(msgspec.Struct, frozen=True):
    """What a reading becomes: prefix length → claim, and why this node is no next hop."""

    bundles: tuple[tuple[int, Bundle], ...]
    refused: Refused | None


class Claimer:
    """Makes Units on the same terms; what many Services have in common is worked out once."""

    def __init__(self, terms: RouteTerms, weights: Weights, *, previous: "Claimer | None" = None) -> None:
        self.weights = weights
        self._terms = terms
        self._eligibility = Eligibility(terms.nodes)
        self._of_nodes = frozenset(address for node in terms.nodes.values() for address in node.addresses)
        # Equal bundles are the same object, so that unchanged shares compare at once.
        self._interned: dict[Bundle, Bundle] = {} if previous is None else previous._interned
        # The advertisements of pools that choose among nodes at most: they are the same for all Services.
        self._for_all = {
            name: tuple(range(len(advertisements(pool))))
            for name, pool in terms.pools.items()
            if not any(each.service_selector for each in pool.advertisements)
        }
        self._shared: dict[tuple[Candidates, str, int, tuple[int, ...]], _Announced] = {}
        self._made: dict[object, _Announced] = {}
        # So are aggregates, by their number.
        self._aggregates: dict[int, Network] = {} if previous is None else previous._aggregates
        self._inside: dict[tuple[str, int], bool] = {}

    def renew(self, weights: Weights) -> "Claimer":
        """The same, for the next plan."""
        self.weights = weights
        return self

    def unit(
        self,
        service: Service,
        slices: tuple[EndpointSlice, ...],
        last: Unit | None,
        *,
        held: Refused | None = None,
    ) -> Unit:
        """One Service's part. `last` is what it was in the last plan.

        `held` says why this node itself must not be a next hop of it, although it is eligible.
        """
        if self._terms.weighted:
            self.weights.begin(service.key)
        same = last is not None and last.service is service and last.slices is slices
        readings = last.readings if last is not None and same else read(service, slices)
        if not readings:
            return Unit(service, slices)
        shares: list[Share] = []
        outcomes: list[tuple[Reading, Refused | None]] = []
        for one in readings:
            pool = pool_for(one, service, self._terms.pools, protocol=Protocol.BGP, of_nodes=self._of_nodes)
            if isinstance(pool, Eip):
                refused = self._terms.blanket or self._claim(service, one, pool, shares, held)
                outcomes.append((one, refused))
            elif pool is not None:
                outcomes.append((one, pool))
        return Unit(service, slices, readings, tuple(shares), _summary(outcomes))

    def _claim(
        self, service: Service, one: Reading, pool: Eip, shares: list[Share], held: Refused | None
    ) -> Refused | None:
        """Add what the Service claims for one address; returns why this node itself is no next hop of it."""
        candidates = self._eligibility.candidates(service, one.endpoints, selector=pool.node_selector)
        chosen = self._for_all.get(pool.name)
        if chosen is None:
            chosen = places(pool, service)
        if held is None:
            announced = self._announced(service, one, pool, candidates, chosen)
        else:
            announced = self._announce(service, one, pool, candidates, chosen, held)
        beyond: Network | None = None
        bits = one.family.bits
        for length, bundle in announced.bundles:
            if length == bits:
                shares.append(Share(one.number, one.host, bundle))
                continue
            number = number_of_holder(one.number, length, bits)
            prefix = self._aggregate(number, one, length)
            if self._lies_inside(number, prefix, pool):
                shares.append(Share(number, prefix, bundle))
            else:
                beyond = prefix
        return announced.refused or (None if beyond is None else outside(pool, beyond))

    def _announced(
        self, service: Service, one: Reading, pool: Eip, candidates: Candidates, chosen: tuple[int, ...]
    ) -> _Announced:
        """What is announced; Services of the policy Cluster share it where no selector tells them apart."""
        if not candidates.is_shared:
            return self._announce(service, one, pool, candidates, chosen)
        key = (candidates, pool.name, one.address.version, chosen)
        known = self._shared.get(key)
        if known is None:
            known = self._shared[key] = self._announce(service, one, pool, candidates, chosen)
        return known

    def _announce(
        self,
        service: Service,
        one: Reading,
        pool: Eip,
        candidates: Candidates,
        chosen: tuple[int, ...],
        held: Refused | None = None,
    ) -> _Announced:
        terms = self._terms
        hops = terms.hops[one.family]
        out = "" if held is None else terms.node
        nodes = tuple([hop.node for hop in hops if _announces(hop, candidates) and hop.node != out])
        vetoes = tuple([hop.node for hop in hops if candidates.lacks_local(hop.node)])
        weights = self._weights(service, one, nodes) if terms.weighted and service.local else ()
        key = (pool.name, one.address.version, service.local, nodes, vetoes, chosen, weights)
        known = self._made.get(key)
        if known is None:
            known = self._made[key] = self._make(
                pool,
                one.family,
                local=service.local,
                nodes=nodes,
                vetoes=vetoes,
                chosen=chosen,
                weights=weights,
            )
        if terms.node in nodes:
            return known
        refused = candidates.refusal(terms.node) or held or terms.refused.get(one.family)
        return _Announced(known.bundles, refused)

    def _weights(self, service: Service, one: Reading, nodes: Sequence[str]) -> tuple[int, ...]:
        wanted = weights_of(nodes, one.endpoints.by_node)
        settled = self.weights.settle(service.key, one.family, wanted)
        return tuple(settled[node] for node in nodes)

    def _make(
        self,
        pool: Eip,
        family: Family,
        *,
        local: bool,
        nodes: tuple[str, ...],
        vetoes: tuple[str, ...],
        chosen: tuple[int, ...],
        weights: tuple[int, ...],
    ) -> _Announced:
        claims: dict[int, list[Claim]] = {}
        for index, node in enumerate(nodes):
            here = places_at(pool, chosen, self._terms.nodes[node])
            found = lengths(pool, here, family=family, local=local, peers=self._names(family))
            for length, lines in found.items():
                # An aggregate stands for many Services: no single one's endpoints weigh it.
                weight = weights[index] if weights and length == family.bits else 0
                claims.setdefault(length, []).append(Claim(node, lines, weight))
        if vetoes:
            claims.setdefault(family.bits, [])
        bundles = tuple(
            (length, self._intern(Bundle(tuple(claims[length]), vetoes if length == family.bits else ())))
            for length in sorted(claims, reverse=True)
        )
        return _Announced(bundles, self._unreached(pool, family, bundles))

    def _intern(self, bundle: Bundle) -> Bundle:
        return self._interned.setdefault(bundle, bundle)

    def _names(self, family: Family) -> set[str]:
        return {peer.name for peer in self._terms.peers[family].values()}

    def _unreached(self, pool: Eip, family: Family, bundles: Sequence[tuple[int, Bundle]]) -> Refused | None:
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
        if any(not peers or not self._names(family).isdisjoint(peers) for peers in wanted):
            return None
        elsewhere = ", ".join(sorted({name for peers in wanted for name in peers}))
        return Refused(
            Reason.NO_PEER_FOR_NODE,
            f"Eip {pool.name} advertises it only to peers that node {self._terms.node} does not speak to: "
            f"{elsewhere}; name others, or none for all",
        )

    def _aggregate(self, number: int, one: Reading, length: int) -> Network:
        """The network of that number, which holds the address."""
        known = self._aggregates.get(number)
        if known is None:
            known = self._aggregates[number] = prefix_of(one.address, length)
        return known

    def _lies_inside(self, number: int, prefix: Network, pool: Eip) -> bool:
        known = self._inside.get((pool.name, number))
        if known is None:
            known = self._inside[pool.name, number] = lies_inside(prefix, pool)
        return known


def _announces(hop: Hop, candidates: Candidates) -> bool:
    if hop.node in candidates.eligible:
        return True
    # While it drains it keeps its paths, made unattractive; then only if nobody else has the address.
    return hop.node in candidates.leaving and (not candidates.eligible or not hop.stopped)


def _summary(outcomes: Sequence[tuple[Reading, Refused | None]]) -> Refused | None:
    """One Refused for a Service; where its addresses differ it names the first that is concerned."""
    for one, refused in outcomes:
        if refused is not None:
            if all(other == refused for _, other in outcomes):
                return refused
            return Refused(refused.reason, f"{one.address}: {refused.message}")
    return None
