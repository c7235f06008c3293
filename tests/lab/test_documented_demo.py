"""`make demo` prints what the README shows of it, but for times and counts."""

import os
import re
import subprocess
import sys
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


def _take_down(printed: str) -> None:
    """Remove the lab that the demo has left up, and no other."""
    left = re.search(r"The lab is up as (\S+)\.", printed)
    for folder in labs():
        if left and folder.path.name == left[1]:
            take_down(folder)


@pytest.mark.timeout(600)
def test_prints_what_the_readme_shows() -> None:
    (block,) = (block for block in blocks((TOP / "README.md").read_text()) if block.how == "demo")
    (command,) = block.commands
    assert command.line == "make demo"
    done = subprocess.run(
        (sys.executable, "-m", "lab", "demo", "--lab", block.what),
        cwd=TOP,
        env={**os.environ, "COLUMNS": WIDTH},
        capture_output=True,
        text=True,
        check=False,
    )
    _take_down(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    said = [_without_numbers(line) for line in command.printed]
    assert agrees([*said, "…"], _without_numbers(done.stdout)), done.stdout
