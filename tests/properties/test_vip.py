"""What holds for every plan of vip mode: one bucket an address, masters spread, and little moves."""

from collections import Counter
from ipaddress import ip_address

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from openelb_bgp.model.addresses import Address
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.vip.model import Bucket
from openelb_bgp.vip.ranks import orders
from openelb_bgp.vip.render import render
from tests.unit.vip_world import buckets, lan, many, nodes, planned, vip_pool

NAMES = tuple(f"n{number}" for number in range(1, 13))
routers = st.lists(st.integers(1, 255), min_size=1, max_size=24, unique=True).map(
    lambda found: tuple(map(str, sorted(found)))
)
members = st.lists(st.sampled_from(NAMES), min_size=1, max_size=12, unique=True).map(tuple)


def led(found: tuple[tuple[str, ...], ...], among: frozenset[str]) -> list[str]:
    """The first of those in each order."""
    return [next(name for name in order if name in among) for order in found]


@given(routers, members)
def test_the_numbers_of_routers_that_two_nodes_lead_differ_by_one_at_most(
    vrids: tuple[str, ...], names: tuple[str, ...]
) -> None:
    counted = Counter(led(orders(vrids, names), frozenset(names)))
    numbers = [counted[name] for name in names]
    assert max(numbers) - min(numbers) <= 1


@given(routers, members, st.data())
def test_one_node_s_loss_moves_only_what_it_led(
    vrids: tuple[str, ...], names: tuple[str, ...], data: st.DataObject
) -> None:
    if len(names) < 2:
        return
    found = orders(vrids, names)
    lost = data.draw(st.sampled_from(names))
    before, after = led(found, frozenset(names)), led(found, frozenset(names) - {lost})
    assert all(old == new for old, new in zip(before, after, strict=True) if old != lost)


@given(routers, members)
def test_what_a_lost_node_led_is_spread_over_the_others(
    vrids: tuple[str, ...], names: tuple[str, ...]
) -> None:
    if len(names) < 3:
        return
    found = orders(vrids, names)
    for lost in names:
        heirs = Counter(order[1] for order in found if order[0] == lost)
        numbers = [heirs[name] for name in names if name != lost]
        assert max(numbers) - min(numbers) <= 1


@given(routers, members)
def test_a_node_that_joins_takes_its_share_and_moves_nothing_else(
    vrids: tuple[str, ...], names: tuple[str, ...]
) -> None:
    with_it, without = orders(vrids, names), orders(vrids, names[:-1])
    assert [tuple(one for one in order if one != names[-1]) for order in with_it] == list(without)


addresses = st.lists(st.sampled_from([*many(40), "fd00::100", "fd00::101"]), max_size=25, unique=True)
sets = st.lists(st.sampled_from(["n1", "n2", "n3", "n4"]), min_size=1, unique=True)
vrids = st.lists(st.integers(1, 255), min_size=1, max_size=10, unique=True).map(sorted)


@st.composite
def worlds(draw: st.DrawFn) -> Snapshot:
    chosen = draw(addresses)
    local = {text: draw(sets) for text in chosen if draw(st.integers(0, 3)) == 0}
    pools = [vip_pool(vrids=draw(vrids))]
    return lan(*chosen, of=nodes(draw(st.integers(1, 4))), pools=pools, local=local)


def of_address(found: tuple[Bucket, ...]) -> dict[Address, tuple[int, tuple[str, ...]]]:
    return {each: (one.vrid, one.nodes) for one in found for each in one.addresses}


@given(worlds())
def test_every_address_is_in_exactly_one_bucket_or_refused(world: Snapshot) -> None:
    made = planned(world).buckets
    placed = [each for one in made.buckets for each in one.addresses]
    wanted = {each for service in world.services.values() for each in service.addresses}
    assert len(placed) == len(set(placed))
    assert set(placed) | made.refused.keys() == wanted
    assert not set(placed) & made.refused.keys()


@given(worlds())
def test_a_master_always_has_endpoints_where_the_policy_is_local(world: Snapshot) -> None:
    for one in buckets(world):
        for service in world.services.values():
            if service.local and not set(one.addresses).isdisjoint(service.addresses):
                behind = {each.node for part in world.slices[service.key] for each in part.endpoints}
                assert {*one.nodes, *one.last_resort} <= behind


@given(worlds())
def test_a_virtual_router_serves_one_set_of_addresses_of_one_family(world: Snapshot) -> None:
    made = buckets(world)
    keys = [(one.version, one.vrid) for one in made]
    assert len(keys) == len(set(keys))
    assert all(each.version == one.version for one in made for each in one.addresses)


@given(worlds(), st.data())
def test_removing_an_address_of_the_policy_cluster_changes_only_its_bucket(
    world: Snapshot, data: st.DataObject
) -> None:
    shared = [key for key, service in world.services.items() if not service.local]
    if not shared:
        return
    key = data.draw(st.sampled_from(shared))
    left = {other: service for other, service in world.services.items() if other != key}
    fewer = msgspec.structs.replace(world, services=left)
    gone = set(world.services[key].addresses)
    before, after = of_address(buckets(world)), of_address(buckets(fewer))
    concerned = {before[each] for each in gone if each in before}
    if len(world.eips["pool"].vip.virtual_router_ids) > 1:
        assert {each: one for each, one in before.items() if each not in gone} == after
    else:
        # The pool's only virtual router is whoever's needs it.
        assert all(
            after.get(each) == one or one in concerned for each, one in before.items() if each not in gone
        )


@given(worlds())
def test_the_order_of_objects_changes_nothing(world: Snapshot) -> None:
    turned = msgspec.structs.replace(
        world,
        services=dict(reversed(list(world.services.items()))),
        nodes=dict(reversed(list(world.nodes.items()))),
    )
    assert buckets(turned) == buckets(world)


@given(worlds())
def test_every_plan_can_be_written_and_says_every_address_once(world: Snapshot) -> None:
    made = planned(world)
    text = render(made.instances, fifo="/run/notify")
    for one in made.instances:
        for each in one.addresses:
            assert text.count(f"        {each}/") == 1
    assert ip_address("10.0.0.1") not in {each for one in made.instances for each in one.addresses}
