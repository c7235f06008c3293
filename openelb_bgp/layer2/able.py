"""Who may answer for an address, by the objects and by what nodes are heard, and why others may not. Pure."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from openelb_bgp.eligibility import Candidates, Eligibility
from openelb_bgp.model.facts import Facts
from openelb_bgp.model.meta import Key
from openelb_bgp.model.pools import Eip
from openelb_bgp.model.reasons import Reason, Refused

from .claims import Claim
from .neighbourhood import Ground
from .owners import contest
from .planned import Contest


class _May(NamedTuple):
    """Who may answer for an address by the objects: those who stay, and those who drain."""

    staying: frozenset[str]
    leaving: frozenset[str]


class Able:
    """Asked for the addresses of one plan.

    `elsewhere` are Services that other nodes must not announce yet, `known` the contests of the last plan.
    """

    def __init__(
        self,
        pools: Mapping[str, Eip],
        facts: Facts,
        eligibility: Eligibility,
        *,
        elsewhere: Mapping[Key, frozenset[str]],
        known: Mapping[Contest, Contest],
    ) -> None:
        self._pools, self._facts, self._eligibility = pools, facts, eligibility
        self._elsewhere, self._known = elsewhere, known
        self._not_owner: dict[str, Refused] = {}
        self.contests: dict[Contest, Contest] = {}
        """Those that came out, to be `known` to the next plan."""

    def contest(self, claims: tuple[Claim, ...], ground: Ground, *, proven: bool) -> Contest:
        """Who may own what these claim; `proven`: as if forwarding had been seen working everywhere."""
        may = self._may(claims, proven=proven)
        able = may.staying & ground.interfaces.keys() or may.leaving & ground.interfaces.keys()
        made = contest(able, ground.stable_since, now=self._facts.now)
        # The same object as in the last plan where it is equal: then nothing is compared address by address.
        return self.contests.setdefault(made, self._known.get(made, made))

    def not_here(self, claims: tuple[Claim, ...], ground: Ground, among: Contest, *, owner: str) -> Refused:
        """Why this node does not answer for the address."""
        if self._facts.node in among.able:
            return self._owned_by(owner)
        return self.refusal(self._facts.node, claims, ground)

    def refusal(self, node: str, claims: tuple[Claim, ...], ground: Ground) -> Refused:
        """Why a node may not answer for it."""
        for one in claims:
            refused = self._candidates(one).refusal(node)
            if refused is not None:
                return refused
            if node == self._facts.node and (held := self._facts.forwarding.services.get(one.service)):
                return held
        return ground.refused.get(node) or Refused(
            Reason.NODE_SILENT, f"nothing is heard of the speaker of node {node}; see whether it runs"
        )

    def _may(self, claims: tuple[Claim, ...], *, proven: bool) -> _May:
        """Whatever has endpoints must be reachable on the owner; a sharer that has none does not count."""
        candidates = [(one, self._candidates(one)) for one in claims]
        willing = [(one, found) for one, found in candidates if found.announcing]
        out = {one.service: frozenset[str]() if proven else self._out(one.service) for one, _ in willing}
        staying = [found.eligible - out[one.service] for one, found in willing]
        leaving = [found.leaving - out[one.service] for one, found in willing]
        if len(willing) == 1:
            return _May(staying[0], leaving[0])
        if not willing:
            return _May(frozenset(), frozenset())
        return _May(_common(staying), _common(leaving))

    def _candidates(self, claim: Claim) -> Candidates:
        selector = self._pools[claim.pool_name].node_selector
        return self._eligibility.candidates_of(claim.endpoints, local=claim.local, selector=selector)

    def _out(self, service: Key) -> frozenset[str]:
        """The nodes on which the Service's forwarding has not been seen working yet."""
        elsewhere = self._elsewhere.get(service, frozenset())
        if service in self._facts.forwarding.services:
            return elsewhere | {self._facts.node}
        return elsewhere

    def _owned_by(self, owner: str) -> Refused:
        known = self._not_owner.get(owner)
        if known is None:
            known = self._not_owner[owner] = Refused(
                Reason.NOT_OWNER, f"node {owner} answers for it; that is as it should be"
            )
        return known


def _common(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    first, *others = sets
    return first.intersection(*others)
