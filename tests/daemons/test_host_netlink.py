"""A node's links, addresses and gateways followed in a namespace, as `ip` changes them."""

import asyncio
from collections.abc import Awaitable, Callable
from ipaddress import ip_address

import pytest

from openelb_bgp.host.netlink import HostFollower, HostState, read_host
from openelb_bgp.model.facts import Gateway, Link
from tests.daemons.harness.inside import run_inside
from tests.daemons.harness.netns import Lan, Namespace
from tests.daemons.harness.waiting import stays, wait_until

DEADLINE = 5.0


class Follower:
    """Reads every state as it comes."""

    def __init__(self) -> None:
        self.states: list[HostState] = []
        self.host = HostFollower()

    async def read(self) -> None:
        """Read for ever."""
        async for state in self.host.states():
            self.states.append(state)

    async def until(self, wanted: Callable[[HostState], bool]) -> HostState:
        """Wait until the last state is as wanted, and return it."""
        await wait_until(lambda: self.states and wanted(self.states[-1]), within=DEADLINE, what="the state")
        return self.states[-1]


def follow(space: Namespace, scenario: Callable[[Follower], Awaitable[None]]) -> None:
    """Run a scenario inside with a follower that has read the first state."""

    async def run() -> None:
        follower = Follower()
        reading = asyncio.create_task(follower.read())
        await follower.until(lambda state: bool(state.links))
        await scenario(follower)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading

    run_inside(space, run)


def link(state: HostState, name: str = "eth0") -> Link | None:
    return next((one for one in state.links if one.name == name), None)


def addresses(state: HostState, name: str = "eth0") -> set[str]:
    found = link(state, name)
    return set() if found is None else {str(one) for one in found.addresses}


def is_up(state: HostState) -> bool:
    found = link(state)
    return found is not None and found.up


@pytest.fixture
def node(lan: Lan) -> Namespace:
    return lan.nodes[0]


def ip(space: Namespace, command: str) -> None:
    space.run("ip", *command.split())


def test_reads_links_with_their_macs_and_addresses(node: Namespace) -> None:
    ip(node, "link set eth0 address 02:00:00:00:00:0a")
    state = run_inside(node, read_host)
    found = link(state)
    assert found is not None
    assert (found.name, found.mac, found.up) == ("eth0", "02:00:00:00:00:0a", True)
    assert {f"{node.v4}/24", f"{node.v6}/64"} <= addresses(state)
    assert state.links[0].name == "lo"
    assert state.gateways == ()


def test_follows_a_link_that_is_switched_off_and_on(node: Namespace) -> None:
    async def scenario(follower: Follower) -> None:
        await follower.until(is_up)
        ip(node, "link set eth0 down")
        await follower.until(lambda state: not is_up(state))
        ip(node, "link set eth0 up")
        await follower.until(is_up)

    follow(node, scenario)


def test_a_link_without_carrier_is_not_up(lan: Lan, node: Namespace) -> None:
    async def scenario(follower: Follower) -> None:
        await follower.until(is_up)
        lan.set_carrier(node, up=False)
        await follower.until(lambda state: not is_up(state))
        lan.set_carrier(node, up=True)
        await follower.until(is_up)

    follow(node, scenario)


def test_follows_links_that_come_are_renamed_and_go(node: Namespace) -> None:
    async def scenario(follower: Follower) -> None:
        ip(node, "link add bond7 type bridge")
        await follower.until(lambda state: link(state, "bond7") is not None)
        ip(node, "link set bond7 name bond8")
        state = await follower.until(lambda state: link(state, "bond8") is not None)
        assert link(state, "bond7") is None
        ip(node, "link delete bond8")
        await follower.until(lambda state: link(state, "bond8") is None)

    follow(node, scenario)


@pytest.mark.parametrize("address", ["192.0.2.7/24", "2001:db8::7/64"])
def test_follows_addresses(node: Namespace, address: str) -> None:
    async def scenario(follower: Follower) -> None:
        ip(
            node,
            f"address add {address} dev eth0 nodad" if ":" in address else f"address add {address} dev eth0",
        )
        await follower.until(lambda state: address in addresses(state))
        ip(node, f"address delete {address} dev eth0")
        await follower.until(lambda state: address not in addresses(state))

    follow(node, scenario)


def test_an_address_under_duplicate_detection_is_none_yet(node: Namespace) -> None:
    node.run("sysctl", "-qw", "net.ipv6.conf.all.accept_dad=1", "net.ipv6.conf.eth0.accept_dad=1")

    async def scenario(follower: Follower) -> None:
        ip(node, "address add 2001:db8::7/64 dev eth0")
        assert "2001:db8::7/64" not in addresses(await read_host())
        await follower.until(lambda state: "2001:db8::7/64" in addresses(state))

    follow(node, scenario)


