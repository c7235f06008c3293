"""The decision over the membership, both the real ones, on simulated LANs: each address ends with one owner.

A node that is on no side but its own serves there alone; so on each side of a partition there is one owner.
"""

import pytest

from tests.properties.seeds import TIMES, seeded
from tests.simulated_histories import BOUND, end_with_one_owner
from tests.simulated_lan import Lan
from tests.simulated_owners import Owners


@pytest.mark.parametrize("count", [2, 3, 4, 9])
def test_a_dead_nodes_addresses_have_one_new_owner_and_it_takes_them_back_when_it_is_stable(
    count: int,
) -> None:
    lan = Lan(count, seed=count)
    owners = Owners(lan)
    lan.start_all()
    lan.run_until_true(most=BOUND)
    lan.run(40)
    owners.expect_one_on_each_side("at first")
    before = owners.holders()
    lan.kill(lan.nodes[0])
    lan.run_until_true(most=1.2)
    lan.run(0.3)
    owners.expect_one_on_each_side("after the death")
    lan.start(lan.nodes[0])
    lan.run(20)
    owners.expect_one_on_each_side("while it is young")
    assert not [names for names in owners.holders().values() if "node-0" in names]
    lan.run(15)
    assert owners.holders() == before


@pytest.mark.parametrize("count", [2, 3, 4, 9])
def test_each_side_of_a_partition_has_its_owner_and_after_it_there_is_one(count: int) -> None:
    lan = Lan(count, seed=count)
    owners = Owners(lan)
    lan.start_all()
    lan.run_until_true(most=BOUND)
    lan.run(40)
    lan.partition({node.name: node.index % 2 for node in lan.nodes})
    lan.run_until_true(most=BOUND)
    lan.run(1)
    owners.expect_one_on_each_side("during the partition")
    lan.run(20)
    lan.partition({})
    lan.run_until_true(most=BOUND)
    owners.run(1)
    owners.announce()
    owners.expect_one_on_each_side("after the heal")
    owners.run(40)
    owners.announce()
    owners.expect_one_on_each_side("in the end")


@pytest.mark.parametrize("count", [2, 3, 4, 6])
def test_after_any_history_there_is_one_owner_within_the_bound_and_stays_one(count: int) -> None:
    for seed in range(24 * TIMES // count):
        with seeded(seed):
            end_with_one_owner(seed, count=count, faults=8)
