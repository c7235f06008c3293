"""How an address passes from one virtual router to another, and what is kept where something is in doubt."""

from collections.abc import Callable, Iterable, Sequence
from ipaddress import ip_address
from typing import Any

import msgspec
import pytest

from openelb_bgp.model.addresses import Address
from openelb_bgp.model.errors import InvalidResource
from openelb_bgp.model.meta import Kind, Meta, ref
from openelb_bgp.model.speakers import Speaker
from openelb_bgp.model.statuses import SpeakerStatus, VipStatus
from openelb_bgp.vip.claims import can_answer
from openelb_bgp.vip.doubt import NO_DOUBT, Doubt, doubt_of, with_doubtful
from openelb_bgp.vip.masters import held_by_another
from openelb_bgp.vip.model import Instance, Router
from openelb_bgp.vip.moves import Moves, Sight, Step
from openelb_bgp.vip.render import render
from openelb_bgp.vip.running import instances_of
from tests.unit.plan_world import endpoint, slices
from tests.unit.vip_world import lan, planned

WEB, ZOO = ip_address("10.0.0.100"), ip_address("10.0.0.101")
OTHER = ip_address("10.0.0.102")
SOMEBODYS = Router("pool", 4, 77)
"""Where the plan has `WEB` if not on this node."""


def rendered(one: Instance) -> str:
    return render([one], fifo="/run/notify")


def router(vrid: int, *addresses: Address) -> Instance:
    return Instance(
        interface="eth0",
        version=4,
        vrid=vrid,
        pool="pool",
        priority=254,
        advert_ms=200,
        source="10.0.0.1",
        carrier=f"169.254.{vrid}.7",
        addresses=addresses,
    )


class Node:
    """A node's keepalived: what it was told last, of what it is master, and what that leaves on its NIC."""

    def __init__(self, *running: Instance, led: Iterable[int]) -> None:
        self.now = 100.0
        self.moves = Moves()
        self.running: tuple[Instance, ...] = ()
        self.led = {f"v4_{vrid}_eth0" for vrid in led}
        self.nic: set[Address] = set()
        self.reload(running)

    def reload(self, told: Sequence[Instance]) -> None:
        """As keepalived does: those that are gone first, then one after the other in their former order."""
        before = {one.name: set(one.addresses) for one in self.running}
        told = instances_of(render(told, fifo="/run/notify"))
        now = {one.name: set(one.addresses) for one in told}
        for name in before.keys() - now.keys():
            if name in self.led:
                self.nic -= before[name]
        for name in (*before, *(now.keys() - before.keys())):
            if name in self.led and name in now:
                self.nic -= before.get(name, set()) - now[name]
                self.nic |= now[name] - before.get(name, set())
        self.running = told

    def sight(
        self,
        *wanted: Instance,
        used: Router | None = None,
        can: Callable[[Address], bool] = lambda one: True,
        reported_at: float = float("inf"),
    ) -> Sight:
        """With a plan that has `used` for another address.

        From `reported_at` on another node reports that it has everything where the plan wants it.
        """
        routers = {each: one.router for one in wanted for each in one.addresses}
        routers |= dict.fromkeys([OTHER], used) if used else {}
        return Sight(
            led=self.led,
            routers=dict.fromkeys((WEB,), SOMEBODYS) | routers,
            can_answer=can,
            held_by_another=lambda one, router: self.now >= reported_at,
            now=self.now,
        )

    def step(self, *wanted: Instance, **sight: Any) -> Step:
        return self.moves.step(wanted, self.running, self.sight(*wanted, **sight))

    def goes(self, *wanted: Instance, **sight: Any) -> list[tuple[float, set[Address]]]:
        """When its NIC changes, in seconds from now, and to what, until nothing is under way any more."""
        began, seen = self.now, [(0.0, set(self.nic))]
        while True:
            step = self.step(*wanted, **sight)
            self.reload(step.instances)
            if self.nic != seen[-1][1]:
                seen.append((round(self.now - began, 1), set(self.nic)))
            if step.deadline is None:
                return seen
            # Reports wake it too.
            self.now = min(max(self.now + 0.01, step.deadline), self.now + 0.5)


