"""An engine with the images of this checkout, for all tests of this folder."""

from collections.abc import Iterator

import pytest

from lab.engine import images
from lab.engine.engine import Engine, held_engine


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    with held_engine() as engine:
        images.build(engine)
        yield engine
