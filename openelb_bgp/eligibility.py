"""May this node announce this address, and if not, why not: the one answer that all announcers share.

Pure. From the nodes and a Service's EndpointSlices to the nodes that may announce it, with a Refused for
every other one. Speakers ask about themselves and the nodes they stand in for; the controller asks about all
nodes, and so derives from the same rules what Speakers need not report. Which pool an address belongs to,
peers, interfaces and subnets are not here: they are the announcers' matter.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec

from .model import keys
from .model.addresses import Address, Family
from .model.cluster import Node
from .model.meta import EMPTY, LabelSelector
from .model.reasons import Reason, Refused
from .model.routing import Drain
from .model.services import EndpointSlice, Service
from .model.snapshot import Snapshot

_UNSCHEDULABLE_TAINT = "node.kubernetes.io/unschedulable"


class NodeState(msgspec.Struct, frozen=True, kw_only=True):
    """What of a node matters to announcing. Equal states mean that nothing has to be decided again.

    `refused` says why it may announce nothing at all; a node that only drains is not refused here, because
    the last one of an address keeps it.
    """

    name: str
    rack: str = ""
    labels: Mapping[str, str] = EMPTY
    addresses: tuple[Address, ...] = ()
    refused: Refused | None = None
    draining: bool = False

    def address(self, family: Family) -> Address | None:
        """Its first InternalIP of the family."""
        return next((one for one in self.addresses if one.version == family.value), None)


class Backends(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A Service's endpoints of one family that may take traffic.

    `by_node` counts ready endpoints by node or, only while there is no ready one anywhere, those that still
    serve while they terminate (KEP-1669). `refused` is set when there are none at all.
    """

    by_node: Mapping[str, int]
    refused: Refused | None = None


def backends(slices: Sequence[EndpointSlice], family: Family, *, in_cluster: bool = False) -> Backends:
    """The endpoints that traffic to an address of that family can reach.

    `in_cluster` says that Kubernetes writes them, for what is said where there are none.
    """
    ready: dict[str, int] = {}
    leaving: dict[str, int] = {}
    seen = 0
    for one in slices:
        if one.family is not None and one.family is not family:
            continue
        for endpoint in one.endpoints:
            seen += 1
            if endpoint.ready:
                ready[endpoint.node] = ready.get(endpoint.node, 0) + 1
            elif endpoint.serving and endpoint.terminating:
                leaving[endpoint.node] = leaving.get(endpoint.node, 0) + 1
    if found := ready or leaving:
        return _backends(tuple(sorted(found.items())) if len(found) > 1 else tuple(found.items()))
    return Backends(by_node={}, refused=_no_endpoints(slices, family, seen=seen, in_cluster=in_cluster))


@lru_cache(maxsize=4096)
def _backends(counts: tuple[tuple[str, int], ...]) -> Backends:
    """Of thousands of Services many have as many endpoints on the same nodes: they share one value."""
    return Backends(by_node=dict(counts))


def _no_endpoints(slices: Sequence[EndpointSlice], family: Family, *, seen: int, in_cluster: bool) -> Refused:
    if seen:
        return Refused(
            Reason.NO_ENDPOINTS,
            f"none of its {seen} {family} endpoints is ready; look at the pods behind it",
        )
    if in_cluster:
        return Refused(
            Reason.NO_ENDPOINTS,
            f"it has no {family} endpoint; look at its selector, and at the pods that it should match "
            "(kubectl get endpointslices)",
        )
    what = "no EndpointSlice" if not slices else f"no {family} endpoint in its EndpointSlices"
    return Refused(
        Reason.NO_ENDPOINTS,
        f"it has {what}; write one in its namespace with the label {keys.SERVICE_NAME_LABEL}: its name, "
        f"addressType {family}, and endpoints with nodeName and conditions.ready",
    )


class _Usable(NamedTuple):
    """Of the nodes that a pool's nodeSelector chooses, those that may announce: staying, and draining."""

    staying: frozenset[str]
    draining: frozenset[str]


class Candidates:
    """Which nodes may announce one address; Services with the same answer share one object.

    `eligible` are those that may and stay, `leaving` those that may but drain. While any stays, the leaving
    ones are refused; when all leave, all of them keep the address until they stop.
    """

    __slots__ = ("_blanket", "_holders", "_nodes", "_selector", "eligible", "leaving")

    def __init__(
        self,
        nodes: Mapping[str, NodeState],
        usable: _Usable,
        *,
        selector: LabelSelector | None,
        blanket: Refused | None = None,
        holders: frozenset[str] | None = None,
    ) -> None:
        self._nodes = nodes
        self._selector = selector
        self._blanket = blanket
        self._holders = holders
        self.eligible = usable.staying if holders is None else usable.staying & holders
        self.leaving = usable.draining if holders is None else usable.draining & holders

    @property
    def announcing(self) -> frozenset[str]:
        """The nodes that shall announce it in the end."""
        return self.eligible or self.leaving

    @property
    def is_shared(self) -> bool:
        """Whether the answer is the same for every Service of that pool that has endpoints at all."""
        return self._holders is None

    def refusal(self, node: str) -> Refused | None:
        """Why that node shall not announce it; None if it shall."""
        if self._blanket is not None:
            return self._blanket
        refused = self._refusal_of_node(node)
        if refused is not None:
            return refused
        if self._holders is not None and node not in self._holders:
            return Refused(
                Reason.NO_LOCAL_ENDPOINT,
                f"node {node} has no ready endpoint of it, and externalTrafficPolicy is Local; "
                "that is as it should be if other nodes have",
            )
        if node in self.leaving and self.eligible:
            return Refused(
                Reason.NODE_DRAINING, f"node {node} drains and others have taken over; end its drain"
            )
        return None

    def verdicts(self) -> dict[str, Refused | None]:
        """Every node's answer; None for those that shall announce it."""
        return {name: self.refusal(name) for name in sorted(self._nodes)}

    def lacks_local(self, node: str) -> bool:
        """Whether the node must not announce it because the endpoints are on other nodes."""
        return self._holders is not None and self._blanket is None and node not in self._holders

    def _refusal_of_node(self, node: str) -> Refused | None:
        state = self._nodes.get(node)
        if state is None:
            return Refused(
                Reason.NODE_UNKNOWN, f"there is no Node {node}; register it, or correct the node's name"
            )
        if state.refused is not None:
            return state.refused
        if self._selector is not None and not self._selector.matches(state.labels):
            return Refused(
                Reason.NODE_NOT_SELECTED,
                f"the pool's nodeSelector does not choose node {node}; label the node or change the selector",
            )
        return None


