"""What the speakers report, turned round: for each pool, which nodes announce it and why the others do not.

One Reach serves all Services of a pool, so that ten thousand of them cost one look at the speakers.
"""

from collections.abc import Mapping, Sequence

import msgspec

from openelb_bgp.model.advertising import advertisements, is_for_node
from openelb_bgp.model.meta import EMPTY
from openelb_bgp.model.pools import Advertisement, Eip, Protocol
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.routing import BgpPeer
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.speakers import Speaker
from openelb_bgp.model.statuses import PoolStatus

from .words import summed_up

_NO_SPEAKER = Refused(Reason.NO_SPEAKER, "no speaker reports; start one on each node")
_NOT_LOOKED_AT = Refused(
    Reason.SPEAKER_NOT_CONFIGURED, "the speaker has not configured the pool yet; see its problems"
)
NO_BGP_CONF = Refused(
    Reason.NO_BGP_CONF,
    "there is no BgpConf named default that can be used; create it with spec.as, or see what its condition "
    "Valid says",
)


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """Where a pool is announced.

    `configured` says that at least one speaker has the pool in place; `nodes` are those that can also send
    its routes (for BGP: a session is established), by name; `silent` holds the other speakers' reasons;
    `refused` why there is no node at all. `awaited` says that no speaker has looked at the pool yet.
    """

    configured: bool = False
    awaited: bool = False
    nodes: tuple[str, ...] = ()
    silent: Mapping[str, Refused] = {}
    refused: Refused | None = None


def reaches(snapshot: Snapshot) -> dict[str, Reach]:
    """Where each pool is announced, as the speakers report it that exist."""
    states = _states(snapshot)
    return {name: _reach(pool, snapshot, states) for name, pool in snapshot.eips.items()}


_States = Mapping[str, Mapping[str, PoolStatus]]
"""What each speaker says of each pool."""


def _states(snapshot: Snapshot) -> _States:
    return {
        name: {one.name: one for one in speaker.status.pools} for name, speaker in snapshot.speakers.items()
    }


def _reach(pool: Eip, snapshot: Snapshot, states: _States) -> Reach:
    names = _peers_of(pool, snapshot)
    configured, nodes, silent = False, [], {}
    # One that is not ready just now counts: while a speaker is replaced, its gobgpd goes on announcing.
    for _, speaker in sorted(snapshot.speakers.items()):
        refused = _not_configured(speaker, pool, states[speaker.name].get(pool.name))
        configured = configured or refused is None
        if refused is None and pool.protocol is Protocol.BGP:
            refused = _not_advertised(speaker, pool, snapshot)
        if refused is None:
            nodes.append(speaker.name)
        else:
            silent[speaker.name] = refused
    refused = None if nodes else _nowhere(pool, snapshot, names, silent)
    return Reach(
        configured=configured,
        awaited=bool(silent) and not nodes and all(why is _NOT_LOOKED_AT for why in silent.values()),
        nodes=tuple(nodes),
        silent=silent,
        refused=refused,
    )


def _peers_of(pool: Eip, snapshot: Snapshot) -> frozenset[str]:
    """The BgpPeers that the pool's advertisements go to; none for layer2 and vip."""
    if pool.protocol is not Protocol.BGP:
        return frozenset()
    return named(advertisements(pool), snapshot)


def named(chosen: Sequence[Advertisement], snapshot: Snapshot) -> frozenset[str]:
    """The names of the BgpPeers that these advertisements go to."""
    ours = {name for name, peer in snapshot.bgp_peers.items() if not peer.left_to_cni}
    if any(not one.peers for one in chosen):
        return frozenset(ours)
    return frozenset(ours.intersection(name for one in chosen for name in one.peers))


def serves(peer: BgpPeer, snapshot: Snapshot) -> tuple[str, ...]:
    """The names of the nodes that the peer's selector chooses, sorted."""
    selector = peer.node_selector
    return tuple(
        sorted(
            name
            for name, node in snapshot.nodes.items()
            if selector is None or selector.matches(node.meta.labels)
        )
    )


def _not_configured(speaker: Speaker, pool: Eip, state: PoolStatus | None) -> Refused | None:
    if state is not None and state.ready:
        return None
    if state is not None and state.reason:
        return Refused(_reason(state.reason), _problem_of(speaker, pool, state.reason) or state.reason)
    return _NOT_LOOKED_AT


def _reason(text: str) -> Reason:
    # A speaker of another version may know reasons that we do not, or put a sentence there.
    word = text.partition(":")[0]
    return Reason.known(word) or Reason.SPEAKER_NOT_CONFIGURED


def _problem_of(speaker: Speaker, pool: Eip, reason: str) -> str:
    """What the speaker says of the pool, or else of whatever keeps the pool from being ready."""
    name, problems = str(pool.ref), speaker.status.problems
    own = (one.message for one in problems if one.object == name)
    same = (one.message for one in problems if one.reason == reason)
    return next(own, "") or next(same, "")


def spoken_to(names: frozenset[str], node: str, snapshot: Snapshot) -> frozenset[str]:
    """Those of the peers whose selector chooses the node."""
    known = snapshot.nodes.get(node)
    labels = EMPTY if known is None else known.meta.labels
    selectors = ((name, snapshot.bgp_peers[name].node_selector) for name in names)
    return frozenset(name for name, selector in selectors if selector is None or selector.matches(labels))


def _not_advertised(speaker: Speaker, pool: Eip, snapshot: Snapshot) -> Refused | None:
    """Why the node's own routes of the pool reach no peer."""
    node = snapshot.nodes.get(speaker.name)
    labels = EMPTY if node is None else node.meta.labels
    chosen = [one for one in advertisements(pool) if is_for_node(one, labels)]
    if not chosen:
        return Refused(
            Reason.NO_ADVERTISEMENT,
            f"no advertisement of Eip {pool.name} is for this node; add one, or widen a nodeSelector",
        )
    return _no_session(speaker, spoken_to(named(chosen, snapshot), speaker.name, snapshot))


def _no_session(speaker: Speaker, names: frozenset[str]) -> Refused | None:
    """Why the node reaches none of the peers that are for it."""
    if not names:
        return Refused(Reason.NO_PEER_FOR_NODE, "no BgpPeer is for this node; widen its nodeSelector")
    sessions = [one for one in speaker.status.sessions if one.peer in names]
    if any(one.peer_state.is_established for one in sessions):
        return None
    errors = "; ".join(f"{one.peer}: {one.last_error}" for one in sessions if one.last_error)
    return Refused(
        Reason.NO_SESSION, f"no session is established ({errors or 'not yet'}); see the BgpPeer's status"
    )


def _nowhere(pool: Eip, snapshot: Snapshot, names: frozenset[str], silent: Mapping[str, Refused]) -> Refused:
    if pool.protocol is Protocol.BGP and snapshot.bgp_conf is None:
        return NO_BGP_CONF
    if pool.protocol is Protocol.BGP and not names:
        return Refused(Reason.NO_PEER, "the pool is advertised to no BgpPeer; create one for your router")
    if not silent:
        return _NO_SPEAKER
    return summed_up(silent.items(), otherwise=_NO_SPEAKER)
