"""Labs for the tests: a bare one, with routers and pods but no speakers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.lab import TOPOLOGIES, Lab, held_lab

ECMP = TOPOLOGIES / "ecmp.clab.yml"


@pytest.fixture(scope="module")
def ecmp() -> Path:
    return ECMP


@pytest.fixture(scope="module")
def bare(ecmp: Path) -> Iterator[Lab]:
    with held_lab(ecmp) as lab:
        yield lab
