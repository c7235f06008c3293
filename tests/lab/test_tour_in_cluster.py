"""Each step of the tour, one by one, in a lab that is a cluster: API server, bound tokens, Pods."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.cluster.api import OURS, ApiError
from lab.lab import KUBERNETES, Lab, held_lab
from lab.shell import wait_until
from lab.steps import CLUSTER_TOUR, Step
from tests.lab.finding import expect_holds

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def running(ecmp: Path) -> Iterator[Lab]:
    with held_lab(ecmp, mode=KUBERNETES) as lab:
        lab.start_daemons()
        yield lab


@pytest.mark.parametrize("step", CLUSTER_TOUR, ids=lambda step: step.run.__name__)
def test_holds(running: Lab, step: Step) -> None:
    expect_holds(step, running)


def test_the_webhook_refuses_a_pool_that_overlaps_another(running: Lab) -> None:
    assert running.cluster is not None
    api, spec = running.cluster.api, {"address": "198.51.100.8/30"}
    eip = {"apiVersion": OURS, "kind": "Eip", "metadata": {"name": "late"}, "spec": spec}

    def refusal() -> str:
        try:
            api.create(eip, dryRun="All")
        except ApiError as exc:
            return exc.message
        return ""

    # Until the leader has written its CA, the API server goes on without asking.
    said = wait_until(lambda: refusal() or None, within=20.0, what="a refusal")
    assert "validate.eip.network.kubesphere.io" in said and "lab-v4" in said
