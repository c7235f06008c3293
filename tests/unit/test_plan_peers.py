"""Who a node speaks to, as what, and with which session settings."""

from typing import Any

import msgspec
import pytest

from openelb_bgp.bgp.model import (
    AddressFamily,
    Bfd,
    GlobalConf,
    GracefulRestart,
    Password,
    PeerConf,
    PrefixLimit,
    RemovePrivate,
    Timers,
    Transport,
)
from openelb_bgp.model import keys, routing
from openelb_bgp.model.addresses import Family
from openelb_bgp.model.facts import Gateway
from openelb_bgp.model.meta import Kind
from openelb_bgp.model.routing import AfiSafi, BgpPeer, SecretKeyRef
from tests.unit.plan_world import (
    NOW,
    ROUTER,
    ROUTER6,
    World,
    address,
    conf,
    node,
    peer,
    problems,
    reasons,
    secret,
    selector,
    session,
    world,
)

RESTART = GracefulRestart(enabled=True, restart_time=60, deferral_time=5)
V4 = AddressFamily(family=Family.IPV4, add_paths_send_max=255, mp_graceful_restart=True)
V6 = AddressFamily(family=Family.IPV6, add_paths_send_max=255, mp_graceful_restart=True)


def peers(found: World) -> list[PeerConf]:
    return list(found.plan().peers.values())


def only(**changes: Any) -> PeerConf:
    (found,) = peers(world().with_(bgp_peers=[peer(**changes)]))
    return found


# The speaker itself.


def test_the_speaker_takes_its_node_address_as_router_id() -> None:
    assert world().plan().global_conf == GlobalConf(asn=65000, router_id="10.0.0.1")


def test_a_written_router_id_is_the_same_on_all_nodes_but_those_with_their_racks_asn() -> None:
    racked = node("a", 1, labels={keys.RACK_LABEL: "r1"})
    found = world().with_(bgp_confs=[conf(router_id="1.1.1.1", asn_per_rack=(("r1", 65101),))])
    assert found.plan().global_conf == GlobalConf(asn=65000, router_id="1.1.1.1")
    assert found.with_(nodes=[racked]).plan().global_conf == GlobalConf(asn=65101, router_id="10.0.0.1")


def test_a_node_without_ipv4_gets_a_router_id_from_its_name_that_stays() -> None:
    found = world().with_(nodes=[node("a", 1, addresses=("fd00::1",))]).plan().global_conf
    assert found is not None
    assert found.router_id == "203.151.129.19"


def test_where_it_listens_is_handed_on() -> None:
    written = conf(listen_port=17900, listen_addresses=("10.0.0.1",), use_multiple_paths=True)
    assert world().with_(bgp_confs=[written]).plan().global_conf == GlobalConf(
        asn=65000,
        router_id="10.0.0.1",
        listen_port=17900,
        listen_addresses=("10.0.0.1",),
        use_multiple_paths=True,
    )


def test_everywhere_is_the_same_written_out_or_not_so_spelling_it_restarts_no_gobgpd() -> None:
    spelt = conf(listen_addresses=("::", "0.0.0.0"))
    assert world().with_(bgp_confs=[spelt]).plan().global_conf == world().plan().global_conf


def test_gobgpd_holds_tables_for_both_families_whatever_is_written() -> None:
    only_labelled = conf(families=(2,))
    assert world().with_(bgp_confs=[only_labelled]).plan().global_conf == world().plan().global_conf


def test_graceful_restart_is_a_matter_of_peers_so_its_edit_restarts_no_gobgpd() -> None:
    edited = conf(graceful_restart=routing.GracefulRestart(enabled=False))
    assert world().with_(bgp_confs=[edited]).plan().global_conf == world().plan().global_conf


def test_a_bgpconf_that_is_left_to_the_cni_does_not_count() -> None:
    found = world()
    labelled = conf()
    meta = msgspec.structs.replace(labelled.meta, labels={keys.CNI_LABEL: "cilium"})
    plan = found.with_(bgp_confs=[msgspec.structs.replace(labelled, meta=meta)]).plan()
    assert plan.global_conf is None
    assert reasons(plan) == {"Service shop/web": "LeftToCNI"}


