"""Real kernels answer, or do not: the prober on a switched LAN of namespaces."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest

from openelb_bgp.host.netlink import read_host
from openelb_bgp.host.packets import Advertisement, Arp, Operation, Packet, build, parse_mac
from openelb_bgp.host.probe import Prober
from openelb_bgp.host.wire import PacketSockets, Place
from openelb_bgp.model.addresses import Address, Family
from openelb_bgp.model.facts import Link, ProbeTarget
from openelb_bgp.runtime.clock import SystemClock
from tests.daemons.harness.inside import call_inside, run_inside
from tests.daemons.harness.netns import Lan, Namespace
from tests.daemons.harness.waiting import stays, wait_until

# Three misses of a second each, the second of the first probe, and a slow machine.
DEADLINE = 10.0


class Node:
    """A running prober in a node; `changes` is what it said, each time that it called."""

    def __init__(self, space: Namespace) -> None:
        self.space = space
        self.changes: list[frozenset[Address]] = []
        self.prober = Prober(clock=SystemClock(), changed=self._note)

    def _note(self) -> None:
        self.changes.append(self.prober.answering)

    async def aim(self, *addresses: str) -> None:
        """Probe these on eth0, with the links as they are now."""
        targets = [ProbeTarget("eth0", ip_address(one)) for one in addresses]
        self.prober.aim(targets, (await read_host()).links)

    async def answering(self, *addresses: str) -> None:
        """Wait until exactly these answer."""
        wanted = {ip_address(one) for one in addresses}
        await wait_until(
            lambda: self.prober.answering == wanted, within=DEADLINE, what=f"answers from {addresses}"
        )


@contextlib.asynccontextmanager
async def running(space: Namespace) -> AsyncIterator[Node]:
    node = Node(space)
    task = asyncio.create_task(node.prober.run())
    try:
        yield node
        assert not task.done()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def probing(space: Namespace, scenario: Callable[[Node], Awaitable[None]]) -> None:
    """Run a scenario inside with a prober."""

    async def run() -> None:
        async with running(space) as node:
            await scenario(node)

    run_inside(space, run)


@pytest.fixture
def two(new_lan: Callable[..., Lan]) -> Lan:
    return new_lan(nodes=2)


def test_a_host_answers_in_both_families_and_one_that_is_not_there_does_not(two: Lan) -> None:
    one, other = two.nodes

    async def scenario(node: Node) -> None:
        await node.aim(other.v4, other.v6, "10.0.0.99", "fd00:a::99")
        await node.answering(other.v4, other.v6)
        await stays(lambda: len(node.prober.answering) == 2, during=2.5, what="both answer, nobody else")

    probing(one, scenario)


def test_a_link_local_address_answers(two: Lan) -> None:
    one, other = two.nodes

    async def scenario(node: Node) -> None:
        await node.aim(link_local(other))
        await node.answering(link_local(other))

    probing(one, scenario)


def link_local(space: Namespace) -> str:
    links = run_inside(space, read_host).links
    return next(
        str(one.ip) for link in links if link.name == "eth0" for one in link.addresses if one.ip.is_link_local
    )


def test_a_host_that_falls_silent_is_out_and_comes_back(two: Lan) -> None:
    one, other = two.nodes

    async def scenario(node: Node) -> None:
        await node.aim(other.v4, other.v6)
        await node.answering(other.v4, other.v6)
        two.set_carrier(other, up=False)
        await node.answering()
        two.set_carrier(other, up=True)
        await node.answering(other.v4, other.v6)

    probing(one, scenario)


def test_a_host_that_drops_arp_is_out_though_its_link_is_up(two: Lan) -> None:
    one, other = two.nodes

    async def scenario(node: Node) -> None:
        await node.aim(other.v4, other.v6)
        await node.answering(other.v4, other.v6)
        table = (
            "add table arp deaf\nadd chain arp deaf in { type filter hook input priority 0; policy drop; }\n"
        )
        other.run("nft", "-f", "-", stdin=table)
        await node.answering(other.v6)
        other.run("nft", "delete", "table", "arp", "deaf")
        await node.answering(other.v4, other.v6)
        assert len(node.changes) <= 4

    probing(one, scenario)


def test_a_host_with_arp_switched_off_does_not_answer(two: Lan) -> None:
    one, other = two.nodes
    other.run("ip", "link", "set", "eth0", "arp", "off")

    async def scenario(node: Node) -> None:
        await node.aim(other.v4)
        await stays(lambda: not node.prober.answering, during=2.5, what="no answer")

    probing(one, scenario)


def test_a_proxy_does_not_answer_for_a_host_that_is_gone(two: Lan) -> None:
    one, other = two.nodes
    other.run("sysctl", "-qw", "net.ipv6.conf.eth0.proxy_ndp=1")
    other.run("ip", "-6", "neighbour", "add", "proxy", "fd00:a::99", "dev", "eth0")

    async def scenario(node: Node) -> None:
        await node.aim("fd00:a::99", other.v6)
        await node.answering(other.v6)
        await stays(lambda: len(node.prober.answering) == 1, during=2.5, what="the proxy is not believed")

    probing(one, scenario)


def test_an_interface_of_ours_that_goes_down_makes_all_silent_until_it_is_up(two: Lan) -> None:
    one, other = two.nodes

    async def scenario(node: Node) -> None:
        await node.aim(other.v4, other.v6)
        await node.answering(other.v4, other.v6)
        one.run("ip", "link", "set", "eth0", "down")
        await node.answering()
        one.run("ip", "link", "set", "eth0", "up")
        # Linux removes IPv6 addresses when a link goes down.
        one.run("ip", "address", "replace", f"{one.v6}/64", "dev", "eth0", "nodad")
        await node.aim(other.v4, other.v6)
        await node.answering(other.v4, other.v6)

    probing(one, scenario)


def test_an_interface_that_vanishes_is_survived_and_a_new_one_of_its_name_is_used(two: Lan) -> None:
    one, other = two.nodes

    async def scenario(node: Node) -> None:
        await node.aim(other.v4)
        await node.answering(other.v4)
        one.run("ip", "link", "delete", "eth0")
        await node.answering()
        await node.aim(other.v4)
        plug_in_again(two, one)
        await node.aim(other.v4)
        await node.answering(other.v4)

    probing(one, scenario)


def plug_in_again(lan: Lan, node: Namespace) -> None:
    # The index is given: a free one would be that of the interface before.
    pair = f"link add name again type veth peer name eth0 netns {node.name} index 4242"
    lan.switch.run("ip", "-batch", "-", stdin=f"{pair}\nlink set again master br0 up\n")
    node.run("ip", "address", "add", f"{node.v4}/24", "dev", "eth0")
    node.run("ip", "link", "set", "eth0", "up")


def test_an_interface_without_an_address_is_survived(two: Lan) -> None:
    one, other = two.nodes
    one.run("ip", "address", "flush", "dev", "eth0")

    async def scenario(node: Node) -> None:
        await node.aim(other.v4, other.v6)
        await stays(lambda: not node.prober.answering, during=2.5, what="no answer")
        assert node.prober.error == ""

    probing(one, scenario)


WITHOUT_CAPABILITY = """
import asyncio
from ipaddress import ip_address
from openelb_bgp.host.netlink import read_host
from openelb_bgp.host.probe import Prober
from openelb_bgp.model.facts import ProbeTarget
from openelb_bgp.runtime.clock import SystemClock

