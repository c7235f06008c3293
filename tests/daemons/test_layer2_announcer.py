"""The layer2 announcer on a real LAN: kernels ask, it answers for what it owns, and says what it meets."""

import asyncio
import ctypes
import sys
import time
from collections.abc import Callable
from ipaddress import ip_address

import msgspec
import pytest
from prometheus_client import REGISTRY

from openelb_bgp.layer2.ranks import rank
from openelb_bgp.layer2.sockets import NO_CAPABILITY
from openelb_bgp.model.addresses import Family
from openelb_bgp.model.facts import ProbeTarget
from openelb_bgp.model.members import Members
from openelb_bgp.model.meta import Kind, ref
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.statuses import PoolStatus
from openelb_bgp.runtime.clock import SystemClock
from tests.contract.process import eventually
from tests.daemons.harness.layer2 import OWN, Owner, cached, mac_of, resolve, resolves, say, with_owner
from tests.daemons.harness.netns import Lan, run
from tests.unit.layer2_world import address, endpoints, pool, service


@pytest.fixture
def lan(new_lan: Callable[..., Lan]) -> Lan:
    """The announcer's node, and a client."""
    return new_lan(nodes=2)


def before_us(number: int) -> list[str]:
    """Names of nodes that come before ours for an address, and then of some that come after."""
    names = [f"n{one}" for one in range(20, 60)]
    return [one for one in names if rank(one, address(number)) < rank(OWN, address(number))]


def after_us(number: int) -> list[str]:
    names = [f"n{one}" for one in range(20, 60)]
    return [one for one in names if rank(one, address(number)) > rank(OWN, address(number))]


def test_a_client_finds_the_owner_of_an_address_and_no_more_when_it_is_gone(lan: Lan) -> None:
    client = lan.nodes[1]

    async def scenario(owner: Owner) -> None:
        owner.add(service("web", address(0)))
        await owner.settle()
        assert await resolve(client, str(address(0))) == owner.link.mac
        assert owner.owned == {str(address(0))}
        assert REGISTRY.get_sample_value("openelb_layer2_owned") == 1
        answered = {"family": "IPv4", "result": "answered"}
        assert (REGISTRY.get_sample_value("openelb_layer2_requests_total", answered) or 0) >= 1
        assert owner.events == [
            ("NodeAssigned", f"node {OWN} answers for {address(0)} on eth0 ({owner.link.mac})")
        ]
        owner.services = {}
        await owner.settle()
        await resolves(client, str(address(0)), "")
        assert owner.owned == set()

    with_owner(lan, scenario)


STRANGER = "02:99:00:00:00:99"
V6 = ip_address("fd00:a::200")


def test_an_ipv6_address_is_answered_for_too(lan: Lan) -> None:
    async def scenario(owner: Owner) -> None:
        owner.put_pool(pool(text="10.0.0.100-10.0.0.250,fd00:a::200-fd00:a::20f"))
        owner.add(service("six", V6))
        six = msgspec.structs.replace(endpoints("six", OWN), family=Family.IPV6)
        owner.slices = dict.fromkeys(owner.slices, (six,))
        await owner.settle()
        assert await resolve(lan.nodes[1], str(V6)) == owner.link.mac
        assert owner.owned == {str(V6)}

    with_owner(lan, scenario)


def test_the_heir_of_a_silent_node_answers_at_once_and_says_from_whom_and_why(lan: Lan) -> None:
    async def scenario(owner: Owner) -> None:
        other = before_us(0)[0]
        owner.hear(other, "02:00:00:00:00:77")
        owner.add(service("web", address(0)))
        await owner.settle()
        assert (owner.owned, await resolve(lan.nodes[1], str(address(0)))) == (set(), "")
        assert owner.process.reasons["Service shop/web"] == "NotOwner"
        say(lan.nodes[1], address(0), "02:00:00:00:00:77")
        owner.hear(other, "02:00:00:00:00:77", alive=False)
        await owner.settle()
        assert await resolve(lan.nodes[1], str(address(0))) == owner.link.mac
        why = f"nothing is heard of node {other} on eth0; look at the node and its link"
        assert owner.events == [
            (
                "AddressMoved",
                f"{address(0)} moved from {other} to {OWN} on eth0 ({owner.link.mac}): {why}",
            )
        ]
        assert (
            REGISTRY.get_sample_value("openelb_layer2_failovers_total", {"reason": "NodeSilent"}) or 0
        ) >= 1

    with_owner(lan, scenario)


