"""Operating a daemon: health and metrics, its end, its exit codes, what it listens on and what it logs."""

import re
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import yaml

from tests.daemons.harness.house import WEB, House
from tests.daemons.harness.manifests import cluster, endpoints, service
from tests.daemons.harness.netns import Lan, run
from tests.daemons.harness.openelb import METRICS_PORT, OpenElb
from tests.daemons.harness.processes import Daemon
from tests.daemons.harness.waiting import wait_until

METRICS = {
    "openelb_bgp_apply_failures_total",
    "openelb_bgp_apply_seconds",
    "openelb_bgp_gobgpd_restarts_total",
    "openelb_bgp_pool_addresses_free",
    "openelb_bgp_pool_addresses_used",
    "openelb_bgp_resyncs_total",
    "openelb_bgp_routes_announced",
    "openelb_bgp_routes_desired",
    "openelb_bgp_sessions",
    "openelb_bgp_sessions_established",
}


@pytest.fixture
def new(lan: Lan, tmp_path: Path) -> Callable[..., OpenElb]:
    """Makes processes of ours in one node, over one folder of manifests and one state."""

    def make(*arguments: str, command: str = "run") -> OpenElb:
        made = OpenElb(lan.nodes[0], tmp_path, *arguments, command=command)
        made.write("good", *cluster(lan))
        return made

    return make


def test_health_is_told_over_http(house: House) -> None:
    assert house.ours.http("/healthz") == (200, "ok\n")
    assert house.ours.http("/readyz") == (200, "ok\n")
    assert house.ours.http("/elsewhere")[0] == 404


def test_metrics_tell_sessions_routes_pools_and_what_applying_costs(house: House) -> None:
    code, text = house.ours.http("/metrics")
    families = set(re.findall(r"^# TYPE (openelb_bgp_\S+) (?:gauge|counter|histogram)$", text, re.MULTILINE))
    assert code == 200
    assert {name for name in families if not name.endswith("_created")} == METRICS
    values = dict(re.findall(r"^(openelb_bgp_\S+) (\S+)$", text, re.MULTILINE))
    assert {name: float(values[name]) for name in values if re.search("pool|sessions|routes", name)} == {
        'openelb_bgp_pool_addresses_free{eip="pool"}': 13,
        'openelb_bgp_pool_addresses_used{eip="pool"}': 1,
        "openelb_bgp_routes_announced": 1,
        "openelb_bgp_routes_desired": 1,
        "openelb_bgp_sessions": 1,
        "openelb_bgp_sessions_established": 1,
    }
    # Labels are pools' names and histogram bounds: nothing that grows with Services or peers.
    assert set(re.findall(r"^openelb_bgp_\w+\{(\w+)=", text, re.MULTILINE)) == {"eip", "le"}


def test_nothing_listens_but_bgp_and_metrics_and_the_api_is_behind_a_private_folder(house: House) -> None:
    lines = house.ours.space.run("ss", "-H", "-tuln").splitlines()
    assert {line.split()[4].rpartition(":")[2] for line in lines} == {"179", str(METRICS_PORT)}
    socket = next(house.ours.runtime.rglob("*.sock"))
    assert socket.parent.stat().st_mode & 0o777 == 0o700


async def test_readiness_says_what_is_missing_and_health_does_not_mind(new: Callable[..., OpenElb]) -> None:
    ours = new("--gobgp-target", "127.0.0.1:9")
    ours.start()
    _, text = await wait_until(lambda: _with_code(ours, "/readyz", 503), within=60, what="an answer of 503")
    assert "announcers: " in text or "controller: " in text
    assert ours.http("/healthz") == (200, "ok\n")
    ours.daemon.end()


@pytest.mark.parametrize("command", ["run", "speaker", "controller"])
async def test_sigterm_ends_a_daemon_within_two_seconds(new: Callable[..., OpenElb], command: str) -> None:
    """At whatever moment it comes; gobgpd ends with `run`, and goes on without a speaker."""
    ours = new(command=command)
    port = METRICS_PORT if command != "controller" else METRICS_PORT - 1
    for path in ("/healthz", "/readyz"):
        ours.start()
        await wait_until(partial(_with_code, ours, path, 200, port=port), within=60, what="its start")
        asked = time.monotonic()
        assert ours.terminate() == 0, ours.daemon.output()
        assert time.monotonic() - asked < 2
    left = [line for line in ours.space.run("ss", "-H", "-xlnp").splitlines() if "gobgpd" in line]
    assert bool(left) == (command == "speaker")


async def test_sigterm_is_heard_while_thousands_of_manifests_are_read(new: Callable[..., OpenElb]) -> None:
    ours = new()
    text = yaml.safe_dump_all([service("NAME"), endpoints("NAME", "node1")])
    for number in range(40):
        ours.write(f"many{number}", *[text.replace("NAME", f"s{number}-{index}") for index in range(400)])
    ours.start()
    await wait_until(lambda: ours.state.exists() and any(ours.state.iterdir()), within=60, what="its start")
    asked = time.monotonic()
    assert ours.terminate(within=30) == 0
    assert time.monotonic() - asked < 2


