"""The prober on a LAN of the test's own, in virtual time: who answers, since when, and until when."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface

import pytest

from openelb_bgp.host.packets import Advertisement, Arp, Operation, Solicitation, build, parse, who_has
from openelb_bgp.host.probe import Answers, Prober, answer_in, source_for
from openelb_bgp.host.wire import Heard, Place
from openelb_bgp.model.addresses import Address, Family
from openelb_bgp.model.facts import Link, ProbeTarget
from tests.unit.virtual_time import VirtualClock, settle

OURS, THEIRS, GROUP = (bytes.fromhex(text) for text in ("02000000000a", "02000000000b", "03000000000b"))
ETH0 = Link(
    name="eth0",
    index=2,
    mac="02:00:00:00:00:0a",
    up=True,
    addresses=tuple(ip_interface(text) for text in ("10.0.0.11/24", "fe80::a/64", "fd00:a::b/64")),
)
ETH1 = Link(
    name="eth1",
    index=3,
    mac="02:00:00:00:01:0a",
    up=True,
    addresses=tuple(ip_interface(text) for text in ("10.0.1.11/24", "10.0.0.12/24")),
)
OUR_ADDRESS = IPv4Address("10.0.0.11")
NODE2, NODE2_V6 = IPv4Address("10.0.0.2"), IPv6Address("fd00:a::2")
ONE = ProbeTarget("eth0", NODE2)


class LanOfHosts:
    """A Wire whose hosts answer at once as Linux does; `asked` notes every question with its time."""

    def __init__(self, clock: VirtualClock) -> None:
        self.hosts: dict[Address, bytes] = {}
        self.down: set[str] = set()
        self.forbidden = False
        self.asked: list[tuple[float, Place, Address]] = []
        self.listening: set[Place] = set()
        self._clock = clock
        self._heard: Heard | None = None

    def connect(self, heard: Heard) -> "LanOfHosts":
        self._heard = heard
        return self

    def send(self, place: Place, frame: bytes) -> None:
        if self.forbidden:
            raise PermissionError("no CAP_NET_RAW")
        if place.interface in self.down:
            raise OSError("network is down")
        self.listening.add(place)
        question = parse(frame)
        assert isinstance(question, Arp | Solicitation)
        self.asked.append((self._clock.now, place, question.target))
        mac = self.hosts.get(question.target)
        if mac is not None:
            self.deliver(place.interface, answer_to(question, mac))

    def keep(self, places: Collection[Place]) -> None:
        self.listening &= set(places)

    def deliver(self, interface: str, frame: bytes) -> None:
        assert self._heard is not None
        self._heard(interface, frame)


def answer_to(question: Arp | Solicitation, mac: bytes) -> bytes:
    if isinstance(question, Arp):
        return build(
            Arp(
                operation=Operation.REPLY,
                source=mac,
                destination=question.source,
                sender_mac=mac,
                sender=question.target,
                target_mac=question.sender_mac,
                target=question.sender,
            )
        )
    return build(
        Advertisement(
            source=mac,
            destination=question.source,
            sender=question.target,
            to=question.sender,
            target=question.target,
            mac=mac,
            solicited=True,
            override=True,
        )
    )


class World:
    """A running prober; `changes` notes what it said when it called `changed`, and when."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.lan = LanOfHosts(self.clock)
        self.changes: list[tuple[float, frozenset[Address]]] = []
        self.prober = Prober(clock=self.clock, changed=self._note, wire=self.lan.connect)

    def _note(self) -> None:
        self.changes.append((self.clock.now, self.prober.answering))

    async def aim(self, *targets: ProbeTarget, links: tuple[Link, ...] = (ETH0, ETH1)) -> None:
        self.prober.aim(targets, links)
        await settle()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    task = asyncio.create_task(world.prober.run())
    await settle()
    yield world
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.lan.listening == set()


async def test_asks_at_once_and_then_every_second(world: World) -> None:
    await world.aim(ONE)
    await world.clock.move(2.5)
    place = Place("eth0", 2, Family.IPV4)
    assert world.lan.asked == [(0.0, place, NODE2), (1.0, place, NODE2), (2.0, place, NODE2)]


async def test_asks_nobody_when_there_is_nobody_to_ask_for(world: World) -> None:
    assert not world.clock.asleep
    await world.clock.move(5)
    await world.aim(ONE)
    await world.aim()
    await world.clock.move(5)
    assert not world.clock.asleep
    assert [when for when, *_ in world.lan.asked] == [5.0]
    assert world.lan.listening == set()