# Defaults.


def test_where_nothing_is_written_a_silent_node_is_out_in_nine_seconds_and_a_restart_loses_nothing() -> None:
    assert peers(world()) == [
        PeerConf(
            name="router",
            neighbor_address=ROUTER,
            peer_asn=65001,
            local_asn=65000,
            timers=Timers(connect_retry=5, hold_time=9, keepalive_interval=3, idle_hold_time_after_reset=1),
            graceful_restart=RESTART,
            afi_safis=(V4,),
        )
    ]


def test_ebgp_multihop_defaults_to_slower_timers() -> None:
    found = only(ebgp_multihop_ttl=3)
    assert (found.ebgp_multihop_ttl, found.timers.hold_time, found.timers.keepalive_interval) == (3, 90, 30)


@pytest.mark.parametrize(
    ("written", "hold", "keepalive"),
    [
        (routing.Timers(hold_time=30), 30, 10),
        (routing.Timers(keepalive_interval=2), 9, 2),
        (routing.Timers(keepalive_interval=20), 60, 20),
        (routing.Timers(hold_time=0), 0, 0),
    ],
)
def test_timers_that_are_written_fit_together(written: routing.Timers, hold: int, keepalive: int) -> None:
    found = only(timers=written).timers
    assert (found.hold_time, found.keepalive_interval) == (hold, keepalive)


def test_a_peers_graceful_restart_goes_over_bgpconfs_over_our_defaults() -> None:
    found = world().with_(
        bgp_confs=[conf(graceful_restart=routing.GracefulRestart(restart_time=90, deferral_time=7))],
        bgp_peers=[peer(graceful_restart=routing.GracefulRestart(restart_time=120))],
    )
    (one,) = peers(found)
    assert one.graceful_restart == GracefulRestart(enabled=True, restart_time=120, deferral_time=7)


def test_whether_we_restart_is_not_the_users_to_say() -> None:
    found = only(graceful_restart=routing.GracefulRestart(local_restarting=True))
    assert found.graceful_restart == RESTART


def test_without_graceful_restart_no_family_announces_it() -> None:
    found = only(graceful_restart=routing.GracefulRestart(enabled=False))
    assert found.graceful_restart == GracefulRestart()
    assert [one.mp_graceful_restart for one in found.afi_safis] == [False]


def test_families_default_to_the_neighbours_own_with_room_for_all_paths() -> None:
    assert only(neighbour=ROUTER6).afi_safis == (V6,)
    assert only(neighbour="fe80::fe%eth0").afi_safis == (V6,)


def test_written_families_are_taken_as_they_are() -> None:
    written = (
        AfiSafi(
            family=Family.IPV6, add_paths_receive=True, prefix_limit=5, prefix_limit_shutdown_threshold=80
        ),
        AfiSafi(family=Family.IPV4, add_paths_send_max=4, mp_graceful_restart=False),
    )
    assert only(afi_safis=written).afi_safis == (
        AddressFamily(family=Family.IPV4, add_paths_send_max=4),
        AddressFamily(
            family=Family.IPV6,
            add_paths_receive=True,
            add_paths_send_max=255,
            mp_graceful_restart=True,
            prefix_limit=PrefixLimit(5, 80),
        ),
    )


def test_long_lived_graceful_restart_of_a_family_switches_it_on_for_the_peer() -> None:
    found = only(
        afi_safis=(AfiSafi(family=Family.IPV4, long_lived_enabled=True, long_lived_restart_time=99),)
    )
    assert found.graceful_restart is not None
    assert found.graceful_restart.longlived_enabled
    assert [one.llgr_restart_time for one in found.afi_safis] == [99]


