"""Steps of the vip tour in which the API server has a part: reports of masters, edits, its own absence."""

from collections.abc import Iterator

import pytest

from lab.lab import KUBERNETES, Lab, held_lab
from lab.steps.lan.cluster import without_an_api_server_masters_move
from lab.steps.lan.vip import (
    a_service_more_and_one_less,
    drained_node_loses_nothing,
    local_policy_follows_a_pod,
    masters_spread,
)
from lab.tours import TOURS

pytestmark = pytest.mark.timeout(600)

VIP = TOURS["vip"]


@pytest.fixture(scope="module")
def running() -> Iterator[Lab]:
    with held_lab(VIP.topology, name=VIP.name, mode=KUBERNETES) as lab:
        lab.copy_manifests(*VIP.more)
        lab.start_daemons()
        yield lab


def test_holds(running: Lab) -> None:
    for step in (
        *(masters_spread, a_service_more_and_one_less, local_policy_follows_a_pod),
        *(drained_node_loses_nothing, without_an_api_server_masters_move),
    ):
        assert step(running).sentence
