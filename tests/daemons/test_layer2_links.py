"""Links that go, come back, change their MAC, or lie upon others; groups; and a process that is stopped."""

import ast
import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from ipaddress import IPv6Address, ip_address
from pathlib import Path

import pytest

from openelb_bgp.host.ndp import solicited_node
from openelb_bgp.host.netlink import HostFollower
from openelb_bgp.layer2.owned import Handled, Ownership, Spot
from openelb_bgp.layer2.sockets import NO_CAPABILITY
from tests.daemons.harness.inside import call_inside
from tests.daemons.harness.netns import Lan, Namespace
from tests.daemons.harness.owner import DEADLINE, Host, Owner, cached, host, knock, mac_of, with_owner
from tests.daemons.harness.waiting import wait_until

VIP, VIP6 = "10.0.0.200", "fd00:a::200"


@pytest.fixture
def two(new_lan: Callable[..., Lan]) -> Lan:
    return new_lan(routers=0, nodes=2)


def following(space: Namespace, scenario: Callable[[Owner], Awaitable[None]]) -> None:
    """An owner that follows its links by netlink, as a speaker does."""

    async def follow(owner: Owner) -> None:
        async for state in HostFollower().states():
            owner.responder.see(state.links, state.gateways)
            owner.links = state.links

    async def run(owner: Owner) -> None:
        task = asyncio.create_task(follow(owner))
        try:
            await scenario(owner)
            assert not task.done()
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    with_owner(space, run)


async def until_cached(client: Namespace, mac: bytes, *addresses: str) -> None:
    """Wait until a kernel has this MAC for them, whatever it has to ask."""

    async def finds() -> bool:
        for address in addresses:
            await knock(client, address)
        return all(cached(client, address) == mac for address in addresses)

    await wait_until(finds, within=DEADLINE, what=f"{mac.hex(':')} for {addresses}")


@pytest.mark.parametrize("address", [VIP, VIP6])
def test_a_new_mac_is_announced_and_answered_with(two: Lan, address: str) -> None:
    one, other = two.nodes
    mac = bytes.fromhex("020000000077")

    async def scenario(owner: Owner) -> None:
        owner.own(address)
        await until_cached(other, mac_of(one), address)
        one.run("ip", "link", "set", "eth0", "address", mac.hex(":"))
        # Nobody asks.
        await wait_until(lambda: cached(other, address) == mac, within=DEADLINE, what="the new MAC")
        other.run("ip", "neighbour", "flush", "dev", "eth0")
        await until_cached(other, mac, address)

    following(one, scenario)


def test_a_link_that_comes_back_is_answered_on_again_and_announced_anew(two: Lan) -> None:
    one, other = two.nodes

    async def scenario(owner: Owner) -> None:
        owner.own(VIP, VIP6)
        await until_cached(other, mac_of(one), VIP, VIP6)
        with host(other) as listening:
            one.run("ip", "link", "set", "eth0", "down")
            await wait_until(lambda: not is_up(owner), within=DEADLINE, what="the link to be seen down")
            listening.listen()
            listening.heard.clear()
            one.run("ip", "link", "set", "eth0", "up")
            await listening.hears_about(VIP, count=6)
            await listening.hears_about(VIP6, count=4)
        await until_cached(other, mac_of(one), VIP, VIP6)
        assert owner.responder.problems == {}

    following(one, scenario)


def is_up(owner: Owner) -> bool:
    """Whether the responder has been told so."""
    return any(link.name == "eth0" and link.up for link in owner.links)


def test_a_link_whose_cable_is_out_costs_nothing_and_comes_back(two: Lan) -> None:
    one, other = two.nodes

    async def scenario(owner: Owner) -> None:
        owner.own(VIP)
        await until_cached(other, mac_of(one), VIP)
        two.set_carrier(one, up=False)
        await wait_until(lambda: not is_up(owner), within=DEADLINE, what="the carrier to go")
        two.set_carrier(one, up=True)
        other.run("ip", "neighbour", "flush", "dev", "eth0")
        await until_cached(other, mac_of(one), VIP)

    following(one, scenario)


def test_an_interface_that_vanishes_is_said_and_a_new_one_of_its_name_is_used(two: Lan) -> None:
    one, other = two.nodes

    async def scenario(owner: Owner) -> None:
        owner.own(VIP, VIP6)
        await until_cached(other, mac_of(one), VIP, VIP6)
        one.run("ip", "link", "delete", "eth0")
        await wait_until(lambda: owner.responder.problems, within=DEADLINE, what="the problem")
        assert owner.responder.problems == {"eth0": "eth0 does not exist on this node"}
        pair = f"link add name again type veth peer name eth0 netns {one.name} index 4242"
        two.switch.run("ip", "-batch", "-", stdin=f"{pair}\nlink set again master br0 up\n")
        one.run("ip", "link", "set", "eth0", "up")
        await until_cached(other, mac_of(one), VIP, VIP6)
        assert owner.responder.problems == {}
        assert owner.changes == [{"eth0": "eth0 does not exist on this node"}, {}]

    following(one, scenario)


