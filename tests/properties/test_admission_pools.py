"""Whatever pools there are: those that may give addresses never overlap, and none is blocked for nothing."""

import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from openelb_bgp.admission import blocked_pools, usable_pools
from openelb_bgp.model.addresses import AddressRange
from openelb_bgp.model.meta import Meta
from openelb_bgp.model.pools import Eip
from openelb_bgp.model.snapshot import Snapshot


def _pool(name: str, created: float, cuts: list[int], version: int) -> Eip:
    bounds = sorted(cuts)
    ranges = [AddressRange(version, low, high) for low, high in zip(bounds[::2], bounds[1::2], strict=False)]
    return Eip(meta=Meta(name=name, created=created), ranges=tuple(ranges))


cuts = st.lists(st.integers(0, 60), min_size=2, max_size=6, unique=True)
pools = st.lists(st.tuples(st.integers(0, 3), cuts, st.sampled_from([4, 6])), max_size=12).map(
    lambda written: {
        f"p{index}": _pool(f"p{index}", float(created), bounds, version)
        for index, (created, bounds, version) in enumerate(written)
    }
)


def _meet(one: Eip, other: Eip) -> bool:
    return any(mine.overlaps(theirs) for mine in one.ranges for theirs in other.ranges)


@given(pools)
def test_usable_pools_are_disjoint_and_a_blocked_one_overlaps_an_older_usable_one(
    eips: dict[str, Eip],
) -> None:
    snapshot = Snapshot(eips=eips)
    usable = usable_pools(snapshot)
    assert not any(_meet(*pair) for pair in itertools.combinations(usable.values(), 2))
    for name in blocked_pools(snapshot):
        age = (eips[name].meta.created, name)
        assert any(_meet(eips[name], one) and (one.meta.created, one.name) < age for one in usable.values())


@given(pools, st.randoms(use_true_random=False))
def test_the_order_in_which_pools_come_does_not_matter(eips: dict[str, Eip], dice: random.Random) -> None:
    names = list(eips)
    dice.shuffle(names)
    shuffled = {name: eips[name] for name in names}
    assert blocked_pools(Snapshot(eips=shuffled)) == blocked_pools(Snapshot(eips=eips))
