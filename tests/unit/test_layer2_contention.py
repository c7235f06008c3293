"""What a node does when another announces an address of its own: of two exactly one gives in."""

from itertools import product

import msgspec
import pytest

from openelb_bgp.layer2.contention import Verdict, adopted, judge, nodes_by_mac
from openelb_bgp.layer2.planned import Contest
from openelb_bgp.layer2.ranks import ordered
from openelb_bgp.model.facts import Facts
from openelb_bgp.model.meta import Meta
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.speakers import Speaker
from openelb_bgp.model.statuses import InterfaceStatus, SpeakerStatus
from tests.unit.layer2_world import Lan, address

FIRST, SECOND = ordered(["n1", "n2"], address(0))
GIVES_IN = {Verdict.YIELD, Verdict.ADOPT}


def verdict(own: str, rival: str, *, heard: bool, settled: set[str]) -> Verdict:
    lan = Lan(count=2, services=1)
    if not heard:
        lan.silent.add(rival)
    placement = lan.plan(own).placements[address(0)]
    able = frozenset({own, rival}) if heard else frozenset({own})
    among = Contest(able=able, settled=frozenset(settled & able))
    return judge(msgspec.structs.replace(placement, among=among), rival, lan.facts(own))


@pytest.mark.parametrize(
    ("heard", "settled"),
    list(product([True, False], [{"n1", "n2"}, {"n1"}, {"n2"}])),
)
def test_of_two_exactly_one_gives_in(heard: bool, settled: set[str]) -> None:
    both = [
        verdict(FIRST, SECOND, heard=heard, settled=settled),
        verdict(SECOND, FIRST, heard=heard, settled=settled),
    ]
    assert sum(one in GIVES_IN for one in both) == 1


def test_of_two_that_are_settled_the_first_by_hash_goes_on_and_of_others_the_settled_one() -> None:
    assert verdict(FIRST, SECOND, heard=True, settled={"n1", "n2"}) is Verdict.DEFEND
    assert verdict(SECOND, FIRST, heard=True, settled={"n1", "n2"}) is Verdict.ADOPT
    assert verdict(FIRST, SECOND, heard=True, settled={SECOND}) is Verdict.ADOPT
    assert verdict(FIRST, SECOND, heard=False, settled={FIRST}) is Verdict.DEFEND
    assert verdict(SECOND, FIRST, heard=False, settled={SECOND}) is Verdict.YIELD


@pytest.mark.parametrize("heir", [FIRST, SECOND])
def test_who_only_keeps_what_has_moved_too_often_gives_in_to_the_heir_even_if_its_service_asks_for_that(
    heir: str,
) -> None:
    keeper = FIRST if heir == SECOND else SECOND
    lan = Lan(count=2, services=1)
    placements = {name: lan.plan(name).placements[address(0)] for name in (heir, keeper)}
    kept = msgspec.structs.replace(placements[keeper], owner=keeper, heir=heir)
    taken = msgspec.structs.replace(placements[heir], owner=heir, pinned=True)
    assert judge(kept, heir, lan.facts(keeper)) is Verdict.ADOPT
    assert judge(taken, keeper, lan.facts(heir)) is Verdict.DEFEND


def test_a_stranger_is_reported_and_so_are_a_gateway_and_a_node_that_is_heard_and_cannot_own_it() -> None:
    lan = Lan(count=2, services=1)
    placement = lan.plan(FIRST).placements[address(0)]
    assert judge(placement, None, lan.facts(FIRST)) is Verdict.FOREIGN
    assert judge(placement, None, lan.facts(FIRST), is_gateway=True) is Verdict.BY_GATEWAY
    alone = msgspec.structs.replace(
        placement, among=Contest(able=frozenset({FIRST}), settled=frozenset({FIRST}))
    )
    assert judge(alone, SECOND, lan.facts(FIRST)) is Verdict.BY_NODE


def test_what_another_is_left_is_remembered_as_a_move() -> None:
    lan = Lan(count=2, services=2)
    plan = lan.plan(FIRST)
    left = adopted(plan, address(0), SECOND, now=lan.now + 1)
    placed = left.placements[address(0)]
    assert (placed.owner, placed.before, placed.since, placed.moves) == (
        SECOND,
        FIRST,
        lan.now + 1,
        (lan.now + 1,),
    )
    assert {spot.address for spot in left.held} == {spot.address for spot in plan.held} - {address(0)}
    assert left.placements[address(1)] is plan.placements[address(1)]


def test_nodes_are_known_by_the_macs_that_heartbeats_speakers_and_links_tell() -> None:
    lan = Lan(count=2, services=0)
    nic = InterfaceStatus(name="eth0", mac="02:00:00:00:00:99", subnets=(), up=True)
    speaker = Speaker(Meta(name="n9"), SpeakerStatus(interfaces=(nic,)))
    facts: Facts = lan.facts("n1")
    assert nodes_by_mac(Snapshot(speakers={"n9": speaker}), facts) == {
        "02:00:00:00:00:99": "n9",
        "02:00:00:00:00:02": "n2",
        "02:00:00:00:00:01": "n1",
    }
