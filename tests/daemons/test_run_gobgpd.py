"""`run` and its gobgpd: one that somebody else started, and one that is ended on purpose."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.daemons.conftest import StartRouter
from tests.daemons.harness import kernel
from tests.daemons.harness.confs import NODE_ASN
from tests.daemons.harness.frr import Frr
from tests.daemons.harness.gobgp import Gobgpd
from tests.daemons.harness.house import WEB
from tests.daemons.harness.kernel import RouteDeletions
from tests.daemons.harness.manifests import cluster
from tests.daemons.harness.netns import Lan
from tests.daemons.harness.openelb import OpenElb
from tests.daemons.harness.waiting import stays, wait_until


@pytest.fixture
async def router(lan: Lan, start_router: StartRouter) -> Frr:
    return await start_router(lan.routers[0], neighbors={lan.nodes[0].v4: NODE_ASN})


@pytest.fixture
async def theirs(gobgpd: Gobgpd) -> AsyncIterator[Gobgpd]:
    """A gobgpd that runs already, and is not ours to start or to end."""
    async with await gobgpd.start():
        yield gobgpd


async def _announces(ours: OpenElb, router: Frr) -> None:
    await ours.announced("shop/web")
    here = ours.space.v4
    await wait_until(lambda: kernel.next_hops(router.namespace, WEB) == [here], within=30, what="the route")


async def test_a_gobgpd_that_is_named_is_used_and_left_running(
    lan: Lan, router: Frr, theirs: Gobgpd, tmp_path: Path
) -> None:
    ours = OpenElb(lan.nodes[0], tmp_path, "--gobgp-target", f"unix://{theirs.socket}")
    ours.write("good", *cluster(lan))
    ours.start()
    await _announces(ours, router)
    with RouteDeletions(router.namespace) as deletions:
        for signum in (signal.SIGTERM, signal.SIGKILL):
            ours.daemon.end(signum, within=30)
            assert theirs.daemon.alive
            await stays(lambda: kernel.next_hops(router.namespace, WEB), during=1, what="the route")
            ours.start()
            await wait_until(lambda: ours.http("/readyz")[0] == 200, within=60, what="its start")
        assert list(ours.runtime.rglob("gobgp*.sock")) == [], "no gobgpd of our own"
    assert (deletions.count, router.resets(lan.nodes[0].v4)) == (0, 0)
    ours.daemon.end()


async def test_run_that_withdraws_on_exit_takes_its_routes_and_its_gobgpd_with_it(
    lan: Lan, router: Frr, tmp_path: Path
) -> None:
    ours = OpenElb(lan.nodes[0], tmp_path, "--withdraw-on-exit")
    ours.write("good", *cluster(lan))
    ours.start()
    await _announces(ours, router)
    assert ours.terminate() == 0
    # Not by the end of the session, after which the route would stay for the restart time.
    assert kernel.next_hops(router.namespace, WEB) == []
    left = [line for line in ours.space.run("ss", "-H", "-xlnp").splitlines() if "gobgpd" in line]
    assert left == []
    assert lan.nodes[0].pids() == ()


async def test_gobgpds_api_is_open_where_that_is_asked_for_and_a_warning_says_what_it_means(
    lan: Lan, router: Frr, tmp_path: Path
) -> None:
    ours = OpenElb(lan.nodes[0], tmp_path, "--api-hosts", "127.0.0.1:50051")
    ours.write("good", *cluster(lan))
    ours.start()
    await _announces(ours, router)
    listeners = [line.split()[3] for line in ours.space.run("ss", "-H", "-tln").splitlines()]
    assert "127.0.0.1:50051" in listeners
    (said,) = ours.logged("flag_given", flag="--api-hosts")
    assert (said["level"], "owns your routes" in str(said)) == ("warning", True)
    ours.daemon.end()
