"""The sidecar as the first process of a container, over real gobgpd of both versions."""

# A test that blocks keeps nobody waiting but itself.
# ruff: noqa: ASYNC221

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from openelb_bgp.sidecar import client

T = TypeVar("T")
CACHE = Path(
    os.environ.get("OPENELB_BGP_CACHE") or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "openelb-bgp")
)
DEADLINE = 15.0
SIDECAR = [sys.executable, "-P", "-m", "openelb_bgp.sidecar", "gobgpd"]


@pytest.fixture(params=["3.10.0", "4.8.0"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def gobgpd(version: str) -> Path:
    path = CACHE.expanduser() / "gobgp" / version / "gobgpd"
    assert path.exists(), f"{path} is missing: `make test` installs it"
    return path


@pytest.fixture
def directory() -> Iterator[Path]:
    """A short one, because of the sockets."""
    with tempfile.TemporaryDirectory(prefix="oelb-") as made:
        yield Path(made)


async def until(seen: Callable[[], T | None]) -> T:
    """What `seen` returns once it is something true."""
    async with asyncio.timeout(DEADLINE):
        while True:
            if value := seen():
                return value
            await asyncio.sleep(0.01)


def accepts(directory: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(client.api_target(directory).removeprefix("unix://")) == 0


@pytest.fixture
def container(directory: Path, gobgpd: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`unshare` with the sidecar as PID 1 of its namespaces; whatever is in there dies with it."""
    argv = ["unshare", "--pid", "--fork", "--mount-proc", "--net", "--kill-child"]
    argv += [*SIDECAR, "--dir", str(directory), "--gobgpd", str(gobgpd)]
    with subprocess.Popen(argv, stderr=subprocess.PIPE) as unshare:
        yield unshare
        unshare.kill()


def first_process(unshare: subprocess.Popen[bytes]) -> int | None:
    children = Path(f"/proc/{unshare.pid}/task/{unshare.pid}/children").read_text().split()
    return int(children[0]) if children else None


async def test_as_pid_1_it_restarts_and_takes_orders(
    container: subprocess.Popen[bytes], directory: Path, version: str
) -> None:
    await until(lambda: accepts(directory))
    seen = await client.restart(directory)
    assert (seen.sidecar_pid, seen.version, seen.restarts, seen.ready) == (1, version, 1, True)
    assert client.find(directory) is None, "pids of another namespace must not be taken for ours"


async def test_as_pid_1_it_passes_the_daemons_lines_on(
    container: subprocess.Popen[bytes], directory: Path
) -> None:
    await until(lambda: accepts(directory))
    await client.stop(directory, withdraw=True)
    assert container.stderr is not None
    said = [json.loads(line) for line in container.stderr.read().splitlines()]
    assert container.wait(DEADLINE) == 0
    assert [line.get("event") or line["msg"] for line in said if line.get("Topic") is None] == [
        "daemon_started",
        "gobgpd started",
        "stop_ordered",
        "stopping gobgpd server",
        "daemon_ended",
        "sidecar_ended",
    ]


async def test_as_pid_1_it_says_goodbye_on_sigterm_within_two_seconds(
    container: subprocess.Popen[bytes], directory: Path
) -> None:
    await until(lambda: accepts(directory))
    pid = await until(lambda: first_process(container))
    asked = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    assert container.wait(DEADLINE) == 0
    assert time.monotonic() - asked < 2.0


async def test_as_pid_1_it_reaps_what_others_leave(
    container: subprocess.Popen[bytes], directory: Path
) -> None:
    await until(lambda: accepts(directory))
    pid = await until(lambda: first_process(container))
    # The shell leaves a child behind, which becomes a child of PID 1.
    subprocess.run(["nsenter", f"--target={pid}", "--pid", "sh", "-c", "sleep 0.1 & exit"], check=True)
    await until(lambda: len(children_of(pid)) == 1)
    seen = await client.dump(directory)
    assert (seen.ready, seen.restarts) == (True, 0)


def children_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
