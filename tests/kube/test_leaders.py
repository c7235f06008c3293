"""Two controllers, and an API server that fails them: each address is given once, and none is lost."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.cluster.api import Api, Object
from lab.cluster.installation import SYSTEM
from lab.cluster.kubelet import service
from openelb_bgp.model import keys
from tests.daemons.harness.manifests import eip
from tests.daemons.harness.waiting import stays, wait_until
from tests.kube.faulty_proxy import FaultyProxy
from tests.kube.harness.cleaning import make_namespace
from tests.kube.harness.control_plane import ControlPlane
from tests.kube.harness.ours import Ours, Seen, controller, ready_cluster
from tests.kube.harness.requests import Where

MANAGED = {keys.MANAGED_ANNOTATION: keys.MANAGED_VALUE}
POOL = "192.0.2.0/24"


class Pair:
    """Two controllers, the first behind a proxy of its own; `namespace` holds the Services."""

    def __init__(self, control_plane: ControlPlane, folder: Path) -> None:
        self.api: Api = ready_cluster(control_plane, "node1", "node2")
        self.seen = Seen(self.api)
        self.namespace = make_namespace(self.api)
        self.proxy = FaultyProxy(control_plane)
        self.proxy.__enter__()
        port = int(self.proxy.url.rpartition(":")[2])
        self.first = controller(control_plane, folder, port=port)
        self.second = controller(control_plane, folder, node="node2")
        self.made = 0
        self.api.create(eip("pool", POOL, default=True))

    def close(self) -> None:
        """End both."""
        for one in (self.first, self.second):
            one.daemon.end()
        self.proxy.__exit__()

    async def lead_by_the_first(self) -> None:
        """Start the first, and once it leads the second; returns when that stands by."""
        self.first.start()
        await leads(self.first)
        self.second.start()
        await wait_until(lambda: self.second.logged("started"), within=60, what="the second")

    def create(self, count: int) -> None:
        """Make so many Services more."""
        for _ in range(count):
            self.made += 1
            self.api.create(
                service(
                    f"web{self.made}",
                    namespace=self.namespace,
                    annotations=MANAGED,
                    allocateLoadBalancerNodePorts=False,
                )
            )

    def addresses(self) -> dict[str, list[str]]:
        """The addresses of each Service, by name."""
        found: dict[str, list[str]] = {}
        for one in self.api.items("Service", namespace=self.namespace):
            ingress = one["status"]["loadBalancer"].get("ingress", ())
            found[one["metadata"]["name"]] = [entry["ip"] for entry in ingress]
        return found

    async def all_served(self, *, within: float = 30.0) -> dict[str, list[str]]:
        """Return the addresses once each Service has exactly one, of its own."""

        def served() -> dict[str, list[str]] | None:
            found = self.addresses()
            return found if all(len(one) == 1 for one in found.values()) else None

        found = await wait_until(served, within=within, what="an address for each Service")
        assert len(found) == self.made
        assert not doubles(found)
        return found


def doubles(addresses: dict[str, list[str]]) -> list[str]:
    """The addresses that more than one Service has."""
    count = Counter(one for each in addresses.values() for one in each)
    return [address for address, holders in count.items() if holders > 1]


async def leads(ours: Ours, *, times: int = 1, within: float = 60.0) -> None:
    """Return once it has begun to lead for that time."""
    await wait_until(lambda: len(ours.logged("leading")) >= times, within=within, what="the leader")


@pytest.fixture
def pair(control_plane: ControlPlane, tmp_path: Path) -> Iterator[Pair]:
    made = Pair(control_plane, tmp_path)
    yield made
    made.close()


async def test_idle_a_leader_asks_for_nothing_but_its_lease(pair: Pair) -> None:
    await pair.lead_by_the_first()
    pair.create(3)
    await pair.all_served()
    leases = Where(resource="leases")

    def asked() -> list[str]:
        requests = [one for one in pair.proxy.requests if one.verb != "watch" and not leases.matches(one)]
        return [f"{one.verb} {one.resource}" for one in requests]

    async def quiet() -> bool:
        before = len(asked())
        await asyncio.sleep(2.0)
        return len(asked()) == before

    await wait_until(quiet, within=60, what="an idle controller")
    before = asked()
    await stays(lambda: asked() == before, during=8.0, what="no request but the Lease's and watches")


async def test_a_killed_leader_is_followed_by_the_other_and_no_address_moves(pair: Pair) -> None:
    await pair.lead_by_the_first()
    pair.create(10)
    before = await pair.all_served()
    pair.create(10)
    pair.first.daemon.end(signal.SIGKILL)
    await leads(pair.second)
    after = await pair.all_served()
    assert {name: after[name] for name in before} == before


async def test_a_leader_that_ends_in_order_makes_nobody_wait(pair: Pair) -> None:
    await pair.lead_by_the_first()
    pair.create(3)
    before = await pair.all_served()
    assert pair.first.terminate() == 0
    pair.create(3)
    after = await pair.all_served()
    assert pair.second.logged("leading", settles_in=0.0)
    assert {name: after[name] for name in before} == before


async def test_a_leader_that_ends_with_a_write_on_its_way_makes_the_next_one_wait_for_it(pair: Pair) -> None:
    await pair.lead_by_the_first()
    late = 2.5
    pair.proxy.delay(late, verb="patch", resource="services/status")
    pair.create(1)
    await wait_until(
        lambda: Where(verb="patch", resource="services/status").matches(pair.proxy.requests[-1]),
        within=20,
        what="the write",
    )
    sent = time.monotonic()
    assert pair.first.terminate() == 0
    assert pair.first.logged("lease_kept")
    assert pair.api.get("Lease", "openelb-controller", namespace=SYSTEM)["spec"].get("holderIdentity")
    pair.create(1)
    await leads(pair.second)
    await pair.all_served()
    # Before that write was over, nobody else gave an address.
    assert time.monotonic() - sent > late


async def test_a_leader_that_was_paused_beyond_its_lease_writes_nothing_when_it_wakes(pair: Pair) -> None:
    await pair.lead_by_the_first()
    pair.create(5)
    await pair.all_served()
    pair.first.daemon.pause()
    pair.create(20)
    await leads(pair.second)
    given = await pair.all_served()
    asked = len(pair.proxy.requests)
    pair.first.daemon.resume()
    await wait_until(
        lambda: pair.first.logged("leadership_lost") or pair.first.logged("leadership_taken"),
        within=20,
        what="the end of its leadership",
    )
    pair.create(5)
    after = await pair.all_served()
    assert {name: after[name] for name in given} == given
    late = pair.proxy.requests[asked:]
    assert [one for one in late if one.verb == "patch"] == []


async def test_a_leader_that_is_cut_off_is_followed_and_comes_back_as_a_follower(pair: Pair) -> None:
    await pair.lead_by_the_first()
    pair.create(5)
    before = await pair.all_served()
    pair.proxy.freeze()
    pair.create(10)
    await leads(pair.second)
    given = await pair.all_served()
    pair.proxy.thaw()
    pair.second.daemon.end(signal.SIGKILL)
    pair.create(5)
    await leads(pair.first, times=2)
    after = await pair.all_served()
    assert {name: after[name] for name in given} == given
    assert {name: given[name] for name in before} == before


async def test_answers_that_are_lost_and_servers_that_are_busy_cost_no_address(pair: Pair) -> None:
    """Whether a write was made nobody knows then: what was given is not given to another."""
    pair.first.start()
    await leads(pair.first)
    pair.proxy.lose_the_answer(verb="patch", resource="services/status", times=3)
    pair.proxy.answer(429, verb="patch", resource="services/status", retry_after=1, times=3)
    pair.proxy.answer(500, verb="patch", resource="services/status", times=3)
    pair.proxy.never_answer(verb="patch", resource="services/status", times=2)
    pair.create(20)
    given = await pair.all_served()
    assert sorted(one for each in given.values() for one in each) == sorted(
        f"192.0.2.{number}" for number in range(20)
    )


async def test_one_service_that_cannot_be_written_holds_up_no_other_and_is_told_why(pair: Pair) -> None:
    pair.first.start()
    await leads(pair.first)
    rule = pair.proxy.answer(
        *(403,), reason="Forbidden", verb="patch", resource="services/status", name="web1", times=0
    )
    pair.create(5)
    await wait_until(
        lambda: sum(map(bool, pair.addresses().values())) == 4, within=15, what="four of five addresses"
    )
    await wait_until(
        lambda: "AssignIPFailed" in dict(pair.seen.events("web1")),
        within=15,
        what="the event about the fifth",
    )
    rule.remove()
    await pair.all_served(within=60)


async def test_an_address_that_cannot_be_taken_back_is_told_and_taken_back_later(pair: Pair) -> None:
    pair.first.start()
    await leads(pair.first)
    pair.create(2)
    await pair.all_served()
    rule = pair.proxy.answer(
        *(403,), reason="Forbidden", verb="patch", resource="services/status", name="web1", times=0
    )
    unmanaged: Object = {"metadata": {"annotations": {keys.MANAGED_ANNOTATION: None}}}
    for name in ("web1", "web2"):
        pair.api.patch("Service", name, unmanaged, namespace=pair.namespace)
    await pair.seen.released(f"{pair.namespace}/web2", within=30)
    await wait_until(
        lambda: "ReleaseIPFailed" in dict(pair.seen.events("web1")), within=15, what="the event about it"
    )
    assert "AssignIPFailed" not in dict(pair.seen.events("web1"))
    # Nobody else is given it meanwhile.
    held = pair.addresses()["web1"]
    pair.create(1)
    await pair.seen.allocated(f"{pair.namespace}/web3", within=30)
    assert pair.addresses()["web3"] != held
    rule.remove()
    await pair.seen.released(f"{pair.namespace}/web1", within=60)


async def test_one_service_whose_write_is_never_answered_keeps_no_other_waiting(pair: Pair) -> None:
    """Nobody knows whether it has its address: for a moment that is waited for, and then it is counted."""
    pair.first.start()
    await leads(pair.first)
    unanswered = Where(verb="patch", resource="services/status", name="web1")
    rule = pair.proxy.never_answer(verb="patch", resource="services/status", name="web1", times=0)
    pair.create(1)
    await wait_until(
        lambda: any(map(unanswered.matches, pair.proxy.requests)), within=60, what="the first one's write"
    )
    pair.create(1)
    await wait_until(lambda: pair.addresses()["web2"], within=15, what="an address for the second")
    rule.remove()
    await pair.all_served(within=60)


async def test_services_that_come_and_go_while_no_controller_runs_are_made_up_for(pair: Pair) -> None:
    await pair.lead_by_the_first()
    pair.create(6)
    before = await pair.all_served()
    for one in (pair.first, pair.second):
        one.daemon.end(signal.SIGKILL)
    pair.api.delete("Service", "web1", namespace=pair.namespace)
    unmanaged: Object = {"metadata": {"annotations": {keys.MANAGED_ANNOTATION: None}}}
    pair.api.patch("Service", "web2", unmanaged, namespace=pair.namespace)
    pair.create(2)
    pair.first.start()
    released = f"{pair.namespace}/web2"
    await pair.seen.released(released, within=60)
    pair.api.delete("Service", "web2", namespace=pair.namespace)
    pair.made -= 2
    after = await pair.all_served()
    kept = [name for name in before if name in after]
    assert len(kept) == 4 and all(after[name] == before[name] for name in kept)
