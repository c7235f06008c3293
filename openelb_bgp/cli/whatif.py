"""What a node would announce if manifests were all there is: addresses given, links and sessions assumed up.

No host and no daemon is asked, so what only they know is assumed to be well: every neighbour is on-link,
every session of every node established with the families and add-path that both sides may agree on.
"""

from collections.abc import Mapping
from ipaddress import ip_interface
from pathlib import Path

import msgspec

from openelb_bgp import admission
from openelb_bgp.bgp.explain import Explanation, explain
from openelb_bgp.bgp.model import PeerConf
from openelb_bgp.bgp.plan import PlanOptions, plan
from openelb_bgp.files.load import load
from openelb_bgp.ipam import Allocation, Rules, allocate
from openelb_bgp.model import keys
from openelb_bgp.model.addresses import Address, Interface
from openelb_bgp.model.allocated import pool_of
from openelb_bgp.model.cluster import Node
from openelb_bgp.model.facts import Facts, Link, SessionFact, SpeakerFact
from openelb_bgp.model.meta import ObjectRef
from openelb_bgp.model.pools import Protocol
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.services import Service
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.statuses import Problem

_GOBGP = (4, 8)
_NIC = "assumed"


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What to plan. `state` None: nothing has been allocated yet but what manifests' statuses say."""

    directory: Path
    state: Path | None
    node: str
    namespace: str = keys.DEFAULT_NAMESPACE
    claim_all: bool = False
    ignore_exclude_label: bool = False


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The explained plan, everything that is left out with the reason, and how many objects have defects."""

    explanation: Explanation
    left_out: tuple[tuple[ObjectRef, Refused], ...]
    problems: tuple[Problem, ...]
    unusable: int


class UnknownNode(Exception):
    """The folder has no such Node; the text is one line that says which it has."""


def answer(question: Question) -> Answer:
    """Read the folder and plan. Raises UnknownNode, and what `files.load` raises."""
    loaded = load(question.directory, state=question.state)
    snapshot = loaded.snapshot
    node = snapshot.nodes.get(question.node)
    if node is None:
        known = ", ".join(sorted(snapshot.nodes)) or "none; write its manifest, with status.addresses"
        raise UnknownNode(f"there is no Node {question.node} in {question.directory}; its Nodes are: {known}")
    allocation = allocate(
        snapshot,
        rules=Rules(claim_all=question.claim_all),
        blocked_pools=admission.blocked_pools(snapshot),
    )
    given = _with_addresses(snapshot, allocation)
    options = PlanOptions(namespace=question.namespace, ignore_exclude_label=question.ignore_exclude_label)
    # The first plan says which peers there are, the second what goes to them once they are up.
    first = plan(given, assumed_facts(given, node, {}), options=options)
    explanation = explain(plan(given, assumed_facts(given, node, first.peers), options=options))
    left_out = _left_out(given, allocation, explanation)
    untold = {str(ref) for ref, refused in left_out if refused is _GATEWAY_UNKNOWN}
    return Answer(
        explanation=explanation,
        left_out=left_out,
        problems=tuple(one for one in explanation.problems if one.object not in untold),
        unusable=len(loaded.problems) + len(loaded.invalid),
    )


def assumed_facts(snapshot: Snapshot, node: Node, peers: Mapping[str, PeerConf]) -> Facts:
    """The facts of a node on which all is well."""
    names = {peer.name: 0.0 for peer in peers.values()}
    others = (name for name in snapshot.nodes if name != node.name)
    return Facts(
        node=node.name,
        now=0.0,
        links=(Link(name=_NIC, index=1, up=True, addresses=tuple(map(_everywhere, node.addresses))),),
        sessions={address: _established(peer, node) for address, peer in peers.items()},
        speakers={name: SpeakerFact(node=name, established=names, caught_up_since=0.0) for name in others},
        gobgp_version=_GOBGP,
    )


def _everywhere(address: Address) -> Interface:
    # A prefix length of 0: every neighbour is on-link.
    return ip_interface(f"{address}/0")


def _established(peer: PeerConf, node: Node) -> SessionFact:
    families = frozenset(one.family for one in peer.afi_safis if one.enabled)
    several = frozenset(one.family for one in peer.afi_safis if one.add_paths_send_max > 1)
    version = 6 if ":" in peer.neighbor_address else 4
    return SessionFact(
        peer=peer.neighbor_address,
        established=True,
        since=0.0,
        negotiated=families,
        add_path=families & several,
        local_address=next((one for one in node.addresses if one.version == version), None),
        remote_graceful_restart=True,
    )


def _with_addresses(snapshot: Snapshot, allocation: Allocation) -> Snapshot:
    """The snapshot once everything allocated is written."""
    services = dict(snapshot.services)
    services.update({key: decision.written() for key, decision in allocation.services.items()})
    return msgspec.structs.replace(snapshot, services=services)


def _left_out(
    snapshot: Snapshot, allocation: Allocation, explanation: Explanation
) -> tuple[tuple[ObjectRef, Refused], ...]:
    found = dict(explanation.left_out)
    for key, service in snapshot.services.items():
        decision = allocation.services.get(key)
        if decision is not None and decision.refused:
            found[service.ref] = decision.refused[0]
        elif decision is None and service.type == "LoadBalancer":
            found[service.ref] = _not_ours(service)
        elif service.ref not in found and (refused := _other_protocol(service, snapshot)) is not None:
            found[service.ref] = refused
    for peer in snapshot.bgp_peers.values():
        if peer.neighbor_discovery is not None and peer.ref in found:
            found[peer.ref] = _GATEWAY_UNKNOWN
    return tuple(sorted(found.items()))


def _other_protocol(service: Service, snapshot: Snapshot) -> Refused | None:
    for address in service.addresses:
        pool = pool_of(address, service, snapshot.eips)
        if pool is not None and pool.protocol is not Protocol.BGP:
            return Refused(
                Reason.MODE_OFF,
                f"{address} comes from Eip {pool.name} of protocol {pool.protocol}; a plan shows BGP only, "
                f"openelb-bgp {pool.protocol} shows it",
            )
    return None


def _not_ours(service: Service) -> Refused:
    if service.load_balancer_class:
        return Refused(
            Reason.NOT_OURS,
            f"its spec.loadBalancerClass {service.load_balancer_class} is another's; where it should be ours "
            f"write {keys.LOAD_BALANCER_CLASS}",
        )
    return Refused(
        Reason.NOT_OURS,
        f"it does not ask for us; set its annotation {keys.MANAGED_ANNOTATION}: {keys.MANAGED_VALUE}, or its "
        f"spec.loadBalancerClass {keys.LOAD_BALANCER_CLASS}",
    )


_GATEWAY_UNKNOWN = Refused(
    Reason.NO_GATEWAY,
    "its neighbour is the gateway of the node's default route, which only the node itself knows",
)
