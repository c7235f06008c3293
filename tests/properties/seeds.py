"""Seeds of random histories: a few in each run of all tests, thousands where somebody asks for them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

TIMES = int(os.environ.get("OPENELB_BGP_HISTORIES", "1"))
"""So many times as many as usual. The seed is the number of the history: what failed fails again."""


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Have what fails in here say which history it was."""
    try:
        yield
    except AssertionError as error:
        error.add_note(f"seed {seed}")
        raise
