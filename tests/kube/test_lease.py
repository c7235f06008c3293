"""Leader election by processes against a real API server: one is killed, stopped, cut off, and nobody writes
once another may.
"""

import json
import signal
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lab.cluster.api import Api
from tests.daemons.harness.processes import Daemon
from tests.daemons.harness.waiting import wait_until
from tests.kube.accounts import WRITER, Account, make_account
from tests.kube.candidate import LEASE, TIMES
from tests.kube.faulty_proxy import FaultyProxy
from tests.kube.harness.control_plane import ControlPlane


class Process:
    """A candidate in a process of its own, behind a proxy of its own."""

    def __init__(self, name: str, namespace: str, account: Account, proxy: FaultyProxy, log: Path) -> None:
        self.name = name
        self.proxy = proxy
        environment = [f"{key}={value}" for key, value in account.environment(proxy.url).items()]
        program = (sys.executable, "-m", "tests.kube.candidate", name, namespace)
        self.daemon = Daemon(("env", *environment, *program), log=log)
        self.daemon.start()

    def events(self, *wanted: str) -> list[dict[str, Any]]:
        """What it has said, of these events."""
        lines = [line for line in self.daemon.output().splitlines() if line.startswith('{"event":')]
        found = [json.loads(line) for line in lines if '"at":' in line]
        return [one for one in found if one["event"] in wanted]

    def creations(self) -> int:
        """How many writes have reached the proxy."""
        return len(
            [one for one in self.proxy.requests if one.verb == "create" and one.resource == "configmaps"]
        )

    def renewals(self) -> int:
        """How often it has renewed its Lease."""
        return len([one for one in self.proxy.requests if one.verb == "update" and one.resource == "leases"])

    async def wrote(self, more: int = 1) -> None:
        """Return when it has written that often from now on."""
        before = len(self.events("wrote"))
        await wait_until(
            lambda: len(self.events("wrote")) >= before + more or None,
            within=20,
            what=f"writes by {self.name}",
        )


Start = Callable[[str], Process]


