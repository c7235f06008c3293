"""Who may take an address from others, by when each began to serve."""

import pytest

from openelb_bgp.layer2.owners import STABLE_SECONDS, TOGETHER_SECONDS, contest
from openelb_bgp.layer2.planned import Contest

ELDER, YOUNGER = "elder", "younger"
BOTH = frozenset({ELDER, YOUNGER})


def between(*, behind: float, now: float) -> Contest:
    """Two of which one began so many seconds after the other, which began at 100."""
    return contest(BOTH, {ELDER: 100.0, YOUNGER: 100.0 + behind}, now=now)


def test_nodes_that_began_together_share_at_once() -> None:
    assert between(behind=TOGETHER_SECONDS, now=105.0) == Contest(able=BOTH, settled=BOTH)


def test_a_node_that_began_long_after_the_others_waits_for_half_a_minute() -> None:
    settles = 100.0 + 2 * TOGETHER_SECONDS + STABLE_SECONDS
    young = Contest(able=BOTH, settled=frozenset({ELDER}), until=settles)
    found = [between(behind=10.0, now=settles - 0.1), between(behind=10.0, now=settles)]
    assert found == [young, Contest(able=BOTH, settled=BOTH)]


@pytest.mark.parametrize("behind", [4.99, 5.0, 5.01, 7.0, 9.99, 10.0, 300.0])
def test_who_knows_a_beginning_less_exactly_says_the_same_a_moment_later(behind: float) -> None:
    """What each node knows of when the others began differs by what datagrams take."""
    known = [between(behind=behind + by, now=101.0 + behind) for by in (-0.02, 0.02)]
    settled_at = [one.until or 101.0 + behind for one in known]
    assert max(settled_at) - min(settled_at) < 0.5
