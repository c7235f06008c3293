"""`make demo` prints what the README shows of it, but for times and counts."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.lab import take_down
from lab.state import labs
from pages.sessions import agrees, blocks

TOP = Path(__file__).parents[2]
WIDTH = "80"


# Where a router changed its next hops while a connection was open; the sentence is broken by its line's time.
_SENT_TWICE = re.compile(r" N had a connection open at a change, and( N)?\n? were sent twice\.")


def _without_numbers(text: str) -> str:
    """Counts, times, and how often a request was sent twice or lost come out otherwise each time."""
    text = re.sub(r" +", " ", re.sub(r"(?<![\w.])\d+(\.\d+)?( s\b)?", "N", text))
    text = re.sub(r"(N N N)( N)? ?$", r"\1", text, flags=re.MULTILINE)
    return _SENT_TWICE.sub(r"\1", text)


def _lab(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        (sys.executable, "-m", "lab", *command),
        cwd=TOP,
        env={**os.environ, "COLUMNS": WIDTH},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def demo() -> Iterator[tuple[str, str]]:
    """What the demo prints, and the lab that it leaves up; that one is taken down, and no other."""
    done = _lab("demo", "--lab", "ecmp")
    left = re.search(r"The lab is up as (\S+)\.", done.stdout)
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        assert left is not None
        yield done.stdout, left[1]
    finally:
        for folder in labs():
            if left is not None and folder.path.name == left[1]:
                take_down(folder)


@pytest.mark.timeout(600)
def test_prints_what_the_readme_shows(demo: tuple[str, str]) -> None:
    (block,) = (block for block in blocks((TOP / "README.md").read_text()) if block.how == "demo")
    (command,) = block.commands
    assert (command.line, block.what) == ("make demo", "ecmp")
    said = [_without_numbers(line) for line in command.printed]
    assert agrees([*said, "…"], _without_numbers(demo[0])), demo[0]


def test_a_command_is_run_in_a_node_of_the_lab_that_is_up(demo: tuple[str, str]) -> None:
    done = _lab("at", "--lab", demo[1], "leaf1", "ip", "route", "show", "198.51.100.1")
    assert done.stdout.count("nexthop via 10.10.0.1") == 3, done.stdout + done.stderr


def test_a_node_that_the_lab_does_not_have_is_told_with_those_that_it_has(demo: tuple[str, str]) -> None:
    done = _lab("at", "--lab", demo[1], "leaf9")
    assert (done.returncode, done.stdout) == (1, "")
    assert "has no 'leaf9'; it has client, controller, " in done.stderr
