"""Fixtures for tests against a real API server.

`control_plane` is the one that a test process shares, started when the first test asks for it and cleaned
before each: what tests make is gone (see `harness/cleaning.py`), its processes run. `own_control_plane` is
for tests after which another would not find it as it was: kills and pauses belong there, too, unless the test
undoes them.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.cluster.api import Api
from lab.cluster.installation import install
from tests.daemons.conftest import _swept, new_lan, start_router
from tests.kube.harness.cleaning import clean, make_namespace
from tests.kube.harness.control_plane import ControlPlane

__all__ = ["_swept", "new_lan", "start_router"]


@pytest.fixture(scope="session")
def _shared_control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    yield from _running(tmp_path_factory.mktemp("control-plane"))


@pytest.fixture
def control_plane(_shared_control_plane: ControlPlane) -> ControlPlane:
    """A running control plane with nothing in it that a test before has made."""
    clean(_shared_control_plane.api)
    return _shared_control_plane


@pytest.fixture
def installed(control_plane: ControlPlane) -> ControlPlane:
    """The same with our CRDs, namespace, ServiceAccounts and rights; nothing of ours runs."""
    install(control_plane.api, control_plane.plane)
    return control_plane


@pytest.fixture
def own_control_plane(tmp_path: Path) -> Iterator[ControlPlane]:
    """A fresh control plane for this test alone, to be treated badly."""
    yield from _running(tmp_path / "control-plane")


@pytest.fixture
def api(control_plane: ControlPlane) -> Api:
    """The admin's client: for what the test does, never for the code under test."""
    return control_plane.api


@pytest.fixture
def new_namespace(api: Api) -> Callable[[], str]:
    """Makes namespaces of fresh names: `new_namespace()` → its name."""
    return lambda: make_namespace(api)


@pytest.fixture
def namespace(new_namespace: Callable[[], str]) -> str:
    """A namespace of a fresh name."""
    return new_namespace()


def _running(folder: Path) -> Iterator[ControlPlane]:
    made = ControlPlane(folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()
