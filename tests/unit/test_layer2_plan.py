"""Which node answers for an address, how few move as nodes come and go, and the reason for each other one."""

from hashlib import sha256
from ipaddress import ip_address, ip_interface
from typing import Any

import msgspec
import pytest

from openelb_bgp.layer2.owned import Ownership, Spot
from openelb_bgp.layer2.plan import plan
from openelb_bgp.layer2.ranks import ordered, rank
from openelb_bgp.model import keys
from openelb_bgp.model.conditions import Condition
from openelb_bgp.model.forwarding import Forwarding
from openelb_bgp.model.members import Members
from openelb_bgp.model.meta import Kind, LabelSelector, Meta, ref
from openelb_bgp.model.pools import Layer2Settings, Protocol
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.speakers import Speaker
from openelb_bgp.model.statuses import Layer2Status, OwnedAddress, PoolStatus, Problem, SpeakerStatus
from tests.unit.layer2_world import NOW, Lan, address, drained, moved, node, pool, service, shares


def first(lan: Lan, number: int = 0) -> str:
    return ordered(lan.nodes, address(number))[0]


def reason(lan: Lan, own: str, number: int = 0) -> Reason | None:
    refused = lan.plan(own).placements[address(number)].refused
    return None if refused is None else refused.reason


def test_the_first_by_hash_owns_and_every_node_says_so() -> None:
    lan = Lan()
    assert lan.owners() == {address(number): first(lan, number) for number in range(20)}


def test_the_rank_is_the_sha256_of_node_and_address() -> None:
    assert rank("n1", address(0)) == sha256(b"n1#10.0.0.100").digest()


def test_a_hundred_addresses_spread_over_four_nodes() -> None:
    lan = Lan(services=100)
    assert min(shares(lan.owners(), lan.nodes)) >= 15


def test_a_node_holds_on_its_interface_with_the_interval_of_the_pool() -> None:
    lan = Lan(count=1, services=1)
    assert lan.plan("n1").held == {Spot(address(0), "eth0"): Ownership(30.0)}
    lan.pools = {"lan": msgspec.structs.replace(pool(), layer2=Layer2Settings(garp_interval_seconds=5))}
    assert lan.plan("n1").held == {Spot(address(0), "eth0"): Ownership(5.0)}


@pytest.mark.parametrize("how", ["silent", "leaving", "void"])
def test_only_the_addresses_of_a_node_that_goes_move(how: str) -> None:
    lan = Lan()
    before = lan.owners()
    getattr(lan, how).add("n2")
    after = lan.owners("n2")
    assert {owner for owner, _ in moved(before, after).values()} == {"n2"}
    assert "n2" not in after.values()


def test_a_node_that_goes_and_one_whose_link_goes_hold_nothing_themselves() -> None:
    lan = Lan()
    lan.silent.add("n2")
    assert lan.plan("n2").held == {}
    assert {reason(lan, "n2", number) for number in range(20)} == {Reason.NODE_SILENT}
    lan.silent.clear()
    lan.down.add("n2")
    assert lan.plan("n2").held == {}
    assert {reason(lan, "n2", number) for number in range(20)} == {Reason.INTERFACE_DOWN}


def test_a_node_without_knowledge_of_others_owns_nothing_and_says_so() -> None:
    lan = Lan()
    lan.owners()
    lan.void.add("n1")
    made = lan.plan("n1")
    assert made.held == {}
    assert {one.refused and one.refused.reason for one in made.placements.values()} == {Reason.OWNERSHIP_VOID}


def test_a_node_that_comes_back_waits_for_thirty_seconds_and_takes_only_its_own() -> None:
    lan = Lan()
    before = lan.owners()
    lan.silent.add("n2")
    without = lan.owners()
    lan.silent.clear()
    lan.stable["n2"] = lan.now = lan.now + 300
    assert lan.owners() == without
    assert lan.memory["n1"].plan.deadline == lan.now + 30
    assert reason(lan, "n2", 0) in {None, Reason.NOT_OWNER}
    lan.now += 29.9
    assert lan.owners() == without
    lan.now += 0.1
    assert lan.owners() == before


def test_nodes_that_begin_together_share_at_once_and_one_that_is_late_waits() -> None:
    lan = Lan()
    lan.stable = {name: lan.now - number for number, name in enumerate(lan.nodes)}
    assert lan.owners() == {address(number): first(lan, number) for number in range(20)}
    late = Lan()
    late.stable = {**dict.fromkeys(late.nodes, late.now - 6), "n2": late.now}
    assert "n2" not in late.owners().values()


