"""The steps of the layer2 tour in which the API server has a part: who writes and reads what becomes of
Services, pods that move, a drain, and its own absence.
"""

from collections.abc import Iterator

import pytest

from lab.lab import KUBERNETES, Lab, held_lab
from lab.steps import Step
from lab.tours import TOURS
from tests.lab.finding import expect_holds

pytestmark = pytest.mark.timeout(600)

LAYER2 = TOURS["layer2"]
ON_THE_WIRE_ONLY = {
    "network_partitioned",
    "ipv6_does_the_same",
    "speaker_killed_loses_nothing",
    "link_cut",
    "node_paused",
}
"""The same with files; `make demo LAB=layer2 MODE=kubernetes` takes them all."""


@pytest.fixture(scope="module")
def running() -> Iterator[Lab]:
    with held_lab(LAYER2.topology, mode=KUBERNETES) as lab:
        lab.start_daemons()
        yield lab


@pytest.mark.parametrize(
    "step",
    [step for step in LAYER2.in_cluster if step.run.__name__ not in ON_THE_WIRE_ONLY],
    ids=lambda step: step.run.__name__,
)
def test_holds(running: Lab, step: Step) -> None:
    expect_holds(step, running)
