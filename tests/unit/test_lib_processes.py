"""Who a process is: the fields that tell it from one that has taken its pid."""

import os
from dataclasses import replace

import pytest

from openelb_bgp.lib import processes
from openelb_bgp.lib.processes import Identity

GOBGPD = Identity(pid=71, start_time=195864, boot_id="21f10c28-7556-476a", namespace="pid:[4026531836]")
STAT = "71 (go (bgp) d) S 1 71 71 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 9 0 195864 1262 3 0"


def myself() -> Identity:
    identity = processes.identify(os.getpid())
    assert identity is not None
    return identity


def test_reads_the_start_time_behind_a_command_with_spaces_and_parentheses() -> None:
    assert processes.start_time_of(STAT) == 195864


@pytest.mark.parametrize("state", ["Z", "X"])
def test_takes_a_process_that_nobody_has_reaped_for_dead(state: str) -> None:
    assert processes.start_time_of(STAT.replace(" S ", f" {state} ")) is None


def test_an_identity_survives_the_file() -> None:
    assert Identity.from_json(GOBGPD.to_json()) == GOBGPD


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {**GOBGPD.to_json(), "pid": 0},
        {**GOBGPD.to_json(), "pid": -1},
        {**GOBGPD.to_json(), "boot_id": None},
    ],
)
def test_refuses_what_names_no_process(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not the identity of a process"):
        Identity.from_json(fields)


def test_finds_a_process_that_runs() -> None:
    assert processes.is_alive(myself())
    pidfd = processes.watch(myself())
    assert pidfd is not None
    assert not processes.wait_ended(pidfd, seconds=0)
    os.close(pidfd)


@pytest.mark.parametrize(
    "other",
    [
        replace(myself(), start_time=myself().start_time - 1),
        replace(myself(), boot_id="another boot"),
        replace(myself(), namespace="pid:[1]"),
    ],
    ids=["earlier process of this pid", "before the boot", "in another container"],
)
def test_never_mistakes_the_process_that_has_the_pid_now(other: Identity) -> None:
    assert not processes.is_alive(other)
    assert processes.watch(other) is None


def test_a_pid_that_nobody_has_is_nobody() -> None:
    nobody = 2**22 + 1
    assert processes.identify(nobody) is None
    assert processes.watch(replace(myself(), pid=nobody)) is None
