"""What this node has observed of the other nodes' speakers, from one snapshot to the next.

Pure, with what was observed before as its memory. All instants are this node's own: the times that others
write into their reports are by other clocks and say nothing here. What follows from them (who stands in for
whom) is the announcer's matter.
"""

from collections.abc import Collection, Mapping

from openelb_bgp.model.facts import SessionSeen, SpeakerFact
from openelb_bgp.model.meta import Kind, ref
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.speakers import Speaker
from openelb_bgp.model.statuses import SpeakerStatus


def observe_speakers(
    snapshot: Snapshot, *, own: str, before: Mapping[str, SpeakerFact], now: float
) -> Mapping[str, SpeakerFact]:
    """A fact per node but `own`, by name; `now` is monotonic seconds.

    A Node without a Speaker is quiet since it was first noticed so. What has not changed is the same object
    as in `before`, which is returned itself when nothing has. Before Speakers have been listed once nothing
    is known of any.
    """
    if not snapshot.has_listed(Kind.SPEAKER):
        return before
    after: dict[str, SpeakerFact] = {}
    for name in snapshot.speakers.keys() | snapshot.nodes.keys():
        if name != own:
            speaker, known = snapshot.speakers.get(name), before.get(name)
            after[name] = _observe(name, speaker, known, peers=snapshot.bgp_peers.keys(), now=now)
    same = len(after) == len(before) and all(before.get(name) is fact for name, fact in after.items())
    return before if same else after


def _observe(
    name: str, speaker: Speaker | None, before: SpeakerFact | None, *, peers: Collection[str], now: float
) -> SpeakerFact:
    known = SpeakerFact(node=name) if before is None else before
    if speaker is None or not speaker.ready:
        fact = _quiet(known, now)
    else:
        fact = _alive(known, speaker.status, peers, now)
    return known if fact == known else fact


def _quiet(known: SpeakerFact, now: float) -> SpeakerFact:
    if known.quiet_since is not None:
        return known
    # A session counts only while its speaker is Ready: those that it had are missing from now on.
    without = dict.fromkeys(known.established, now) | dict(known.without)
    return SpeakerFact(node=known.node, without=without, quiet_since=now, leaving=known.leaving)


def _alive(known: SpeakerFact, status: SpeakerStatus, peers: Collection[str], now: float) -> SpeakerFact:
    up = {one.peer for one in status.sessions if one.peer_state.is_established}
    # Sessions are not listed while gobgpd is away: a peer that is not reported is one without a session.
    missing = {one.peer for one in status.sessions}.union(peers) - up
    # While it was quiet it had none that counts.
    missing_since = now if known.quiet_since is None else known.quiet_since
    return SpeakerFact(
        node=known.node,
        sessions=_sessions(known, status, peers, now=now, missing_since=missing_since),
        established={peer: known.established.get(peer, now) for peer in up},
        without={peer: known.without.get(peer, missing_since) for peer in missing},
        caught_up_since=_kept(known.caught_up_since, now) if _has_caught_up(status) else None,
        leaving=status.draining,
        unproven=(str(ref(Kind.NODE, known.node)), Reason.NOT_PROVEN)
        in {(one.object, one.reason) for one in status.problems},
    )


def _sessions(
    known: SpeakerFact,
    status: SpeakerStatus,
    peers: Collection[str],
    *,
    now: float,
    missing_since: float,
) -> dict[tuple[str, str], SessionSeen]:
    """Each session that is reported, and those of known peers that were and are no more."""
    reported = {
        (one.peer, one.peer_state.neighbor_address.partition("%")[0]): one.peer_state.is_established
        for one in status.sessions
        if one.peer_state.neighbor_address
    }
    gone = {key: False for key in known.sessions if key not in reported and key[0] in peers}
    return {
        key: before
        if (before := known.sessions.get(key)) is not None and before.up == up
        else SessionSeen(up, now if up else missing_since)
        for key, up in {**gone, **reported}.items()
    }


def _kept(instant: float | None, now: float) -> float:
    return now if instant is None else instant


def _has_caught_up(status: SpeakerStatus) -> bool:
    # Without an applied revision it has just started: zero of zero routes would be no promise.
    return status.applied_revision > 0 and status.routes.announced >= status.routes.desired
