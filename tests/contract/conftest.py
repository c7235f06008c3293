"""Tests of what lives in memory choose virtual time by `pytest.mark.asyncio(loop_factories=["virtual"])`."""

from collections.abc import Mapping
from typing import Any

from tests.contract.virtual import LOOPS


def pytest_asyncio_loop_factories() -> Mapping[str, Any]:
    return LOOPS
