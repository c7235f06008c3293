"""Why this node announces nothing, or less than it would like to: the sentences of a plan as a whole.

Pure. What is wrong with one peer, one pool's advertisements or one Service is said where it is found.
"""

from collections.abc import Mapping

from openelb_bgp.eligibility import NodeState
from openelb_bgp.model.addresses import Family
from openelb_bgp.model.facts import Facts
from openelb_bgp.model.keys import BGP_CONF_NAME
from openelb_bgp.model.meta import Kind, ref
from openelb_bgp.model.pools import Eip, Protocol
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.statuses import PoolStatus, Problem

from .claims import RouteTerms
from .model import PeerConf
from .peers import PeerPlan
from .user_policy import UserPolicy


def no_conf(snapshot: Snapshot) -> Refused:
    """Why there is no BgpConf to go by."""
    if BGP_CONF_NAME in snapshot.bgp_confs:
        message = f"BgpConf {BGP_CONF_NAME} is left to the CNI by its label; remove the label to use BGP here"
        return Refused(Reason.LEFT_TO_CNI, message)
    spoilt = snapshot.invalid.get(ref(Kind.BGP_CONF, BGP_CONF_NAME))
    if spoilt is not None:
        return Refused(Reason.INVALID, f"BgpConf {BGP_CONF_NAME} cannot be used: {spoilt.message}")
    return Refused(
        Reason.NO_BGP_CONF, f"there is no BgpConf named {BGP_CONF_NAME}; create it with spec.as, our ASN"
    )


def blanket(snapshot: Snapshot, facts: Facts, policy: UserPolicy, peers: PeerPlan) -> Refused | None:
    """Why this node announces nothing at all; None if it may."""
    if not policy.known:
        return policy.refused
    if facts.forwarding.refused is not None:
        return facts.forwarding.refused
    if peers.peers:
        return None
    if not snapshot.bgp_peers:
        spoilt = [one for of, one in sorted(snapshot.invalid.items()) if of.kind is Kind.BGP_PEER]
        if spoilt:
            why = "; ".join(f"{one.ref.key.name}: {one.message}" for one in spoilt)
            return Refused(Reason.INVALID, f"no BgpPeer can be used ({why})")
        return Refused(Reason.NO_PEER, "there is no BgpPeer; create one for each router")
    why = "; ".join(f"{of.key.name}: {refused.message}" for of, refused in sorted(peers.left_out.items()))
    return Refused(Reason.NO_PEER_FOR_NODE, f"node {facts.node} speaks to no BgpPeer ({why})")


def pool_statuses(terms: RouteTerms, me: NodeState | None) -> tuple[PoolStatus, ...]:
    """Of each BGP pool, whether this node has what it takes to announce it."""
    return tuple(
        _pool_status(pool, terms, me) for pool in terms.pools.values() if pool.protocol is Protocol.BGP
    )


def _pool_status(pool: Eip, terms: RouteTerms, me: NodeState | None) -> PoolStatus:
    """Whether this node has what it takes to announce the pool; its Services are another question."""
    reason: Reason | None = None
    if terms.blanket is not None:
        reason = terms.blanket.reason
    elif me is not None and pool.node_selector is not None and not pool.node_selector.matches(me.labels):
        reason = Reason.NODE_NOT_SELECTED
    else:
        refused = [terms.refused.get(family) for family in sorted(pool.families, key=lambda one: one.value)]
        reason = next((one.reason for one in refused if one is not None), None) if all(refused) else None
    return PoolStatus(name=pool.name, ready=reason is None, reason="" if reason is None else reason.value)


def unequal_sessions(
    peers: Mapping[str, PeerConf], facts: Facts, most_paths: Mapping[Family, int]
) -> list[Problem]:
    """Where a peer takes less than what is planned for it."""
    found: list[Problem] = []
    for address, peer in peers.items():
        session = facts.sessions.get(address)
        about = ref(Kind.BGP_PEER, peer.name)
        for one in peer.afi_safis:
            most = most_paths[one.family]
            if one.add_paths_send_max < most:
                message = (
                    f"addPaths.sendMax {one.add_paths_send_max} is below the {most} {one.family} paths a "
                    "prefix that are planned; raise it, or leave it out for 255"
                )
                found.append(Problem.of(about, Reason.SEND_MAX_TOO_SMALL, message))
            if session is None or not session.established or not session.negotiated:
                continue
            if one.enabled and one.family not in session.negotiated:
                message = f"{address} did not agree on {one.family}; activate that family on the router"
                found.append(Problem.of(about, Reason.FAMILY_NOT_NEGOTIATED, message))
    return found
