"""The vocabulary of what was seen of a gobgpd: never a wish. Import it from `openelb_bgp.bgp.model`.

No password is ever part of it. What it means for a status or an event is `report`'s matter.
"""

from datetime import datetime
from enum import StrEnum

import msgspec

from openelb_bgp.bgp.path_model import PathAttrs, PathKey
from openelb_bgp.bgp.speaker_model import GlobalConf, PeerType
from openelb_bgp.model.addresses import Family


class ObservedGlobal(msgspec.Struct, frozen=True, kw_only=True):
    """What GetBgp shows of a started speaker (one that is not started is None).

    `listen_addresses` is () where gobgpd listens on all, which it spells as 0.0.0.0 and ::. Families and
    graceful restart of a running speaker are not to be had from gobgpd.
    """

    asn: int
    router_id: str
    listen_port: int
    listen_addresses: tuple[str, ...] = ()
    use_multiple_paths: bool = False

    def differs_from(self, conf: GlobalConf) -> tuple[str, ...]:
        """The fields of `conf` that this speaker is seen not to run, by name."""
        pairs = {
            "asn": (self.asn, conf.asn),
            "router_id": (self.router_id, conf.router_id),
            "listen_port": (self.listen_port, conf.listen_port),
            "listen_addresses": (set(self.listen_addresses), _listened(conf.listen_addresses)),
            "use_multiple_paths": (self.use_multiple_paths, conf.use_multiple_paths),
        }
        return tuple(name for name, (runs, wanted) in pairs.items() if runs != wanted)


_EVERYWHERE = frozenset({"0.0.0.0", "::"})


def _listened(addresses: tuple[str, ...]) -> set[str]:
    return set() if set(addresses) == _EVERYWHERE else set(addresses)


class SessionState(StrEnum):
    """States of the BGP finite state machine (RFC 4271, 8.2.2), spelt as in BgpPeer's status."""

    UNKNOWN = "UNKNOWN"
    IDLE = "IDLE"
    CONNECT = "CONNECT"
    ACTIVE = "ACTIVE"
    OPENSENT = "OPENSENT"
    OPENCONFIRM = "OPENCONFIRM"
    ESTABLISHED = "ESTABLISHED"


class AdminState(StrEnum):
    """Whether a peer is switched on; PFX_CT: switched off by its prefix limit."""

    UP = "UP"
    DOWN = "DOWN"
    PFX_CT = "PFX_CT"


class MessageCounts(msgspec.Struct, frozen=True, kw_only=True):
    """BGP messages of one direction since gobgpd started."""

    notification: int = 0
    update: int = 0
    open: int = 0
    keepalive: int = 0
    refresh: int = 0
    discarded: int = 0
    total: int = 0
    withdraw_update: int = 0
    withdraw_prefix: int = 0


class PeerCapabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What the peer's OPEN said; all empty before a session was up.

    `families` it speaks, `add_path_receive` families in which it takes several paths a prefix,
    `graceful_restart` whether it keeps our routes while we restart, `graceful_families` families in which it
    forwards over a restart of its own (a mere helper, as FRR is by default, names none), and
    `extended_next_hop` whether it takes IPv4 with IPv6 next hops (RFC 8950).
    """

    families: tuple[Family, ...] = ()
    add_path_receive: tuple[Family, ...] = ()
    graceful_restart: bool = False
    restart_time: int = 0
    graceful_families: tuple[Family, ...] = ()
    long_lived_families: tuple[Family, ...] = ()
    extended_next_hop: bool = False
    four_octet_asn: bool = False


class ObservedPeer(msgspec.Struct, frozen=True, kw_only=True):
    """A peer's state as ListPeer shows it, never with a password.

    `families` and `add_path_send` are what both sides agreed on in the current or last session.
    `local_address` is the session's own end while there is one. `disconnect_reason` and
    `disconnect_message` exist on GoBGP 4.x. Times are UTC; None: never up, never down.
    """

    neighbor_address: str
    neighbor_interface: str = ""
    peer_asn: int
    local_asn: int = 0
    peer_type: PeerType = PeerType.EXTERNAL
    peer_group: str = ""
    description: str = ""
    router_id: str = ""
    session_state: SessionState = SessionState.UNKNOWN
    admin_state: AdminState = AdminState.UP
    local_address: str = ""
    out_q: int = 0
    flops: int = 0
    queue_input: int = 0
    queue_output: int = 0
    received: MessageCounts = MessageCounts()
    sent: MessageCounts = MessageCounts()
    negotiated_hold_time: int = 0
    hold_time: int = 0
    keepalive_interval: int = 0
    connect_retry: int = 0
    uptime: datetime | None = None
    downtime: datetime | None = None
    remote: PeerCapabilities = PeerCapabilities()
    families: tuple[Family, ...] = ()
    add_path_send: tuple[Family, ...] = ()
    bfd_up: bool | None = None
    disconnect_reason: str = ""
    disconnect_message: str = ""

    @property
    def established(self) -> bool:
        """Whether the session is up."""
        return self.session_state is SessionState.ESTABLISHED


class PeerEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A peer is there or changed its state, as WatchEvent tells it; details are ListPeer's.

    A deletion looks like IDLE, or is not told at all: gobgpd says it only of established peers.
    """

    neighbor_address: str
    session_state: SessionState
    admin_state: AdminState = AdminState.UP


class ObservedPath(msgspec.Struct, frozen=True, kw_only=True):
    """A path in gobgpd's table. `local`: made through the API here, else learned from `neighbor`.

    `foreign` names attributes that `PathAttrs` has no word for: a local path with any is not ours.
    """

    key: PathKey
    attrs: PathAttrs
    local: bool
    neighbor: str = ""
    foreign: tuple[str, ...] = ()


class TableCount(msgspec.Struct, frozen=True):
    """How many prefixes and paths gobgpd's global table holds in one family, learned ones included."""

    destinations: int
    paths: int
