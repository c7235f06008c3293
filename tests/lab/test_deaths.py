"""What dies or is stopped, and what that costs: nothing, as long as the kernels forward."""

import time
from collections.abc import Callable, Iterator

import pytest

from lab.lab import Lab
from lab.manifests import edit
from lab.steps.step import (
    addresses,
    await_hops,
    await_sessions,
    await_value,
    expect_none_lost,
    expect_undisturbed,
    resets,
)
from lab.traffic import under_load
from openelb_bgp.model.meta import Kind
from tests.lab.changes import RouteChanges

WATCHED = 2.0
"""Seconds to look on after something died."""


@pytest.fixture
def address(hasty: Lab) -> str:
    ip, _ = addresses(hasty, "web")
    await_sessions(hasty)
    await_hops(hasty, ip, hasty.nodes)
    return ip


def _started_at(lab: Lab) -> dict[str, str]:
    return {item["metadata"]["name"]: item["status"]["startedAt"] for item in lab.desk.objects(Kind.SPEAKER)}


def _await_reports(lab: Lab, *nodes: str, before: dict[str, str]) -> None:
    """Wait until the new speakers of these nodes say that they announce something."""
    await_value(
        lambda: {item["metadata"]["name"]: item["status"] for item in lab.desk.objects(Kind.SPEAKER)},
        lambda seen: all(
            seen[node]["startedAt"] != before[node] and seen[node]["routes"]["announced"] > 0
            for node in nodes
        ),
        expected=f"new speakers in {nodes}, and routes announced by them",
    )


def test_all_speakers_killed_and_started_again_cost_no_route_and_no_request(hasty: Lab, address: str) -> None:
    before, sessions = _started_at(hasty), resets(hasty)
    with under_load(hasty.client, address) as load, RouteChanges(hasty, address) as changes:
        for node in hasty.nodes:
            hasty.speaker(node).kill()
        assert all(hasty.speaker(node).ended(within=30.0) for node in hasty.nodes)
        time.sleep(WATCHED)
        for node in hasty.nodes:
            hasty.start_speaker(node)
        _await_reports(hasty, *hasty.nodes, before=before)
    expect_undisturbed(load.tally())
    assert (changes.all, resets(hasty)) == ((), sessions)


def test_all_gobgpds_killed_at_once_cost_no_route_and_no_request(hasty: Lab, address: str) -> None:
    victims = [hasty.gobgpd(node) for node in hasty.nodes]
    sessions = resets(hasty)
    with under_load(hasty.client, address) as load, RouteChanges(hasty, address) as changes:
        for victim in victims:
            victim.kill()
        await_value(lambda: resets(hasty), lambda now: now != sessions, expected="sessions lost")
        await_sessions(hasty)
        time.sleep(WATCHED)
    expect_undisturbed(load.tally())
    assert changes.all == ()


def test_a_speaker_that_gets_sigterm_changes_nothing(hasty: Lab, address: str) -> None:
    before, sessions = _started_at(hasty), resets(hasty)
    with under_load(hasty.client, address) as load, RouteChanges(hasty, address) as changes:
        hasty.processes.stop("node2-speaker", within=30.0)
        time.sleep(WATCHED)
        hasty.start_speaker("node2")
        _await_reports(hasty, "node2", before=before)
    expect_undisturbed(load.tally())
    assert (changes.all, resets(hasty)) == ((), sessions)


def test_a_dead_controller_changes_nothing_and_its_heir_neither(hasty: Lab, address: str) -> None:
    given = hasty.addresses()
    with under_load(hasty.client, address) as load, RouteChanges(hasty, address) as changes:
        controller = hasty.process("controller")
        controller.kill()
        assert controller.ended(within=30.0)
        time.sleep(WATCHED)
        hasty.start_controller()
        time.sleep(WATCHED)
    expect_undisturbed(load.tally())
    assert (changes.all, hasty.addresses()) == ((), given)


@pytest.fixture
def leaver(hasty: Lab, address: str) -> Iterator[str]:
    """A node whose speaker withdraws when it ends, and for which nobody stands in: its data plane goes on."""
    before = _started_at(hasty)
    edit(hasty.paths.manifests, "BgpConf", "default", lambda conf: conf["spec"].update(nextHops="Self"))
    hasty.processes.stop("node2-speaker", within=30.0)
    hasty.start_speaker("node2", "--withdraw-on-exit")
    _await_reports(hasty, "node2", before=before)
    yield "node2"
    hasty.processes.stop("node2-speaker", within=30.0)
    hasty.start_speaker("node2")
    edit(hasty.paths.manifests, "BgpConf", "default", lambda conf: conf["spec"].pop("nextHops"))


def test_a_speaker_that_withdraws_on_exit_takes_its_node_out_without_loss(
    hasty: Lab, address: str, leaver: str
) -> None:
    with under_load(hasty.client, address) as load:
        hasty.processes.stop(f"{leaver}-speaker", within=30.0)
        await_hops(hasty, address, [node for node in hasty.nodes if node != leaver])
        time.sleep(0.5)
    expect_none_lost(load.tally())


def test_a_node_whose_cable_is_pulled_is_out_within_the_hold_time_and_comes_back(
    hasty: Lab, address: str
) -> None:
    fabric: Callable[..., str] = hasty.space("fabric").run
    try:
        pulled = time.monotonic()
        fabric("ip", "link", "set", "eth4", "down")
        await_hops(hasty, address, ("node1", "node3"))
        took = time.monotonic() - pulled
    finally:
        fabric("ip", "link", "set", "eth4", "up")
    await_hops(hasty, address, hasty.nodes)
    await_sessions(hasty)
    # The hold time of 9 s, and what a loaded machine adds.
    assert took < 12.0
