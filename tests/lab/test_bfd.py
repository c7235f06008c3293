"""BFD beside graceful restart: what dies is out at once, what only restarts or is edited is not."""

import time
from collections.abc import Callable, Iterator, Mapping

import pytest

from lab.lab import Lab
from lab.manifests import Object, edit, find
from lab.steps.silence import await_bfd, routers_leave_bfd, routers_speak_bfd, with_bfd, without_bfd
from lab.steps.step import addresses, await_hops, await_sessions, await_value, expect_undisturbed, resets
from lab.traffic import under_load
from tests.lab.changes import RouteChanges


def _edit_all(lab: Lab, change: Callable[[Object], None]) -> None:
    for peer in find(lab.paths.manifests, "BgpPeer"):
        edit(lab.paths.manifests, "BgpPeer", peer, change)


@pytest.fixture
def address(hasty: Lab) -> Iterator[str]:
    """The Cluster Service's IPv4 address; all sessions are guarded by BFD."""
    ip, _ = addresses(hasty, "web")
    _edit_all(hasty, with_bfd)
    routers_speak_bfd(hasty)
    await_bfd(hasty, up=True)
    await_sessions(hasty)
    await_hops(hasty, ip, hasty.nodes)
    yield ip
    _edit_all(hasty, without_bfd)
    routers_leave_bfd(hasty)
    await_sessions(hasty)


def _slower(peer: Object) -> None:
    peer["spec"]["bfd"]["desiredMinimumTxInterval"] = 200_000


def _await_new_sessions(lab: Lab, before: Mapping[str, int]) -> None:
    await_value(
        lambda: resets(lab),
        lambda now: now == {router: lost + 6 for router, lost in before.items()},
        expected="every session was lost once",
    )
    await_sessions(lab)


def test_gobgpd_killed_under_bfd_costs_no_route_and_no_request(hasty: Lab, address: str) -> None:
    before = resets(hasty)
    with under_load(hasty.client, address) as load, RouteChanges(hasty, address) as changes:
        hasty.gobgpd("node1").kill()
        await_value(lambda: resets(hasty), lambda now: now != before, expected="sessions lost")
        await_sessions(hasty)
        # The router has noticed that BFD was silent, too.
        time.sleep(1.0)
    expect_undisturbed(load.tally())
    assert changes.all == ()


@pytest.mark.parametrize("change", [_slower, without_bfd])
def test_bfd_that_is_edited_or_switched_off_costs_no_route(
    hasty: Lab, address: str, change: Callable[[Object], None]
) -> None:
    before = resets(hasty)
    with under_load(hasty.client, address) as load, RouteChanges(hasty, address) as changes:
        _edit_all(hasty, change)
        _await_new_sessions(hasty, before)
    expect_undisturbed(load.tally())
    assert changes.all == ()