def test_a_node_that_faltered_leaves_its_addresses_to_who_did_not_and_gets_them_back() -> None:
    """Memory must not decide: it may have noticed what nobody else did, and then nobody would answer."""
    lan = Lan()
    before = lan.owners()
    lan.stable["n2"] = lan.now
    assert "n2" not in lan.owners().values()
    lan.now += 31
    assert lan.owners() == before


def test_one_that_came_back_owns_at_once_where_nobody_else_can() -> None:
    lan = Lan(count=2)
    lan.stable["n2"] = lan.now
    lan.silent.add("n1")
    assert set(lan.owners("n1").values()) == {"n2"}


def test_an_address_moves_three_times_in_three_minutes_and_then_stays_while_its_owner_lives() -> None:
    lan = Lan(services=1)
    lan.answering = frozenset({address(0)})
    home, second, *_ = ordered(lan.nodes, address(0))
    seen = []
    for _ in range(4):
        lan.nodes[home] = drained(home)
        seen.append(lan.owners()[address(0)])
        lan.now += 10
        lan.nodes[home] = node(home)
        seen.append(lan.owners()[address(0)])
        lan.now += 10
    # The last move is none of choice: home drains.
    assert seen == [second, home, second, home, second, second, second, second]
    first_that_counts = NOW + 20
    assert lan.memory[second].plan.deadline == first_that_counts + 180
    lan.now = first_that_counts + 180
    assert lan.owners() == {address(0): home}


def test_what_returns_at_once_because_reports_crossed_has_not_moved() -> None:
    lan = Lan(services=1)
    home, second, *_ = ordered(lan.nodes, address(0))
    lan.owners()
    for _ in range(5):
        lan.nodes[home] = drained(home)
        assert lan.owners() == {address(0): second}
        lan.now += 0.1
        lan.nodes[home] = node(home)
        assert lan.owners() == {address(0): home}
        lan.now += 10
    assert lan.memory[second].plan.placements[address(0)].moves == ()


def test_one_that_saw_more_moves_than_the_owner_takes_what_nobody_answers_for() -> None:
    lan = Lan(services=1)
    home, second, *_ = ordered(lan.nodes, address(0))
    # Home alone remembers three moves, and an owner that does not believe to be one.
    lan.plan(home)
    for one in (drained(home), node(home), drained(home), node(home)):
        lan.nodes[home] = one
        lan.plan(home)
        lan.now += 3
    lan.answering = frozenset({address(0)})
    assert lan.owners(home) == {address(0): home}
    waiting = lan.plan(home)
    assert waiting.placements[address(0)].owner == second
    assert waiting.awaited == {address(0)}
    lan.now += 10
    assert lan.plan(home).held == {}
    lan.answering = frozenset()
    assert lan.owners() == {address(0): home}
    assert lan.plan(home).awaited == frozenset()


def test_one_that_saw_more_moves_than_the_owner_takes_what_that_leaves_to_it() -> None:
    lan = Lan(services=1)
    home, second, *_ = ordered(lan.nodes, address(0))
    lan.owners()
    # The cable of home is pulled: by itself it sees the others come and go, and what they do not see.
    for silent in ({home}, {home, second}, {home}):
        lan.silent = silent
        lan.now += 1
        lan.plan(home)
    lan.silent = {home}
    lan.owners(home)
    lan.silent = set()
    lan.stable[home] = lan.now = lan.now + 5
    assert lan.owners() == {address(0): second}
    lan.now += 31
    assert lan.owners() == {address(0): home}


def test_one_that_saw_more_moves_believes_the_speakers_whom_it_would_leave_the_address_to() -> None:
    lan = Lan(count=3, services=0)
    home, second, third = ordered(lan.nodes, address(0))

    def backed_by(*nodes: str) -> None:
        lan.add(service("web", address(0), local=True), *nodes)
        lan.now += 3

    # Home alone sees the address go to and fro between the others, and stay with the wrong one at last.
    for nodes in ([second], [third], [second], [third], [second, third]):
        backed_by(*nodes)
        lan.plan(home)
    assert lan.plan(home).placements[address(0)].owner == third
    assert lan.owners(home) == {address(0): second}
    owned = Layer2Status(owned=(OwnedAddress(address=str(address(0)), interface="eth0", since=""),))
    lan.speakers = {second: Speaker(Meta(name=second), SpeakerStatus(layer2=owned))}
    lan.answering = frozenset({address(0)})
    backed_by(home, second, third)
    assert lan.plan(home).placements[address(0)].owner == second
    backed_by(home, third)
    assert lan.owners() == {address(0): home}