async def test_says_once_that_a_host_answers(world: World) -> None:
    world.lan.hosts[NODE2] = THEIRS
    await world.aim(ONE)
    await world.clock.move(10)
    assert world.changes == [(0.0, frozenset({NODE2}))]


async def test_a_host_is_out_after_three_probes_without_an_answer(world: World) -> None:
    world.lan.hosts[NODE2] = THEIRS
    await world.aim(ONE)
    await world.clock.move(0.5)
    del world.lan.hosts[NODE2]
    # Asked in vain at 1, 2 and 3; the last of these probes has its second too.
    await world.clock.move(3.4)
    assert world.prober.answering == {NODE2}
    await world.clock.move(0.2)
    assert world.changes == [(0.0, frozenset({NODE2})), (4.0, frozenset())]


async def test_two_lost_answers_change_nothing(world: World) -> None:
    world.lan.hosts[NODE2] = THEIRS
    await world.aim(ONE)
    for _ in range(5):
        del world.lan.hosts[NODE2]
        await world.clock.move(3)
        world.lan.hosts[NODE2] = THEIRS
        await world.clock.move(1)
    assert world.changes == [(0.0, frozenset({NODE2}))]


async def test_a_host_that_comes_back_answers_with_its_first_reply(world: World) -> None:
    await world.aim(ONE)
    await world.clock.move(7.5)
    world.lan.hosts[NODE2] = THEIRS
    await world.clock.move(1)
    assert world.changes == [(8.0, frozenset({NODE2}))]


async def test_asks_in_both_families(world: World) -> None:
    world.lan.hosts = {NODE2: THEIRS, NODE2_V6: THEIRS}
    await world.aim(ONE, ProbeTarget("eth0", NODE2_V6))
    assert world.prober.answering == {NODE2, NODE2_V6}
    assert world.lan.listening == {Place("eth0", 2, Family.IPV4), Place("eth0", 2, Family.IPV6)}


async def test_an_answer_on_another_interface_does_not_count(world: World) -> None:
    await world.aim(ONE)
    world.lan.deliver("eth1", answer_to(who_has(NODE2, mac=OURS, source=OUR_ADDRESS), THEIRS))
    assert world.prober.answering == frozenset()


async def test_an_answer_for_somebody_else_does_not_count(world: World) -> None:
    await world.aim(ONE)
    node3 = IPv4Address("10.0.0.3")
    world.lan.deliver("eth0", answer_to(who_has(node3, mac=OURS, source=OUR_ADDRESS), THEIRS))
    assert world.prober.answering == frozenset()


async def test_an_answer_from_a_mac_of_ours_does_not_count(world: World) -> None:
    # The other interface of this node, on the same switch, answers for the whole host.
    world.lan.hosts[NODE2] = bytes.fromhex(ETH1.mac.replace(":", ""))
    await world.aim(ONE)
    assert world.prober.answering == frozenset()


async def test_an_address_asked_for_on_two_interfaces_has_to_answer_on_both(world: World) -> None:
    world.lan.hosts[NODE2] = THEIRS
    world.lan.down.add("eth1")
    await world.aim(ONE, ProbeTarget("eth1", NODE2))
    assert world.prober.answering == frozenset()
    world.lan.down.clear()
    await world.clock.move(1)
    assert world.prober.answering == {NODE2}


async def test_an_interface_that_goes_down_makes_its_hosts_silent_until_it_is_back(world: World) -> None:
    world.lan.hosts[NODE2] = THEIRS
    await world.aim(ONE)
    world.lan.down.add("eth0")
    await world.clock.move(10)
    assert world.prober.answering == frozenset()
    assert world.prober.error == ""
    world.lan.down.clear()
    await world.clock.move(1)
    assert world.prober.answering == {NODE2}


async def test_an_interface_that_is_gone_is_not_listened_on_and_a_new_one_of_its_name_is(
    world: World,
) -> None:
    world.lan.hosts[NODE2] = THEIRS
    await world.aim(ONE)
    await world.aim(ONE, links=(ETH1,))
    assert world.lan.listening == set()
    await world.clock.move(5)
    assert world.prober.answering == frozenset()
    await world.aim(ONE, links=(Link(name="eth0", index=9, mac=ETH0.mac, addresses=ETH0.addresses),))
    await world.clock.move(1)
    assert world.lan.listening == {Place("eth0", 9, Family.IPV4)}
    assert world.prober.answering == {NODE2}