def test_everything_else_that_is_written_reaches_the_session() -> None:
    found = only(
        local_asn=64999,
        description="leaf 1",
        auth_password="secret",
        remove_private_as="ALL",
        route_flap_damping=True,
        allow_own_asn=2,
        replace_peer_asn=True,
        admin_down=True,
        ttl_security_min=254,
        transport=routing.Transport(
            passive_mode=True,
            remote_port=1179,
            remote_address="10.0.0.9",
            local_address=address("10.0.0.1"),
            mtu_discovery=True,
            tcp_mss=1400,
        ),
        bfd=routing.Bfd(enabled=True, detection_multiplier=3, required_minimum_receive=300000),
    )
    assert found == PeerConf(
        name="router",
        neighbor_address=ROUTER,
        peer_asn=65001,
        local_asn=64999,
        description="leaf 1",
        auth_password=Password("secret"),
        remove_private=RemovePrivate.ALL,
        route_flap_damping=True,
        allow_own_asn=2,
        replace_peer_asn=True,
        admin_down=True,
        ttl_security_min=254,
        timers=Timers(connect_retry=5, hold_time=9, keepalive_interval=3, idle_hold_time_after_reset=1),
        transport=Transport(
            local_address="10.0.0.1",
            passive_mode=True,
            remote_address="10.0.0.9",
            remote_port=1179,
            mtu_discovery=True,
            tcp_mss=1400,
        ),
        graceful_restart=RESTART,
        bfd=Bfd(detection_multiplier=3, required_minimum_receive=300000),
        afi_safis=(V4,),
    )


def test_what_gobgp_refuses_for_ibgp_is_left_off_and_reported() -> None:
    found = world().with_(
        bgp_peers=[peer(asn=65000, remove_private_as="ALL", replace_peer_asn=True, ebgp_multihop_ttl=2)]
    )
    (one,) = peers(found)
    assert (one.remove_private, one.replace_peer_asn, one.ebgp_multihop_ttl) == (
        RemovePrivate.NONE,
        False,
        None,
    )
    assert problems(found.plan()) == {("BgpPeer router", "NoEffect")}


def test_what_gobgp_or_we_decide_otherwise_is_reported() -> None:
    told = [
        peer(send_community="none"),
        peer(peer_type="internal"),
        peer(asn=65000, peer_type="external"),
        peer(graceful_restart=routing.GracefulRestart(local_restarting=True)),
    ]
    for one in told:
        assert problems(world().with_(bgp_peers=[one]).plan()) == {("BgpPeer router", "NoEffect")}
    fitting = peer(peer_type="external")
    assert problems(world().with_(bgp_peers=[fitting]).plan()) == set()


def test_bfd_needs_a_gobgpd_that_can() -> None:
    wanted = world().with_(bgp_peers=[peer(bfd=routing.Bfd(enabled=True))])
    assert peers(wanted)[0].bfd == Bfd()
    assert peers(wanted.with_(gobgp_version=(4, 5)))[0].bfd == Bfd()
    old = wanted.with_(gobgp_version=(3, 10))
    assert peers(old)[0].bfd is None
    assert problems(old.plan()) == {("BgpPeer router", "Unsupported")}


def test_peer_as_zero_takes_whatever_asn_the_peer_shows() -> None:
    assert only(asn=0).peer_asn == 0


def test_a_peer_group_that_gobgpd_does_not_have_is_left_off_and_reported() -> None:
    found = world().with_(bgp_peers=[peer(peer_group="spines")])
    assert peers(found)[0].peer_group == ""
    assert problems(found.plan()) == {("BgpPeer router", "Unsupported")}


def test_old_gobgpds_are_told_our_end_of_a_link_local_session() -> None:
    found = world().with_(bgp_peers=[peer(neighbour="fe80::fe%eth0")])
    assert peers(found)[0].transport.local_address is None
    assert peers(found.with_(gobgp_version=(3, 10)))[0].transport.local_address == "fe80::1%eth0"


# Who is left out.


