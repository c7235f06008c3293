"""Each step of the tour, one by one, in a lab that is a cluster: API server, bound tokens, Pods."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.lab import KUBERNETES, Lab, held_lab
from lab.steps import CLUSTER_TOUR, Step


@pytest.fixture(scope="module")
def running(ecmp: Path) -> Iterator[Lab]:
    with held_lab(ecmp, mode=KUBERNETES) as lab:
        lab.start_daemons()
        yield lab


@pytest.mark.parametrize("step", CLUSTER_TOUR, ids=lambda step: step.run.__name__)
def test_holds(running: Lab, step: Step) -> None:
    finding = step.run(running)
    assert finding.sentence
    assert [len(row) for row in finding.rows] == [len(finding.columns)] * len(finding.rows)
