"""What one node's gobgpd shall run: from a snapshot and the node's facts to a BgpPlan.

Pure: this module only puts the parts together. Who is spoken to is decided in `peers`, whose next hops are
advertised in `nexthops`, what each Service claims in `claims`, how claims become paths in `resolve` and
`routes`, what the export policy says in `export_policy`.
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from openelb_bgp.eligibility import NodeState, node_states
from openelb_bgp.lib.instants import soonest
from openelb_bgp.model.addresses import Family
from openelb_bgp.model.facts import Facts
from openelb_bgp.model.keys import BGP_CONF_NAME
from openelb_bgp.model.meta import EMPTY, Kind, Meta, ref
from openelb_bgp.model.pools import Eip, Protocol
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.routing import BgpConf, Drain
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.statuses import Problem

from .advertise import remarks
from .claims import RouteTerms
from .doubt import doubt_of, unseen_problem
from .export_policy import routing_policy
from .global_conf import global_conf
from .model import GlobalConf, PeerConf, RoutingPolicy
from .nexthops import HopPlan, plan_hops
from .notes import blanket, no_conf, pool_statuses, unequal_sessions
from .peers import Node, PeerPlan, own_addresses, plan_peers
from .planned import DEFAULT_OPTIONS, BgpPlan, PlanOptions
from .policy_toml import ParsedPolicy
from .recall import PlanMemory, Retired
from .routes import RouteBook, make_book
from .user_policy import UserPolicy, user_policy
from .variants import LargeCommunity, Variant

__all__ = ["BgpPlan", "PlanOptions", "plan"]

_NEEDED = (
    *(Kind.EIP, Kind.BGP_CONF, Kind.BGP_PEER, Kind.SERVICE, Kind.ENDPOINT_SLICE, Kind.NODE),
    # Who has sessions; and before the first start of BGP, whether it has run on this boot.
    Kind.SPEAKER,
)
RETIRE_AFTER = 30.0
"""Seconds that the rules of a tag outlive its last path: gobgpd must have forgotten the path before."""


def plan(
    snapshot: Snapshot,
    facts: Facts,
    *,
    options: PlanOptions = DEFAULT_OPTIONS,
    previous: BgpPlan | None = None,
) -> BgpPlan:
    """Everything that `facts.node` shall run.

    `previous` is the plan that this process made last, of the same node with the same options: it saves
    work, and it carries what only the past can tell. Without it the process has just started.
    """
    if not snapshot.has_listed(*_NEEDED):
        return _waiting(snapshot, facts, previous)
    return _Planner(snapshot, facts, options, previous).make()


def _waiting(snapshot: Snapshot, facts: Facts, previous: BgpPlan | None) -> BgpPlan:
    missing = ", ".join(kind for kind in _NEEDED if not snapshot.has_listed(kind))
    note = Problem.of(
        ref(Kind.NODE, facts.node),
        Reason.WAITING_FOR_SYNC,
        f"not listed yet: {missing}; nothing is changed until then",
    )
    if previous is None:
        return BgpPlan(node=facts.node, complete=False, problems=(note,))
    return msgspec.structs.replace(
        previous, complete=False, changed=frozenset(), problems=(note,), deadline=None
    )


class _Parts(NamedTuple):
    """What has been worked out of a plan before its paths."""

    speaker: GlobalConf
    policy: UserPolicy
    peers: PeerPlan
    hops: HopPlan


class _Planner:
    """One plan in the making: each part is worked out from those before it."""

    def __init__(
        self, snapshot: Snapshot, facts: Facts, options: PlanOptions, previous: BgpPlan | None
    ) -> None:
        self._snapshot, self._facts, self._options, self._previous = snapshot, facts, options, previous
        memory = None if previous is None else previous.memory
        self._memory = memory or PlanMemory()
        self._conf = snapshot.bgp_conf
        self._drain = Drain() if self._conf is None else self._conf.drain
        self._states = self._node_states()
        self._pools = self._terms_of_pools()

    def make(self) -> BgpPlan:
        """The plan."""
        me = self._states.get(self._facts.node)
        if self._conf is None:
            return self._silent(no_conf(self._snapshot))
        if me is None:
            message = f"there is no Node {self._facts.node}; register it, or correct --node-name"
            return self._silent(Refused(Reason.NODE_UNKNOWN, message))
        conf, speaker = self._conf, global_conf(self._conf, me)
        policy = user_policy(
            self._snapshot, conf, namespace=self._options.namespace, previous=self._memory.policy
        )
        peers = self._plan_peers(conf, speaker, me)
        hops = plan_hops(
            self._states,
            peers.peers,
            self._facts,
            conf,
            pools=self._pools.values(),
            previous=self._memory.hops,
        )
        parts = _Parts(speaker, policy, peers, hops)
        return self._assemble(me, parts, self._book(self._terms(conf, parts)))

    def _silent(self, why: Refused) -> BgpPlan:
        """Nothing is announced; where this node is not known, what runs is left as it is."""
        gone = self._conf is not None
        terms = RouteTerms(
            node=self._facts.node,
            blanket=why,
            nodes=self._states,
            hops=dict.fromkeys(Family, ()),
            refused={},
            peers=dict.fromkeys(Family, EMPTY),
            pools=self._pools,
        )
        book = self._book(terms)
        last = self._previous if gone else None
        return BgpPlan(
            node=self._facts.node,
            complete=self._adopted,
            global_conf=None if last is None else last.global_conf,
            peers=EMPTY if last is None else last.peers,
            routing=RoutingPolicy() if last is None else last.routing,
            changed=book.changed,
            pools=pool_statuses(terms, None),
            left_out=book.left_out,
            problems=(
                *self._without_bgp(why),
                *unseen_problem(self._snapshot, node=self._facts.node),
            ),
            doubt=doubt_of(self._snapshot, node=self._facts.node),
            memory=self._remember(self._memory if gone else PlanMemory(), book),
        )

    def _without_bgp(self, why: Refused) -> tuple[Problem, ...]:
        """What to say of it, unless nobody has asked for BGP: pools may all be of another protocol."""
        asked = self._conf is not None or self._snapshot.bgp_peers or why.reason is not Reason.NO_BGP_CONF
        others = {pool.protocol for pool in self._pools.values()}
        if not asked and others and Protocol.BGP not in others:
            return ()
        return (Problem.of(ref(Kind.BGP_CONF, BGP_CONF_NAME), why.reason, why.message),)

    def _node_states(self) -> Mapping[str, NodeState]:
        memory = self._memory
        if memory.nodes is self._snapshot.nodes and memory.drain == self._drain:
            return memory.states
        return node_states(
            self._snapshot.nodes,
            drain=self._drain,
            ignore_exclude_label=self._options.ignore_exclude_label,
        )

    def _terms_of_pools(self) -> Mapping[str, Eip]:
        """The pools without what their statuses change: writing one must not plan everything anew."""
        if self._memory.eips is self._snapshot.eips:
            return self._memory.pools
        return {
            name: msgspec.structs.replace(eip, meta=Meta(name=name))
            for name, eip in sorted(self._snapshot.eips.items())
        }

    def _remember(self, memory: PlanMemory, book: RouteBook) -> PlanMemory:
        return msgspec.structs.replace(
            memory,
            nodes=self._snapshot.nodes,
            drain=self._drain,
            states=self._states,
            eips=self._snapshot.eips,
            pools=self._pools,
            book=book,
        )

    def _plan_peers(self, conf: BgpConf, speaker: GlobalConf, me: NodeState) -> PeerPlan:
        return plan_peers(
            self._snapshot,
            self._facts,
            conf,
            Node(labels=me.labels, addresses=own_addresses(me.addresses, self._facts), asn=speaker.asn),
            namespace=self._options.namespace,
            previous=EMPTY if self._previous is None else self._previous.peers,
            gateways=self._memory.gateways,
        )

    def _terms(self, conf: BgpConf, parts: _Parts) -> RouteTerms:
        parsed = parts.policy.parsed
        return RouteTerms(
            node=self._facts.node,
            blanket=blanket(self._snapshot, self._facts, parts.policy, parts.peers),
            nodes=self._states,
            hops=parts.hops.hops,
            refused=parts.hops.refused,
            peers={family: _carrying(family, parts.peers.peers) for family in Family},
            pools=self._pools,
            one_path=parts.hops.one_path,
            weighted=conf.weighted_ecmp,
            asn=parts.speaker.asn,
            pinned=parsed is not None and bool(parsed.exports),
        )

    def _book(self, terms: RouteTerms) -> RouteBook:
        snapshot, facts = self._snapshot, self._facts
        return make_book(
            terms,
            snapshot.services,
            snapshot.slices,
            held=facts.forwarding.services,
            now=facts.now,
            previous=self._memory.book,
        )

    def _assemble(self, me: NodeState, parts: _Parts, book: RouteBook) -> BgpPlan:
        peers, hops = parts.peers, parts.hops
        tagged = {made.tag: made for made in book.variants if made.tag is not None}
        retired = self._retired(tagged)
        instants = (peers.deadline, hops.deadline, book.deadline, *(one.until for one in retired.values()))
        return BgpPlan(
            node=self._facts.node,
            complete=self._known and peers.complete and hops.complete and parts.policy.known,
            global_conf=parts.speaker,
            peers=peers.peers,
            routing=self._routing(tagged, retired, parts.policy),
            paths=book.paths,
            changed=book.changed,
            pools=pool_statuses(book.terms, me),
            left_out={**peers.left_out, **book.left_out},
            problems=self._problems(parts, book),
            deadline=soonest(*instants),
            probes=hops.probes,
            standing_in_for=hops.standing_in_for,
            draining=me.draining,
            doubt=doubt_of(self._snapshot, node=self._facts.node),
            memory=self._remember(self._learned(parts, tagged, retired), book),
        )

    @property
    def _known(self) -> bool:
        """Whether this node knows of itself what the plan depends on."""
        return self._adopted and self._facts.forwarding.known

    @property
    def _adopted(self) -> bool:
        """Whether gobgpd has been read: what it was found with is where plans start from."""
        return self._facts.adopted is not None

    def _learned(
        self,
        parts: _Parts,
        tagged: Mapping[LargeCommunity, Variant],
        retired: Mapping[LargeCommunity, Retired],
    ) -> PlanMemory:
        return PlanMemory(
            hops=parts.hops.memory if self._adopted else None,
            gateways=parts.peers.gateways,
            policy=parts.policy,
            tagged=tagged,
            retired=retired,
        )

    def _retired(self, tagged: Mapping[LargeCommunity, Variant]) -> dict[LargeCommunity, Retired]:
        now = self._facts.now
        retired = {tag: one for tag, one in self._memory.retired.items() if one.until > now}
        for tag, made in self._memory.tagged.items():
            retired[tag] = Retired(made, now + RETIRE_AFTER)
        return {tag: one for tag, one in retired.items() if tag not in tagged}

    def _routing(
        self,
        tagged: Mapping[LargeCommunity, Variant],
        retired: Mapping[LargeCommunity, Retired],
        policy: UserPolicy,
    ) -> RoutingPolicy:
        memory = self._memory
        same = memory.tagged.keys() | memory.retired.keys() == tagged.keys() | retired.keys()
        last = None if self._previous is None else self._previous.routing
        if last is not None and last.policies and same and _parsed(memory.policy) is policy.parsed:
            # The same object: whoever compares with what runs need not look at it again.
            return last
        return routing_policy((*tagged.values(), *(one.variant for one in retired.values())), policy.parsed)

    def _problems(self, parts: _Parts, book: RouteBook) -> tuple[Problem, ...]:
        peers, refused = parts.peers.peers, parts.policy.refused
        found = {*parts.peers.problems, *parts.hops.problems, *book.problems()}
        found.update(remarks(self._pools, peers, self._snapshot.bgp_peers))
        found.update(unseen_problem(self._snapshot, node=self._facts.node))
        found.update(unequal_sessions(peers, self._facts, book.most_paths))
        if refused is not None:
            found.add(Problem.of(ref(Kind.BGP_CONF, BGP_CONF_NAME), refused.reason, refused.message))
        silent = book.terms.blanket
        if silent is not None and silent != refused:
            found.add(Problem.of(ref(Kind.NODE, self._facts.node), silent.reason, silent.message))
        return tuple(sorted(found))


def _parsed(policy: UserPolicy | None) -> ParsedPolicy | None:
    return None if policy is None else policy.parsed


def _carrying(family: Family, peers: Mapping[str, PeerConf]) -> dict[str, PeerConf]:
    return {address: peer for address, peer in sorted(peers.items()) if peer.carries(family)}
