"""Each step of the tour, one by one, in one running lab."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.lab import Lab, held_lab
from lab.steps import TOUR, Step
from tests.lab.finding import expect_holds


@pytest.fixture(scope="module")
def running(ecmp: Path) -> Iterator[Lab]:
    with held_lab(ecmp) as lab:
        lab.start_daemons()
        yield lab


@pytest.mark.parametrize("step", TOUR, ids=lambda step: step.run.__name__)
def test_holds(running: Lab, step: Step) -> None:
    expect_holds(step, running)