def test_a_dead_owner_is_replaced_however_often_the_address_has_moved() -> None:
    lan = Lan(services=1)
    for _ in range(5):
        owner = lan.owners()[address(0)]
        lan.silent = {owner}
        assert lan.owners()[address(0)] != owner
        lan.silent = set()


def test_the_preferred_node_owns_while_it_can() -> None:
    lan = Lan(services=1)
    last = ordered(lan.nodes, address(0))[-1]
    lan.add(service("web0", address(0), preferred=last), *lan.nodes)
    assert lan.owners() == {address(0): last}
    lan.silent.add(last)
    assert lan.owners(last) == {address(0): first(lan)}


def test_sharers_have_one_owner_that_reaches_whatever_has_endpoints() -> None:
    lan = Lan(services=1)
    lan.add(service("udp", address(0), local=True), "n3")
    lan.add(service("idle", address(0), local=True))
    assert lan.owners() == {address(0): "n3"}
    assert [str(key) for key in lan.plan("n3").placements[address(0)].services] == [
        "shop/idle",
        "shop/udp",
        "shop/web0",
    ]


def test_a_local_service_follows_its_endpoints() -> None:
    lan = Lan(services=0)
    lan.add(service("local", address(0), local=True), "n2")
    assert lan.owners() == {address(0): "n2"}
    lan.add(service("local", address(0), local=True), "n4")
    assert lan.owners() == {address(0): "n4"}
    assert reason(lan, "n2") is Reason.NO_LOCAL_ENDPOINT
    lan.add(service("local", address(0), local=True))
    assert lan.owners() == {address(0): ""}


def test_a_draining_node_hands_over_and_the_last_one_keeps() -> None:
    lan = Lan(count=2, services=1)
    home = first(lan)
    (other,) = lan.nodes.keys() - {home}
    lan.nodes[home] = drained(home)
    assert lan.owners() == {address(0): other}
    assert reason(lan, home) is Reason.NODE_DRAINING
    lan.nodes[other] = drained(other)
    assert lan.owners() == {address(0): home}


def test_who_drains_keeps_what_nobody_who_stays_can_answer_for() -> None:
    lan = Lan(count=2, services=1)
    lan.nodes["n1"] = drained("n1")
    lan.silent.add("n2")
    assert lan.owners("n2") == {address(0): "n1"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({"nodes": {"n1": node("n1", ready=False)}}, Reason.NODE_NOT_READY, id="not ready"),
        pytest.param({"pools": {"lan": pool("eth7")}}, Reason.NO_INTERFACE, id="no such interface"),
        pytest.param({"pools": {"lan": pool("can_reach:10.0.0.2")}}, Reason.NO_INTERFACE, id="can_reach"),
        pytest.param(
            {"pools": {"lan": pool(node_selector=LabelSelector((("lan", "yes"),)))}},
            Reason.NODE_NOT_SELECTED,
            id="not selected",
        ),
        pytest.param({"slices": {}}, Reason.NO_ENDPOINTS, id="no endpoints"),
    ],
)
def test_a_node_that_may_not_answer_has_the_reason(change: dict[str, Any], expected: Reason) -> None:
    lan = Lan(services=1)
    for name, value in change.items():
        setattr(lan, name, {**getattr(lan, name), **value} if value else value)
    assert reason(lan, "n1") is expected
    assert lan.plan("n1").held == {}


def test_an_address_of_another_subnet_has_no_owner_and_each_node_says_which_it_has() -> None:
    lan = Lan(services=0)
    lan.pools = {"lan": pool(text="192.0.2.0/28")}
    outside = ip_address("192.0.2.0")
    lan.add(service("web", outside), *lan.nodes)
    assert lan.owners() == {outside: ""}
    left_out = lan.plan("n1").left_out[ref(Kind.SERVICE, "web", namespace="shop")]
    assert left_out.reason is Reason.NO_SUBNET
    assert "eth0 has 10.0.0.0/24, fd00:a::/64" in left_out.message
    assert lan.plan("n1").pools == (PoolStatus(name="lan", reason="NoSubnet"),)
    lan.pools = {"lan": pool("eth0", text="192.0.2.0/28", any_subnet=True)}
    assert lan.owners()[outside] in lan.nodes
    assert lan.plan("n1").pools == (PoolStatus(name="lan", ready=True),)