@pytest.mark.parametrize(
    "link",
    [
        pytest.param(Link(name="eth0", index=2, mac=ETH0.mac), id="no address"),
        pytest.param(Link(name="eth0", index=2, addresses=ETH0.addresses), id="no MAC"),
    ],
)
async def test_an_interface_from_which_nobody_can_ask_is_passed_over(world: World, link: Link) -> None:
    world.lan.hosts[NODE2] = THEIRS
    await world.aim(ONE, links=(link,))
    await world.clock.move(3)
    assert world.lan.asked == []
    assert world.prober.answering == frozenset()


async def test_without_the_capability_nobody_answers_and_the_error_names_it(world: World) -> None:
    world.lan.hosts[NODE2] = THEIRS
    world.lan.forbidden = True
    await world.aim(ONE)
    assert "NET_RAW" in world.prober.error
    assert world.prober.answering == frozenset()
    world.lan.forbidden = False
    await world.clock.move(1)
    assert world.prober.error == ""


async def test_what_is_no_longer_asked_for_is_forgotten_without_a_call(world: World) -> None:
    world.lan.hosts[NODE2] = THEIRS
    await world.aim(ONE)
    await world.aim(ProbeTarget("eth0", NODE2_V6))
    assert world.prober.answering == frozenset()
    assert world.changes == [(0.0, frozenset({NODE2}))]


async def test_aiming_at_the_same_again_changes_nothing(world: World) -> None:
    world.lan.hosts[NODE2] = THEIRS
    await world.aim(ONE)
    before = world.prober.answering
    await world.aim(ONE)
    assert world.prober.answering is before
    await world.clock.move(1.5)
    assert [when for when, *_ in world.lan.asked] == [0.0, 1.0]


def test_counting_starts_anew_with_every_answer() -> None:
    target = ProbeTarget("eth0", NODE2)
    answers = Answers()
    answers.aim([target])
    seen = []
    for event in "haaahaaaah":
        step: Callable[[ProbeTarget], None] = answers.heard if event == "h" else answers.asked
        step(target)
        seen.append(answers.answering() == {NODE2})
    assert seen == [True, True, True, True, True, True, True, True, False, True]


@pytest.mark.parametrize(
    ("target", "source"),
    [
        ("10.0.0.2", "10.0.0.11"),
        ("192.0.2.2", None),
        ("10.0.0.11", None),
        ("fd00:a::2", "fd00:a::b"),
        ("fe80::2", "fe80::a"),
        ("2001:db8::2", "fe80::a"),
        ("fd00:a::b", None),
    ],
)
def test_asks_from_the_address_beside_the_target(target: str, source: str | None) -> None:
    assert source_for(ip_address(target), ETH0) == (source and ip_address(source))


def reply(
    *, source: bytes = THEIRS, sender_mac: bytes = THEIRS, operation: Operation = Operation.REPLY
) -> Arp:
    return Arp(
        operation=operation,
        source=source,
        destination=OURS,
        sender_mac=sender_mac,
        sender=NODE2,
        target_mac=OURS,
        target=OUR_ADDRESS,
    )


def advertisement(
    *, source: bytes = THEIRS, sender: IPv6Address = NODE2_V6, solicited: bool = True
) -> Advertisement:
    return Advertisement(
        source=source,
        destination=OURS,
        sender=sender,
        to=IPv6Address("fd00:a::b"),
        target=NODE2_V6,
        mac=THEIRS,
        solicited=solicited,
    )


@pytest.mark.parametrize(
    ("packet", "answers"),
    [
        pytest.param(reply(), NODE2, id="a reply"),
        pytest.param(reply(operation=Operation.REQUEST), None, id="a request"),
        pytest.param(reply(source=OURS), None, id="a reply that we sent"),
        pytest.param(reply(sender_mac=OURS), None, id="a reply that names our MAC"),
        pytest.param(reply(sender_mac=bytes(6)), None, id="a reply without a MAC"),
        pytest.param(reply(sender_mac=GROUP), None, id="a reply with a group's MAC"),
        pytest.param(advertisement(), NODE2_V6, id="an advertisement"),
        pytest.param(advertisement(source=OURS), None, id="an advertisement that we sent"),
        pytest.param(advertisement(solicited=False), None, id="an unasked advertisement"),
        pytest.param(advertisement(sender=IPv6Address("fe80::1")), None, id="an advertisement by a proxy"),
    ],
)
def test_only_the_holder_itself_answers(packet: Arp | Advertisement, answers: Address | None) -> None:
    assert answer_in(build(packet), ours={OURS}) == answers


def test_a_frame_that_is_no_packet_answers_nothing() -> None:
    assert answer_in(b"", ours={OURS}) is None
