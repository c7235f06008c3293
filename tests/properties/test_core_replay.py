"""Everything pure together, as the daemons run it: what holds at every step of any sequence of edits.

At the end, having come step by step is the same as starting fresh, and so is any other order of input.
"""

import random
from collections.abc import Mapping, Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openelb_bgp.eligibility import Eligibility, eligible_nodes
from openelb_bgp.ipam.sharing import why_not_shared
from openelb_bgp.model import keys
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.allocated import pool_of
from openelb_bgp.model.meta import Key, Kind
from openelb_bgp.model.services import Service
from openelb_bgp.model.snapshot import Snapshot
from tests.properties.core_edits import Act, Json, acts, folders, sane, service
from tests.properties.core_house import House, Speaker
from tests.properties.core_readings import (
    addresses_of,
    offers_of,
    routes_of,
    statuses_of,
    written_addresses,
)


def play(folder: Mapping[str, Json], story: Sequence[Act], *, order: random.Random | None = None) -> House:
    """Live through a story, with every invariant looked at after every cycle."""
    house = House(folder, order=order)
    house.cycle()
    look(house)
    # What an edit asks for may be on its way still when the next act comes.
    under_way: frozenset[Key] = frozenset()
    for act in story:
        under_way |= services_of(act)
        before = untouched(house.seen, under_way)
        perform(house, act)
        house.cycle(late=act.late, full=act.full)
        look(house)
        stay(before, house.seen)
        house.cycle(late=act.late)
        look(house)
        if not act.late:
            under_way = frozenset()
        house.now += act.wait
    house.settle()
    look(house)
    return house


def perform(house: House, act: Act) -> None:
    house.edit(act.batch)
    for what, node in act.machines:
        match what:
            case "stop":
                house.stop(node)
            case "start":
                house.start(node)
            case "silence":
                house.silent.add(node)
            case _:
                house.silent.discard(node)
    if act.new_controller:
        house.restart_controller()


# What holds after every cycle.


def look(house: House) -> None:
    no_address_is_on_two_services_that_may_not_share(house)
    for speaker in house.speakers.values():
        no_path_is_of_a_node_that_is_not_eligible(speaker, house.store.snapshot)


def no_address_is_on_two_services_that_may_not_share(house: House) -> None:
    holders: dict[Address, list[Service]] = {}
    services = house.seen.services
    for key, addresses in written_addresses(house).items():
        for address in addresses:
            holders.setdefault(address, []).append(services[key])
    for address, found in holders.items():
        for one in found:
            for other in found:
                assert one is other or not why_not_shared(one, other), (address, one, other)


def no_path_is_of_a_node_that_is_not_eligible(speaker: Speaker, snapshot: Snapshot) -> None:
    plan = speaker.plan
    assert plan is not None
    assert speaker.gobgpd.paths == plan.paths
    book = plan.memory.book if plan.memory is not None else None
    if not plan.paths:
        return
    assert book is not None
    owners, eligibility = book.owners(), Eligibility.of(snapshot)
    for key in plan.paths:
        entry = book.entry(key)
        assert entry is not None
        allowed: set[str] = set()
        for owner in (snapshot.services[one] for one in owners[key.prefix]):
            for address in owner.addresses:
                pool = pool_of(address, owner, snapshot.eips)
                if pool is not None and address in key.prefix:
                    may = eligible_nodes(
                        snapshot, owner, address, selector=pool.node_selector, eligibility=eligibility
                    )
                    allowed |= may.eligible | may.leaving
        assert entry.node in allowed, (key, entry.node, allowed)


Held = Mapping[Key, frozenset[Address]]


def services_of(act: Act) -> frozenset[Key]:
    """The Services that an act edits."""
    return frozenset(Key("shop", name[8:-5]) for name in act.batch if name.startswith("service-"))


def untouched(snapshot: Snapshot, touched: frozenset[Key]) -> Held:
    """The addresses of Services that ask for none in particular, unless edits concern a holder of them."""
    held = addresses_of(snapshot)
    moving = {address for key in touched for address in held.get(key, ())}
    return {
        key: addresses - moving
        for key, addresses in held.items()
        if key not in touched and not asks(snapshot.services[key])
    }


def asks(service: Service) -> bool:
    return not {keys.EIP_ANNOTATION, keys.ADDRESS_ANNOTATION}.isdisjoint(service.meta.annotations)


def stay(before: Held, after: Snapshot) -> None:
    now = addresses_of(after)
    for key, addresses in before.items():
        assert addresses <= now.get(key, frozenset()), key


# What holds at the end.


def comes_to_rest(house: House) -> None:
    before = dict(house.rows)
    assert not house.cycle()
    assert house.rows == before


def a_new_controller_writes_nothing(house: House) -> None:
    house.restart_controller()
    comes_to_rest(house)


def new_speakers_take_nothing_away(house: House) -> None:
    """They adopt what runs: what routers get stays at every instant, and is the same in the end."""
    before = offers_of(house)
    for node, speaker in list(house.speakers.items()):
        # One that drains and is the last of some address goes through its grace once more.
        if speaker.plan is not None and not speaker.plan.draining:
            house.start(node)
    for _ in range(4):
        house.cycle()
        now = offers_of(house)
        for place, offered in before.items():
            assert offered <= now.get(place, frozenset()), place
        house.now += 2
    house.settle()
    assert offers_of(house) == before


def fresh(house: House) -> House:
    """Everything new but the folder and the Services' statuses."""
    kept = [row for ref, row in house.rows.items() if ref.kind is Kind.SERVICE]
    again = House(house.files, rows=kept, stopped=house.stopped, silent=house.silent, now=house.now)
    again.settle()
    return again


def is_same_as(one: House, other: House) -> None:
    assert statuses_of(one) == statuses_of(other)
    assert offers_of(one) == offers_of(other)
    there, here = routes_of(one), routes_of(other)
    assert there.keys() == here.keys()
    for node in there:
        assert there[node].peers == here[node].peers
        if not one.idles:
            assert there[node].global_conf == here[node].global_conf


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(folders(), st.lists(acts, max_size=6))
def test_a_replay_of_any_edits_ends_as_starting_fresh_at_their_end(
    folder: dict[str, Json], story: list[Act]
) -> None:
    house = play(folder, story)
    comes_to_rest(house)
    is_same_as(house, fresh(house))
    a_new_controller_writes_nothing(house)
    new_speakers_take_nothing_away(house)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(folders(), st.lists(acts, max_size=4), st.integers(0, 2**16))
def test_the_order_of_input_within_a_batch_never_matters(
    folder: dict[str, Json], story: list[Act], seed: int
) -> None:
    house, mixed = play(folder, story), play(folder, story, order=random.Random(seed))
    assert mixed.store.snapshot == house.store.snapshot
    assert mixed.rows == house.rows
    assert routes_of(mixed) == routes_of(house)


def test_an_address_on_its_way_stays_while_its_service_is_edited_and_another_comes() -> None:
    house = House({file: what for file, what in sane().items() if file != "service-p.yaml"})
    house.edit({"service-q.yaml": service("q")})
    house.cycle(late=True)
    given_to_q = written_addresses(house)[Key("shop", "q")]
    house.edit({"service-p.yaml": service("p"), "service-q.yaml": service("q", app="y")})
    house.cycle(late=True)
    look(house)
    assert given_to_q
    assert written_addresses(house)[Key("shop", "q")] == given_to_q
