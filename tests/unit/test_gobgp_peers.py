"""Peers and the speaker on the wire of both APIs, and what is read back of them."""

from datetime import UTC, datetime

import msgspec
import pytest

from openelb_bgp.bgp.gobgp import peers
from openelb_bgp.bgp.gobgp._pb import gobgp3_pb2 as pb3
from openelb_bgp.bgp.gobgp._pb import gobgp4_pb2 as pb4
from openelb_bgp.bgp.gobgp.errors import Unsupported
from openelb_bgp.bgp.gobgp.features import Features, features, parse_version
from openelb_bgp.bgp.gobgp.v3 import V3
from openelb_bgp.bgp.gobgp.v4 import V4
from openelb_bgp.bgp.model import (
    AddressFamily,
    AdminState,
    Bfd,
    GlobalConf,
    GracefulRestart,
    MessageCounts,
    ObservedGlobal,
    ObservedPeer,
    Password,
    PeerCapabilities,
    PeerConf,
    PeerEvent,
    PeerType,
    PrefixLimit,
    SessionState,
    Timers,
    Transport,
)
from openelb_bgp.model.addresses import Family

WIRES = [V3(), V4()]
both = pytest.mark.parametrize("wire", WIRES, ids=["3.x", "4.x"])
LEAF = PeerConf(name="leaf", neighbor_address="10.0.0.1", peer_asn=65001, local_asn=65000)


def able(wire: V3 | V4) -> Features:
    return features(wire.major, (wire.major, 99, 0))


def with_(**fields: object) -> PeerConf:
    return msgspec.structs.replace(LEAF, **fields)


@both
def test_every_default_is_spelt_out(wire: V3 | V4) -> None:
    """GoBGP before 3.15 compares an update with its own defaults, and would reset the session."""
    message = wire.peer_message(with_(graceful_restart=GracefulRestart(enabled=True)), able(wire))
    conf, timers = message.conf, message.timers.config
    assert (conf.local_asn, conf.type) == (65000, wire.pb.PEER_TYPE_EXTERNAL)
    assert (timers.connect_retry, timers.hold_time, timers.keepalive_interval) == (120, 90, 30)
    assert message.transport.local_address == "0.0.0.0"
    (family,) = message.afi_safis
    assert (family.config.family.afi, family.config.enabled) == (1, True)
    assert (message.graceful_restart.restart_time, message.graceful_restart.deferral_time) == (90, 360)


@both
def test_what_is_given_overrides_the_defaults(wire: V3 | V4) -> None:
    peer = with_(
        neighbor_address="fd00::1",
        peer_asn=65000,
        auth_password=Password("sesame"),
        timers=Timers(hold_time=9, keepalive_interval=2, connect_retry=5),
        transport=Transport(local_address="fd00::2", passive_mode=True, remote_port=1790),
        ebgp_multihop_ttl=3,
        afi_safis=(
            AddressFamily(
                family=Family.IPV4,
                add_paths_send_max=8,
                mp_graceful_restart=True,
                llgr_restart_time=600,
                prefix_limit=PrefixLimit(1000, 80),
            ),
        ),
    )
    message = wire.peer_message(peer, able(wire))
    assert message.conf.type == wire.pb.PEER_TYPE_INTERNAL
    assert message.conf.auth_password == "sesame"
    timers = message.timers.config
    assert (timers.hold_time, timers.keepalive_interval, timers.connect_retry) == (9, 2, 5)
    assert message.transport.local_address == "fd00::2"
    assert (message.ebgp_multihop.enabled, message.ebgp_multihop.multihop_ttl) == (True, 3)
    (family,) = message.afi_safis
    assert family.add_paths.config.send_max == 8
    assert family.mp_graceful_restart.config.enabled
    assert family.long_lived_graceful_restart.config.restart_time == 600
    assert (family.prefix_limits.max_prefixes, family.prefix_limits.shutdown_threshold_pct) == (1000, 80)


@both
@pytest.mark.parametrize(
    ("neighbor", "local"), [("10.0.0.1", "0.0.0.0"), ("fd00::1", "::"), ("fe80::1%eth0", "")]
)
def test_the_kernel_chooses_the_own_address(wire: V3 | V4, neighbor: str, local: str) -> None:
    message = wire.peer_message(with_(neighbor_address=neighbor), able(wire))
    assert message.transport.local_address == local


@both
def test_an_unnumbered_peer_speaks_both_families(wire: V3 | V4) -> None:
    message = wire.peer_message(with_(neighbor_address="", neighbor_interface="eth0"), able(wire))
    assert [family.config.family.afi for family in message.afi_safis] == [1, 2]
    assert message.conf.neighbor_interface == "eth0"


