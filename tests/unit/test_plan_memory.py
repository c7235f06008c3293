"""Planning from the last plan: the same result for less work, and a true list of what changed."""

import msgspec

from openelb_bgp.bgp.plan import BgpPlan
from openelb_bgp.model.meta import Key
from tests.unit.plan_world import (
    NOW,
    World,
    advert,
    endpoint,
    next_hops,
    node,
    pool,
    reasons,
    service,
    slices,
    world,
)


def shop(count: int = 5) -> World:
    names = [f"s{number}" for number in range(count)]
    return world().with_(
        services=[service(name, f"192.0.2.{number}") for number, name in enumerate(names, 1)],
        slices={name: slices(name, endpoint("a")) for name in names},
    )


def without_pods(found: World, name: str) -> World:
    changed = dict(found.snapshot.slices)
    changed[Key("shop", name)] = ()
    return World(msgspec.structs.replace(found.snapshot, slices=changed), found.facts)


def test_an_unchanged_world_changes_nothing() -> None:
    first = shop().plan()
    second = shop().with_(now=NOW + 1).plan(previous=first)
    assert (second.changed, second.paths) == (frozenset(), first.paths)


def test_a_first_plan_does_not_know_what_changed() -> None:
    assert shop().plan().changed is None


def test_one_services_endpoints_change_that_services_paths_alone() -> None:
    found = shop()
    first = found.plan()
    second = without_pods(found, "s2").plan(previous=first)
    assert {str(key.prefix) for key in second.changed or ()} == {"192.0.2.3/32"}
    assert reasons(second) == {"Service shop/s2": "NoEndpoints"}
    third = found.plan(previous=second)
    assert (third.changed, third.paths, third.left_out) == (second.changed, first.paths, {})


def test_a_service_that_goes_takes_its_path_and_its_reason_with_it() -> None:
    first = without_pods(shop(2), "s1").plan()
    assert reasons(first) == {"Service shop/s1": "NoEndpoints"}
    second = shop(1).plan(previous=first)
    assert (next_hops(second), reasons(second)) == ({"192.0.2.1/32": {"self"}}, {})


def test_a_change_of_all_paths_names_them_all() -> None:
    first = shop().plan()
    second = shop().with_(eips=[pool(advertisements=(advert(med=1),))]).plan(previous=first)
    assert second.changed == frozenset(first.paths)


def test_the_last_plan_itself_is_never_changed() -> None:
    found = shop()
    first = found.plan()
    before = (dict(first.paths), dict(first.left_out))
    without_pods(found, "s1").plan(previous=first)
    found.with_(nodes=[node("a", 1, network_unavailable=True)]).plan(previous=first)
    assert (dict(first.paths), dict(first.left_out)) == before


def test_two_plans_may_follow_the_same_one() -> None:
    found = shop()
    first = found.plan()
    one, other = without_pods(found, "s1"), without_pods(found, "s2")
    assert one.plan(previous=first).paths == one.plan().paths
    assert other.plan(previous=first).paths == other.plan().paths


def test_writing_a_pools_status_plans_nothing_anew() -> None:
    found = shop()
    first = found.plan()
    written = pool()
    meta = msgspec.structs.replace(written.meta, resource_version="77")
    second = found.with_(eips=[msgspec.structs.replace(written, meta=meta)]).plan(previous=first)
    assert book_terms(second) == book_terms(first)


def book_terms(plan: BgpPlan) -> object:
    assert plan.memory is not None
    assert plan.memory.book is not None
    return plan.memory.book.terms


def test_the_order_of_objects_does_not_matter() -> None:
    found = shop()
    services = dict(reversed(list(found.snapshot.services.items())))
    backwards = World(msgspec.structs.replace(found.snapshot, services=services), found.facts)
    assert backwards.plan().paths == found.plan().paths
    assert backwards.plan(previous=found.plan()).changed == frozenset()
