"""One node's report: what its announcers and its host observed, merged into the Speaker's status.

Here is also when a changed report is worth a write. What each announcer observed comes with its
Announcement; sending the report is the speaker's matter.
"""

from collections.abc import Iterable, Sequence

import msgspec

from openelb_bgp.model.facts import NOT_NICS, Facts, Link
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.statuses import (
    MAX_PROBLEMS,
    GobgpStatus,
    InterfaceStatus,
    Layer2Status,
    Problem,
    RouteCounts,
    SessionStatus,
    SpeakerStatus,
    SpeakerSummary,
    VipStatus,
)
from openelb_bgp.ports import Announcement

# What only the node itself can tell. Everything else in `left_out` the controller derives from the same
# objects with the same eligibility, so listing it would repeat thousands of Services on every node.
KNOWN_HERE_ONLY = frozenset(
    {
        Reason.NO_NODE_ADDRESS,
        Reason.NO_INTERFACE,
        Reason.NO_SUBNET,
        Reason.INTERFACE_DOWN,
        Reason.ADDRESS_OF_NODE,
        Reason.NO_GATEWAY,
        Reason.NO_IPV6_NEXT_HOP,
        Reason.FAMILY_NOT_NEGOTIATED,
        Reason.NO_ADD_PATH,
        Reason.SEND_MAX_TOO_SMALL,
        Reason.ATTRIBUTE_CONFLICT,
        Reason.NOT_PROVEN,
        Reason.ANNOUNCED_UNPROVEN,
        Reason.MODE_OFF,
        Reason.SPEAKER_NOT_CONFIGURED,
        Reason.LISTEN_PORT_TAKEN,
        Reason.PEER_IS_SELF,
        Reason.PEER_IN_USE_BY_OTHER,
        Reason.SIDECAR_DOWN,
        Reason.SIDECAR_UNKNOWN_API,
        Reason.SIDECAR_OUTDATED,
        Reason.REJECTED_BY_GOBGP,
        Reason.REFUSED_BY_KEEPALIVED,
        Reason.NO_VRID,
        Reason.VRID_CONFLICT,
        Reason.STATE_NOT_WRITTEN,
    }
)

_WRITES_PER_SECOND = 50.0
_SHORTEST_INTERVAL = 0.2
_URGENT_SHARE = 0.1


def speaker_status(
    *,
    announcements: Sequence[Announcement],
    facts: Facts,
    started_at: str,
    boot_id: str = "",
    draining: bool = False,
    problems: Iterable[Problem] = (),
    previous: SpeakerStatus | None = None,
) -> SpeakerStatus:
    """The node's report after a cycle.

    `started_at` is RFC 3339 text. `problems` are the speaker's own, beside those of the announcers.
    `previous` is the last report made: while an announcer is not settled its applied revision stays, and
    while a session's state does not change its counters do.
    """
    before = previous or SpeakerStatus()
    parts = [one.status for one in announcements]
    status = SpeakerStatus(
        started_at=started_at,
        boot_id=boot_id,
        gobgp=next((part.gobgp for part in parts if part.gobgp != GobgpStatus()), GobgpStatus()),
        interfaces=interfaces(facts.links),
        sessions=_sessions(parts, before),
        pools=tuple(sorted((pool for part in parts for pool in part.pools), key=lambda pool: pool.name)),
        routes=RouteCounts(
            desired=sum(part.routes.desired for part in parts),
            announced=sum(part.routes.announced for part in parts),
        ),
        applied_revision=_applied(announcements, before),
        standing_in_for=tuple(sorted({node for part in parts for node in part.standing_in_for})),
        layer2=Layer2Status(owned=tuple(sorted({one for part in parts for one in part.layer2.owned}))),
        vip=VipStatus(
            master=tuple(sorted({one for part in parts for one in part.vip.master})),
            virtual_routers=tuple(sorted({one for part in parts for one in part.vip.virtual_routers})),
        ),
        problems=bounded([*problems, *_found_here(announcements)]),
        draining=draining,
    )
    return msgspec.structs.replace(status, summary=_summary(status))


