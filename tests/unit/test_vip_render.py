"""keepalived.conf as it is written, and what must never be."""

from ipaddress import ip_address
from pathlib import Path
from typing import Any

import msgspec
import pytest

from openelb_bgp.vip.diff import Change, Observed, Spot, diff, mastered, single_addresses, spots_of
from openelb_bgp.vip.figures import Figures, parse, strangers
from openelb_bgp.vip.model import Instance
from openelb_bgp.vip.render import render
from openelb_bgp.vip.running import instances_of
from tests.unit.vip_world import lan, nic, planned, vip_pool

GOLDEN = Path(__file__).parents[1] / "golden"
FIFO = "/run/openelb-bgp/keepalived/notify"


def instance(**changes: Any) -> Instance:
    made = Instance(
        interface="eth0",
        version=4,
        vrid=51,
        pool="pool",
        priority=254,
        advert_ms=200,
        source="10.0.0.1",
        carrier="169.254.51.7",
        addresses=(ip_address("10.0.0.101"), ip_address("10.0.0.100")),
    )
    return msgspec.structs.replace(made, **changes)


def instance6(**changes: Any) -> Instance:
    found = {
        "version": 6,
        "source": "fe80::1",
        "carrier": "fe80::51:7",
        "addresses": (ip_address("fd00::100"),),
    }
    return instance(**{**found, **changes})


SEVERAL = (
    instance6(),
    instance(
        vrid=52,
        priority=238,
        advert_ms=1000,
        carrier="169.254.52.7",
        addresses=(ip_address("10.0.0.9"),),
    ),
    instance(),
    instance(
        interface="eth1",
        vrid=9,
        priority=8,
        preempt_seconds=0,
        peers=("10.1.0.2", "10.1.0.3"),
        source="10.1.0.1",
        carrier="169.254.9.7",
        addresses=(ip_address("10.1.0.100"),),
    ),
)


def test_the_file_reads_as_it_is_kept() -> None:
    assert render(SEVERAL, fifo=FIFO) == (GOLDEN / "keepalived.conf").read_text()


def test_the_order_of_instances_and_addresses_changes_nothing() -> None:
    turned = [
        msgspec.structs.replace(one, addresses=tuple(reversed(one.addresses))) for one in reversed(SEVERAL)
    ]
    assert render(turned, fifo=FIFO) == render(SEVERAL, fifo=FIFO)


def test_without_an_instance_there_is_no_file() -> None:
    assert render((), fifo=FIFO) == ""


@pytest.mark.parametrize(
    "bad",
    [
        instance6(carrier="fd00::1"),
        instance6(carrier="169.254.51.7"),
        instance(addresses=(ip_address("fd00::100"),)),
        instance(carrier="192.0.2.1"),
        instance(priority=255),
        instance(vrid=0),
    ],
)
def test_what_keepalived_would_accept_and_not_run_is_never_written(bad: Instance) -> None:
    with pytest.raises(ValueError, match=bad.name):
        render((bad,), fifo=FIFO)


def test_nothing_is_done_where_the_file_is_as_it_should_be() -> None:
    text = render(SEVERAL, fifo=FIFO)
    assert diff(text, Observed(config=text, spots=spots_of(text)), ()) == Change()


def test_an_address_of_a_pool_that_no_configuration_has_is_taken_away() -> None:
    text = render((instance(),), fifo=FIFO)
    stray, foreign = Spot("eth0", ip_address("10.0.0.77")), Spot("eth0", ip_address("192.0.2.1"))
    seen = Observed(config=text, spots=spots_of(text) | {stray, foreign})
    assert diff(text, seen, [vip_pool()]) == Change(remove=(stray,))


def test_what_the_old_file_has_is_keepalived_s_own_to_take_away() -> None:
    old, new = render((instance(),), fifo=FIFO), render((instance(addresses=()),), fifo=FIFO)
    assert diff(new, Observed(config=old, spots=spots_of(old)), [vip_pool()]) == Change(config=new)


def test_master_is_who_has_the_carrier() -> None:
    link = nic()
    assert mastered(SEVERAL, single_addresses([link])) == {}
    spots = single_addresses([link]) | {Spot("eth0", ip_address("169.254.51.7"))}
    assert list(mastered(SEVERAL, spots)) == ["v4_51_eth0"]


def test_a_plan_can_be_written() -> None:
    made = planned(lan("10.0.0.100", "fd00::100"))
    assert len(spots_of(render(made.instances, fifo=FIFO))) == 4


REPORT = b"""[{"data":{"iname":"v4_51_eth0","state":2,"vips":["169.254.51.7 dev eth0"]},
"stats":{"advert_rcvd":3,"advert_sent":7,"become_master":1,"addr_list_err":2}}]"""


def test_figures_are_read_from_its_report() -> None:
    assert parse(REPORT) == {"v4_51_eth0": Figures(sent=7, received=3, strangers=2)}
    with pytest.raises(ValueError, match="truncated"):
        parse(REPORT[:40])


def test_somebody_else_with_our_vrid_is_told_while_he_goes_on() -> None:
    before, now = {"v4_51_eth0": Figures(strangers=1)}, {"v4_51_eth0": Figures(strangers=2)}
    assert [(one.object, one.reason) for one in strangers(SEVERAL, before, now)] == [
        ("Eip pool", "VridInUseByOther")
    ]
    assert list(strangers(SEVERAL, now, now)) == []


def test_the_instances_of_a_file_are_read_back_in_their_order() -> None:
    text = render(SEVERAL, fifo=FIFO)
    ordered = [msgspec.structs.replace(one, addresses=tuple(sorted(one.addresses))) for one in SEVERAL]
    assert instances_of(text) == tuple(sorted(ordered))
    assert instances_of("") == ()
    assert instances_of(text.replace("    priority 254\n", "")) == tuple(
        one for one in sorted(ordered) if one.priority != 254
    )


def test_what_an_address_departs_from_comes_first() -> None:
    leaving = ip_address("10.0.0.5")
    departing = instance(vrid=60, addresses=(leaving,), departing=frozenset({leaving}))
    first, *_ = instances_of(render([*SEVERAL, departing], fifo=FIFO))
    assert first.vrid == 60
