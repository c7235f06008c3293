"""What gobgpd shows of its peers, turned into facts for plans and into statuses.

Pure: `now` comes in. A session's instants are this process's own monotonic clock, so that they can be
compared with what it observes of other nodes; the times in statuses are gobgpd's. Why a session is down is
worked out in `why_down`.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from ipaddress import ip_address

from openelb_bgp.model.addresses import Address
from openelb_bgp.model.facts import SessionFact
from openelb_bgp.model.meta import Kind, ref
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.statuses import (
    MessageCounts,
    Messages,
    PeerState,
    Problem,
    Queues,
    SessionStatus,
    TimersState,
)
from openelb_bgp.report.times import rfc3339

from .model import AdminState, ObservedPeer, PeerConf
from .model import MessageCounts as ObservedCounts


def session_facts(
    observed: Mapping[str, ObservedPeer],
    *,
    names: Mapping[str, str],
    before: Mapping[str, SessionFact],
    now: float,
) -> dict[str, SessionFact]:
    """A fact per neighbour address; `names` maps the address to its BgpPeer."""
    return {
        address: _fact(peer, name=names.get(address, ""), before=before.get(address), now=now)
        for address, peer in observed.items()
    }


def _fact(peer: ObservedPeer, *, name: str, before: SessionFact | None, now: float) -> SessionFact:
    was_up = before is not None and before.established
    since = before.since if before is not None else None
    lost_at = before.lost_at if before is not None else None
    if peer.established and not was_up:
        since = now
    if was_up and not peer.established:
        lost_at = now
    return SessionFact(
        peer=name,
        established=peer.established,
        since=since,
        lost_at=lost_at,
        negotiated=frozenset(peer.families) if peer.established else frozenset(),
        add_path=frozenset(peer.add_path_send) if peer.established else frozenset(),
        local_address=_address(peer.local_address),
        remote_graceful_restart=peer.remote.graceful_restart,
    )


def _address(text: str) -> Address | None:
    try:
        return ip_address(text.partition("%")[0])
    except ValueError:
        return None


def session_status(peer: ObservedPeer, conf: PeerConf | None, *, last_error: str) -> SessionStatus:
    """The session as people read it. `conf` is what it shall be; `last_error` is empty while it is up."""
    return SessionStatus(
        peer="" if conf is None else conf.name,
        peer_state=_peer_state(peer, conf),
        timers_state=TimersState(
            negotiated_hold_time=_seconds(peer.negotiated_hold_time if peer.established else 0),
            hold_time=_seconds(peer.hold_time),
            keepalive_interval=_seconds(peer.keepalive_interval),
            connect_retry=_seconds(peer.connect_retry),
            uptime=_time(peer.uptime),
            downtime=_time(peer.downtime),
        ),
        since=_time(peer.uptime) if peer.established else "",
        lost_at="" if peer.established else _time(peer.downtime),
        last_error=last_error,
    )


def session_problems(sessions: Iterable[SessionStatus]) -> Iterator[Problem]:
    """The sessions that are not up and shall be, for the Speaker's problems."""
    for one in sessions:
        state = one.peer_state
        if one.peer and one.last_error and state.admin_state != AdminState.DOWN.value:
            yield Problem.of(
                ref(Kind.BGP_PEER, one.peer),
                Reason.NOT_ESTABLISHED,
                f"{state.neighbor_address}: {one.last_error}",
            )


def _peer_state(peer: ObservedPeer, conf: PeerConf | None) -> PeerState:
    return PeerState(
        session_state=peer.session_state.value,
        admin_state=peer.admin_state.value,
        neighbor_address=peer.neighbor_address,
        peer_as=peer.peer_asn,
        local_as=peer.local_asn,
        peer_group=peer.peer_group,
        peer_type=peer.peer_type.value,
        # Ours alone: gobgpd is not told, since a new one would reset the session.
        description=peer.description if conf is None else conf.description,
        router_id=peer.router_id,
        out_q=peer.out_q,
        flops=peer.flops,
        queues=Queues(input=peer.queue_input, output=peer.queue_output),
        messages=Messages(received=_counts(peer.received), sent=_counts(peer.sent)),
    )


def _counts(counts: ObservedCounts) -> MessageCounts:
    return MessageCounts(
        notification=counts.notification,
        update=counts.update,
        open=counts.open,
        keepalive=counts.keepalive,
        refresh=counts.refresh,
        discarded=counts.discarded,
        total=counts.total,
    )


def _seconds(value: int) -> str:
    return str(value) if value else ""


def _time(instant: datetime | None) -> str:
    return "" if instant is None else rfc3339(instant.timestamp())