@pytest.mark.parametrize(
    ("routes", "gateways"),
    [
        pytest.param(
            ["route add default via 10.0.0.1"],
            [Gateway(4, 0, "10.0.0.1", "eth0")],
            id="one",
        ),
        pytest.param(
            ["route add default via 10.0.0.2 metric 200", "route add default via 10.0.0.1 metric 100"],
            [Gateway(4, 100, "10.0.0.1", "eth0"), Gateway(4, 200, "10.0.0.2", "eth0")],
            id="two metrics, the lower first",
        ),
        pytest.param(
            ["route add default nexthop via 10.0.0.1 nexthop via 10.0.0.2"],
            [Gateway(4, 0, "10.0.0.1", "eth0"), Gateway(4, 0, "10.0.0.2", "eth0")],
            id="ECMP",
        ),
        pytest.param(
            ["-6 route add default nexthop via fd00:a::1 nexthop via fd00:a::2"],
            [Gateway(6, 1024, "fd00:a::1", "eth0"), Gateway(6, 1024, "fd00:a::2", "eth0")],
            id="ECMP of IPv6",
        ),
        pytest.param(
            [
                "nexthop add id 1 via 10.0.0.1 dev eth0",
                "nexthop add id 2 via 10.0.0.2 dev eth0",
                "nexthop add id 3 group 1/2",
                "route add default nhid 3",
            ],
            [Gateway(4, 0, "10.0.0.1", "eth0"), Gateway(4, 0, "10.0.0.2", "eth0")],
            id="ECMP by nexthop objects",
        ),
        pytest.param(
            ["-6 route add default via fe80::1 dev eth0 proto ra metric 100"],
            [Gateway(6, 100, "fe80::1", "eth0")],
            id="a link-local router",
        ),
        pytest.param(
            [
                "link add cni0 type bridge",
                "link set cni0 up",
                "address add 192.0.2.7/24 dev cni0",
                "route add default via 192.0.2.1 dev cni0",
            ],
            [Gateway(4, 0, "192.0.2.1", "cni0")],
            id="by an interface of the CNI, which others judge",
        ),
        pytest.param(["route add default dev eth0"], [], id="without a gateway"),
        pytest.param(["route add blackhole default"], [], id="a blackhole"),
        pytest.param(["route add default via 10.0.0.1 table 100"], [], id="in another table"),
        pytest.param(["route add 192.0.2.0/24 via 10.0.0.1"], [], id="no default route"),
    ],
)
def test_reads_the_gateways_of_default_routes(
    node: Namespace, routes: list[str], gateways: list[Gateway]
) -> None:
    for route in routes:
        ip(node, route)
    assert list(run_inside(node, read_host).gateways) == gateways


def test_follows_default_routes_as_next_hops_come_and_go(node: Namespace) -> None:
    def addresses_of(state: HostState) -> list[str]:
        return [one.address for one in state.gateways]

    async def scenario(follower: Follower) -> None:
        ip(node, "route add default via 10.0.0.1")
        await follower.until(lambda state: addresses_of(state) == ["10.0.0.1"])
        ip(node, "route replace default nexthop via 10.0.0.1 nexthop via 10.0.0.2")
        await follower.until(lambda state: addresses_of(state) == ["10.0.0.1", "10.0.0.2"])
        ip(node, "-6 route add default via fe80::1 dev eth0")
        await follower.until(lambda state: addresses_of(state) == ["10.0.0.1", "10.0.0.2", "fe80::1"])
        ip(node, "route delete default")
        await follower.until(lambda state: addresses_of(state) == ["fe80::1"])
        ip(node, "-6 route delete default")
        await follower.until(lambda state: addresses_of(state) == [])

    follow(node, scenario)


def test_follows_the_routes_to_addresses_that_are_asked_for(node: Namespace) -> None:
    near, far, own = (ip_address(text) for text in ("10.0.0.200", "192.0.2.7", str(node.v4)))
    ip(node, "link set lo up")

    async def scenario(follower: Follower) -> None:
        assert follower.states[-1].routes == {}
        follower.host.aim(frozenset({near, far, own}))
        await follower.until(lambda state: state.routes == {near: "eth0", far: "", own: "lo"})
        ip(node, "-6 route add fd00:b::/64 via fd00:a::1")
        ip(node, "route add 192.0.2.0/24 via 10.0.0.1")
        await follower.until(lambda state: state.routes[far] == "eth0")
        ip(node, "route replace blackhole 192.0.2.0/24")
        await follower.until(lambda state: state.routes[far] == "")
        ip(node, "rule add to 192.0.2.0/24 lookup 100")
        ip(node, "route add 192.0.2.0/24 via 10.0.0.1 table 100")
        await follower.until(lambda state: state.routes[far] == "eth0")
        follower.host.aim(frozenset({ip_address("fd00:b::7")}))
        await follower.until(lambda state: state.routes == {ip_address("fd00:b::7"): "eth0"})

    follow(node, scenario)


def test_a_default_route_goes_with_its_link(node: Namespace) -> None:
    ip(node, "route add default via 10.0.0.1")

    async def scenario(follower: Follower) -> None:
        await follower.until(lambda state: len(state.gateways) == 1)
        ip(node, "link set eth0 down")
        await follower.until(lambda state: state.gateways == ())

    follow(node, scenario)


def test_a_burst_of_changes_becomes_few_states_and_loses_none(node: Namespace) -> None:
    wanted = {f"198.51.{i // 200}.{i % 200}/32" for i in range(400)}

    async def scenario(follower: Follower) -> None:
        before = len(follower.states)
        batch = "".join(f"address add {one} dev eth0\n" for one in wanted)
        # In a thread, so that the states are read meanwhile.
        await asyncio.to_thread(node.run, "ip", "-batch", "-", stdin=batch)
        await follower.until(lambda state: wanted <= addresses(state))
        assert len(follower.states) - before < 10

    follow(node, scenario)


def test_what_changes_nothing_for_us_makes_no_new_state(node: Namespace) -> None:
    async def scenario(follower: Follower) -> None:
        # The last that Linux does by itself on a new link.
        await follower.until(lambda state: any(one.startswith("fe80:") for one in addresses(state)))
        before = len(follower.states)
        for _ in range(5):
            ip(node, "route add 192.0.2.0/24 via 10.0.0.1")
            ip(node, "route delete 192.0.2.0/24")
            await stays(lambda: len(follower.states) == before, during=0.1, what="no new state")
        ip(node, "address add 198.51.100.7/32 dev eth0")
        await follower.until(lambda state: "198.51.100.7/32" in addresses(state))
        assert len(follower.states) == before + 1

    follow(node, scenario)