@pytest.fixture
def start(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> Iterator[Start]:
    account = make_account(control_plane, tmp_path, WRITER)
    started: list[Process] = []

    def start(name: str) -> Process:
        proxy = FaultyProxy(control_plane)
        proxy.__enter__()
        started.append(Process(name, namespace, account, proxy, tmp_path / f"{name}.log"))
        return started[-1]

    yield start
    for one in started:
        one.daemon.end()
        one.proxy.__exit__()


def writers(api: Api, namespace: str) -> list[str]:
    """Who wrote, in the order in which the API server took it, each once for all writes in a row."""
    made = [one["metadata"] for one in api.items("ConfigMap", namespace=namespace)]
    ordered = sorted((int(one["resourceVersion"]), one["name"]) for one in made if "-" in one["name"])
    names = [name.partition("-")[0] for _, name in ordered if not name.startswith("kube")]
    return [name for index, name in enumerate(names) if index == 0 or names[index - 1] != name]


def holder(api: Api, namespace: str) -> str:
    found = api.find("Lease", LEASE, namespace=namespace)
    return str((found or {}).get("spec", {}).get("holderIdentity") or "")


async def test_a_leader_that_leaves_hands_over_at_once(start: Start, api: Api, namespace: str) -> None:
    a = start("a")
    await a.wrote()
    b = start("b")
    await wait_until(lambda: b.events("stands"), within=60, what="the other candidate")
    await a.wrote(20)
    a.daemon.end(signal.SIGTERM)
    await b.wrote(20)
    assert (a.daemon.exit_code, holder(api, namespace), writers(api, namespace)) == (0, "b", ["a", "b"])
    (led,) = b.events("leads")
    assert led["settles_in"] <= 0
    assert led["at"] - a.events("led")[-1]["at"] < TIMES.duration


async def test_a_killed_leader_is_followed_once_all_it_sent_must_have_arrived(
    start: Start, api: Api, namespace: str
) -> None:
    a = start("a")
    await a.wrote()
    b = start("b")
    await a.wrote(20)
    a.daemon.end(signal.SIGKILL)
    await b.wrote(5)
    assert writers(api, namespace) == ["a", "b"]
    last, first = a.events("wrote")[-1]["at"], b.events("wrote")[0]["at"]
    (led,) = b.events("leads")
    assert led["at"] - last >= TIMES.duration - TIMES.renew - TIMES.request
    # Between the taking and its line in the log some time passes, too.
    assert first - led["at"] >= TIMES.duration + TIMES.request - 0.25


async def test_a_leader_that_is_stopped_beyond_its_lease_writes_nothing_when_it_wakes(
    start: Start, api: Api, namespace: str
) -> None:
    a = start("a")
    await a.wrote()
    b = start("b")
    await a.wrote(20)
    a.daemon.pause()
    await b.wrote(5)
    sent = a.creations()
    a.daemon.resume()
    await wait_until(lambda: a.events("led") or None, within=10, what="the end of a's term")
    await b.wrote(20)
    assert (a.creations(), writers(api, namespace), holder(api, namespace)) == (sent, ["a", "b"], "b")


async def test_a_leader_whose_clock_is_set_forward_goes_on_and_is_followed_no_sooner_and_no_later(
    start: Start, api: Api, namespace: str
) -> None:
    a = start("a")
    await a.wrote()
    b = start("b")
    await wait_until(lambda: b.events("stands"), within=60, what="the other candidate")
    a.daemon.send(signal.SIGUSR1)
    await wait_until(lambda: a.events("set"), within=20, what="the clock set forward")
    asked = a.renewals()
    await wait_until(lambda: a.renewals() > asked + 2 * TIMES.duration / TIMES.renew, within=30)
    await a.wrote(5)
    lease = api.get("Lease", LEASE, namespace=namespace)["spec"]
    assert datetime.fromisoformat(lease["renewTime"]) > datetime.now(UTC) + timedelta(minutes=59)
    assert (writers(api, namespace), len(a.events("leads")), b.events("leads")) == (["a"], 1, [])
    a.daemon.end(signal.SIGKILL)
    await b.wrote(5)
    last, (led,) = a.events("wrote")[-1]["at"], b.events("leads")
    assert led["at"] - last >= TIMES.duration - TIMES.renew - TIMES.request
    assert writers(api, namespace) == ["a", "b"]


async def test_a_leader_that_is_cut_off_sends_nothing_after_its_time_and_comes_back_as_a_candidate(
    start: Start, api: Api, namespace: str
) -> None:
    a = start("a")
    await a.wrote()
    b = start("b")
    await a.wrote(20)
    a.proxy.refuse()
    await b.wrote(5)
    (ended,) = a.events("led")
    assert ended["at"] < b.events("leads")[0]["at"]
    a.proxy.accept()
    b.daemon.end(signal.SIGTERM)
    await a.wrote(5)
    assert writers(api, namespace) == ["a", "b", "a"]


async def test_an_outage_of_the_api_server_ends_a_term_and_the_next_leader_is_the_only_one(
    start: Start, api: Api, namespace: str
) -> None:
    a, b = start("a"), start("b")
    await wait_until(lambda: len(a.events("wrote") + b.events("wrote")) > 20 or None, within=20)
    for one in (a, b):
        one.proxy.refuse()
    leader = a if a.events("leads") else b
    await wait_until(lambda: leader.events("led") or None, within=10, what="the end of the term")
    for one in (a, b):
        one.proxy.accept()
    before = len(writers(api, namespace))
    await wait_until(lambda: len(a.events("leads") + b.events("leads")) == 2 or None, within=20)
    winner = max((a, b), key=lambda one: max((e["at"] for e in one.events("leads")), default=0.0))
    await winner.wrote(20)
    assert before == 1 and len(writers(api, namespace)) <= 2