@pytest.mark.parametrize(
    ("one", "reason", "reported"),
    [
        (peer(neighbour="10.0.0.1"), "PeerIsSelf", True),
        (peer(neighbour="fe80::1%eth0"), "PeerIsSelf", True),
        (peer(vrf="red"), "Unsupported", True),
        (peer(transport=routing.Transport(local_address=address("10.9.9.9"))), "NoInterface", True),
        (peer(node_selector=selector(edge="yes")), "NodeNotSelected", False),
    ],
)
def test_a_peer_that_cannot_be_spoken_to_has_a_reason(one: BgpPeer, reason: str, reported: bool) -> None:
    plan = world().with_(bgp_peers=[one]).plan()
    assert dict(plan.peers) == {}
    assert reasons(plan)["BgpPeer router"] == reason
    assert (("BgpPeer router", reason) in problems(plan)) is reported


def test_a_router_may_have_the_link_local_address_that_this_node_has_on_another_link() -> None:
    assert list(world().with_(bgp_peers=[peer(neighbour="fe80::1%eth1")]).plan().peers) == ["fe80::1%eth1"]


def test_of_two_peers_with_one_address_the_first_by_name_wins() -> None:
    plan = world().with_(bgp_peers=[peer("b", asn=2), peer("a", asn=1)]).plan()
    assert [(one.name, one.peer_asn) for one in plan.peers.values()] == [("a", 1)]
    assert reasons(plan) == {"BgpPeer b": "DuplicatePeer"}
    assert problems(plan) == {("BgpPeer b", "DuplicatePeer")}


def test_two_peers_with_one_address_on_different_nodes_are_no_duplicates() -> None:
    far = peer("a", node_selector=selector(rack="far"))
    plan = world().with_(bgp_peers=[far, peer("b")]).plan()
    assert [one.name for one in plan.peers.values()] == ["b"]
    assert problems(plan) == set()


# Passwords.


def secured() -> World:
    return world().with_(
        bgp_peers=[peer(auth_password_ref=SecretKeyRef("bgp", "password"))],
        secrets=[secret("bgp", password=b"hunter2\n")],
    )


def test_a_password_comes_from_its_secret_without_the_line_end() -> None:
    assert peers(secured())[0].auth_password == Password("hunter2")


@pytest.mark.parametrize("data", [{}, {"password": b""}, {"password": b"\xff"}, {"password": b"x" * 81}])
def test_a_peer_without_its_password_is_never_added(data: dict[str, bytes]) -> None:
    plan = secured().with_(secrets=[secret("bgp", **data)]).plan()
    assert dict(plan.peers) == {}
    assert reasons(plan)["BgpPeer router"] == "SecretMissing"
    assert ("BgpPeer router", "SecretMissing") in problems(plan)


def test_a_secret_that_goes_missing_leaves_the_last_password_in_use() -> None:
    first = secured().plan()
    later = secured().with_(secrets=[]).plan(previous=first)
    assert later.peers == first.peers
    assert problems(later) == {("BgpPeer router", "SecretMissing")}
    assert reasons(later) == {}


def test_a_changed_secret_changes_the_password() -> None:
    later = secured().with_(secrets=[secret("bgp", password=b"new")]).plan(previous=secured().plan())
    assert [one.auth_password for one in later.peers.values()] == [Password("new")]


def test_a_password_is_not_waited_for_once_secrets_have_been_listed() -> None:
    assert not secured().with_(secrets=[], listed=frozenset(Kind) - {Kind.SECRET}).plan().complete
    assert secured().with_(secrets=[]).plan().complete


def test_secrets_are_looked_for_in_our_namespace() -> None:
    assert secured().plan(namespace="elsewhere").peers == {}


# Discovery.


def discovered(*gateways: Gateway, families: tuple[Family, ...] = ()) -> World:
    wanted = tuple(AfiSafi(family=family) for family in families)
    one = peer(neighbour=None, neighbor_discovery="DefaultGateway", afi_safis=wanted)
    return world().with_(bgp_peers=[one], gateways=gateways)


