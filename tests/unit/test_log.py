"""The log: nothing secret is in it, also where something unexpected is told with its traceback."""

import subprocess
import sys

import pytest

SCRIPT = """
import structlog
from openelb_bgp.runtime.log import configure

def work():
    password = "hush" + "-hush"
    raise ValueError("it went wrong")

configure(verbosity=0, colour={colour})
try:
    work()
except ValueError as error:
    structlog.get_logger().error("cycle_failed", exc_info=error)
"""


@pytest.mark.parametrize("colour", [True, False])
def test_a_traceback_shows_the_error_and_no_variable(colour: bool) -> None:
    script = SCRIPT.format(colour=colour)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "it went wrong" in done.stderr and "Traceback" in done.stderr
    assert "hush-hush" not in done.stderr