async def test_a_hangup_ends_nothing_because_changes_are_followed_anyway(
    new: Callable[..., OpenElb],
) -> None:
    ours = new()
    ours.start()
    await wait_until(lambda: ours.http("/readyz")[0] == 200, within=60, what="its start")
    assert [line["role"] for line in ours.logged("started", node="node1")] == ["run"]
    ours.daemon.send(signal.SIGHUP)
    await wait_until(lambda: ours.logged("nothing_to_reload"), within=30, what="the answer")
    assert ours.http("/healthz")[0] == 200
    assert ours.terminate() == 0


async def test_a_second_sigterm_is_taken_at_its_word(new: Callable[..., OpenElb]) -> None:
    ours = new("--withdraw-on-exit")
    ours.start()
    await wait_until(lambda: ours.http("/readyz")[0] == 200, within=60, what="its start")
    ours.daemon.send(signal.SIGTERM)
    await wait_until(lambda: ours.logged("draining"), within=30, what="the drain")
    asked = time.monotonic()
    assert ours.terminate() == 128 + signal.SIGTERM
    assert time.monotonic() - asked < 2


async def test_a_second_controller_is_refused_in_one_line(house: House, new: Callable[..., OpenElb]) -> None:
    second = OpenElb(house.lan.nodes[0], house.folder, command="controller")
    second.start()
    await wait_until(lambda: not second.daemon.alive, within=60, what="its end")
    assert second.daemon.exit_code == 3
    (line,) = second.daemon.output().splitlines()
    assert f"another controller (pid {house.ours.daemon.pids[-1]}) uses the state" in line
    assert house.unharmed()


async def test_a_damaged_state_stops_the_start_with_the_command_that_restores_it(
    new: Callable[..., OpenElb],
) -> None:
    ours = new()
    for _ in range(2):
        # The second start makes a copy of what the first one has given.
        ours.start()
        await wait_until(lambda: ours.addresses("shop/web"), within=60, what="an address")
        await wait_until(lambda: ours.http("/healthz")[0] == 200, within=60, what="its start")
        assert ours.terminate() == 0
    with (ours.state / "state.db").open("r+b") as handle:
        handle.seek(4096)
        handle.write(b"\xff" * 4096)
    ours.start()
    await wait_until(lambda: not ours.daemon.alive, within=60, what="its end")
    assert ours.daemon.exit_code == 3
    told = ours.logged("cannot_start")[-1]["error"]
    run("sh", "-c", told[told.index("cd ") :])
    ours.start()
    await wait_until(lambda: ours.addresses("shop/web") == [WEB], within=60, what="the address as before")
    ours.daemon.end()


async def test_a_port_for_health_that_is_taken_costs_one_line(new: Callable[..., OpenElb]) -> None:
    ours = new()
    code = f"import socket, time; s = socket.create_server(('127.0.0.1', {METRICS_PORT})); time.sleep(60)"
    squatter = Daemon(ours.space.argv(sys.executable, "-c", code), log=ours.folder / "squatter.log")
    squatter.start()
    await wait_until(lambda: str(METRICS_PORT) in ours.space.run("ss", "-H", "-tln"), within=30)
    ours.start()
    await wait_until(lambda: not ours.daemon.alive, within=60, what="its end")
    squatter.end()
    assert ours.daemon.exit_code == 1
    (line,) = ours.daemon.output().splitlines()
    assert f"127.0.0.1:{METRICS_PORT}" in line and "--metrics-addr" in line
    assert f"python3 ({squatter.pids[0]})" in line or f"python ({squatter.pids[0]})" in line


async def test_a_state_that_is_no_folder_costs_one_line(new: Callable[..., OpenElb]) -> None:
    ours = new()
    ours.state.write_text("a file where a folder should be")
    ours.start()
    await wait_until(lambda: not ours.daemon.alive, within=60, what="its end")
    assert ours.daemon.exit_code == 2
    (line,) = ours.daemon.output().splitlines()
    assert "--state" in line


async def test_flags_without_effect_are_said_once(new: Callable[..., OpenElb]) -> None:
    ours = new(
        "--secret=hush-hush", "--log-path=/x", "--keepalived-args=-D", "--enable-layer2=false", "-v", "4"
    )
    ours.start()
    await wait_until(lambda: ours.http("/healthz")[0] == 200, within=60, what="its start")
    assert [line["flag"] for line in ours.logged("flag_given")] == [
        "--keepalived-args",
        "--log-path",
        "--secret",
    ]
    assert "hush-hush" not in ours.daemon.output()
    ours.daemon.end()


def _with_code(ours: OpenElb, path: str, code: int, *, port: int = METRICS_PORT) -> tuple[int, str] | None:
    found = ours.http(path, port=port)
    return found if found[0] == code else None