class Eligibility:
    """The nodes' side of the question, made once a snapshot and asked for every Service.

    `nodes` holds the state of every node. Answers are kept, so asking for 10,000 Services of the policy
    Cluster costs about as much as asking for one.
    """

    def __init__(self, nodes: Mapping[str, NodeState]) -> None:
        self.nodes = nodes
        self._usable: dict[LabelSelector | None, _Usable] = {}
        self._everywhere: dict[LabelSelector | None, Candidates] = {}

    @classmethod
    def of(cls, snapshot: Snapshot, *, ignore_exclude_label: bool = False) -> "Eligibility":
        """The states of all nodes in the snapshot."""
        conf = snapshot.bgp_conf
        return cls(
            node_states(
                snapshot.nodes,
                drain=Drain() if conf is None else conf.drain,
                ignore_exclude_label=ignore_exclude_label,
            )
        )

    def candidates(
        self, service: Service, endpoints: Backends, *, selector: LabelSelector | None = None
    ) -> Candidates:
        """Who may announce an address of the Service that comes from a pool with that nodeSelector."""
        return self.candidates_of(endpoints, local=service.local, selector=selector)

    def candidates_of(
        self, endpoints: Backends, *, local: bool, selector: LabelSelector | None = None
    ) -> Candidates:
        """The same, of a Service of which only that matters: whether its policy is Local."""
        if endpoints.refused is not None:
            return self._nobody(endpoints.refused)
        if local:
            usable = self._usable_of(selector)
            return Candidates(self.nodes, usable, selector=selector, holders=frozenset(endpoints.by_node))
        known = self._everywhere.get(selector)
        if known is None:
            known = Candidates(self.nodes, self._usable_of(selector), selector=selector)
            self._everywhere[selector] = known
        return known

    def _nobody(self, why: Refused) -> Candidates:
        nothing = _Usable(frozenset(), frozenset())
        return Candidates(self.nodes, nothing, selector=None, blanket=why, holders=frozenset())

    def _usable_of(self, selector: LabelSelector | None) -> _Usable:
        known = self._usable.get(selector)
        if known is None:
            good = [
                state
                for state in self.nodes.values()
                if state.refused is None and (selector is None or selector.matches(state.labels))
            ]
            known = self._usable[selector] = _Usable(
                frozenset(state.name for state in good if not state.draining),
                frozenset(state.name for state in good if state.draining),
            )
        return known


def eligible_nodes(
    snapshot: Snapshot,
    service: Service,
    address: Address,
    *,
    selector: LabelSelector | None = None,
    eligibility: Eligibility,
) -> Candidates:
    """Who may announce that address of a Service: the whole question in one call."""
    slices, family = snapshot.slices.get(service.key, ()), Family.of(address)
    endpoints = backends(slices, family, in_cluster=snapshot.in_cluster)
    return eligibility.candidates(service, endpoints, selector=selector)


def node_states(
    nodes: Mapping[str, Node], *, drain: Drain, ignore_exclude_label: bool = False
) -> dict[str, NodeState]:
    """Every node's state, by name."""
    silent = sum(node.ready is False for node in nodes.values())
    # More than half of them at once: the control plane is sick, not the network.
    believed = silent * 2 <= len(nodes)
    # A label on every node (a one-node cluster's control plane carries it) would leave nobody.
    ignored = ignore_exclude_label or all(keys.EXCLUDE_LABEL in node.meta.labels for node in nodes.values())
    return {
        name: NodeState(
            name=name,
            rack=node.rack,
            labels=node.meta.labels,
            addresses=node.addresses,
            refused=_refusal_of(node, readiness_counts=believed, label_counts=not ignored),
            draining=_drains(node, drain),
        )
        for name, node in nodes.items()
    }


def _refusal_of(node: Node, *, readiness_counts: bool, label_counts: bool) -> Refused | None:
    if readiness_counts and node.ready is False:
        return Refused(Reason.NODE_NOT_READY, f"node {node.name} is not Ready; see kubectl describe node")
    if node.network_unavailable:
        return Refused(
            Reason.NODE_NETWORK_UNAVAILABLE,
            f"node {node.name} has the condition NetworkUnavailable; look at the CNI there",
        )
    if label_counts and keys.EXCLUDE_LABEL in node.meta.labels:
        return Refused(
            Reason.NODE_EXCLUDED,
            f"node {node.name} carries the label {keys.EXCLUDE_LABEL}; remove it, "
            "or start with --ignore-exclude-lb",
        )
    return None


def _drains(node: Node, drain: Drain) -> bool:
    if node.meta.deleting or node.meta.annotations.get(keys.DRAIN_ANNOTATION) == "true":
        return True
    if node.shutting_down:
        return True
    if node.unschedulable and _UNSCHEDULABLE_TAINT in drain.taints:
        return True
    return any(taint.key in drain.taints for taint in node.taints)