def carried(found: World) -> dict[str, set[int]]:
    return {
        address: {one.family.value for one in conf.afi_safis} for address, conf in found.plan().peers.items()
    }


def test_the_gateway_of_each_family_becomes_a_peer() -> None:
    found = discovered(Gateway(4, 0, "10.0.0.254", "eth0"), Gateway(6, 0, "fd00::fe", "eth0"))
    assert carried(found) == {"10.0.0.254": {4}, "fd00::fe": {6}}


def test_only_the_families_that_are_asked_for_are_looked_up() -> None:
    gateways = (Gateway(4, 0, "10.0.0.254", "eth0"), Gateway(6, 0, "fd00::fe", "eth0"))
    assert carried(discovered(*gateways, families=(Family.IPV4,))) == {"10.0.0.254": {4}}


def test_a_family_without_a_gateway_of_its_own_rides_on_the_others() -> None:
    both = discovered(Gateway(6, 0, "fe80::fe", "eth0"), families=(Family.IPV4, Family.IPV6))
    assert carried(both) == {"fe80::fe%eth0": {4, 6}}


def test_the_lowest_metric_wins_and_an_ecmp_default_gives_a_peer_per_gateway() -> None:
    found = discovered(
        Gateway(4, 100, "10.0.0.252", "eth0"),
        Gateway(4, 100, "10.0.0.253", "eth1"),
        Gateway(4, 200, "10.0.0.254", "eth0"),
    )
    assert carried(found) == {"10.0.0.252": {4}, "10.0.0.253": {4}}


def test_a_default_route_to_pods_is_no_gateway() -> None:
    names = ("cni0", "cilium_host", "vxlan.calico-v6", "ovn-k8s-mp0", "kube-bridge", "antrea-gw0")
    plan = discovered(*(Gateway(4, 0, f"10.244.{i}.1", name) for i, name in enumerate(names))).plan()
    assert reasons(plan)["BgpPeer router"] == "NoGateway"
    assert plan.complete


def test_no_gateway_is_not_believed_before_the_host_has_been_read() -> None:
    assert not discovered().with_(links=()).plan().complete


def test_a_gateway_that_goes_stays_a_peer_for_thirty_seconds() -> None:
    first = discovered(Gateway(4, 0, "10.0.0.254", "eth0")).plan()
    gone = discovered().plan(previous=first)
    assert list(gone.peers) == ["10.0.0.254"]
    assert gone.deadline == NOW + 30
    still = discovered().with_(now=NOW + 29).plan(previous=gone)
    assert list(still.peers) == ["10.0.0.254"]
    assert dict(discovered().with_(now=NOW + 30).plan(previous=still).peers) == {}


def test_a_gateway_that_comes_back_in_time_forgets_that_it_went() -> None:
    there = discovered(Gateway(4, 0, "10.0.0.254", "eth0"))
    gone = discovered().plan(previous=there.plan())
    back = there.with_(now=NOW + 20).plan(previous=gone)
    again = discovered().with_(now=NOW + 40).plan(previous=back)
    assert (back.deadline, list(again.peers), again.deadline) == (None, ["10.0.0.254"], NOW + 70)


# What sessions show.


def test_a_family_that_the_peer_did_not_agree_on_is_reported() -> None:
    both = peer(afi_safis=(AfiSafi(family=Family.IPV4), AfiSafi(family=Family.IPV6)))
    one = session(families=(Family.IPV4,))
    plan = world().with_(bgp_peers=[both], sessions={ROUTER: one}).plan()
    assert problems(plan) == {("BgpPeer router", "FamilyNotNegotiated")}


def test_an_edit_of_a_peer_touches_no_other() -> None:
    two = world().with_(bgp_peers=[peer(), peer("other", "10.0.0.253")])
    before = two.plan()
    after = two.with_(bgp_peers=[peer(), peer("other", "10.0.0.253", description="x")]).plan(previous=before)
    assert after.peers[ROUTER] == before.peers[ROUTER]
    assert after.changed == frozenset()