def test_an_address_that_a_stranger_has_is_not_announced_until_he_gives_it_up(lan: Lan) -> None:
    """So two clusters with the same pool on one LAN do not fight: whoever comes second says so."""
    stranger = lan.nodes[1]
    stranger.run("ip", "address", "add", f"{address(0)}/32", "dev", "eth0")

    async def scenario(owner: Owner) -> None:
        owner.add(service("web", address(0)), service("other", address(1)))
        await owner.settle()
        assert owner.owned == {str(address(1))}
        said = owner.process.last.left_out[ref(Kind.SERVICE, "web", namespace="shop")]
        assert said.reason is Reason.ADDRESS_CONFLICT
        assert mac_of(stranger) in said.message
        assert [one for one in owner.events if one[0] == "AddressConflict"] == [
            ("AddressConflict", said.message)
        ]
        stranger.run("ip", "address", "delete", f"{address(0)}/32", "dev", "eth0")
        await eventually(lambda: owner.owned == {str(address(0)), str(address(1))}, within=60.0, what="both")

    with_owner(lan, scenario)


def test_a_stranger_who_comes_later_is_reported_with_his_mac_and_not_fought(lan: Lan) -> None:
    async def scenario(owner: Owner) -> None:
        owner.add(service("web", address(0)))
        await owner.settle()

        def is_told() -> bool:
            say(lan.nodes[1], address(0), STRANGER)
            return owner.problems.get("Service shop/web") == "AddressConflict"

        await eventually(is_told, within=60.0, what="the report")
        assert STRANGER in owner.process.last.status.problems[0].message
        assert REGISTRY.get_sample_value("openelb_layer2_conflicts_total", {"by": "stranger"})
        assert owner.owned == {str(address(0))}
        assert await resolve(lan.nodes[1], str(address(0))) == owner.link.mac

    with_owner(lan, scenario)


def test_a_node_that_comes_first_and_is_not_heard_of_is_yielded_to_at_once_while_it_answers(lan: Lan) -> None:
    async def scenario(owner: Owner) -> None:
        rival, mac = before_us(0)[0], "02:00:00:00:00:77"
        owner.hear(rival, mac, alive=False)
        owner.add(service("web", address(0)))
        await owner.settle()
        assert owner.owned == {str(address(0))}
        owner.process.set_facts(answering=frozenset({address(0)}))
        say(lan.nodes[1], address(0), mac)
        await eventually(lambda: owner.owned == set(), within=5, what="that it yields")
        assert owner.process.last.probes == {ProbeTarget("eth0", address(0))}
        assert await resolve(lan.nodes[1], str(address(0))) == ""
        assert owner.process.reasons["Service shop/web"] == "NotOwner"
        owner.process.set_facts(answering=frozenset())
        await eventually(lambda: owner.owned == {str(address(0))}, within=60.0, what="that it is the owner")
        say(lan.nodes[1], address(0), mac)
        await eventually(lambda: owner.owned == set(), within=5, what="that it yields again")
        # Its heartbeats come back, and it has just started: the plan decides again.
        owner.hear(rival, mac)
        stable = owner.members.others[rival].interfaces["eth0"]
        fresh = msgspec.structs.replace(stable, stable_since=1e12)
        member = msgspec.structs.replace(owner.members.others[rival], interfaces={"eth0": fresh})
        owner.members = msgspec.structs.replace(owner.members, others={rival: member})
        owner.look()
        await eventually(lambda: owner.owned == {str(address(0))}, within=60.0, what="that it has it again")

    with_owner(lan, scenario)


