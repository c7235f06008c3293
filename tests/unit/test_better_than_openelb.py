"""What is better than in OpenELB 0.6, its BGP and address management: one named test each, in that order.

What needs a daemon is proved with one: who listens where in tests/daemons/test_run_operation.py, what an edit
does to a session in tests/daemons/test_announcer_peer_edits.py, what a log may say in
tests/daemons/test_run_secrets.py.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from openelb_bgp.bgp.diff import Changes, Configuration, SessionEffect, diff
from openelb_bgp.bgp.memory import Memory
from openelb_bgp.bgp.planned import BgpPlan
from openelb_bgp.model import keys
from openelb_bgp.model.cluster import Node
from openelb_bgp.model.errors import Defect, InvalidResource
from openelb_bgp.model.meta import Key, Kind, ref
from openelb_bgp.model.pools import Advertisement
from openelb_bgp.model.routing import BgpConf, Drain, NextHops, SecretKeyRef, Timers
from openelb_bgp.ports import Changed, Listed, Spoilt
from openelb_bgp.report.speaker import speaker_status
from openelb_bgp.runtime.store import Store
from tests import ipam_cluster as ipam
from tests.unit.plan_world import (
    ROUTER,
    World,
    conf,
    drained,
    endpoint,
    next_hops,
    node,
    peer,
    pool,
    secret,
    service,
    session,
    slices,
    world,
)

WEB = "192.0.2.1/32"
A, B, C = "10.0.0.1", "10.0.0.2", "10.0.0.3"


def seen_from_a(*nodes: Node, **options: Any) -> set[str]:
    """The next hops that node a advertises for everybody (nextHops: Rack), itself as `self`."""
    made = world().with_(bgp_confs=[conf(next_hops=NextHops.RACK)], nodes=nodes).plan(**options)
    return next_hops(made).get(WEB, set())


# Next hops exclude nodes that …


@pytest.mark.parametrize(
    "gone",
    [
        pytest.param(node("b", 2, ready=False), id="not-ready"),
        pytest.param(node("b", 2, network_unavailable=True), id="network-unavailable"),
        pytest.param(node("b", 2, deleting=True), id="being-deleted"),
        pytest.param(node("b", 2, labels={keys.EXCLUDE_LABEL: ""}), id="excluded-by-label"),
    ],
)
def test_next_hops_exclude_a_node_that_should_get_no_traffic(gone: Node) -> None:
    assert seen_from_a(node("a", 1), gone, node("c", 3)) == {"self", C}


def test_next_hops_exclude_a_node_that_is_deleted() -> None:
    assert seen_from_a(node("a", 1), node("c", 3)) == {"self", C}


def test_next_hops_exclude_a_draining_node_after_its_grace() -> None:
    rack = world().with_(bgp_confs=[conf(next_hops=NextHops.RACK)])
    leaving = rack.with_(nodes=[node("a", 1), drained("b", 2), node("c", 3)])
    first = leaving.plan(rack.plan())
    assert first.deadline is not None
    assert next_hops(first) == {WEB: {"self", B, C}}
    assert next_hops(leaving.with_(now=first.deadline).plan(first)) == {WEB: {"self", C}}


def test_the_exclude_label_is_ignored_on_demand_or_where_every_node_has_it() -> None:
    labelled = [node(name, number, labels={keys.EXCLUDE_LABEL: ""}) for number, name in enumerate("abc", 1)]
    assert seen_from_a(*labelled) == {"self", B, C}
    assert seen_from_a(node("a", 1), *labelled[1:]) == {"self"}
    assert seen_from_a(node("a", 1), *labelled[1:], ignore_exclude_label=True) == {"self", B, C}


def test_readiness_is_not_believed_while_more_than_half_of_the_nodes_are_not_ready() -> None:
    """A sick control plane must not withdraw a healthy network."""
    down = [node("b", 2, ready=False), node("c", 3, ready=False)]
    assert seen_from_a(node("a", 1), *down) == {"self", B, C}
    assert seen_from_a(node("a", 1), node("d", 4), *down) == {"self", "10.0.0.4"}


def test_zero_eligible_nodes_withdraws() -> None:
    before = world().plan()
    after = world().with_(nodes=[node("a", 1, network_unavailable=True)]).plan(before)
    assert changes(after, before).delete == tuple(before.paths)


def test_endpoint_moves_of_a_local_service_are_followed() -> None:
    local = world().with_(services=[service("web", "192.0.2.1", local=True)])
    found = []
    made: BgpPlan | None = None
    for where in ("a", "b", "a"):
        made = local.with_(slices={"web": slices("web", endpoint(where))}).plan(made)
        found.append(next_hops(made))
    assert found == [{WEB: {"self"}}, {}, {WEB: {"self"}}]


# An edit resets no session that it does not concern.

SECOND = "10.0.0.253"
BY_PEER = (Advertisement(peers=("router",)), Advertisement(peers=("second",), med=50))


def configured(made: BgpPlan) -> Configuration:
    return Configuration(
        global_conf=made.global_conf, routing=made.routing, peers=made.peers, paths=made.paths
    )


def changes(after: BgpPlan, before: BgpPlan) -> Changes:
    return diff(configured(after), configured(before))


def two_routers(**changed: Any) -> World:
    sessions = {ROUTER: session(), SECOND: session(SECOND)}
    return world().with_(bgp_peers=[peer(), peer("second", SECOND, **changed)], sessions=sessions)


def test_an_edit_of_a_peer_concerns_that_peer_only() -> None:
    before, after = two_routers().plan(), two_routers(allow_own_asn=3, timers=Timers(hold_time=30)).plan()
    made = changes(after, before)
    assert [(one.new.name, one.effect) for one in made.peers_edited] == [("second", SessionEffect.RESET)]
    assert (made.restart, made.peers_gone, made.peers_new, made.delete) == (False, (), (), ())


@pytest.mark.parametrize(
    "edited",
    [
        conf(next_hops=NextHops.RACK),
        conf(stand_in_after=60.0),
        conf(weighted_ecmp=True),
        conf(drain=Drain(grace_seconds=60)),
        conf(asn_per_rack=(("elsewhere", 65099),)),
    ],
    ids=["next-hops", "stand-ins", "weights", "drain", "another-racks-asn"],
)
def test_an_edit_of_bgpconf_that_concerns_no_session_resets_none(edited: BgpConf) -> None:
    before, after = two_routers().plan(), two_routers().with_(bgp_confs=[edited]).plan()
    made = changes(after, before)
    assert (made.restart, made.global_conf, made.peers_edited, made.peers_gone) == (False, None, (), ())


def test_an_edit_of_a_policy_resets_no_session() -> None:
    plain, tagged = pool(), msgspec.structs.replace(pool(), advertisements=BY_PEER)
    before = two_routers().with_(eips=[plain]).plan()
    made = changes(two_routers().with_(eips=[tagged]).plan(before), before)
    assert made.routing is not None
    assert (made.restart, made.peers_edited, made.peers_gone, made.peers_new) == (False, (), (), ())


# Addresses.


def test_a_live_address_never_moves_because_of_its_pools_state() -> None:
    cluster = ipam.Cluster(ipam.eip("west", "192.0.2.0/29"), ipam.service(names_pool="west")).settle()
    for state in (
        ipam.eip("west", "192.0.2.0/29", disabled=True),
        ipam.eip("west", "192.0.2.4/30"),
        ipam.eip("west", "192.0.2.0/29", exclude="192.0.2.0"),
        ipam.eip("west", "192.0.2.0/29", namespaces=("elsewhere",), enforce_namespaces=True),
        ipam.eip("west", "192.0.2.0/29", priority=9),
    ):
        cluster.put(state)
        cluster.allocation = None
        assert cluster.settle().has() == "192.0.2.0"
    del cluster.eips["west"]
    assert cluster.settle().has() == "192.0.2.0"


def test_release_and_assignment_are_one_write() -> None:
    west, east = ipam.eip("west", "192.0.2.0/29"), ipam.eip("east", "198.51.100.0/29")
    cluster = ipam.Cluster(west, east, ipam.service(names_pool="west")).settle()
    cluster.put(ipam.edited(cluster.services[Key("shop", "web")], pool="east"))
    assert (cluster.has(), cluster.cycle(), cluster.has()) == ("192.0.2.0", 1, "198.51.100.0")
    usage = {name: one.usage for name, one in cluster.allocate().pools.items()}
    assert usage == {"west": 0, "east": 1}


def test_a_pool_deleted_while_the_speaker_was_down_leaves_no_route_behind() -> None:
    before = world().plan()
    # A new process: it knows nothing but what gobgpd runs.
    after = world().with_(eips=[]).plan()
    assert changes(after, before).delete == tuple(before.paths)


@pytest.mark.parametrize("length", [3, 32, 64, 96, 127])
def test_ipv6_pools_of_any_size_give_addresses(length: int) -> None:
    cluster = ipam.Cluster(
        ipam.eip("wide", f"2000::/{length}"),
        ipam.service("one", names_pool="wide", ip_families=(ipam.V6,)),
        ipam.service("two", names_pool="wide", ip_families=(ipam.V6,)),
    ).settle()
    assert {cluster.has("one"), cluster.has("two")} == {"2000::", "2000::1"}
    use = cluster.allocate().pools["wide"]
    assert (use.usage, use.pool_size) == (2, min(2 ** (128 - length), 2**63 - 1))


def test_ipv4_and_ipv6_go_out_by_one_interface() -> None:
    dual = world().with_(services=[service("web", "192.0.2.1", "2001:db8::1")])
    both = dual.with_(bgp_peers=[peer(), peer("six", "fd00::fe")]).with_(
        sessions={ROUTER: session(), "fd00::fe": session("fd00::fe")}
    )
    assert next_hops(both.plan()) == {WEB: {"self"}, "2001:db8::1/128": {"self"}}


# One bad object never holds up another.


def test_one_bad_object_never_holds_up_another() -> None:
    good = world().snapshot
    store = Store()
    kinds: dict[Kind, Sequence[Any]] = {
        Kind.EIP: tuple(good.eips.values()),
        Kind.BGP_CONF: tuple(good.bgp_confs.values()),
        Kind.BGP_PEER: tuple(good.bgp_peers.values()),
        Kind.SERVICE: tuple(good.services.values()),
        Kind.NODE: tuple(good.nodes.values()),
        Kind.ENDPOINT_SLICE: tuple(one for found in good.slices.values() for one in found),
    }
    store.apply([Listed(kind, tuple(kinds.get(kind, ()))) for kind in Kind])
    defect = Defect("spec", "?", "cannot be read", "correct it")
    store.apply(
        [Spoilt(InvalidResource(ref(kind, "bad"), (defect,))) for kind in Kind if not kind.namespaced]
    )
    store.apply([Spoilt(InvalidResource(ref(Kind.EIP, "pool"), (defect,)))])
    late = service("late", "192.0.2.2")
    store.apply([Changed(late), *(Changed(one) for one in slices("late", endpoint("a")))])
    made = World(store.snapshot, world().facts).plan()
    assert next_hops(made) == {WEB: {"self"}, "192.0.2.2/32": {"self"}}


# Passwords.


def test_a_password_is_in_no_plan_status_or_file_that_anybody_reads(tmp_path: Path) -> None:
    guarded = peer(auth_password_ref=SecretKeyRef(name="bgp", key="router"))
    inline = peer("second", SECOND, auth_password="hush-inline")
    found = world().with_(
        bgp_peers=[guarded, inline], secrets=[secret("bgp", router=b"hush-secret")], sessions={}
    )
    made = found.plan()
    revealed = [one.auth_password.reveal() for one in made.peers.values() if one.auth_password]
    assert sorted(revealed) == ["hush-inline", "hush-secret"]
    Memory(tmp_path).remember(made.global_conf, made.peers.values())
    status = speaker_status(announcements=(), facts=found.facts, started_at="", problems=made.problems)
    written = (tmp_path / "applied.json").read_text()
    assert "hush" not in f"{made!r} {status!r} {written}"
