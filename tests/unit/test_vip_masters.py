"""What is said when a node has become master: from whom, and why."""

from collections.abc import Collection
from ipaddress import ip_address

import msgspec
import pytest

from openelb_bgp.model.addresses import Address
from openelb_bgp.model.facts import Facts
from openelb_bgp.model.meta import Kind, Meta, ref
from openelb_bgp.model.speakers import Speaker
from openelb_bgp.model.statuses import SpeakerStatus
from openelb_bgp.vip.masters import takeovers
from tests.unit.plan_world import NOW
from tests.unit.vip_world import lan, planned

WEB = ip_address("10.0.0.100")
WORLD = msgspec.structs.replace(
    lan(str(WEB)),
    speakers={f"n{number}": Speaker(Meta(name=f"n{number}"), SpeakerStatus()) for number in (1, 2, 3)},
)
FIRST, SECOND, THIRD = planned(WORLD).buckets.buckets[0].nodes


def said(winner: str, before: str, *, moved: Collection[Address] = ()) -> list[str]:
    made = planned(WORLD, winner)
    holders = {WEB: before} if before else {}
    facts = Facts(node=winner, now=NOW)
    events = [*takeovers(made.instances, made.buckets, holders, WORLD, facts, made.services, moved)]
    assert [one.ref for one in events] == [ref(Kind.EIP, "pool"), *made.services[WEB]]
    where = f"VRID {made.instances[0].vrid} on eth0, IPv4"
    told = f"node {winner} has become VRRP master of {WEB} ({where}), "
    assert all(one.message.startswith(told) for one in events)
    return sorted({one.message.removeprefix(told) for one in events})


@pytest.mark.parametrize(
    ("winner", "before", "moved", "why"),
    [
        (FIRST, "", (), "which nobody held: it comes first among the nodes that may"),
        (FIRST, SECOND, (), f"from node {SECOND}: it comes before node {SECOND}"),
        (SECOND, FIRST, (), f"from node {FIRST}: the advertisements of node {FIRST} have ended"),
        (FIRST, "n9", (), "from node n9: node n9 may not hold it any more"),
        (SECOND, FIRST, (WEB,), f"from node {FIRST}: its virtual router is another now"),
        (SECOND, "", (WEB,), "which nobody held: it comes first among the nodes that may"),
    ],
)
def test_an_event_says_from_whom_and_why(
    winner: str, before: str, moved: Collection[Address], why: str
) -> None:
    assert said(winner, before, moved=moved) == [why]


def test_nothing_is_said_of_what_a_node_had_already() -> None:
    made = planned(WORLD, FIRST)
    facts = Facts(node=FIRST, now=NOW)
    assert not [*takeovers(made.instances, made.buckets, {WEB: FIRST}, WORLD, facts, made.services)]
