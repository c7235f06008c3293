"""One BGP session as it shall be: a BgpPeer, its BgpConf and our defaults, merged into a PeerConf.

Pure, and about one peer at a time: whether the peer is used at all is decided in `peers`. Where neither
object says anything: hold time 9 s and graceful restart without notifications, so that a silent node is out
within 9 s while a restart of gobgpd loses nothing.
"""

from collections.abc import Iterator
from ipaddress import ip_address

import msgspec

from openelb_bgp.model import routing
from openelb_bgp.model.addresses import Family
from openelb_bgp.model.facts import Facts
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.routing import BgpConf, BgpPeer

from .discovery import family_of
from .model import (
    AddressFamily,
    Bfd,
    GracefulRestart,
    Password,
    PeerConf,
    PrefixLimit,
    RemovePrivate,
    Timers,
    Transport,
)

HOLD_TIME, MULTIHOP_HOLD_TIME = 9, 90
CONNECT_RETRY = 5
"""GoBGP's least; its 120 s would let one lost SYN cost two minutes: it is the time-out of an attempt, too."""
IDLE_HOLD_TIME = 1
"""GoBGP waits 30 s after a reset before it tries again; a router that was away is back within seconds so."""
RESTART_TIME, DEFERRAL_TIME = 60, 5
SEND_MAX = 255
LONG_LIVED_RESTART_TIME = 3600
_BFD_SINCE = (4, 5)
_LOCAL_ADDRESS_DEFAULTED_SINCE = (3, 15)


class Effective(msgspec.Struct, frozen=True):
    """What a peer's settings become, and what of them has no effect here, each with its remedy."""

    conf: PeerConf
    remarks: tuple[Refused, ...]


def session(
    peer: BgpPeer,
    conf: BgpConf,
    *,
    address: str,
    families: frozenset[Family],
    asn: int,
    password: Password | None,
    facts: Facts,
) -> Effective:
    """The session of one neighbour. `asn` is this node's own, which the peer's localAs overrides."""
    local_asn = peer.local_asn or asn
    internal = peer.peer_asn == local_asn
    restart = graceful_restart(conf.graceful_restart, peer.graceful_restart, peer=peer)
    multihop = None if internal else peer.ebgp_multihop_ttl
    return Effective(
        PeerConf(
            name=peer.name,
            neighbor_address=address,
            peer_asn=peer.peer_asn,
            local_asn=local_asn,
            auth_password=password,
            description=peer.description or "",
            remove_private=RemovePrivate.NONE if internal else _remove_private(peer),
            route_flap_damping=bool(peer.route_flap_damping),
            allow_own_asn=peer.allow_own_asn or 0,
            replace_peer_asn=bool(peer.replace_peer_asn) and not internal,
            admin_down=bool(peer.admin_down),
            ebgp_multihop_ttl=multihop,
            ttl_security_min=peer.ttl_security_min,
            timers=timers(peer.timers, multihop=multihop is not None and multihop > 1),
            transport=_transport(peer.transport, address, facts),
            graceful_restart=restart,
            bfd=_bfd(peer.bfd) if _can_bfd(facts) else None,
            afi_safis=tuple(_family(peer, family, restart) for family in sorted(families, key=_order)),
        ),
        tuple(_remarks(peer, internal=internal, facts=facts)),
    )


def graceful_restart(
    conf: routing.GracefulRestart | None, own: routing.GracefulRestart | None, *, peer: BgpPeer
) -> GracefulRestart:
    """The peer's settings over BgpConf's over our defaults. Whether we restart now is the announcer's."""
    wanted = {
        "enabled": True,
        "restart_time": RESTART_TIME,
        "deferral_time": DEFERRAL_TIME,
        "longlived_enabled": any(one.long_lived_enabled for one in peer.afi_safis),
    }
    for written in (conf, own):
        if written is not None:
            wanted |= {
                field: value
                for field in written.__struct_fields__
                if field != "local_restarting" and (value := getattr(written, field)) is not None
            }
    return msgspec.convert(wanted, GracefulRestart) if wanted["enabled"] else GracefulRestart()


def timers(written: routing.Timers, *, multihop: bool) -> Timers:
    """What is written, and what fits it: a keepalive of a third of the hold time (RFC 4271, 10)."""
    hold = written.hold_time
    if hold is None:
        least = MULTIHOP_HOLD_TIME if multihop else HOLD_TIME
        hold = max(least, 3 * (written.keepalive_interval or 0))
    return Timers(
        connect_retry=written.connect_retry or CONNECT_RETRY,
        hold_time=hold,
        keepalive_interval=written.keepalive_interval or hold // 3,
        minimum_advertisement_interval=written.minimum_advertisement_interval or 0,
        idle_hold_time_after_reset=IDLE_HOLD_TIME,
    )