UPPER: dict[str, tuple[str, str]] = {
    "a bridge with the NIC in it": (
        "upper",
        "link add upper type bridge\nlink set eth0 master upper\nlink set upper up\n",
    ),
    "a macvlan upon the NIC": (
        "upper",
        "link add link eth0 name upper type macvlan mode bridge\nlink set upper up\n",
    ),
}


@pytest.mark.parametrize("which", UPPER)
def test_answers_come_from_the_interface_upon_the_nic(two: Lan, which: str) -> None:
    one, other = two.nodes
    interface, lines = UPPER[which]
    one.run("ip", "-batch", "-", stdin=lines)

    async def scenario(owner: Owner) -> None:
        owner.own(VIP, VIP6, interface=interface)
        await until_cached(other, mac_of(one, interface), VIP, VIP6)
        assert owner.conflicts == []

    following(one, scenario)


def test_an_address_of_one_nic_is_not_answered_by_another_of_the_same_lan(two: Lan) -> None:
    one, other = two.nodes
    pair = f"link add name second type veth peer name eth1 netns {one.name}"
    two.switch.run("ip", "-batch", "-", stdin=f"{pair}\nlink set second master br0 up\n")
    one.run("ip", "link", "set", "eth1", "up")

    async def scenario(owner: Owner) -> None:
        spots = [Spot(ip_address(VIP), "eth0"), Spot(ip_address("10.0.0.201"), "eth1")]
        owner.responder.own({spot: Ownership() for spot in spots})
        with host(other) as client:
            client.send(client.asks(VIP))
            await owner.counted(Handled.ANSWERED)
            await owner.counted(Handled.WRONG_INTERFACE)
        await until_cached(other, mac_of(one, "eth0"), VIP)
        await until_cached(other, mac_of(one, "eth1"), "10.0.0.201")
        # What one NIC announces the other hears.
        assert owner.conflicts == []

    following(one, scenario)


def memberships(space: Namespace) -> set[str]:
    """The solicited-node groups joined by processes; the kernel's own for its addresses are left out."""
    found = set()
    for line in space.run("cat", "/proc/net/igmp6").splitlines():
        _, interface, group, *_ = line.split()
        address = IPv6Address(bytes.fromhex(group))
        if interface == "eth0" and str(address).startswith("ff02::1:ff"):
            found.add(str(address))
    return found


def test_groups_are_joined_for_what_is_owned_spread_over_sockets_and_left(two: Lan) -> None:
    one, _ = two.nodes
    addresses = [f"fd00:a::1:{number:x}" for number in range(3000)]
    groups = {str(solicited_node(IPv6Address(address))) for address in addresses}

    async def scenario(owner: Owner) -> None:
        before = memberships(one)
        owner.own(*addresses)
        assert owner.responder.problems == {}
        assert memberships(one) == before | groups
        # Two addresses of one group: it is left with the last of them.
        owner.own(addresses[7], "fd00:b::1:7")
        owner.own("fd00:b::1:7")
        assert memberships(one) == before | {str(solicited_node(IPv6Address(addresses[7])))}
        owner.own()
        assert memberships(one) == before

    with_owner(one, scenario)


def test_where_sockets_have_little_memory_more_of_them_and_smaller_filters_do(two: Lan) -> None:
    one, other = two.nodes
    # The default before Linux 6.7.
    one.run("sysctl", "-qw", "net.core.optmem_max=20480")
    scattered = [f"10.{number // 250}.{number % 250}.9" for number in range(2000)]
    addresses = [f"fd00:a::1:{number:x}" for number in range(1000)]

    async def scenario(owner: Owner) -> None:
        for more in ((), (VIP, VIP6), (VIP,)):
            owner.own(*scattered, *addresses, *more)
            assert owner.responder.problems == {}
        with host(other) as client:
            client.send(client.asks(VIP), client.asks(addresses[999]))
            await owner.counted(Handled.ANSWERED, 2)

    with_owner(one, scenario)


