"""Whose neighbours are whose: looked at when it may have changed, and remembered for a while."""

import msgspec
import pytest

from openelb_bgp.bgp.daemon import Others
from openelb_bgp.bgp.model import PeerConf
from openelb_bgp.bgp.rivals import FIRST_WAIT, HOLD, LONGEST_WAIT, WAIT, Rivals
from tests.contract.gobgp_in_memory import MemoryDaemon
from tests.unit.virtual_time import VirtualClock

LEAF1, LEAF2 = "10.0.0.1", "10.0.0.2"


class Node(MemoryDaemon):
    """Counts how often its tables are read."""

    looks = 0

    async def others(self) -> Others:
        self.looks += 1
        return await super().others()


@pytest.fixture
def node() -> Node:
    return Node({})


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def rivals(node: Node, clock: VirtualClock) -> Rivals:
    return Rivals(node, clock=clock)


async def lose_it_beside_another(rivals: Rivals, node: Node) -> None:
    """Ours has a session with LEAF1, and loses it; another speaker is on the node."""
    node.other_listens = True
    await rivals.in_use([LEAF1], established=[LEAF1])
    await rivals.in_use([LEAF1], established=())


async def of_bird(rivals: Rivals, *wanted: str, established: tuple[str, ...] = ()) -> set[str]:
    """The neighbours that are left to bird, by the reason's words."""
    found = await rivals.in_use(wanted or (LEAF1,), established=established)
    assert all(f"bird (7) of this node has a BGP connection to {one}" in why for one, why in found.items())
    return set(found)


async def test_a_neighbour_to_which_another_speaks_is_its(rivals: Rivals, node: Node) -> None:
    node.neighbours_of_others = {LEAF1: "bird (7)", "10.9.9.9": "bird (7)"}
    assert await of_bird(rivals, LEAF1, LEAF2) == {LEAF1}


async def test_nothing_is_looked_at_while_all_sessions_are_ours(rivals: Rivals, node: Node) -> None:
    node.neighbours_of_others = {LEAF1: "bird (7)"}
    assert await of_bird(rivals, established=(LEAF1,)) == set()
    assert node.looks == 0


async def test_a_session_that_ours_loses_is_looked_at_at_once(rivals: Rivals, node: Node) -> None:
    await rivals.in_use([LEAF1, LEAF2], established=[LEAF1])
    node.neighbours_of_others = {LEAF1: "bird (7)"}
    assert await of_bird(rivals, LEAF1, LEAF2) == {LEAF1}
    assert node.looks == 2


async def test_while_nothing_changes_it_looks_now_and_then(
    rivals: Rivals, node: Node, clock: VirtualClock
) -> None:
    for _ in range(10):
        await rivals.in_use([LEAF1], established=())
        clock.now += 1.0
    assert node.looks == 2


async def test_while_ours_dials_beside_another_speaker_it_looks_every_second_for_a_minute(
    rivals: Rivals, node: Node, clock: VirtualClock
) -> None:
    node.other_listens = True
    for _ in range(60):
        await rivals.in_use([LEAF1], established=())
        assert rivals.look_again_at == clock.now + 1.0
        clock.now += 1.0
    for _ in range(60):
        await rivals.in_use([LEAF1], established=())
        clock.now += 1.0
    assert node.looks == 60 + 12


async def test_there_is_nothing_to_look_for_again_where_ours_is_alone_has_its_sessions_or_dials_nobody(
    rivals: Rivals, node: Node
) -> None:
    async def looks_again(*established: str) -> bool:
        await rivals.in_use([LEAF1], established=established)
        return rivals.look_again_at is not None

    assert not await looks_again()
    node.other_listens = True
    assert not await looks_again(LEAF1)
    assert await looks_again()
    node.neighbours_of_others = {LEAF1: "bird (7)"}
    assert not await looks_again(LEAF1)
    assert not await looks_again()


async def test_before_ours_dials_again_after_a_wait_it_has_looked(
    rivals: Rivals, node: Node, clock: VirtualClock
) -> None:
    await lose_it_beside_another(rivals, node)
    clock.now += FIRST_WAIT - 0.1
    assert LEAF1 in await rivals.in_use([LEAF1], established=())
    node.neighbours_of_others = {LEAF1: "bird (7)"}
    clock.now += 0.1
    assert await of_bird(rivals) == {LEAF1}


async def test_another_that_goes_may_come_back_for_a_while(
    rivals: Rivals, node: Node, clock: VirtualClock
) -> None:
    node.neighbours_of_others = {LEAF1: "bird (7)"}
    assert await of_bird(rivals) == {LEAF1}
    node.neighbours_of_others = {}
    clock.now += HOLD - 1
    assert await of_bird(rivals) == {LEAF1}
    clock.now += 1
    assert await of_bird(rivals) == set()


async def test_a_link_local_neighbour_is_known_without_its_zone(rivals: Rivals, node: Node) -> None:
    node.neighbours_of_others = {"fe80::1": "bird (7)"}
    assert await of_bird(rivals, "fe80::1%eth0") == {"fe80::1%eth0"}


async def test_what_ours_loses_waits_where_another_speaker_is_on_the_node_the_longer_the_oftener(
    rivals: Rivals, node: Node, clock: VirtualClock
) -> None:
    node.other_listens = True
    for wait in (FIRST_WAIT, WAIT, 2 * WAIT, 4 * WAIT, 8 * WAIT, LONGEST_WAIT):
        assert await rivals.in_use([LEAF1], established=[LEAF1]) == {}
        (why,) = (await rivals.in_use([LEAF1], established=())).values()
        assert "another BGP speaker of this node may have taken it" in why
        clock.now += wait - 1
        assert LEAF1 in await rivals.in_use([LEAF1], established=())
        clock.now += 1
        assert await rivals.in_use([LEAF1], established=()) == {}


async def test_the_one_that_comes_up_meanwhile_keeps_it(
    rivals: Rivals, node: Node, clock: VirtualClock
) -> None:
    await lose_it_beside_another(rivals, node)
    node.neighbours_of_others = {LEAF1: "bird (7)"}
    clock.now += 2
    assert await of_bird(rivals) == {LEAF1}
    clock.now += LONGEST_WAIT
    assert await of_bird(rivals) == {LEAF1}


async def test_ours_does_not_wait_where_it_is_alone_or_ended_the_session_itself(
    rivals: Rivals, node: Node
) -> None:
    await rivals.in_use([LEAF1, LEAF2], established=[LEAF1, LEAF2])
    assert await rivals.in_use([LEAF1, LEAF2], established=[LEAF2]) == {}
    node.other_listens = True
    peer = PeerConf(name="leaf2", neighbor_address=LEAF2, peer_asn=65001, local_asn=65000)
    rivals.edited(old={LEAF2: peer}, new={LEAF2: msgspec.structs.replace(peer, allow_own_asn=1)})
    assert await rivals.in_use([LEAF1, LEAF2], established=()) == {}
    await rivals.in_use([LEAF1], established=[LEAF1])
    rivals.ended_all()
    assert await rivals.in_use([LEAF1], established=()) == {}