def test_a_node_with_that_address_itself_does_not_announce_it() -> None:
    lan = Lan(services=0)
    lan.pools = {"lan": pool(text="10.0.0.0/24")}
    lan.add(service("web", address(0)), *lan.nodes)
    lan.changes["n1"] = {"addresses": (ip_interface("10.0.0.1/24"), ip_interface("10.0.0.100/24"))}
    assert lan.owners()[address(0)] != "n1"
    assert reason(lan, "n1") is Reason.ADDRESS_OF_NODE


def test_a_node_that_has_not_been_seen_forwarding_is_not_heard_of_and_owns_nothing() -> None:
    lan = Lan(services=1)
    why = Refused(Reason.NOT_PROVEN, "kube-proxy has not answered")
    facts = msgspec.structs.replace(lan.facts("n1"), forwarding=Forwarding(refused=why))
    made = plan(lan.snapshot, facts).plan
    assert (made.held, made.heartbeats) == ({}, frozenset())
    assert made.placements[address(0)].owner != "n1"


def test_what_another_has_not_proven_for_a_service_is_not_left_to_it() -> None:
    lan = Lan(services=1)
    home, second, *_ = ordered(lan.nodes, address(0))
    said = Problem.of(ref(Kind.SERVICE, "web0", namespace="shop"), Reason.NOT_PROVEN, "for a test")
    lan.speakers = {home: Speaker(Meta(name=home), SpeakerStatus(problems=(said,)))}
    assert lan.plan(second).placements[address(0)].owner == second


def test_heartbeats_run_where_a_pool_is_served_and_nowhere_else() -> None:
    lan = Lan(services=0)
    assert lan.plan("n1").heartbeats == {"eth0"}
    lan.pools = {"lan": pool(protocol=Protocol.BGP)}
    assert lan.plan("n1").heartbeats == frozenset()
    lan.pools = {"lan": pool(text="192.0.2.0/28")}
    assert lan.plan("n1").heartbeats == frozenset()
    lan.pools = {"lan": pool("eth*", text="192.0.2.0/28")}
    assert lan.plan("n1").heartbeats == {"eth0"}


def test_only_what_nobody_has_ever_announced_is_to_be_probed() -> None:
    lan = Lan(count=1, services=1)
    spot = Spot(address(0), "eth0")
    assert lan.plan("n1").first == {spot}
    lan.memory.clear()
    owned = Layer2Status(owned=(OwnedAddress(address=str(address(0)), interface="eth0"),))
    lan.speakers = {"n9": Speaker(Meta(name="n9"), SpeakerStatus(layer2=owned))}
    assert lan.plan("n1").first == frozenset()
    placed = lan.plan("n1").placements[address(0)]
    assert (placed.before, placed.why and placed.why.reason) == ("n9", Reason.NODE_UNKNOWN)


@pytest.mark.parametrize(("status", "is_first"), [("True", False), ("False", True)])
def test_whether_it_has_been_announced_stands_in_the_condition(status: str, is_first: bool) -> None:
    lan = Lan(count=1, services=0)
    shown = Condition(type=keys.ANNOUNCED_CONDITION, status=status, reason="NoEndpoints")
    lan.add(service("web", address(0), conditions=(shown,)), "n1")
    assert (lan.plan("n1").first == {Spot(address(0), "eth0")}) is is_first


def test_a_failover_is_never_probed() -> None:
    lan = Lan(count=2, services=1)
    home = lan.owners()[address(0)]
    (other,) = lan.nodes.keys() - {home}
    lan.silent.add(home)
    made = lan.plan(other)
    assert (set(made.held), made.first) == ({Spot(address(0), "eth0")}, frozenset())
    placed = made.placements[address(0)]
    assert (placed.before, placed.why and placed.why.reason) == (home, Reason.NODE_SILENT)


def test_nothing_is_planned_before_everything_is_listed_and_what_is_held_stays() -> None:
    lan = Lan(count=1, services=1)
    held = lan.plan("n1").held
    unlisted = Snapshot(listed=frozenset({Kind.EIP}))
    made = plan(unlisted, lan.facts("n1"), previous=lan.memory["n1"]).plan
    assert (made.complete, made.held) == (False, held)
    assert plan(unlisted, lan.facts("n1")).plan.held == {}


def test_the_same_objects_give_the_same_plan_without_work() -> None:
    lan = Lan()
    facts = lan.facts("n1")
    snapshot = lan.snapshot
    once = plan(snapshot, facts)
    assert plan(snapshot, msgspec.structs.replace(facts, now=facts.now + 5), previous=once) is once
    other = msgspec.structs.replace(facts, members=Members(void=True))
    assert plan(snapshot, other, previous=once).plan.held == {}
