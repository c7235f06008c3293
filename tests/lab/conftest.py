"""Labs for the tests: a bare one, with routers and pods but no speakers, and one with everything."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.lab import TOPOLOGIES, Lab, held_lab
from lab.manifests import Object, edit
from lab.steps.step import await_sessions

ECMP = TOPOLOGIES / "ecmp.clab.yml"
STAND_IN_AFTER = 2
"""Seconds, in place of 10, so that tests need not wait as long."""


@pytest.fixture(scope="module")
def ecmp() -> Path:
    return ECMP


@pytest.fixture(scope="module")
def bare(ecmp: Path) -> Iterator[Lab]:
    with held_lab(ecmp) as lab:
        yield lab


@pytest.fixture(scope="module")
def hasty(ecmp: Path) -> Iterator[Lab]:
    """A whole lab, its sessions up, whose nodes stand in for each other after two seconds."""
    with held_lab(ecmp) as lab:
        lab.copy_manifests()
        edit(lab.paths.manifests, "BgpConf", "default", _stand_in_soon)
        lab.start_daemons()
        await_sessions(lab)
        yield lab


def _stand_in_soon(conf: Object) -> None:
    conf["spec"]["standInAfterSeconds"] = STAND_IN_AFTER
