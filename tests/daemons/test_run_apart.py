"""Controller and speaker as processes of their own over one state: what the end of either costs."""

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from openelb_bgp.model.meta import Kind
from tests.daemons.conftest import StartRouter
from tests.daemons.harness import kernel
from tests.daemons.harness.confs import NODE_ASN
from tests.daemons.harness.frr import Frr
from tests.daemons.harness.house import WEB, problem
from tests.daemons.harness.kernel import RouteDeletions
from tests.daemons.harness.manifests import Object, cluster, endpoints, node, service
from tests.daemons.harness.netns import Lan, run
from tests.daemons.harness.openelb import METRICS_PORT, OpenElb
from tests.daemons.harness.waiting import stays, wait_until


@dataclass(frozen=True)
class Pair:
    """A controller and a speaker of one node, and the router."""

    controller: OpenElb
    speaker: OpenElb
    router: Frr
    address: str

    async def announces(self) -> None:
        space = self.router.namespace
        await self.speaker.announced("shop/web")
        await wait_until(lambda: kernel.next_hops(space, WEB) == [self.address], within=30, what="the route")


@pytest.fixture
async def pair(lan: Lan, tmp_path: Path, start_router: StartRouter) -> AsyncIterator[Pair]:
    space = lan.nodes[0]
    router = await start_router(lan.routers[0], neighbors={space.v4: NODE_ASN})
    controller = OpenElb(space, tmp_path, command="controller")
    made = Pair(controller, OpenElb(space, tmp_path, command="speaker"), router, space.v4)
    controller.write("good", *_objects(lan))
    controller.start()
    made.speaker.start()
    await made.announces()
    yield made
    made.speaker.daemon.end()
    controller.daemon.end()


async def test_a_speaker_that_is_replaced_changes_nothing_that_anybody_sees(pair: Pair) -> None:
    told, before = pair.speaker.events("web"), pair.speaker.status(Kind.SERVICE, "shop/web")
    with RouteDeletions(pair.router.namespace) as deletions:
        assert pair.speaker.terminate() == 0
        await stays(
            lambda: pair.speaker.status(Kind.SERVICE, "shop/web") == before, during=1, what="its status"
        )
        pair.speaker.start()
        await wait_until(lambda: pair.speaker.http("/readyz")[0] == 200, within=60, what="its successor")
    assert deletions.prefixes == ()
    assert pair.router.resets(pair.address) == 0
    assert pair.speaker.status(Kind.SERVICE, "shop/web") == before
    assert pair.speaker.events("web") == told


async def test_a_speaker_without_a_controller_goes_on_and_follows_endpoints(pair: Pair, lan: Lan) -> None:
    pair.controller.daemon.end()
    space = pair.router.namespace
    pair.controller.write("good", *_objects(lan)[:-1])
    await wait_until(lambda: kernel.next_hops(space, WEB) == [], within=10, what="the withdrawal")
    pair.controller.write("good", *_objects(lan))
    await wait_until(
        lambda: kernel.next_hops(space, WEB) == [pair.address], within=30, what="the route again"
    )
    assert pair.router.resets(pair.address) == 0


async def test_a_controller_that_returns_goes_on_where_the_one_before_ended(pair: Pair) -> None:
    pair.controller.daemon.end()
    pair.controller.write("late", service("late"), endpoints("late", "node1"))
    await stays(lambda: pair.controller.addresses("shop/late") == [], during=0.5, what="nobody who allocates")
    pair.controller.start()
    await pair.controller.announced("shop/late")
    assert pair.controller.addresses("shop/web") == [WEB]
    assert pair.controller.http("/readyz", port=METRICS_PORT - 1) == (200, "ok\n")


async def test_a_state_that_is_deleted_costs_no_route_and_no_address_and_is_told(pair: Pair) -> None:
    address = pair.controller.addresses("shop/web")
    with RouteDeletions(pair.router.namespace) as deletions:
        shutil.rmtree(pair.controller.state)
        pair.controller.write("late", service("late"), endpoints("late", "node1"))
        for ours, port in ((pair.controller, METRICS_PORT - 1), (pair.speaker, METRICS_PORT)):
            await wait_until(partial(_told_of_lost_state, ours, port), within=30, what="its readiness")
            assert ours.http("/healthz", port=port)[0] == 200
            assert "state.db.backup" in ours.logged("state_lost")[0]["error"]
        assert kernel.routes(pair.router.namespace).keys() == {WEB}
        # A second start beside them, and one after them, are refused in place of giving addresses anew.
        for ours in (pair.speaker, pair.controller):
            ours.daemon.end()
            ours.start()
            await wait_until(partial(_has_ended, ours), within=60, what="its end")
            assert ours.daemon.exit_code == 3
        told = pair.controller.logged("cannot_start")[-1]["error"]
        run("sh", "-c", told[told.index("cd ") :])
        pair.controller.start()
        pair.speaker.start()
        await pair.speaker.announced("shop/web", "shop/late")
    assert (deletions.count, pair.router.resets(pair.address)) == (0, 0)
    assert pair.controller.addresses("shop/web") == address


async def test_a_speaker_over_a_state_that_no_controller_has_written_to_withdraws_nothing(pair: Pair) -> None:
    pair.controller.daemon.end()
    pair.speaker.daemon.end()
    shutil.rmtree(pair.controller.state)
    with RouteDeletions(pair.router.namespace) as deletions:
        pair.speaker.start()
        await problem(pair.speaker, "Node node1", "no controller has written", reason="SourceIncomplete")
        assert kernel.next_hops(pair.router.namespace, WEB) == [pair.address]
    assert deletions.count == 0


async def test_a_speaker_that_withdraws_on_exit_takes_its_report_and_its_routes_with_it(
    pair: Pair, lan: Lan, tmp_path: Path
) -> None:
    assert pair.speaker.terminate() == 0
    leaving = OpenElb(lan.nodes[0], tmp_path, "--withdraw-on-exit", command="speaker")
    leaving.start()
    await wait_until(lambda: leaving.http("/readyz")[0] == 200, within=60, what="its start")
    assert leaving.terminate(within=30) == 0
    assert kernel.next_hops(pair.router.namespace, WEB) == []
    await wait_until(lambda: leaving.speaker == {}, within=30, what="the end of its report")

    def reason() -> str:
        condition = leaving.condition(Kind.SERVICE, "shop/web", "network.kubesphere.io/Announced")
        return str(condition.get("reason"))

    await wait_until(lambda: reason() == "NoSpeaker", within=30, what="its reason")


def _objects(lan: Lan) -> tuple[Object, ...]:
    """A controller of its own sees no host: it needs the Node's manifest."""
    return (node("node1", lan.nodes[0].v4), *cluster(lan))


def _told_of_lost_state(ours: OpenElb, port: int) -> bool:
    return "was deleted or moved away" in ours.http("/readyz", port=port)[1]


def _has_ended(ours: OpenElb) -> bool:
    return not ours.daemon.alive
