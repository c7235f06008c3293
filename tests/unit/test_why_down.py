"""Why a session is not up: from ListPeer, from gobgpd's log, from counters, and never from what is over."""

import json

import msgspec
import pytest
from structlog.testing import capture_logs

from openelb_bgp.bgp.model import (
    AdminState,
    MessageCounts,
    ObservedPeer,
    Password,
    PeerConf,
    SessionState,
    Transport,
)
from openelb_bgp.bgp.watched import Sessions
from openelb_bgp.bgp.why_down import last_said, why_down

ADDRESS = "192.0.2.1"
CONF = PeerConf(name="leaf", neighbor_address=ADDRESS, peer_asn=65001, local_asn=65000)
ASNS = "the ASNs do not match: compare conf.peerAs and our own ASN with the router's configuration"


def line(msg: str, *, key: str = ADDRESS, **fields: object) -> str:
    return json.dumps({"time": "2025-01-01T00:00:00Z", "level": "INFO", "msg": msg, "Key": key, **fields})


REFUSED = line("sent notification", Code=2, Subcode=2, Data=None)


def peer(**fields: object) -> ObservedPeer:
    known: dict[str, object] = {"neighbor_address": ADDRESS, "peer_asn": 65001, **fields}
    return ObservedPeer(**known)  # type: ignore[arg-type]


def test_the_last_word_about_each_neighbour_counts() -> None:
    words = [
        line("received notification", Code=6, Subcode=2, **{"Communicated-Reason": "for lunch"}),
        line("sent notification", key="192.0.2.9", Code=4, Subcode=0),
        REFUSED,
        "no JSON at all",
    ]
    assert last_said(words) == {
        ADDRESS: f"we ended it: {ASNS}",
        "192.0.2.9": "we ended it: the hold timer expired: nothing was heard for the whole hold time",
    }


def test_what_the_router_said_itself_is_quoted() -> None:
    said = last_said([line("received notification", Code=6, Subcode=2, **{"Communicated-Reason": "lunch"})])
    assert said[ADDRESS] == 'the peer ended it: administrative shutdown ("lunch")'


@pytest.mark.parametrize("anew", ["Peer Up", "Add a peer configuration"])
def test_what_was_said_of_an_earlier_session_is_over(anew: str) -> None:
    assert last_said([REFUSED, line(anew)]) == {}


def test_a_switched_off_peer_needs_no_other_reason() -> None:
    off = peer(admin_state=AdminState.DOWN, disconnect_reason="read-failed")
    assert why_down(off, CONF).startswith("switched off: spec.conf.adminDown is true")


def test_a_session_that_is_up_is_not_down() -> None:
    assert why_down(peer(session_state=SessionState.ESTABLISHED), CONF, said="anything") == ""


def test_counters_tell_who_refuses_whose_open() -> None:
    opened, noted = MessageCounts(open=1), MessageCounts(open=1, notification=1)
    assert "we refuse the OPEN" in why_down(peer(received=opened, sent=noted), CONF)
    assert "most often its ASN is not 65001" in why_down(peer(received=opened, sent=noted), CONF)
    assert "answers our OPEN with a NOTIFICATION" in why_down(peer(received=noted, sent=opened), CONF)
    assert "closes it before its OPEN" in why_down(peer(sent=opened), CONF)


def test_without_a_word_every_usual_reason_is_named_with_the_port() -> None:
    conf = msgspec.structs.replace(
        CONF, transport=Transport(remote_port=1790), auth_password=Password("hush-hush")
    )
    assert why_down(peer(), conf) == (
        "no TCP connection to 192.0.2.1 port 1790: nobody listens there, a firewall drops it, it has no "
        "neighbour with our address, or its password is not the one of this BgpPeer"
    )


class Standstill:
    """A clock that stands still."""

    def monotonic(self) -> float:
        return 0.0

    def wall(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody sleeps here")


def last_error(sessions: Sessions) -> str:
    (status,) = sessions.statuses()
    return status.last_error


def test_an_edit_of_the_session_ends_what_was_said_of_it() -> None:
    sessions = Sessions(Standstill())
    sessions.name({ADDRESS: CONF})
    sessions.update([peer()])
    sessions.hear([REFUSED])
    assert last_error(sessions) == f"we ended it: {ASNS}"
    sessions.name({ADDRESS: CONF})
    assert last_error(sessions) == f"we ended it: {ASNS}"
    sessions.name({ADDRESS: msgspec.structs.replace(CONF, peer_asn=65002)})
    assert "no TCP connection" in last_error(sessions)


def test_a_session_that_ends_with_its_peer_is_logged_by_the_peers_name() -> None:
    sessions = Sessions(Standstill())
    sessions.name({ADDRESS: CONF})
    sessions.update([peer(session_state=SessionState.ESTABLISHED)])
    sessions.name({})
    with capture_logs() as logs:
        sessions.update([])
    assert [(one["event"], one["peer"]) for one in logs] == [("session_down", "leaf")]
