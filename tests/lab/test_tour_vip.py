"""Each step of the vip tour, one by one, on one running LAN with pools of both modes."""

from collections.abc import Iterator

import pytest

from lab.lab import Lab, held_lab
from lab.steps import Step
from lab.tours import TOURS
from tests.lab.finding import expect_holds

VIP = TOURS["vip"]


@pytest.fixture(scope="module")
def running() -> Iterator[Lab]:
    with held_lab(VIP.topology, name=VIP.name) as lab:
        lab.copy_manifests(*VIP.more)
        lab.start_daemons()
        yield lab


@pytest.mark.parametrize("step", VIP.steps, ids=lambda step: step.run.__name__)
def test_holds(running: Lab, step: Step) -> None:
    expect_holds(step, running)
