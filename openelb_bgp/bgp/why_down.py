"""Why a BGP session is not up, in words that name the cause, as far as gobgpd tells.

Pure. Three sources: what ListPeer shows, its counters of messages among it; gobgpd's log, whose lines differ
between 3.x and 4.x; and what the session was configured as. The kernel's reasons for a TCP connection that
does not come about reach neither: then all the usual ones are named.
"""

import re
from collections.abc import Iterable, Mapping

import msgspec

from .model import AdminState, ObservedPeer, PeerConf

_BGP_PORT = 179


class _Line(msgspec.Struct):
    """The fields of a log line that say something about a peer; gobgpd logs JSON."""

    msg: str = ""
    key: str = msgspec.field(default="", name="Key")
    data: object = msgspec.field(default=None, name="Data")
    code: int = msgspec.field(default=0, name="Code")
    subcode: int = msgspec.field(default=0, name="Subcode")
    said: str = msgspec.field(default="", name="Communicated-Reason")
    reason: str = msgspec.field(default="", name="Reason")


# RFC 4271, 4.5; RFC 4486; RFC 9234. What people can do something about, in their words.
_NOTIFICATIONS: Mapping[tuple[int, int], str] = {
    (2, 2): "the ASNs do not match: compare conf.peerAs and our own ASN with the router's configuration",
    (2, 3): "a router id is not accepted: two speakers may have the same one",
    (2, 5): "authentication failed",
    (2, 6): "the hold time is not accepted",
    (2, 7): "a capability is not supported",
    (4, 0): "the hold timer expired: nothing was heard for the whole hold time",
    (6, 1): "the maximum number of prefixes was reached",
    (6, 2): "administrative shutdown",
    (6, 3): "the peer is no longer configured",
    (6, 4): "administrative reset",
    (6, 5): "connection rejected",
    (6, 6): "its configuration was changed",
    (6, 7): "two connections collided",
    (6, 8): "out of resources",
    (6, 9): "hard reset",
}
_AREAS = {1: "message header", 2: "OPEN", 3: "UPDATE", 4: "hold timer", 5: "state machine", 6: "cease"}
# What was said before is about a session that was another one, or set up in another way.
_ANEW = frozenset({"Peer Up", "Add a peer configuration"})
_MISMATCH = re.compile(r"as number mismatch expected (\d+), received (\d+)")
_CODES = re.compile(r"code (\d+)\([^)]*\) subcode (\d+)")
_REASONS = {
    "read-failed": "the peer closed the TCP connection",
    "write-failed": "the TCP connection broke",
    "hold-timer-expired": _NOTIFICATIONS[4, 0],
    "graceful-restart": "the connection ended without a goodbye: the peer restarts, or the way to it is gone",
    "admin-down": "it was switched off here",
    "bfd-down": "BFD found the peer silent",
}


def last_said(words: Iterable[str]) -> dict[str, str]:
    """What lines of gobgpd's log say last of each neighbour, by address, in our words."""
    found: dict[str, str] = {}
    for word in words:
        try:
            line = msgspec.json.decode(word, type=_Line)
        except msgspec.DecodeError:
            continue
        sentence = _sentence(line)
        # "Peer Down" follows the line that says why, and knows less.
        if line.key and sentence and not (line.msg == "Peer Down" and line.key in found):
            found[line.key] = sentence
        if line.msg in _ANEW:
            found.pop(line.key, None)
    return found


def why_down(peer: ObservedPeer, conf: PeerConf | None, *, said: str = "") -> str:
    """Why the session is not up, empty while it is; `said` is what the log said last of the neighbour."""
    if peer.established:
        return ""
    if peer.admin_state is AdminState.DOWN:
        return "switched off: spec.conf.adminDown is true, or somebody disabled it in gobgpd"
    if peer.admin_state is AdminState.PFX_CT:
        return "switched off: the peer sent more prefixes than prefixLimits allows"
    return peer.disconnect_message or _reason(peer.disconnect_reason) or said or _by_counters(peer, conf)


def _sentence(line: _Line) -> str:
    match line.msg:
        case "sent notification" if isinstance(line.data, str) and (found := _MISMATCH.search(line.data)):
            return f"the peer's ASN is {found[2]}, not {found[1]} as conf.peerAs says: correct one of them"
        case "sent notification":
            return f"we ended it: {_notification(line)}"
        case "received notification":
            return f"the peer ended it: {_notification(line)}"
        case "hold timer expired":
            return _NOTIFICATIONS[4, 0]
        case "Peer Down":
            return _reason(line.reason)
    return ""


def _notification(line: _Line) -> str:
    text = _by_code(line.code, line.subcode)
    return f'{text} ("{line.said}")' if line.said else text


def _by_code(code: int, subcode: int) -> str:
    known = _NOTIFICATIONS.get((code, subcode))
    return known or f"{_AREAS.get(code, 'unknown')} error, NOTIFICATION {code}/{subcode} (RFC 4271, 4.5)"


def _reason(text: str) -> str:
    if found := _CODES.search(text):
        return f"the peer ended it: {_by_code(int(found[1]), int(found[2]))}"
    return _REASONS.get(text, text)


def _by_counters(peer: ObservedPeer, conf: PeerConf | None) -> str:
    """What the messages that went to and fro tell of a session that never came up."""
    neighbour = peer.neighbor_address
    if peer.uptime is not None:
        return _no_connection(peer, conf)
    if peer.received.notification:
        return (
            f"{neighbour} answers our OPEN with a NOTIFICATION: most often its remote-as for us is not "
            f"{peer.local_asn or 'our ASN'}, or it wants another address of ours"
        )
    if peer.received.open and peer.sent.notification:
        return f"we refuse the OPEN of {neighbour}: most often its ASN is not {_asn(conf)}"
    if peer.sent.open and not peer.received.open:
        return (
            f"{neighbour} takes the TCP connection and closes it before its OPEN: it has no neighbour with "
            "our address, or switched it off"
        )
    return _no_connection(peer, conf)


def _no_connection(peer: ObservedPeer, conf: PeerConf | None) -> str:
    port = (conf.transport.remote_port if conf is not None else 0) or _BGP_PORT
    return (
        f"no TCP connection to {peer.neighbor_address} port {port}: nobody listens there, a firewall drops "
        f"it, it has no neighbour with our address, or {_about_passwords(conf)}"
    )


def _asn(conf: PeerConf | None) -> str:
    return "what conf.peerAs says" if conf is None else f"{conf.peer_asn}, as conf.peerAs says"


def _about_passwords(conf: PeerConf | None) -> str:
    if conf is not None and conf.auth_password is not None:
        return "its password is not the one of this BgpPeer"
    return "it wants a password"
