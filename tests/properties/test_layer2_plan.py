"""Whatever nodes and Services there are: one owner, least movement, in whatever order things come."""

import random

from hypothesis import given
from hypothesis import strategies as st

from openelb_bgp.layer2.ranks import Ranking, ordered
from tests.unit.layer2_world import Lan, address, drained, moved, service, shares

NAMES = [f"n{number}" for number in range(1, 7)]
nodes = st.sets(st.sampled_from(NAMES), max_size=5)


@given(silent=nodes, leaving=nodes, draining=nodes, seed=st.integers(0, 9))
def test_members_that_agree_have_exactly_one_owner_for_each_address(
    silent: set[str], leaving: set[str], draining: set[str], seed: int
) -> None:
    lan = Lan(count=6, services=8)
    backed = random.Random(seed).sample(NAMES, 3)
    lan.add(service("local", address(50), local=True), *backed)
    lan.silent, lan.leaving = set(silent), set(leaving)
    for name in draining:
        lan.nodes[name] = drained(name)
    able = set(NAMES) - silent - leaving
    owners = lan.owners(*leaving)
    for one, owner in owners.items():
        fit = able & set(backed) if one == address(50) else able
        fit = fit - draining or fit
        # Endpoints on nodes that stay keep those that drain from announcing, reachable or not.
        if one == address(50) and set(backed) - draining and not fit - draining:
            assert owner in {"", *fit}
        else:
            assert owner == next(iter(ordered(fit, one)), "")


@given(first=nodes, second=nodes)
def test_only_what_has_to_move_moves(first: set[str], second: set[str]) -> None:
    lan = Lan(count=6, services=30)
    lan.silent = set(first)
    before = lan.owners()
    lan.silent = set(second)
    after = lan.owners()
    came, gone = first - second, second - first
    for old, new in moved(before, after).values():
        assert old in gone or new in came


@given(st.randoms(use_true_random=False))
def test_the_order_of_what_comes_in_does_not_matter(random: random.Random) -> None:
    lan = Lan(count=5, services=15)
    expected = lan.owners()
    shuffled = Lan(count=5, services=15)
    for field in ("nodes", "services", "slices"):
        items = list(getattr(lan, field).items())
        random.shuffle(items)
        setattr(shuffled, field, dict(items))
    assert shuffled.owners() == expected


@given(st.lists(st.frozensets(st.sampled_from(NAMES)), max_size=12))
def test_a_ranking_that_remembers_says_the_same_as_one_that_does_not(asked: list[frozenset[str]]) -> None:
    ranking = Ranking()
    for among in asked:
        assert ranking.first(among, address(0)) == next(iter(ordered(among, address(0))), "")


def test_a_hundred_addresses_spread_evenly_over_four_nodes_whatever_they_are_called() -> None:
    for seed in range(20):
        names = [f"node-{seed}-{number}" for number in range(4)]
        owners = {address(number): ordered(names, address(number))[0] for number in range(100)}
        assert min(shares(owners, names)) >= 12, seed