async def main():
    prober = Prober(clock=SystemClock(), changed=lambda: None)
    prober.aim([ProbeTarget("eth0", ip_address("{target}"))], (await read_host()).links)
    try:
        async with asyncio.timeout(1.5):
            await prober.run()
    except TimeoutError:
        print(len(prober.answering), prober.error)

asyncio.run(main())
"""


def test_without_net_raw_nobody_answers_and_the_error_says_what_is_missing(two: Lan) -> None:
    one, other = two.nodes
    said = one.run(
        *("setpriv", "--bounding-set=-net_raw", sys.executable, "-c"),
        WITHOUT_CAPABILITY.format(target=other.v4),
    )
    assert said.startswith("0 ")
    assert "NET_RAW" in said


def test_what_comes_for_an_interface_upon_another_is_not_heard_on_that_one(two: Lan) -> None:
    one, other = two.nodes
    ours, theirs = (eth0(space) for space in (one, other))
    one.run(
        *("ip", "-batch", "-"),
        stdin="link add link eth0 name upper type macvlan mode bridge\n"
        "address add 192.0.2.1/24 dev upper\nlink set upper up\n",
    )
    other.run("ip", "address", "add", "192.0.2.2/24", "dev", "eth0")

    async def scenario() -> list[bytes]:
        heard: list[bytes] = []
        wire = PacketSockets(lambda _, frame: heard.append(frame))
        wire.send(Place("eth0", ours.index, Family.IPV4), build(arp_reply(to=theirs, by=ours)))
        one.run("ping", "-c1", "-W5", "192.0.2.2")
        last = build(arp_reply(to=ours, by=theirs))
        call_inside(other, lambda: transmit([last]))
        await wait_until(lambda: last in heard, within=DEADLINE, what="the last frame")
        wire.keep(())
        return heard

    assert run_inside(one, scenario) == [build(arp_reply(to=ours, by=theirs))]


def test_only_answers_to_this_host_pass_the_kernels_filter(two: Lan) -> None:
    one, other = two.nodes
    ours, theirs = (eth0(space) for space in (one, other))
    arp, ndp = arp_reply(to=ours, by=theirs), advertisement(to=ours, by=theirs)
    noise = [
        # To others, or to everybody.
        build(arp_reply(to=ours, by=theirs, destination=b"\xff" * 6)),
        build(arp_reply(to=ours, by=theirs, destination=bytes.fromhex("0200000000ff"))),
        # Questions.
        build(arp_reply(to=ours, by=theirs, operation=Operation.REQUEST)),
        # Of a VLAN.
        tagged(build(arp)),
        tagged(build(ndp)),
        # Too short, and something else in IPv6.
        build(arp)[:20],
        build(ndp)[:20] + b"\x11" + build(ndp)[21:],
    ]

    async def scenario() -> list[bytes]:
        heard: list[bytes] = []
        wire = PacketSockets(lambda _, frame: heard.append(frame))
        places = [Place("eth0", ours.index, family) for family in Family]
        for place in places:
            wire.send(place, build(arp_reply(to=theirs, by=ours)))
        call_inside(other, lambda: transmit([*noise, build(arp), build(ndp)]))
        await wait_until(lambda: build(ndp) in heard, within=DEADLINE, what="the last frame")
        wire.keep(())
        return heard

    assert run_inside(one, scenario) == [build(arp), build(ndp)]


def eth0(space: Namespace) -> Link:
    return next(link for link in run_inside(space, read_host).links if link.name == "eth0")


def mac_of(link: Link) -> bytes:
    mac = parse_mac(link.mac)
    assert mac is not None
    return mac


def arp_reply(
    *, to: Link, by: Link, operation: Operation = Operation.REPLY, destination: bytes | None = None
) -> Packet:
    return Arp(
        operation=operation,
        source=mac_of(by),
        destination=destination or mac_of(to),
        sender_mac=mac_of(by),
        sender=IPv4Address("192.0.2.2"),
        target_mac=mac_of(to),
        target=IPv4Address("192.0.2.1"),
    )


def advertisement(*, to: Link, by: Link) -> Packet:
    return Advertisement(
        source=mac_of(by),
        destination=mac_of(to),
        sender=IPv6Address("2001:db8::2"),
        to=IPv6Address("2001:db8::1"),
        target=IPv6Address("2001:db8::2"),
        mac=mac_of(by),
        solicited=True,
    )


def tagged(frame: bytes) -> bytes:
    return frame[:12] + b"\x81\x00\x00\x64" + frame[12:]


def transmit(frames: list[bytes]) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as out:
        out.bind(("eth0", 0))
        for frame in frames:
            out.send(frame)