def _order(family: Family) -> int:
    return family.value


def _remove_private(peer: BgpPeer) -> RemovePrivate:
    return RemovePrivate((peer.remove_private_as or "none").lower())


def _family(peer: BgpPeer, family: Family, restart: GracefulRestart) -> AddressFamily:
    written = next((one for one in peer.afi_safis if one.family is family), routing.AfiSafi(family=family))
    graceful = restart.enabled if written.mp_graceful_restart is None else written.mp_graceful_restart
    return AddressFamily(
        family=family,
        add_paths_receive=bool(written.add_paths_receive),
        add_paths_send_max=SEND_MAX if written.add_paths_send_max is None else written.add_paths_send_max,
        mp_graceful_restart=graceful and restart.enabled,
        llgr_restart_time=(written.long_lived_restart_time or LONG_LIVED_RESTART_TIME)
        if written.long_lived_enabled and restart.longlived_enabled
        else None,
        prefix_limit=None
        if written.prefix_limit is None
        else PrefixLimit(written.prefix_limit, written.prefix_limit_shutdown_threshold or 0),
    )


def _transport(written: routing.Transport, address: str, facts: Facts) -> Transport:
    local = written.local_address
    return Transport(
        local_address=_link_local_end(address, facts) if local is None else str(local),
        passive_mode=bool(written.passive_mode),
        remote_address=written.remote_address or "",
        remote_port=written.remote_port or 0,
        mtu_discovery=bool(written.mtu_discovery),
        tcp_mss=written.tcp_mss or 0,
    )


def _link_local_end(address: str, facts: Facts) -> str | None:
    """Our end of a link-local session, which GoBGP before 3.15 wants to be told at each update."""
    version = facts.gobgp_version
    zone = address.partition("%")[2]
    if not zone or version is None or version >= _LOCAL_ADDRESS_DEFAULTED_SINCE:
        return None
    ends = (one.ip for link in facts.links if link.name == zone for one in link.addresses)
    return next((f"{end}%{zone}" for end in ends if end.version == 6 and end.is_link_local), None)


def _bfd(written: routing.Bfd | None) -> Bfd | None:
    if written is None or not written.enabled:
        return None
    return Bfd(
        desired_minimum_tx_interval=written.desired_minimum_tx_interval or 0,
        required_minimum_receive=written.required_minimum_receive or 0,
        detection_multiplier=written.detection_multiplier or 0,
    )


def _can_bfd(facts: Facts) -> bool:
    # Unknown is taken for what we ship; a plan made before gobgpd answers is made again when it does.
    return facts.gobgp_version is None or facts.gobgp_version >= _BFD_SINCE


def _remarks(peer: BgpPeer, *, internal: bool, facts: Facts) -> Iterator[Refused]:
    if peer.bfd is not None and peer.bfd.enabled and not _can_bfd(facts):
        yield Refused(Reason.UNSUPPORTED, "bfd needs GoBGP 4.5 or later: update gobgpd; left off until then")
    if peer.peer_group is not None:
        yield Refused(
            Reason.UNSUPPORTED, "conf.peerGroup names a group that gobgpd does not have here: remove it"
        )
    if internal and (_remove_private(peer) is not RemovePrivate.NONE or peer.replace_peer_asn):
        yield Refused(
            Reason.NO_EFFECT, "conf.removePrivateAs and conf.replacePeerAs are for eBGP; this peer is iBGP"
        )
    if internal and peer.ebgp_multihop_ttl is not None:
        yield Refused(Reason.NO_EFFECT, "ebgpMultihop is for eBGP; this peer is iBGP")
    if peer.send_community is not None:
        yield Refused(
            Reason.NO_EFFECT,
            "conf.sendCommunity: GoBGP sends communities of every kind whatever it says; remove it, or take "
            "them off by BgpConf.policy",
        )
    if peer.peer_type is not None and (peer.peer_type == "internal") is not internal:
        yield Refused(
            Reason.NO_EFFECT,
            "conf.peerType: the AS numbers make this peer "
            f"{'iBGP' if internal else 'eBGP'}; remove it, or correct peerAs",
        )
    if peer.graceful_restart is not None and peer.graceful_restart.local_restarting is not None:
        yield Refused(
            Reason.NO_EFFECT,
            "gracefulRestart.localRestarting is set whenever gobgpd comes back, and then only: remove it",
        )
    if peer.neighbor_interface is not None and not _is_zoned(peer):
        yield Refused(
            Reason.NO_EFFECT,
            "conf.neighborInterface counts only beside a link-local neighborAddress; "
            "use transport.localAddress to choose the interface",
        )


def _is_zoned(peer: BgpPeer) -> bool:
    address = peer.neighbor_address
    return address is not None and family_of(address) is Family.IPV6 and ip_address(address).is_link_local
