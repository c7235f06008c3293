"""Freed memory goes back to the system. In a process of its own: the tests' own heap is anybody's guess."""

import subprocess
import sys

_FREED = """
from openelb_bgp.lib.memory import give_back

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

blocks = [bytes(2000) for _ in range(30_000)]
above = bytes(2000)
blocks.clear()
freed = resident()
give_back()
print(freed - resident())
"""


def test_what_lies_below_something_that_lives_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", _FREED], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 50_000_000
