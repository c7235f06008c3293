"""The sidecar over real gobgpd, both versions: restarts, orders, adoption, signals."""

# A test that blocks keeps nobody waiting but itself.
# ruff: noqa: ASYNC220, ASYNC221, ASYNC240

import asyncio
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from openelb_bgp.lib import processes
from openelb_bgp.sidecar import client, protocol, record
from openelb_bgp.sidecar.client import Dump, Running
from openelb_bgp.sidecar.errors import (
    DaemonFailed,
    DaemonMissing,
    FolderUnusable,
    OrderRefused,
    SidecarBusy,
    SidecarGone,
)
from openelb_bgp.sidecar.kinds import GOBGPD, ask
from openelb_bgp.sidecar.places import Places, places

CACHE = Path(
    os.environ.get("OPENELB_BGP_CACHE") or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "openelb-bgp")
)
T = TypeVar("T")
DEADLINE = 15.0
SIDECAR = [sys.executable, "-P", "-m", "openelb_bgp.sidecar", "gobgpd"]
# TEST-NET-1: an address that no machine has, so listening there fails and touches nothing.
NOBODYS_ADDRESS = "192.0.2.1:50051"


@pytest.fixture(params=["3.10.0", "4.8.0"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def gobgpd(version: str) -> str:
    return str(program(version))


def program(version: str) -> Path:
    path = CACHE.expanduser() / "gobgp" / version / "gobgpd"
    assert path.exists(), f"{path} is missing: `make test` installs it"
    return path


@pytest.fixture
def directory() -> Iterator[Path]:
    """A short one, because of the sockets; whatever still runs over it afterwards is ended."""
    made = Path(tempfile.mkdtemp(prefix="oelb-"))
    yield made
    left = record.read(place_of(made).record)
    for identity in (left.sidecar, left.daemon) if left else ():
        if identity and (pidfd := processes.watch(identity)) is not None:
            processes.send(pidfd, signal.SIGKILL)
            assert processes.wait_ended(pidfd, seconds=DEADLINE)
            os.close(pidfd)
    shutil.rmtree(made)


@pytest.fixture
async def running(directory: Path, gobgpd: str) -> AsyncIterator[Running]:
    yield await client.spawn(directory, gobgpd=gobgpd)


def place_of(directory: Path) -> Places:
    return places(directory, GOBGPD)


async def until(seen: Callable[[], T | None]) -> T:
    """What `seen` returns once it is something true."""
    async with asyncio.timeout(DEADLINE):
        while True:
            if value := seen():
                return value
            await asyncio.sleep(0.01)


async def dump_when(directory: Path, condition: Callable[[Dump], bool]) -> Dump:
    async with asyncio.timeout(DEADLINE):
        while True:
            if condition(found := await client.dump(directory)):
                return found
            await asyncio.sleep(0.01)


def kill(identity: processes.Identity | None, signum: signal.Signals = signal.SIGKILL) -> None:
    assert identity is not None
    pidfd = processes.watch(identity)
    assert pidfd is not None
    assert processes.send(pidfd, signum)
    os.close(pidfd)


def accepts(directory: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(place_of(directory).api_socket)) == 0


# Start


async def test_spawn_returns_when_the_api_accepts(running: Running, directory: Path, version: str) -> None:
    assert accepts(directory)
    seen = await client.dump(directory)
    assert running.sidecar and running.daemon
    assert (seen.version, seen.ready, seen.restarts, seen.adopted) == (version, True, 0, False)
    assert (seen.sidecar_pid, seen.pid) == (running.sidecar.pid, running.daemon.pid)
    assert seen.api == running.api_target == client.api_target(directory)
    assert client.find(directory) == running


async def test_sockets_lie_in_a_folder_of_mode_0700(directory: Path, gobgpd: str) -> None:
    directory.chmod(0o777)
    await client.spawn(directory, gobgpd=gobgpd)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (place_of(directory).folder, directory)}
    assert modes == {"gobgpd": 0o700, directory.name: 0o777}
    assert stat.S_IMODE(place_of(directory).api_socket.stat().st_mode) == 0o700


async def test_gobgpd_opens_no_port(running: Running) -> None:
    assert running.daemon
    # Its own sockets only; the network namespace is shared with everything else on this machine.
    inodes = {str(fd.readlink()) for fd in Path(f"/proc/{running.daemon.pid}/fd").iterdir()}
    tables = [Path(f"/proc/{running.daemon.pid}/net/{name}").read_text() for name in ("tcp", "tcp6")]
    rows = [line.split() for table in tables for line in table.splitlines()[1:]]
    assert [row for row in rows if f"socket:[{row[9]}]" in inodes] == []


async def test_gobgpd_has_a_session_of_its_own(running: Running) -> None:
    assert running.sidecar and running.daemon
    # So that Ctrl-C in a terminal reaches the sidecar alone, which decides what it means.
    assert os.getsid(running.daemon.pid) == running.daemon.pid
    assert os.getsid(running.sidecar.pid) == running.sidecar.pid


async def test_the_sidecar_takes_little_memory(running: Running) -> None:
    assert running.sidecar
    text = Path(f"/proc/{running.sidecar.pid}/status").read_text()
    (rss,) = (int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS:"))
    assert rss < 20_000, "kB"


async def test_a_stale_socket_is_removed(directory: Path, gobgpd: str) -> None:
    place = place_of(directory)
    place.folder.mkdir()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(place.api_socket))
    await client.spawn(directory, gobgpd=gobgpd)
    assert accepts(directory)


async def test_a_second_sidecar_on_the_folder_is_refused(
    running: Running, directory: Path, gobgpd: str
) -> None:
    with pytest.raises(SidecarBusy, match=f"another sidecar already keeps the gobgpd of {directory}"):
        await client.spawn(directory, gobgpd=gobgpd)
    assert client.find(directory) == running


async def test_ensure_takes_the_sidecar_that_is_there(running: Running, directory: Path, gobgpd: str) -> None:
    assert await client.ensure(directory, gobgpd=gobgpd) == running


async def test_two_that_ensure_at_once_get_one_sidecar(directory: Path, gobgpd: str) -> None:
    one, other = await asyncio.gather(
        client.ensure(directory, gobgpd=gobgpd), client.ensure(directory, gobgpd=gobgpd)
    )
    assert one == other


async def test_a_missing_program_is_named_with_its_remedy(directory: Path) -> None:
    with pytest.raises(
        DaemonMissing, match=r"^/opt/nowhere/gobgpd is not there: install GoBGP 3.10 or later"
    ):
        await client.spawn(directory, gobgpd="/opt/nowhere/gobgpd")
    assert client.find(directory) is None


async def test_a_folder_that_cannot_be_made_is_named(directory: Path, gobgpd: str) -> None:
    (directory / "file").touch()
    with pytest.raises(FolderUnusable, match=f"{directory}/file/gobgpd for the sockets cannot be made"):
        await client.spawn(directory / "file", gobgpd=gobgpd)


async def test_pid_files_name_both_and_go_with_them(directory: Path, gobgpd: str) -> None:
    second = directory / "second.json"
    subprocess.run(
        [*SIDECAR, "--dir", directory, "--gobgpd", gobgpd, "--detach", "--pid-file", second], check=True
    )
    running = await client.ensure(directory)
    for path in (second, place_of(directory).record):
        found = record.read(path)
        assert found and (found.sidecar, found.daemon) == (running.sidecar, running.daemon)
    await client.stop(directory, withdraw=False)
    assert sorted(path.name for path in place_of(directory).folder.iterdir()) == ["lock", "log"]
    assert not second.exists()


# Restarts


async def test_gobgpd_is_back_at_once_after_kill_9(running: Running, directory: Path) -> None:
    killed = time.monotonic()
    kill(running.daemon)
    seen = await dump_when(directory, lambda dump: dump.ready and dump.restarts == 1)
    assert time.monotonic() - killed < 1.0
    assert seen.pid != (running.daemon and running.daemon.pid)
    assert seen.last_exit and seen.last_exit.signal == signal.SIGKILL
    assert not seen.crash_loop
    assert accepts(directory)


async def test_restart_kills_and_starts_anew(running: Running, directory: Path) -> None:
    seen = await client.restart(directory)
    assert (seen.ready, seen.restarts, seen.crash_loop) == (True, 1, False)
    assert seen.pid != (running.daemon and running.daemon.pid)
    assert seen.last_exit and seen.last_exit.signal == signal.SIGKILL, "SIGTERM would withdraw the routes"
    assert accepts(directory)


async def test_restarts_by_order_are_no_crash_loop(running: Running, directory: Path) -> None:
    for count in range(1, 7):
        seen = await client.restart(directory)
        assert (seen.restarts, seen.crash_loop) == (count, False)


async def test_a_restart_takes_up_a_new_version_of_the_program(directory: Path) -> None:
    installed = directory / "gobgpd-installed"
    shutil.copy(program("3.10.0"), installed)
    await client.spawn(directory, gobgpd=str(installed))
    shutil.copy(program("4.8.0"), directory / "upgrade")
    (directory / "upgrade").replace(installed)
    assert (await client.dump(directory)).version == "3.10.0"
    assert (await client.restart(directory)).version == "4.8.0"


async def test_a_program_that_goes_missing_is_reported_and_taken_when_it_is_back(
    directory: Path, gobgpd: str
) -> None:
    installed = directory / "gobgpd-installed"
    shutil.copy(gobgpd, installed)
    running = await client.spawn(directory, gobgpd=str(installed))
    installed.rename(directory / "away")
    kill(running.daemon)
    seen = await dump_when(directory, lambda dump: dump.crash_loop)
    assert seen.pid is None
    assert str(installed) in seen.last_output[0]
    (directory / "away").rename(installed)
    assert (await dump_when(directory, lambda dump: dump.ready)).pid
    seen = await dump_when(directory, lambda dump: not dump.crash_loop)
    assert str(installed) not in "".join(seen.last_output)


async def test_a_crash_loop_is_reported_with_the_last_lines(directory: Path, gobgpd: str) -> None:
    with pytest.raises(DaemonFailed, match=r"gobgpd does not come up: .*no-such-flag"):
        await client.spawn(directory, gobgpd=gobgpd, extra=["--no-such-flag"])
    seen = await client.dump(directory)
    assert (seen.crash_loop, seen.ready) == (True, False)
    assert seen.last_exit and seen.last_exit.code == 1
    assert any("no-such-flag" in line for line in seen.last_output)
    with pytest.raises(OrderRefused, match=r"gobgpd does not come up: .*no-such-flag"):
        await client.restart(directory)
    await client.stop(directory, withdraw=True)
    assert client.find(directory) is None


async def test_an_api_address_that_cannot_be_had_is_reported(directory: Path, gobgpd: str) -> None:
    """3.10 ends at once; 4.8 would live on without any API, so it is killed after ten seconds."""
    with pytest.raises(DaemonFailed, match=f"does not come up: .*{NOBODYS_ADDRESS}"):
        await client.spawn(directory, gobgpd=gobgpd, api_hosts=[NOBODYS_ADDRESS], within=5.0)
    seen = await dump_when(directory, lambda dump: dump.restarts > 0)
    assert not seen.ready
    assert "api_open_on_network" in place_of(directory).log.read_text()


# Orders


async def test_stop_ends_both_and_frees_the_folder(running: Running, directory: Path, gobgpd: str) -> None:
    assert running.sidecar and running.daemon
    await client.stop(directory, withdraw=True)
    assert client.find(directory) is None
    await asyncio.wait_for(client.ended(running.sidecar), DEADLINE)
    assert not processes.is_alive(running.daemon)
    assert not accepts(directory)
    with pytest.raises(SidecarGone, match="no sidecar answers"):
        await client.dump(directory)


async def test_a_new_sidecar_may_start_right_after_a_stop(
    running: Running, directory: Path, gobgpd: str
) -> None:
    for _ in range(3):
        await client.stop(directory, withdraw=False)
        again = await client.spawn(directory, gobgpd=gobgpd)
    assert accepts(directory)
    assert client.find(directory) == again


@pytest.mark.parametrize(("withdraw", "goodbye"), [(True, True), (False, False)])
async def test_only_a_withdrawing_stop_lets_gobgpd_say_goodbye(
    running: Running, directory: Path, withdraw: bool, goodbye: bool
) -> None:
    await client.stop(directory, withdraw=withdraw)
    assert ("stopping gobgpd server" in place_of(directory).log.read_text()) is goodbye


async def test_reload_is_refused_with_the_reason(running: Running, directory: Path) -> None:
    with pytest.raises(OrderRefused, match="nothing to reload"):
        await client.control(directory, "reload")
    assert client.find(directory) == running


async def test_nobody_on_the_control_socket_keeps_others_from_it(running: Running, directory: Path) -> None:
    silent = await asyncio.open_unix_connection(place_of(directory).control_socket)
    babbler = await asyncio.open_unix_connection(place_of(directory).control_socket)
    babbler[1].write(b"x" * (3 * protocol.LONGEST_LINE))
    with pytest.raises(ConnectionResetError):
        await babbler[0].read()
    assert (await client.dump(directory)).ready
    talker = await asyncio.open_unix_connection(place_of(directory).control_socket)
    talker[1].write(b'nonsense\n{"command": "dump"}\n')
    assert json.loads(await talker[0].readline())["ok"] is False
    assert json.loads(await talker[0].readline())["ok"] is True
    for _, writer in (silent, babbler, talker):
        writer.close()
    assert client.find(directory) == running


# Adoption


async def test_gobgpd_outlives_a_killed_sidecar_and_is_adopted(
    running: Running, directory: Path, gobgpd: str, version: str
) -> None:
    assert running.sidecar and running.daemon
    kill(running.sidecar)
    await asyncio.wait_for(client.ended(running.sidecar), DEADLINE)
    assert client.find(directory) == Running(running.api_target, None, running.daemon)
    with pytest.raises(SidecarGone):
        await client.restart(directory)

    second = await client.spawn(directory, gobgpd=gobgpd)
    assert second.daemon == running.daemon
    seen = await client.dump(directory)
    assert (seen.adopted, seen.version, seen.restarts) == (True, version, 0)
    assert seen.started_at

    kill(second.daemon)
    seen = await dump_when(directory, lambda dump: dump.ready and dump.restarts == 1)
    assert not seen.adopted
    assert seen.last_exit and (seen.last_exit.code, seen.last_exit.signal) == (None, None)


async def test_an_orphan_without_a_pid_file_is_found_by_its_socket(
    running: Running, directory: Path, gobgpd: str
) -> None:
    kill(running.sidecar)
    place_of(directory).record.unlink()
    await until(lambda: not processes.is_alive(running.sidecar) if running.sidecar else True)
    assert (await client.spawn(directory, gobgpd=gobgpd)).daemon == running.daemon


async def test_an_adopted_gobgpd_takes_orders(running: Running, directory: Path, gobgpd: str) -> None:
    assert running.sidecar and running.daemon
    kill(running.sidecar)
    await asyncio.wait_for(client.ended(running.sidecar), DEADLINE)
    await client.spawn(directory, gobgpd=gobgpd)
    seen = await client.restart(directory)
    assert (seen.ready, seen.adopted) == (True, False)
    assert not processes.is_alive(running.daemon)


async def test_a_recycled_pid_is_neither_adopted_nor_signalled(directory: Path, gobgpd: str) -> None:
    with subprocess.Popen(["sleep", "60"]) as bystander:
        someone = processes.identify(bystander.pid)
        assert someone is not None
        former = processes.Identity(someone.pid, someone.start_time - 1, someone.boot_id, someone.namespace)
        place_of(directory).folder.mkdir(mode=0o700)
        record.write(place_of(directory).record, record.Record(former, former, "4.8.0", "long ago"))
        assert client.find(directory) is None
        running = await client.spawn(directory, gobgpd=gobgpd)
        assert running.daemon and running.daemon.pid != someone.pid
        await client.stop(directory, withdraw=True)
        assert bystander.poll() is None
        bystander.kill()


# Signals


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_means_goodbye_within_two_seconds(
    running: Running, directory: Path, signum: signal.Signals
) -> None:
    assert running.sidecar and running.daemon
    kill(running.sidecar, signum)
    await asyncio.wait_for(client.ended(running.sidecar), 2.0)
    assert not processes.is_alive(running.daemon)
    assert "stopping gobgpd server" in place_of(directory).log.read_text()


async def test_a_gobgpd_that_does_not_listen_is_killed_within_two_seconds(running: Running) -> None:
    assert running.sidecar and running.daemon
    kill(running.daemon, signal.SIGSTOP)
    kill(running.sidecar, signal.SIGTERM)
    await asyncio.wait_for(client.ended(running.sidecar), 2.0)
    assert not processes.is_alive(running.daemon)


async def test_a_second_signal_kills_at_once(running: Running) -> None:
    assert running.sidecar and running.daemon
    kill(running.daemon, signal.SIGSTOP)
    asked = time.monotonic()
    kill(running.sidecar, signal.SIGTERM)
    kill(running.sidecar, signal.SIGINT)
    await asyncio.wait_for(client.ended(running.sidecar), 2.0)
    assert time.monotonic() - asked < 1.0


async def test_a_closed_terminal_changes_nothing(running: Running, directory: Path) -> None:
    kill(running.sidecar, signal.SIGHUP)
    assert (await client.dump(directory)).ready
    assert client.find(directory) == running


# The facts that the command line leans on


def test_3_10_does_not_know_the_option_that_4_8_needs() -> None:
    known = {
        version: "--metrics-path" in ask(GOBGPD, str(program(version))).options
        for version in ("3.10.0", "4.8.0")
    }
    assert known == {"3.10.0": False, "4.8.0": True}