@both
@pytest.mark.parametrize(
    "peer",
    [
        with_(neighbor_address="leaf"),
        with_(neighbor_address=""),
        with_(ttl_security_min=1, ebgp_multihop_ttl=2),
    ],
    ids=["name", "empty", "ttl twice"],
)
def test_what_would_crash_or_mislead_gobgpd_is_refused(wire: V3 | V4, peer: PeerConf) -> None:
    with pytest.raises(ValueError):
        wire.peer_message(peer, able(wire))


def test_bfd_needs_4_5() -> None:
    peer = with_(bfd=Bfd(detection_multiplier=3))
    for wire, version in ((V3(), (3, 37, 0)), (V4(), (4, 4, 0))):
        with pytest.raises(Unsupported, match=r"BFD needs GoBGP 4\.5"):
            wire.peer_message(peer, features(wire.major, version))
    sent = V4().peer_message(peer, features(4, (4, 5, 0)))
    assert isinstance(sent, pb4.Peer)
    assert (sent.bfd.enabled, sent.bfd.detection_multiplier) == (True, 3)


@both
def test_bfd_that_is_switched_off_is_not_asked_for(wire: V3 | V4) -> None:
    message = wire.peer_message(with_(bfd=Bfd(enabled=False)), able(wire))
    assert "bfd" not in {field.name for field, _ in message.ListFields()}


@both
def test_the_speaker_is_read_as_it_was_written(wire: V3 | V4) -> None:
    conf = GlobalConf(
        asn=4200000000, router_id="10.0.0.1", listen_addresses=("10.0.0.1",), use_multiple_paths=True
    )
    seen = peers.read_global(peers.global_message(wire.pb, conf))
    assert seen == ObservedGlobal(
        asn=4200000000,
        router_id="10.0.0.1",
        listen_port=179,
        listen_addresses=("10.0.0.1",),
        use_multiple_paths=True,
    )
    assert seen.differs_from(conf) == ()


def test_a_speaker_that_listens_everywhere_differs_in_nothing_however_that_is_spelt() -> None:
    seen = peers.read_global(pb4.Global(asn=1, router_id="1.1.1.1", listen_addresses=["::", "0.0.0.0"]))
    assert seen is not None
    conf = GlobalConf(asn=1, router_id="1.1.1.1", listen_port=0)
    everywhere = msgspec.structs.replace(conf, listen_addresses=("0.0.0.0", "::"))
    assert seen.differs_from(conf) == seen.differs_from(everywhere) == ()


def test_a_speaker_without_an_asn_is_not_started() -> None:
    assert peers.read_global(pb4.Global(router_id="invalid IP")) is None


@pytest.mark.parametrize(
    "conf",
    [GlobalConf(asn=1, router_id="node1"), GlobalConf(asn=1, router_id="1.1.1.1", listen_addresses=("lo",))],
    ids=["router id", "listen address"],
)
def test_a_speaker_with_an_address_that_is_none_is_refused(conf: GlobalConf) -> None:
    with pytest.raises(ValueError):
        peers.global_message(pb4, conf)


def observed_v4() -> pb4.Peer:
    peer = pb4.Peer(
        conf=pb4.PeerConf(
            neighbor_address="10.0.0.1",
            peer_asn=65001,
            local_asn=65000,
            type=pb4.PEER_TYPE_EXTERNAL,
            description="leaf 1",
            auth_password="sesame",
        ),
        state=pb4.PeerState(
            neighbor_address="10.0.0.1",
            peer_asn=65001,
            session_state=pb4.PeerState.SESSION_STATE_ESTABLISHED,
            admin_state=pb4.PeerState.ADMIN_STATE_UP,
            router_id="10.0.0.1",
            flops=2,
            disconnect_reason=pb4.PeerState.DISCONNECT_REASON_HOLD_TIMER_EXPIRED,
            disconnect_message="hold timer expired",
        ),
        transport=pb4.Transport(local_address="10.0.0.11"),
    )
    peer.timers.config.hold_time = 90
    peer.timers.state.negotiated_hold_time = 9
    peer.timers.state.uptime.seconds = 1_700_000_000
    peer.timers.state.downtime.seconds = -62135596800
    peer.state.messages.received.update = 5
    return peer


def test_a_peer_is_read_whole_and_without_its_password() -> None:
    assert V4().read_peer(observed_v4()) == ObservedPeer(
        neighbor_address="10.0.0.1",
        peer_asn=65001,
        local_asn=65000,
        peer_type=PeerType.EXTERNAL,
        description="leaf 1",
        router_id="10.0.0.1",
        session_state=SessionState.ESTABLISHED,
        admin_state=AdminState.UP,
        local_address="10.0.0.11",
        flops=2,
        received=MessageCounts(update=5),
        negotiated_hold_time=9,
        hold_time=90,
        uptime=datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
        disconnect_reason="HOLD_TIMER_EXPIRED",
        disconnect_message="hold timer expired",
    )