def test_where_sockets_have_no_memory_it_is_said_and_mended_once_they_have(two: Lan) -> None:
    one, other = two.nodes
    one.run("sysctl", "-qw", "net.core.optmem_max=1024")

    async def scenario(owner: Owner) -> None:
        owner.own(*[f"10.0.{number}.9" for number in range(200)])
        assert owner.responder.problems == {"eth0": "no filter for eth0: net.core.optmem_max is too small"}
        one.run("sysctl", "-qw", "net.core.optmem_max=131072")
        await wait_until(lambda: not owner.responder.problems, within=DEADLINE, what="the filter")
        await until_cached(other, mac_of(one), "10.0.0.9")

    with_owner(one, scenario)


def test_without_ipv6_on_the_interface_it_is_said_and_mended_once_there_is(two: Lan) -> None:
    one, other = two.nodes
    one.run("ip", "link", "set", "eth0", "mtu", "1000")

    async def scenario(owner: Owner) -> None:
        owner.own(VIP, VIP6)
        said = owner.responder.problems["eth0"]
        assert "does not join ff02::1:ff00:200" in said
        await until_cached(other, mac_of(one), VIP)
        one.run("ip", "link", "set", "eth0", "mtu", "1500")
        await wait_until(lambda: not owner.responder.problems, within=DEADLINE, what="the groups")
        await until_cached(other, mac_of(one), VIP6)

    following(one, scenario)


def test_what_is_no_ethernet_interface_is_said(two: Lan) -> None:
    one, _ = two.nodes

    async def scenario(owner: Owner) -> None:
        owner.own(VIP, interface="lo")
        assert owner.responder.problems == {"lo": "lo is not an Ethernet interface"}

    with_owner(one, scenario)


OWNING = """
import asyncio, sys
from ipaddress import ip_address
from openelb_bgp.host.netlink import read_host
from openelb_bgp.layer2.owned import Ownership, Spot
from openelb_bgp.layer2.responder import Responder
from openelb_bgp.runtime.clock import SystemClock

async def main():
    responder = Responder(clock=SystemClock(), conflict=print, changed=lambda: None)
    host = await read_host()
    responder.see(host.links, host.gateways)
    responder.own({Spot(ip_address(one), "eth0"): Ownership() for one in sys.argv[1:]})
    print(responder.problems, flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        counts = responder.counts()
        print({f"{family.name} {what.name}": count for (family, what), count in counts.items()}, flush=True)

asyncio.run(main())
"""


@contextlib.contextmanager
def owning_process(space: Namespace, *addresses: str) -> Iterator[subprocess.Popen[str]]:
    """A process of its own that owns addresses; a line written to it is answered with its counts."""
    argv = space.argv(sys.executable, "-c", OWNING, *addresses)
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "{}\n"
            yield process
        finally:
            process.kill()


def counts(process: subprocess.Popen[str]) -> dict[str, int]:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    found: dict[str, int] = ast.literal_eval(process.stdout.readline())
    return found


async def test_a_process_that_was_stopped_does_not_answer_what_piled_up(two: Lan) -> None:
    one, other = two.nodes
    with host(other) as client, owning_process(one, VIP, VIP6) as process:
        await client.hears_about(VIP, count=6)
        await client.hears_about(VIP6, count=4)
        await pile_up(process, client)
        await wait_until(
            lambda: sum(counts(process).values()) == 20, within=DEADLINE, what="20 questions to be read"
        )
        client.send(client.asks(VIP), client.asks(VIP6))
        await wait_until(lambda: len(client.listen()) >= 2, within=DEADLINE, what="two answers")
        assert (len(client.about(VIP)), len(client.about(VIP6))) == (1, 1)
        assert counts(process) == {
            "IPV4 TOO_OLD": 10,
            "IPV6 TOO_OLD": 10,
            "IPV4 ANSWERED": 1,
            "IPV6 ANSWERED": 1,
        }


async def pile_up(process: subprocess.Popen[str], client: Host) -> None:
    """Stop a process, ask for its addresses, and let it go on."""
    os.kill(process.pid, signal.SIGSTOP)
    try:
        client.listen()
        client.heard.clear()
        client.send(*[client.asks(address) for address in (VIP, VIP6) for _ in range(10)])
        await asyncio.sleep(0.4)
    finally:
        os.kill(process.pid, signal.SIGCONT)


def test_without_net_raw_it_is_said_which_capability_is_missing(two: Lan) -> None:
    one, _ = two.nodes
    said = call_inside(
        one,
        lambda: subprocess.run(
            ["setpriv", "--bounding-set=-net_raw", sys.executable, "-c", OWNING, VIP],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=False,
            cwd=Path(__file__).parents[2],
        ),
    )
    assert NO_CAPABILITY in said.stdout + said.stderr
