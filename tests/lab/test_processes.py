"""Daemons that outlive their starter: found again, stopped, and never mistaken for another process."""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.processes import Process, Registry
from lab.shell import wait_until

STUBBORN = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
)


def _sleeper(registry: Registry) -> Process:
    return registry.start("sleeper", ("sleep", "60"))


def test_a_process_is_found_again_by_another_registry_over_the_same_folder(tmp_path: Path) -> None:
    started = _sleeper(Registry(tmp_path))
    again = Registry(tmp_path)
    assert (again.find("sleeper"), again.all(), started.alive()) == (started, (started,), True)
    again.stop("sleeper")
    assert not started.alive()


def test_a_second_process_of_the_same_name_is_refused_while_the_first_lives(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    first = _sleeper(registry)
    with pytest.raises(LabError, match=f"sleeper is running already \\(pid {first.pid}\\)"):
        _sleeper(registry)
    registry.stop("sleeper")
    second = _sleeper(registry)
    assert second != first
    registry.stop("sleeper")


def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    process = registry.start("stubborn", (sys.executable, "-c", STUBBORN))
    wait_until(lambda: process.tail() == "deaf", within=10.0, what="its word")
    registry.stop("stubborn", within=0.5)
    assert not process.alive()


def test_a_recycled_pid_is_neither_alive_nor_hit(tmp_path: Path) -> None:
    bystander = _sleeper(Registry(tmp_path))
    recycled = replace(bystander, started=bystander.started - 1)
    recycled.kill(signal.SIGKILL)
    assert (recycled.alive(), recycled.ended(within=0), bystander.alive()) == (False, True, True)
    bystander.kill()
    assert bystander.ended(within=5.0)


def test_an_ended_process_leaves_no_zombie_and_its_output_is_kept(tmp_path: Path) -> None:
    process = Registry(tmp_path).start("talker", ("sh", "-c", "echo to stdout; echo to stderr >&2"))
    assert process.ended(within=5.0)
    assert (process.alive(), process.tail()) == (False, "to stdout\nto stderr")
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="the program no-such-program is missing"):
        Registry(tmp_path).start("x", ("no-such-program",))