def test_without_a_session_the_local_address_is_not_known() -> None:
    peer = observed_v4()
    peer.state.session_state = pb4.PeerState.SESSION_STATE_ACTIVE
    peer.state.router_id = "invalid IP"
    seen = V4().read_peer(peer)
    assert (seen.local_address, seen.router_id) == ("", "")


def test_a_peer_of_any_asn_shows_the_one_it_has() -> None:
    peer = observed_v4()
    peer.conf.peer_asn = 0
    assert V4().read_peer(peer).peer_asn == 65001


def capabilities_of_3_x() -> pb3.Peer:
    peer = pb3.Peer()
    ipv4, ipv6 = pb3.Family(afi=1, safi=1), pb3.Family(afi=2, safi=1)
    vpn = pb3.Family(afi=1, safi=128)
    add_path = pb3.AddPathCapabilityTuple
    for message in (
        pb3.MultiProtocolCapability(family=ipv6),
        pb3.MultiProtocolCapability(family=ipv4),
        pb3.MultiProtocolCapability(family=vpn),
        pb3.FourOctetASNCapability(asn=65001),
        pb3.AddPathCapability(
            tuples=[
                add_path(family=ipv4, mode=add_path.MODE_RECEIVE),
                add_path(family=ipv6, mode=add_path.MODE_SEND),
            ]
        ),
        pb3.GracefulRestartCapability(
            time=120, tuples=[pb3.GracefulRestartCapabilityTuple(family=ipv4, flags=128)]
        ),
    ):
        peer.state.remote_cap.add().Pack(message)
    for message in (
        pb3.MultiProtocolCapability(family=ipv4),
        pb3.AddPathCapability(
            tuples=[add_path(family=each, mode=add_path.MODE_SEND) for each in (ipv4, ipv6)]
        ),
    ):
        peer.state.local_cap.add().Pack(message)
    return peer


def test_capabilities_of_both_sides_make_what_the_session_can() -> None:
    seen = V3().read_peer(capabilities_of_3_x())
    assert seen.remote == PeerCapabilities(
        families=(Family.IPV4, Family.IPV6),
        add_path_receive=(Family.IPV4,),
        graceful_restart=True,
        restart_time=120,
        graceful_families=(Family.IPV4,),
        four_octet_asn=True,
    )
    assert (seen.families, seen.add_path_send) == ((Family.IPV4,), (Family.IPV4,))


def test_a_peer_without_multiprotocol_speaks_ipv4() -> None:
    peer = pb4.Peer()
    peer.state.remote_cap.add().four_octet_asn.asn = 65001
    assert V4().read_peer(peer).remote.families == (Family.IPV4,)
    assert V4().read_peer(pb4.Peer()).remote == PeerCapabilities()


@both
def test_events_carry_the_state_and_the_end_of_the_first_ones_is_none(wire: V3 | V4) -> None:
    pb = wire.pb
    state = pb.PeerState(
        neighbor_address="10.0.0.1", session_state=6, admin_state=pb.PeerState.ADMIN_STATE_DOWN
    )
    event = pb.WatchEventResponse(peer=pb.WatchEventResponse.PeerEvent(peer=pb.Peer(state=state)))
    assert peers.read_peer_event(pb, event) == PeerEvent(
        neighbor_address="10.0.0.1",
        session_state=SessionState.ESTABLISHED,
        admin_state=AdminState.DOWN,
    )
    event.peer.peer.state.neighbor_address = "<nil>"
    assert peers.read_peer_event(pb, event) is None


@pytest.mark.parametrize(
    ("text", "version"),
    [("gobgpd version 4.8.0\n", (4, 8, 0)), ("3.37", (3, 37, 0)), ("gobgpd: not found", None)],
)
def test_the_version_is_found_in_what_gobgpd_prints(text: str, version: tuple[int, int, int] | None) -> None:
    assert parse_version(text) == version


def test_an_unknown_version_counts_as_the_oldest_of_its_api() -> None:
    assert features(4) == features(4, (3, 37, 0))
    assert not features(4).bfd
    assert features(4).fills_in_updates
    assert not features(3).rich_policies
    assert features(4, (4, 8, 0)).safe_for_strangers


def test_a_password_is_shown_by_nothing() -> None:
    peer = with_(auth_password=Password("sesame"))
    assert "sesame" not in f"{peer} {peer!r}"
    assert peer == with_(auth_password=Password("sesame"))
    assert peer != with_(auth_password=Password("other"))
    with pytest.raises(TypeError):
        msgspec.json.encode(peer)
