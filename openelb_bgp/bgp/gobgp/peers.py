"""The speaker and its peers, to and from protobuf, where both APIs have the same shape.

Pure. `pb` is the module of generated messages, of 3.x or of 4.x: protos/gobgp3.proto names its fields and
enum members as gobgp4.proto does, so one text serves both and only numbers differ. What differs in shape
(capabilities, BFD, disconnect reasons) is in `v3` and `v4`. Messages are annotated with the 4.x types.

A peer's message always spells out every default. GoBGP before 3.15 fills them in at AddPeer but not at
UpdatePeer, and takes each difference for an edit that resets the session (osrg/gobgp#2659).
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from ipaddress import ip_address
from types import ModuleType

from google.protobuf.timestamp_pb2 import Timestamp

from openelb_bgp.bgp.gobgp._pb import gobgp4_pb2 as pb4
from openelb_bgp.bgp.model import (
    AddressFamily,
    AdminState,
    GlobalConf,
    GracefulRestart,
    MessageCounts,
    ObservedGlobal,
    ObservedPeer,
    PeerConf,
    PeerEvent,
    PeerType,
    RemovePrivate,
    SessionState,
)
from openelb_bgp.model.addresses import Family

UNICAST = 1
AFI = {Family.IPV4: 1, Family.IPV6: 2}
FAMILY = {afi: family for family, afi in AFI.items()}

# GoBGP's defaults (pkg/config/oc/default.go), the same in 3.10 and 4.8.
_CONNECT_RETRY = 120
_HOLD_TIME = 90
_IDLE_HOLD_TIME_AFTER_RESET = 30
_DEFERRAL_TIME = 360
_MAX_TTL = 255
_SESSION_STATES = {
    number: name.removeprefix("SESSION_STATE_") for name, number in pb4.PeerState.SessionState.items()
}
_EVERYWHERE = frozenset({"0.0.0.0", "::"})


def family_of(message: pb4.Family) -> Family | None:
    """IPv4 or IPv6 unicast, or None for what we do not speak."""
    return FAMILY.get(message.afi) if message.safi == UNICAST else None


def families_of(messages: Iterable[pb4.Family]) -> tuple[Family, ...]:
    """Those of them that we speak, IPv4 first."""
    found = {family_of(message) for message in messages}
    return tuple(family for family in Family if family in found)


def global_message(pb: ModuleType, conf: GlobalConf) -> pb4.Global:
    """What StartBgp takes.

    Raises ValueError for addresses that are none: GoBGP 4.x panics over them.
    """
    ip_address(conf.router_id)
    for address in conf.listen_addresses:
        ip_address(address)
    message: pb4.Global = pb.Global(
        asn=conf.asn,
        router_id=conf.router_id,
        listen_port=conf.listen_port,
        listen_addresses=conf.listen_addresses,
        use_multiple_paths=conf.use_multiple_paths,
    )
    return message


def read_global(message: pb4.Global) -> ObservedGlobal | None:
    """What GetBgp answers; None before StartBgp."""
    if not message.asn:
        return None
    everywhere = set(message.listen_addresses) == _EVERYWHERE
    return ObservedGlobal(
        asn=message.asn,
        router_id=message.router_id,
        listen_port=message.listen_port,
        listen_addresses=() if everywhere else tuple(message.listen_addresses),
        use_multiple_paths=message.use_multiple_paths,
    )


def _restart_message(pb: ModuleType, restart: GracefulRestart) -> pb4.GracefulRestart:
    message: pb4.GracefulRestart = pb.GracefulRestart(
        enabled=restart.enabled,
        restart_time=restart.restart_time,
        helper_only=restart.helper_only,
        deferral_time=restart.deferral_time,
        notification_enabled=restart.notification_enabled,
        longlived_enabled=restart.longlived_enabled,
        stale_routes_time=restart.stale_routes_time,
        peer_restart_time=restart.peer_restart_time,
        peer_restarting=restart.peer_restarting,
        local_restarting=restart.local_restarting,
        mode=restart.mode,
    )
    return message


def peer_message(pb: ModuleType, peer: PeerConf) -> pb4.Peer:
    """What AddPeer and UpdatePeer take, with every default in it.

    Raises ValueError where GoBGP 4.x would panic or take something else than was meant: an address that is
    none, TTL security together with multihop.
    """
    if peer.ebgp_multihop_ttl is not None and peer.ttl_security_min is not None:
        raise ValueError(f"{peer.name}: ebgpMultihop and ttlSecurity exclude each other")
    message: pb4.Peer = pb.Peer(
        conf=_conf_message(pb, peer),
        timers=pb.Timers(config=_timers_message(pb, peer)),
        transport=_transport_message(pb, peer),
        afi_safis=[_family_message(pb, family) for family in peer.afi_safis or _default_families(peer)],
    )
    if peer.ebgp_multihop_ttl is not None:
        message.ebgp_multihop.enabled = True
        message.ebgp_multihop.multihop_ttl = peer.ebgp_multihop_ttl or _MAX_TTL
    if peer.ttl_security_min is not None:
        message.ttl_security.enabled = True
        message.ttl_security.ttl_min = peer.ttl_security_min or _MAX_TTL
    if peer.graceful_restart is not None:
        message.graceful_restart.MergeFrom(_restart_message(pb, peer.graceful_restart))
        if peer.graceful_restart.enabled:
            restart = message.graceful_restart
            restart.restart_time = restart.restart_time or message.timers.config.hold_time
            restart.deferral_time = restart.deferral_time or _DEFERRAL_TIME
    return message


def _conf_message(pb: ModuleType, peer: PeerConf) -> pb4.PeerConf:
    if peer.neighbor_address or not peer.neighbor_interface:
        ip_address(peer.neighbor_address)
    types = {PeerType.INTERNAL: pb.PEER_TYPE_INTERNAL, PeerType.EXTERNAL: pb.PEER_TYPE_EXTERNAL}
    removals = {
        RemovePrivate.NONE: pb.REMOVE_PRIVATE_UNSPECIFIED,
        RemovePrivate.ALL: pb.REMOVE_PRIVATE_ALL,
        RemovePrivate.REPLACE: pb.REMOVE_PRIVATE_REPLACE,
    }
    message: pb4.PeerConf = pb.PeerConf(
        auth_password="" if peer.auth_password is None else peer.auth_password.reveal(),
        description=peer.description,
        local_asn=peer.local_asn,
        neighbor_address=peer.neighbor_address,
        peer_asn=peer.peer_asn,
        peer_group=peer.peer_group,
        type=types[peer.peer_type],
        remove_private=removals[peer.remove_private],
        route_flap_damping=peer.route_flap_damping,
        send_community=peer.send_community,
        neighbor_interface=peer.neighbor_interface,
        vrf=peer.vrf,
        allow_own_asn=peer.allow_own_asn,
        replace_peer_asn=peer.replace_peer_asn,
        admin_down=peer.admin_down,
    )
    return message


def _timers_message(pb: ModuleType, peer: PeerConf) -> pb4.TimersConfig:
    hold_time = peer.timers.hold_time or _HOLD_TIME
    message: pb4.TimersConfig = pb.TimersConfig(
        connect_retry=peer.timers.connect_retry or _CONNECT_RETRY,
        hold_time=hold_time,
        keepalive_interval=peer.timers.keepalive_interval or hold_time // 3,
        minimum_advertisement_interval=peer.timers.minimum_advertisement_interval,
        idle_hold_time_after_reset=peer.timers.idle_hold_time_after_reset or _IDLE_HOLD_TIME_AFTER_RESET,
    )
    return message


def _transport_message(pb: ModuleType, peer: PeerConf) -> pb4.Transport:
    transport = peer.transport
    message: pb4.Transport = pb.Transport(
        local_address=transport.local_address or _any_address(peer.neighbor_address),
        bind_interface=transport.bind_interface,
        passive_mode=transport.passive_mode,
        remote_address=transport.remote_address,
        remote_port=transport.remote_port,
        mtu_discovery=transport.mtu_discovery,
        tcp_mss=transport.tcp_mss,
    )
    return message


def _any_address(neighbor: str) -> str:
    # With a zone gobgpd looks up the interface's own link-local address, which cannot be known here.
    if not neighbor or "%" in neighbor:
        return ""
    return "0.0.0.0" if ip_address(neighbor).version == 4 else "::"


def _default_families(peer: PeerConf) -> tuple[AddressFamily, ...]:
    if not peer.neighbor_address:
        return (AddressFamily(family=Family.IPV4), AddressFamily(family=Family.IPV6))
    return (AddressFamily(family=Family.of(ip_address(peer.neighbor_address))),)


def _family_message(pb: ModuleType, family: AddressFamily) -> pb4.AfiSafi:
    number = pb.Family(afi=AFI[family.family], safi=UNICAST)
    message: pb4.AfiSafi = pb.AfiSafi(
        config=pb.AfiSafiConfig(family=number, enabled=family.enabled),
        mp_graceful_restart=pb.MpGracefulRestart(
            config=pb.MpGracefulRestartConfig(enabled=family.mp_graceful_restart)
        ),
        add_paths=pb.AddPaths(
            config=pb.AddPathsConfig(receive=family.add_paths_receive, send_max=family.add_paths_send_max)
        ),
    )
    if family.llgr_restart_time is not None:
        message.long_lived_graceful_restart.config.enabled = True
        message.long_lived_graceful_restart.config.restart_time = family.llgr_restart_time
    if family.prefix_limit is not None:
        message.prefix_limits.MergeFrom(
            pb.PrefixLimit(
                family=number,
                max_prefixes=family.prefix_limit.max_prefixes,
                shutdown_threshold_pct=family.prefix_limit.threshold_percent,
            )
        )
    return message


def read_peer(pb: ModuleType, message: pb4.Peer) -> ObservedPeer:
    """A peer of ListPeer, without what `v3` and `v4` read their own way."""
    conf, state, timers = message.conf, message.state, message.timers
    session = read_session_state(state.session_state)
    return ObservedPeer(
        neighbor_address=state.neighbor_address or conf.neighbor_address,
        neighbor_interface=conf.neighbor_interface,
        # In state is what an OPEN showed where "any" was asked for.
        peer_asn=state.peer_asn or conf.peer_asn,
        local_asn=conf.local_asn,
        peer_type=PeerType.INTERNAL if conf.type == pb.PEER_TYPE_INTERNAL else PeerType.EXTERNAL,
        peer_group=conf.peer_group,
        description=conf.description,
        router_id=address_or_nothing(state.router_id),
        session_state=session,
        admin_state=read_admin_state(pb, state.admin_state),
        # While there is no session, this is what was configured.
        local_address=message.transport.local_address if session is SessionState.ESTABLISHED else "",
        out_q=state.out_q,
        flops=state.flops,
        queue_input=state.queues.input,
        queue_output=state.queues.output,
        received=_read_counts(state.messages.received),
        sent=_read_counts(state.messages.sent),
        negotiated_hold_time=timers.state.negotiated_hold_time,
        hold_time=timers.config.hold_time,
        keepalive_interval=timers.state.keepalive_interval or timers.config.keepalive_interval,
        connect_retry=timers.config.connect_retry,
        uptime=_read_time(timers.state.uptime),
        downtime=_read_time(timers.state.downtime),
    )


def read_session_state(number: int) -> SessionState:
    """Session states have the same numbers in both APIs."""
    name = _SESSION_STATES.get(number, "")
    return SessionState(name) if name in SessionState.__members__ else SessionState.UNKNOWN


def read_admin_state(pb: ModuleType, number: int) -> AdminState:
    """Whether the peer is switched on."""
    states = {
        pb.PeerState.ADMIN_STATE_DOWN: AdminState.DOWN,
        pb.PeerState.ADMIN_STATE_PFX_CT: AdminState.PFX_CT,
    }
    return states.get(number, AdminState.UP)


def read_peer_event(pb: ModuleType, message: pb4.WatchEventResponse) -> PeerEvent | None:
    """What WatchEvent tells about one peer; None for its other messages (the end of the initial ones)."""
    if message.WhichOneof("event") != "peer":
        return None
    state = message.peer.peer.state
    address = address_or_nothing(state.neighbor_address)
    if not address:
        return None
    return PeerEvent(
        neighbor_address=address,
        session_state=read_session_state(state.session_state),
        admin_state=read_admin_state(pb, state.admin_state),
    )


def _read_counts(message: pb4.Message) -> MessageCounts:
    return MessageCounts(
        notification=message.notification,
        update=message.update,
        open=message.open,
        keepalive=message.keepalive,
        refresh=message.refresh,
        discarded=message.discarded,
        total=message.total,
        withdraw_update=message.withdraw_update,
        withdraw_prefix=message.withdraw_prefix,
    )


def _read_time(stamp: Timestamp) -> datetime | None:
    # Go's zero time, year 1, arrives as a negative number of seconds.
    return stamp.ToDatetime(tzinfo=UTC) if stamp.seconds > 0 else None


def address_or_nothing(text: str) -> str:
    """The address, or "" for how Go prints one that is not there: `<nil>` in 3.x, `invalid IP` in 4.x."""
    return text if text and text[0] in "0123456789abcdef:" else ""