@pytest.mark.parametrize(("old", "new"), [(51, 52), (52, 51)])
def test_what_the_same_node_is_master_of_passes_without_being_off_its_nic(old: int, new: int) -> None:
    node = Node(router(old, WEB), router(new, ZOO), led=(51, 52))
    assert node.goes(router(new, ZOO, WEB)) == [(0.0, {WEB, ZOO})]
    node = Node(router(old, WEB, ZOO), router(new), led=(51, 52))
    assert node.goes(router(old, ZOO), router(new, WEB)) == [(0.0, {WEB, ZOO})]


def test_the_old_master_has_the_new_one_elected_before_it_passes_the_address() -> None:
    node = Node(router(51, WEB), led=(51,))
    step = node.step(router(52, WEB))
    assert {one.name: one.addresses for one in step.instances} == {"v4_51_eth0": (WEB,), "v4_52_eth0": ()}
    node.reload(step.instances)
    node.led.add("v4_52_eth0")
    assert node.goes(router(52, WEB)) == [(0.0, {WEB})]
    assert [one.name for one in node.running] == ["v4_52_eth0"]


def test_whoever_is_not_the_old_master_has_the_address_when_it_wins() -> None:
    node = Node(router(51, WEB), led=())
    step = node.step(router(52, WEB))
    assert [(one.name, one.addresses) for one in step.instances] == [("v4_52_eth0", (WEB,))]


def test_where_another_is_master_it_is_let_go_once_that_one_has_it() -> None:
    node = Node(router(51, WEB), led=(51,))
    assert node.goes(router(52, WEB), reported_at=node.now + 9.0) == [(0.0, {WEB}), (9.0, set())]
    assert [(one.name, one.addresses) for one in node.running] == [("v4_52_eth0", (WEB,))]


def test_without_any_report_it_is_let_go_of_after_a_while() -> None:
    node = Node(router(51, WEB), led=(51,))
    assert node.goes(router(52, WEB)) == [(0.0, {WEB}), (30.0, set())]


def test_a_node_that_has_no_part_any_more_answers_until_the_others_do_if_it_can() -> None:
    node = Node(router(51, WEB), led=(51,))
    assert node.goes(reported_at=node.now + 4.0) == [(0.0, {WEB}), (4.0, set())]
    node = Node(router(51, WEB), led=(51,))
    assert node.goes(can=lambda one: False) == [(0.0, {WEB}), (0.0, set())]


def test_a_virtual_router_that_others_use_for_something_else_is_left_at_once() -> None:
    node = Node(router(51, WEB), led=(51,))
    assert node.goes(router(52, WEB), used=Router("pool", 4, 51)) == [(0.0, {WEB}), (0.0, set())]


def test_what_nobody_moves_is_as_the_plan_says() -> None:
    node = Node(router(51, WEB), router(52, ZOO), led=(51,))
    step = node.step(router(51, WEB, ZOO), can=lambda one: False)
    assert (step.instances, step.deadline) == ((router(51, WEB, ZOO),), None)


def test_what_has_changed_its_virtual_router_is_announced_every_second_until_the_old_one_is_silent() -> None:
    node = Node(router(51, WEB, ZOO), led=())
    node.reload(node.step(router(51, WEB, ZOO)).instances)
    step = node.step(router(51, ZOO), router(52, WEB))
    assert {one.vrid: one.arriving for one in step.instances} == {51: frozenset(), 52: frozenset({WEB})}
    refreshes = [text.count("garp_master_refresh 1\n") for text in map(rendered, step.instances)]
    assert refreshes == [0, 1]
    assert step.deadline is not None
    assert step.deadline > node.now + 30.0
    node.now = step.deadline
    later = node.step(router(51, ZOO), router(52, WEB))
    assert (later.deadline, [one.arriving for one in later.instances]) == (None, [frozenset()] * 2)


