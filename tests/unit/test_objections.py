"""When admission is asked again, and when it is not worth it."""

import msgspec

from openelb_bgp import objections
from openelb_bgp.decode.pool_text import ranges
from openelb_bgp.model.meta import Kind, Meta
from openelb_bgp.model.pools import Eip
from openelb_bgp.model.services import Service
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.objections import Objections

WAIT = objections._SERVICES_AFTER


def snapshot(*pools: str, services: int = 0) -> Snapshot:
    eips = [Eip(meta=Meta(name=f"p{number}"), ranges=ranges(text)) for number, text in enumerate(pools)]
    found = [Service(meta=Meta(name=f"s{number}", namespace="shop")) for number in range(services)]
    return Snapshot(
        eips={one.meta.name: one for one in eips},
        services={one.key: one for one in found},
        listed=frozenset(Kind),
    )


def with_services(before: Snapshot, number: int) -> Snapshot:
    return msgspec.structs.replace(before, services=snapshot(services=number).services)


def test_an_edited_pool_is_objected_to_at_once() -> None:
    asked = Objections("openelb-system")
    assert asked.of(snapshot("192.0.2.0/24"), now=0.0) == ({}, None)
    defects, again = asked.of(snapshot("192.0.2.0/24", "192.0.2.128/25"), now=0.1)
    assert (sorted(str(ref) for ref in defects), again) == (["Eip p1"], None)


def test_changed_services_are_looked_at_some_time_after_the_first_change() -> None:
    asked, first = Objections("openelb-system"), snapshot("192.0.2.0/24")
    asked.of(first, now=0.0)
    later = [asked.of(with_services(first, number), now=100.0 + number)[1] for number in (1, 2, 3)]
    assert later == [101.0 + WAIT] * 3
    changed = with_services(first, 4)
    assert asked.of(changed, now=101.0 + WAIT) == ({}, None)
    assert asked.of(changed, now=102.0 + WAIT) == ({}, None)


def test_a_change_after_a_look_waits_anew() -> None:
    asked, first = Objections("openelb-system"), snapshot("192.0.2.0/24")
    asked.of(first, now=0.0)
    asked.of(with_services(first, 1), now=1.0)
    asked.of(with_services(first, 2), now=1.0 + WAIT)
    assert asked.of(with_services(first, 3), now=2.0 + WAIT)[1] == 2.0 + 2 * WAIT