@pytest.mark.parametrize("heard", [True, False])
def test_a_node_that_comes_after_us_is_answered_by_an_announcement(lan: Lan, heard: bool) -> None:
    client = lan.nodes[1]

    async def scenario(owner: Owner) -> None:
        rival, mac = after_us(0)[0], "02:00:00:00:00:77"
        owner.hear(rival, mac, alive=heard)
        owner.add(service("web", address(0)))
        await owner.settle()
        # Whatever is announced after a win has been said by then.
        await asyncio.sleep(4)
        assert await resolve(client, str(address(0))) == owner.link.mac
        say(client, address(0), mac)
        client.run(
            "ip", "neighbour", "replace", str(address(0)), "lladdr", mac, "nud", "stale", "dev", "eth0"
        )
        await eventually(
            lambda: cached(client, str(address(0))) == owner.link.mac,
            within=10,
            what="that it is put right",
        )
        assert owner.owned == {str(address(0))}

    with_owner(lan, scenario)


def test_a_node_that_all_plans_but_ours_would_choose_is_left_the_address(lan: Lan) -> None:
    """It has forgotten that the address has moved too often; one of us has to give in."""

    async def scenario(owner: Owner) -> None:
        rival, mac = before_us(0)[0], "02:00:00:00:00:77"
        owner.add(service("web", address(0)))
        for alive in (True, False, True, False, True, False, True, False):
            owner.hear(rival, mac, alive=alive)
            await owner.settle()
        owner.hear(rival, mac)
        await owner.settle()
        assert owner.owned == {str(address(0))}
        say(lan.nodes[1], address(0), mac)
        await eventually(lambda: owner.owned == set(), within=5, what="that it is left to the other")
        await owner.settle()
        assert owner.owned == set()

    with_owner(lan, scenario)


def test_a_node_that_answers_without_owning_is_reported_as_ipvs_without_strict_arp(lan: Lan) -> None:
    async def scenario(owner: Owner) -> None:
        other, mac = before_us(0)[0], "02:00:00:00:00:77"
        owner.hear(other, mac)
        owner.add(service("web", address(0), local=True), backed_by=(OWN,))
        await owner.settle()

        def is_told() -> bool:
            """Once may be news that travel; who goes on is no owner."""
            say(lan.nodes[1], address(0), mac)
            return owner.problems.get("Service shop/web") == "AnsweredByNode"

        assert not is_told()
        await eventually(is_told, within=60.0, what="the report")
        (said,) = [one.message for one in owner.process.last.status.problems]
        assert mac in said
        assert "strictARP" in said
        assert owner.owned == {str(address(0))}

    with_owner(lan, scenario)


def test_a_link_that_goes_and_one_that_changes_its_mac_are_followed(lan: Lan) -> None:
    node, client = lan.nodes

    async def scenario(owner: Owner) -> None:
        owner.add(service("web", address(0)))
        await owner.settle()
        assert await resolve(client, str(address(0))) == owner.link.mac
        node.run("ip", "link", "set", "eth0", "address", "02:00:00:00:00:0b")
        await eventually(
            lambda: cached(client, str(address(0))) == "02:00:00:00:00:0b", within=10, what="the new MAC"
        )
        lan.set_carrier(node, up=False)
        await eventually(lambda: owner.owned == set(), within=60.0, what="nothing owned")
        assert owner.process.reasons["Service shop/web"] == "InterfaceDown"
        lan.set_carrier(node, up=True)
        await eventually(lambda: owner.owned == {str(address(0))}, within=60.0, what="it is owned again")
        await resolves(client, str(address(0)), "02:00:00:00:00:0b")

    with_owner(lan, scenario)


def test_a_process_that_may_not_use_raw_sockets_says_which_capability_and_leaves_it_to_others(
    lan: Lan,
) -> None:
    async def scenario(owner: Owner) -> None:
        owner.add(service("web", address(0)))
        await owner.settle()
        assert owner.owned == set()
        told = owner.process.last
        assert told.heartbeats == frozenset()
        assert told.status.pools == (PoolStatus(name="lan", reason="RawSocketsImpossible"),)
        assert owner.problems[f"Node {OWN}"] == "RawSocketsImpossible"
        assert "NET_RAW" in told.status.problems[0].message

    with_owner(lan, scenario, incapable=NO_CAPABILITY)


