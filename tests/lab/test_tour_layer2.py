"""Each step of the layer2 tour, one by one, on one running LAN whose objects are files."""

from collections.abc import Iterator

import pytest

from lab.lab import Lab, held_lab
from lab.steps import Step
from lab.tours import TOURS
from tests.lab.finding import expect_holds


@pytest.fixture(scope="module")
def running() -> Iterator[Lab]:
    with held_lab(TOURS["layer2"].topology) as lab:
        lab.start_daemons()
        yield lab


@pytest.mark.parametrize("step", TOURS["layer2"].steps, ids=lambda step: step.run.__name__)
def test_holds(running: Lab, step: Step) -> None:
    expect_holds(step, running)
