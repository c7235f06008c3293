"""An engine with the images that the topologies name, for all tests of this folder."""

from collections.abc import Iterator

import pytest

from lab.containers.client import Client
from lab.engine import images, standins
from lab.engine.engine import Engine, held_engine
from lab.lab import TOPOLOGIES
from lab.topology import load
from tests.containerlab.deployment import Deployment


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    with held_engine() as engine:
        images.build(engine)
        for name in _of_frr():
            standins.frr(engine, name=name)
        yield engine


@pytest.fixture(scope="module")
def client(lab: Deployment) -> Client:
    """Of the lab that a module deploys: once all of it answers."""
    client = lab.client()
    client.comes_up()
    return client


def _of_frr() -> set[str]:
    nodes = (node for file in TOPOLOGIES.glob("*.clab.yml") for node in load(file).nodes)
    return {node.image for node in nodes if node.image.startswith("frrouting/")}
