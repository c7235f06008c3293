"""Importing less: packages that another one would load only to be prettier cost a daemon memory for life."""

import contextlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import cast


@contextlib.contextmanager
def without(*names: str) -> Iterator[None]:
    """What is imported within finds these packages not installed, unless they are loaded already.

    structlog takes rich for its tracebacks where it is there: 3 MB with pygments.
    """
    hidden = [name for name in names if name not in sys.modules]
    # None makes the import system say ModuleNotFoundError (Python's reference, 5.3.1).
    sys.modules.update(dict.fromkeys(hidden, cast(ModuleType, None)))
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