def test_another_holds_an_address_only_as_master_of_its_virtual_router() -> None:
    world = lan(str(WEB))

    def seen(*, node: str = "n2", has: Address = WEB, leads: str = "v4_51_eth1") -> bool:
        status = SpeakerStatus(vip=VipStatus(master=(str(has),), virtual_routers=(leads,)))
        speakers = {node: Speaker(Meta(name=node), status)}
        snapshot = msgspec.structs.replace(world, speakers=speakers)
        return held_by_another(WEB, Router("pool", 4, 51), snapshot=snapshot, node="n1")

    assert seen()
    assert [seen(node="n1"), seen(has=ZOO), seen(leads="v4_5_eth1"), seen(leads="v6_51_eth1")] == [False] * 4


def test_a_node_can_answer_by_endpoints_that_terminate_and_serve() -> None:
    world = lan(str(WEB), local={str(WEB): ["n1", "n2"]})
    (key,) = world.services
    leaving = msgspec.structs.replace(endpoint("n1"), ready=False, serving=True, terminating=True)
    world = msgspec.structs.replace(world, slices={key: slices(key.name, leaving, endpoint("n2"))})
    claim = planned(world).buckets.claims[WEB]
    assert [can_answer(claim, world, node=name) for name in ("n1", "n2", "n3")] == [True, True, False]
    assert can_answer(planned(lan(str(WEB))).buckets.claims[WEB], lan(str(WEB)), node="n3")


def test_what_was_found_stays_only_where_it_is_in_doubt() -> None:
    found = (router(51, WEB), router(52, ZOO))

    def kept(doubt: Doubt, *placed: Address) -> dict[str, tuple[Address, ...]]:
        unplaced = frozenset({WEB, ZOO}) - set(placed)
        made = with_doubtful([router(51, ip_address("10.0.0.7"))], found, unplaced, doubt)
        return {one.name: one.addresses for one in made}

    new = ip_address("10.0.0.7")
    assert kept(NO_DOUBT) == {"v4_51_eth0": (new,)}
    assert kept(Doubt(everything=True)) == {"v4_51_eth0": (new, WEB), "v4_52_eth0": (ZOO,)}
    assert kept(Doubt(everything=True), ZOO) == {"v4_51_eth0": (new, WEB)}
    assert kept(Doubt(addresses=frozenset({WEB}))) == {"v4_51_eth0": (new, WEB)}
    assert kept(Doubt(pools=frozenset({"pool"}))) == {"v4_51_eth0": (new, WEB), "v4_52_eth0": (ZOO,)}
    assert kept(Doubt(pools=frozenset({"other"}))) == {"v4_51_eth0": (new,)}


@pytest.mark.parametrize(
    ("kind", "name", "namespace", "doubt"),
    [
        (Kind.EIP, "other", "", Doubt(pools=frozenset({"other"}))),
        (Kind.EIP, "pool", "", NO_DOUBT),
        (Kind.NODE, "n1", "", Doubt(everything=True)),
        (Kind.SERVICE, "s-10-0-0-100", "shop", Doubt(addresses=frozenset({WEB}))),
        (Kind.SERVICE, "never-seen", "shop", Doubt(everything=True)),
        (Kind.ENDPOINT_SLICE, "s-10-0-0-100", "shop", Doubt(everything=True)),
    ],
)
def test_an_object_that_cannot_be_read_puts_in_doubt_what_hangs_on_it(
    kind: Kind, name: str, namespace: str, doubt: Doubt
) -> None:
    which = ref(kind, name, namespace=namespace)
    world = msgspec.structs.replace(lan(str(WEB)), invalid={which: InvalidResource(ref=which, defects=())})
    assert doubt_of(world, node="n1") == doubt
    assert doubt_of(msgspec.structs.replace(world, unseen="a file"), node="n1") == Doubt(everything=True)