def test_a_process_that_was_away_answers_nothing_before_it_has_looked_again(lan: Lan) -> None:
    client = lan.nodes[1]

    async def scenario(owner: Owner) -> None:
        owner.add(service("web", address(0)))
        await owner.settle()
        client.run("ip", "neighbour", "flush", "dev", "eth0")
        later = ("sh", "-c", f"sleep 1; exec ping -c1 -W1 {address(0)}")
        asking = await asyncio.create_subprocess_exec(*client.argv(*later), stdout=asyncio.subprocess.DEVNULL)
        # The kernel asks three times, a second apart, while this process stands still, all of its threads.
        ctypes.PyDLL(None).sleep(6)
        owner.members = Members(void=True)
        owner.look()
        await asking.wait()
        assert cached(client, str(address(0))) == ""

    with_owner(lan, scenario)


def test_what_is_owned_is_answered_for_while_the_speaker_computes(lan: Lan) -> None:
    client = lan.nodes[1]

    async def scenario(owner: Owner) -> None:
        owner.add(service("web", address(0)))
        await owner.settle()
        client.run("ip", "neighbour", "flush", "dev", "eth0")
        asking = await asyncio.create_subprocess_exec(
            *client.argv("ping", "-c1", "-W1", str(address(0))), stdout=asyncio.subprocess.DEVNULL
        )
        # The kernel asks three times, a second apart.
        until = time.monotonic() + 4
        while time.monotonic() < until and not cached(client, str(address(0))):
            pass
        assert cached(client, str(address(0))) == owner.link.mac
        await asking.wait()

    with_owner(lan, scenario)


class BreakingClock(SystemClock):
    """The real one; it breaks for whoever handles a frame, as often as it is told to."""

    breaks = 0

    def wall(self) -> float:
        if self.breaks:
            self.breaks -= 1
            raise RuntimeError("the clock is broken")
        return super().wall()


def test_what_fails_while_it_answers_is_told_and_begins_again(lan: Lan) -> None:
    clock = BreakingClock()

    async def scenario(owner: Owner) -> None:
        owner.add(service("web", address(0)))
        await owner.settle()
        clock.breaks = 1
        client, target = lan.nodes[1], str(address(0))
        await resolve(client, target)
        await eventually(lambda: "has failed" in str(owner.process.told), within=60.0, what="the failure")
        await resolves(client, target, owner.link.mac)
        await owner.settle()
        assert owner.owned == {target} and owner.problems == {}
        told = [one for one in owner.process.told if "has failed (RuntimeError" in str(one.status.problems)]
        assert told[0].status.layer2.owned == () and told[0].status.pools[0].reason == "RawSocketsImpossible"

    with_owner(lan, scenario, clock=clock)


def test_a_node_that_stops_answers_until_another_has_taken_over(lan: Lan) -> None:
    client = lan.nodes[1]

    async def scenario(owner: Owner) -> None:
        heir, mac = after_us(0)[0], "02:00:00:00:00:77"
        owner.hear(heir, mac)
        owner.add(service("web", address(0)))
        await owner.settle()
        closing = asyncio.create_task(owner.process.announcer.close(withdraw=False))
        await asyncio.sleep(0)
        assert await resolve(client, str(address(0))) == owner.link.mac
        say(client, address(0), mac)
        await closing
        await resolves(client, str(address(0)), "")

    with_owner(lan, scenario)


@pytest.mark.parametrize(("dropped", "may"), [((), "True"), (("--bounding-set", "-net_raw"), "False")])
def test_whether_raw_sockets_may_be_used_is_known_before_anything_is_owned(
    dropped: tuple[str, ...], may: str
) -> None:
    code = "from openelb_bgp.answering import may_use_raw_sockets; print(may_use_raw_sockets())"
    assert run("setpriv", *dropped, sys.executable, "-c", code).strip() == may