def _summary(status: SpeakerStatus) -> SpeakerSummary:
    up = sum(session.peer_state.is_established for session in status.sessions)
    return SpeakerSummary(
        sessions=f"{up}/{len(status.sessions)}",
        routes=f"{status.routes.announced}/{status.routes.desired}",
        problems=len(status.problems),
    )


def interfaces(links: Iterable[Link]) -> tuple[InterfaceStatus, ...]:
    """The NICs that carry a subnet, by name.

    Loopback, kube-proxy's and link-local addresses are left out: they change with every Service or pod and
    say nothing about where an address could be announced.
    """
    found = []
    for link in links:
        subnets = sorted({str(one.network) for one in link.addresses if not one.ip.is_link_local})
        if subnets and link.name not in NOT_NICS:
            found.append(InterfaceStatus(name=link.name, mac=link.mac, subnets=tuple(subnets), up=link.up))
    return tuple(sorted(found, key=lambda nic: nic.name))


def bounded(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Sorted, each once, at most MAX_PROBLEMS; the last one says how many more there are."""
    ordered = sorted(set(problems))
    if len(ordered) <= MAX_PROBLEMS:
        return tuple(ordered)
    kept, more = ordered[:MAX_PROBLEMS], len(ordered) - MAX_PROBLEMS
    last = kept[-1]
    kept[-1] = msgspec.structs.replace(last, message=f"{last.message} (and {more} more problems)")
    return tuple(kept)


def write_due(
    *, old: SpeakerStatus | None, new: SpeakerStatus, last_written_at: float, nodes: int
) -> float | None:
    """When the changed report shall be written, in the seconds of `last_written_at`; None: nothing changed.

    All nodes together write about 50 reports a second at most. What others act on (sessions, pools,
    draining, stand-ins) waits a tenth of that time.
    """
    if old is None:
        return last_written_at
    if old == new:
        return None
    interval = max(_SHORTEST_INTERVAL, nodes / _WRITES_PER_SECOND)
    return last_written_at + (interval * _URGENT_SHARE if _urgent(old, new) else interval)


def _applied(announcements: Sequence[Announcement], before: SpeakerStatus) -> int:
    if not announcements:
        return before.applied_revision
    revisions = [one.revision if one.settled else before.applied_revision for one in announcements]
    return min(revisions)


def _found_here(announcements: Sequence[Announcement]) -> Iterable[Problem]:
    for announcement in announcements:
        yield from announcement.status.problems
        # What keeps a node from announcing anything is told of the node, not of ten thousand Services.
        told = {(problem.reason, problem.message) for problem in announcement.status.problems}
        for ref, refused in announcement.left_out.items():
            if refused.reason in KNOWN_HERE_ONLY and (refused.reason.value, refused.message) not in told:
                yield Problem.of(ref, refused.reason, refused.message)


def _sessions(parts: Sequence[SpeakerStatus], before: SpeakerStatus) -> tuple[SessionStatus, ...]:
    known = {_session_key(one): one for one in before.sessions}
    found = [
        _with_settled_counters(one, known.get(_session_key(one))) for part in parts for one in part.sessions
    ]
    return tuple(sorted(found, key=_session_key))


def _session_key(session: SessionStatus) -> tuple[str, str]:
    return session.peer, session.peer_state.neighbor_address


def _with_settled_counters(new: SessionStatus, old: SessionStatus | None) -> SessionStatus:
    # Keepalives count up for ever: with live counters every report would differ from the one before.
    if old is None or _session_state(old) != _session_state(new):
        return new
    state = msgspec.structs.replace(
        new.peer_state,
        messages=old.peer_state.messages,
        queues=old.peer_state.queues,
        out_q=old.peer_state.out_q,
    )
    return msgspec.structs.replace(new, peer_state=state)


def _session_state(session: SessionStatus) -> tuple[object, ...]:
    state = session.peer_state
    return state.session_state, state.admin_state, session.since, session.lost_at


def _urgent(old: SpeakerStatus, new: SpeakerStatus) -> bool:
    return _acted_on(old) != _acted_on(new)


def _acted_on(status: SpeakerStatus) -> tuple[object, ...]:
    sessions = [(_session_key(one), _session_state(one)) for one in status.sessions]
    on_lan = status.layer2, status.vip
    return sessions, on_lan, status.pools, status.draining, status.standing_in_for, status.boot_id
