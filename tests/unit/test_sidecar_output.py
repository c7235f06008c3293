"""The last lines of a daemon, from a file and from a pipe, and how long a log may grow."""

import os
from pathlib import Path

import pytest

from openelb_bgp.sidecar.output import FileOutput, PipedOutput, last_lines


def write(descriptor: int, text: bytes) -> None:
    os.write(descriptor, text)
    os.close(descriptor)


def test_keeps_the_last_twenty_lines_and_cuts_long_ones() -> None:
    written = b"".join(b"line %d\n" % number for number in range(30)) + b"\n" + b"x" * 5000 + b"\n"
    assert last_lines(written) == (*(f"line {number}" for number in range(11, 30)), "x" * 2000)


def test_leaves_out_what_the_sidecar_itself_said() -> None:
    assert last_lines(b'{"from": "sidecar", "event": "x"}\npanic: nil map\n') == ("panic: nil map",)


def test_a_file_tells_of_the_life_that_writes_now(tmp_path: Path) -> None:
    output = FileOutput(tmp_path / "log")
    write(output.open(), b"first life\n")
    write(output.open(), b"second life\n")
    assert output.last_lines() == ("second life",)
    assert (tmp_path / "log").read_text() == "first life\nsecond life\n"


def test_a_log_that_grew_long_is_emptied_under_the_daemons_hands(tmp_path: Path) -> None:
    output = FileOutput(tmp_path / "log")
    daemon = output.open()
    os.write(daemon, b"old\n" * (11 * 2**18))
    output.tidy()
    write(daemon, b"new\n")
    assert (tmp_path / "log").read_bytes() == b"new\n"
    assert (tmp_path / "log.1").stat().st_size == 11 * 2**20
    assert output.last_lines() == ("new",)


def test_a_log_of_usual_size_is_left_alone(tmp_path: Path) -> None:
    output = FileOutput(tmp_path / "log")
    write(output.open(), b"line\n")
    output.tidy()
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_a_pipe_passes_on_what_it_keeps(capfd: pytest.CaptureFixture[str]) -> None:
    output = PipedOutput()
    write(output.open(), b"gobgpd started\n")
    while output.pump():
        pass
    assert output.last_lines() == ("gobgpd started",)
    assert output.readable() is None
    assert capfd.readouterr().err == "gobgpd started\n"


def test_a_pipe_begins_anew_with_each_life() -> None:
    output = PipedOutput()
    write(output.open(), b"first life\n")
    output.pump()
    os.close(output.open())
    assert output.last_lines() == ()


def test_a_pipe_with_nothing_in_it_does_not_block() -> None:
    output = PipedOutput()
    writer = output.open()
    assert not output.pump()
    assert output.readable() is not None
    os.close(writer)
    assert not output.pump()
    assert output.readable() is None
