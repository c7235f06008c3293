"""Whether others hear what an owner announces: who asks, for what, and what is said of silence."""

import msgspec

from openelb_bgp.layer2.heard_check import PATIENCE, WINDOW, ends_at, not_heard, silent, to_check
from openelb_bgp.layer2.planned import Placement
from openelb_bgp.layer2.ranks import ordered
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.facts import Facts, ProbeTarget
from tests.unit.layer2_world import Lan, address


def asked(lan: Lan, own: str, *, known: frozenset[Address] = frozenset()) -> dict[ProbeTarget, Placement]:
    return to_check(lan.plan(own).placements, lan.facts(own), silent=known)


def answering(facts: Facts, *addresses: Address) -> Facts:
    return msgspec.structs.replace(facts, answering=frozenset(addresses))


def test_of_each_owner_one_address_is_asked_for_by_one_other_node() -> None:
    lan = Lan(services=40)
    owners = lan.owners()
    asking = {own: asked(lan, own) for own in lan.nodes}
    seen = sorted(owners[target.address] for targets in asking.values() for target in targets)
    assert seen == sorted(lan.nodes)
    assert all(owners[target.address] != own for own, targets in asking.items() for target in targets)
    assert {target.interface for targets in asking.values() for target in targets} == {"eth0"}


def test_an_answer_within_its_time_ends_the_check_and_silence_is_told_until_it_answers() -> None:
    lan = Lan(count=2, services=1)
    owner, other = ordered(lan.nodes, address(0))
    lan.owners()
    target = ProbeTarget("eth0", address(0))
    assert list(asked(lan, other)) == [target]
    assert ends_at(asked(lan, other), now=lan.now) == lan.now + PATIENCE
    assert not_heard(asked(lan, other), lan.facts(other)) == []
    lan.now += PATIENCE
    assert not_heard(asked(lan, other), answering(lan.facts(other), address(0))) == []
    (problem,) = not_heard(asked(lan, other), lan.facts(other))
    assert (problem.object, problem.reason) == ("Service shop/web0", "NotHeard")
    assert f"node {owner} announces" in problem.message
    still = silent(asked(lan, other), lan.facts(other))
    lan.now += WINDOW
    assert asked(lan, other) == {}
    assert list(asked(lan, other, known=still)) == [target]


def test_who_is_not_on_that_lan_asks_for_nothing() -> None:
    lan = Lan(count=2, services=1)
    _, other = ordered(lan.nodes, address(0))
    lan.owners()
    lan.silent.add(other)
    assert asked(lan, other) == {}
