"""The statuses of BgpConf and BgpPeer, put together from what every node's speaker reports.

They are copies of observations: a node whose speaker says nothing has no entry. What a node should run is
planned in `bgp`.
"""

from collections.abc import Sequence

from openelb_bgp.lib.words import some
from openelb_bgp.model.errors import Defect
from openelb_bgp.model.meta import ObjectRef
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.routing import BgpConf, BgpPeer
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.speakers import Speaker
from openelb_bgp.model.statuses import (
    BgpConfStatus,
    BgpPeerStatus,
    NodeConfStatus,
    NodePeerStatus,
    SessionStatus,
)

from .conditions import valid_and_ready
from .reach import NO_BGP_CONF, serves
from .words import summed_up

_IGNORED = Refused(Reason.IGNORED_NAME, "only the BgpConf named default counts; rename it, or merge the two")
_NO_LIVE_SPEAKER = Refused(Reason.NO_SPEAKER, "no live speaker reports; start one on this node")


def bgp_conf_status(
    conf: BgpConf,
    snapshot: Snapshot,
    *,
    defects: Sequence[Defect],
    previous: BgpConfStatus | None,
    now: str,
    counts: bool = True,
) -> BgpConfStatus:
    """Of a BgpConf: what each node's gobgpd runs with, and whether every node does.

    `counts` False: it is not the one named `default`, so nothing runs with it.
    """
    running = {
        name: NodeConfStatus(router_id=speaker.status.gobgp.router_id, asn=speaker.status.gobgp.asn)
        for name, speaker in sorted(snapshot.speakers.items())
        if counts and speaker.status.gobgp.asn
    }
    conditions = valid_and_ready(
        () if previous is None else previous.conditions,
        defects=defects,
        refused=_not_everywhere(conf, snapshot) if counts else _IGNORED,
        reason=Reason.READY,
        message=f"AS {conf.asn} runs on {some(sorted(running))}",
        now=now,
        generation=conf.meta.generation,
    )
    return BgpConfStatus(nodes_conf_status=running, conditions=conditions)


def bgp_peer_status(
    peer: BgpPeer, snapshot: Snapshot, *, defects: Sequence[Defect], previous: BgpPeerStatus | None, now: str
) -> BgpPeerStatus:
    """Of a BgpPeer: its session on each node, and whether every chosen node has it established.

    Where a node has several sessions to the peer (one a gateway), the first that is not established is shown.
    """
    chosen = serves(peer, snapshot)
    sessions = {
        name: found
        for name, speaker in sorted(snapshot.speakers.items())
        if (found := _worst(speaker, peer)) is not None
    }
    conditions = valid_and_ready(
        () if previous is None else previous.conditions,
        defects=defects,
        refused=_not_established(peer, snapshot, chosen),
        reason=Reason.ESTABLISHED,
        message=f"established on {some(chosen)}",
        now=now,
        generation=peer.meta.generation,
    )
    return BgpPeerStatus(
        nodes_peer_status={
            name: NodePeerStatus(peer_state=one.peer_state, timers_state=one.timers_state)
            for name, one in sessions.items()
        },
        conditions=conditions,
    )


# What is said of a peer that has its session all the same: never why it is not established.
_BESIDE_THE_SESSION = frozenset(
    {
        Reason.NO_EFFECT,
        Reason.UNSUPPORTED,
        Reason.NO_ADD_PATH,
        Reason.SEND_MAX_TOO_SMALL,
        Reason.NO_IPV6_NEXT_HOP,
    }
)


def _not_everywhere(conf: BgpConf, snapshot: Snapshot) -> Refused | None:
    racks = dict(conf.asn_per_rack)
    missing = []
    for name, node in sorted(snapshot.nodes.items()):
        refused = _not_running(snapshot.speakers.get(name), conf.ref, asn=racks.get(node.rack, conf.asn))
        if refused is not None:
            missing.append((name, refused))
    if not snapshot.nodes:
        return Refused(Reason.NODE_UNKNOWN, "no Node is known; nothing can run it")
    return summed_up(missing, otherwise=missing[0][1]) if missing else None


def _not_running(speaker: Speaker | None, ref: ObjectRef, *, asn: int) -> Refused | None:
    if speaker is None or not speaker.ready:
        return _NO_LIVE_SPEAKER
    gobgp = speaker.status.gobgp
    if gobgp.asn == asn:
        return None
    problem = _problem(speaker, ref)
    if problem is not None:
        return problem
    if not gobgp.asn:
        return Refused(Reason.SIDECAR_DOWN, "gobgpd has not been started; see the Speaker's problems")
    return Refused(Reason.SPEAKER_NOT_CONFIGURED, f"gobgpd still runs with AS {gobgp.asn} instead of {asn}")


def _not_established(peer: BgpPeer, snapshot: Snapshot, chosen: Sequence[str]) -> Refused | None:
    if not chosen:
        return Refused(Reason.NODE_NOT_SELECTED, "no node matches spec.nodeSelector; correct it or label one")
    if snapshot.bgp_conf is None and not any(_worst(one, peer) for one in snapshot.speakers.values()):
        return NO_BGP_CONF
    missing = [
        (name, refused)
        for name in chosen
        if (refused := _no_session(snapshot.speakers.get(name), peer)) is not None
    ]
    return summed_up(missing, otherwise=missing[0][1]) if missing else None


def _no_session(speaker: Speaker | None, peer: BgpPeer) -> Refused | None:
    # A report outlives its writer for a while: only a live speaker's session counts.
    if speaker is None or not speaker.ready:
        return _NO_LIVE_SPEAKER
    session = _worst(speaker, peer)
    if session is not None and session.peer_state.is_established:
        return None
    problem = _problem(speaker, peer.ref)
    if problem is not None and (session is None or problem.reason not in _BESIDE_THE_SESSION):
        return problem
    if session is None:
        return Refused(Reason.NOT_ESTABLISHED, "the speaker has not added the peer; see its problems")
    state = session.peer_state.session_state
    return Refused(Reason.NOT_ESTABLISHED, session.last_error or f"the session is {state}, not established")


def _worst(speaker: Speaker, peer: BgpPeer) -> SessionStatus | None:
    sessions = [one for one in speaker.status.sessions if one.peer == peer.name]
    down = (one for one in sessions if not one.peer_state.is_established)
    return next(down, sessions[0] if sessions else None)


def _problem(speaker: Speaker, ref: ObjectRef) -> Refused | None:
    """The first problem of an object, what keeps a session from coming up before any remark."""
    name = str(ref)
    found = [
        Refused(reason, one.message)
        for one in speaker.status.problems
        if one.object == name and (reason := Reason.known(one.reason)) is not None
    ]
    return min(found, key=lambda refused: refused.reason in _BESIDE_THE_SESSION, default=None)
