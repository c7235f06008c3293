"""Health checks in virtual time: asked until they pass, then never again, not by a successor either."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from ipaddress import ip_address
from pathlib import Path

import pytest

from openelb_bgp.host.health_check import Answer
from openelb_bgp.host.health_checks import HealthChecks, pause_after
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.forwarding import CheckFact, HealthFact
from openelb_bgp.model.meta import Key
from tests.unit.virtual_time import VirtualClock, settle

NODE_PORT = 10256
DNS, WEB = Key("shop", "dns"), Key("shop", "web")
REFUSED = Answer(nobody=True, words="has no listener")
SAYS_503 = Answer(words="answers 503")
PASSED = Answer(passed=True, words="answers 200")
HERE = (ip_address("10.0.0.11"),)


class Ports:
    """Answers on ports; where there is none nobody listens. `asked` are the questions."""

    def __init__(self) -> None:
        self.answers: dict[int, Answer] = {}
        self.asked: list[int] = []
        self.silent: set[int] = set()

    async def ask(self, port: int, addresses: Iterable[Address]) -> Answer:
        assert tuple(addresses) == HERE
        self.asked.append(port)
        if port in self.silent:
            await asyncio.get_running_loop().create_future()
        return self.answers.get(port, REFUSED)


class Node:
    """A node over one boot; `checks` starts another process's checks on it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock, self.ports = folder, VirtualClock(), Ports()
        self.changes = 0

    def _changed(self) -> None:
        self.changes += 1

    @contextlib.asynccontextmanager
    async def checks(
        self, services: dict[Key, int] | None = None, *, boot: str = "boot"
    ) -> AsyncIterator[HealthChecks]:
        checks = HealthChecks(
            self.folder,
            node_port=NODE_PORT,
            boot_id=boot,
            booted=0.0,
            clock=self.clock,
            changed=self._changed,
            ask=self.ports.ask,
        )
        checks.aim(services or {}, HERE)
        task = asyncio.create_task(checks.run())
        await settle()
        try:
            yield checks
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


async def test_is_asked_until_it_passes_and_then_never_again(node: Node) -> None:
    async with node.checks() as checks:
        assert checks.facts == HealthFact(
            node=CheckFact(port=NODE_PORT, since=0.0, answer="has no listener", nobody=True),
            began=0.0,
            booted=0.0,
            heard=True,
        )
        node.ports.answers[NODE_PORT] = SAYS_503
        await node.clock.move(1.0)
        assert (checks.facts.node.answer, checks.facts.node.nobody) == ("answers 503", False)
        assert node.changes == 2
        node.ports.answers[NODE_PORT] = PASSED
        await node.clock.move(1.0)
        assert checks.facts.node.passed is not None
        node.ports.asked.clear()
        await node.clock.move(1000.0)
        assert (node.ports.asked, node.changes) == ([], 3)


async def test_a_successor_on_the_same_boot_does_not_ask_again(node: Node) -> None:
    node.ports.answers = {NODE_PORT: PASSED, 31000: PASSED}
    await node.clock.move(5.0)
    async with node.checks({DNS: 31000, WEB: 31001}) as checks:
        before = checks.facts
        assert set(before.services) == {WEB}
    node.ports.asked.clear()
    await node.clock.move(5.0)
    async with node.checks({DNS: 31000, WEB: 31001}) as checks:
        assert (checks.facts.node, checks.facts.services) == (before.node, before.services)
        assert set(node.ports.asked) == {31001}


async def test_on_another_boot_everything_is_asked_anew(node: Node) -> None:
    node.ports.answers = {NODE_PORT: PASSED, 31000: PASSED}
    async with node.checks({DNS: 31000}):
        node.ports.asked.clear()
    for boot in ("another boot", ""):
        async with node.checks({DNS: 31000}, boot=boot):
            assert sorted(node.ports.asked) == [NODE_PORT, 31000]
            node.ports.asked.clear()


async def test_a_service_that_goes_or_gets_another_port_is_asked_anew_when_it_comes(node: Node) -> None:
    node.ports.answers = {NODE_PORT: PASSED, 31000: PASSED, 31001: SAYS_503}
    async with node.checks({DNS: 31000}) as checks:
        checks.aim({DNS: 31001}, HERE)
        assert checks.facts.services == {DNS: CheckFact(port=31001, since=0.0)}
        await settle()
        assert checks.facts.services[DNS].answer == "answers 503"
        checks.aim({}, HERE)
        assert checks.facts.services == {}
        node.ports.asked.clear()
        await node.clock.move(10.0)
        assert node.ports.asked == []
        checks.aim({DNS: 31000}, HERE)
        await settle()
        assert (checks.facts.services, node.ports.asked) == ({}, [31000])


async def test_one_that_hangs_holds_up_no_other(node: Node) -> None:
    node.ports.answers = {31000: PASSED}
    node.ports.silent = {NODE_PORT}
    async with node.checks({DNS: 31000}) as checks:
        assert checks.facts.services == {}
        assert not checks.facts.heard


async def test_the_first_round_is_over_when_each_has_given_some_answer(node: Node) -> None:
    node.ports.silent = {31000}
    async with node.checks({DNS: 31000}) as checks:
        assert not checks.facts.heard
        checks.aim({WEB: 31001}, HERE)
        assert checks.facts.heard, "what came later holds up nothing"


async def test_what_is_concluded_counts_as_passed_and_is_asked_no_more(node: Node) -> None:
    async with node.checks({DNS: 31000}) as checks:
        checks.conclude(node=True, services=(DNS,))
        assert (checks.facts.node.passed, checks.facts.node.nobody) == (0.0, True)
        assert checks.facts.services == {}
        node.ports.asked.clear()
        await node.clock.move(100.0)
        assert node.ports.asked == []
    async with node.checks({DNS: 31000}) as checks:
        assert (checks.facts.node.passed, node.ports.asked) == (0.0, [])


async def test_a_damaged_book_and_a_folder_that_is_gone_cost_only_the_memory(node: Node) -> None:
    node.ports.answers = {NODE_PORT: PASSED}
    async with node.checks():
        pass
    (book,) = node.folder.iterdir()
    book.write_text("{")
    node.folder = node.folder / "missing"
    async with node.checks() as checks:
        assert checks.facts.node.passed is not None


def test_asking_becomes_slower_the_longer_it_lasts() -> None:
    asked = (0.0, 1.0, 10.0, 20.0, 300.0, 301.0)
    assert [pause_after(seconds) for seconds in asked] == [0.05, 0.1, 1.0, 2.0, 2.0, 30.0]
