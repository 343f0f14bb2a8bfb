"""Pretend clouds, and daemons that none of the tests leaves behind."""

from collections.abc import Iterator

import pytest

from tests.processes.cloud import Clouds
from tests.processes.daemons import Daemons


@pytest.fixture(scope="session")
def _clouds() -> Iterator[Clouds]:
    with Clouds() as clouds:
        yield clouds


@pytest.fixture
def clouds(_clouds: Clouds) -> Iterator[Clouds]:
    """Starts pretend clouds that stop with the test."""
    yield _clouds
    _clouds.stop_all()


@pytest.fixture
def daemons(clouds: Clouds) -> Iterator[Daemons]:
    """Starts daemons that end with the test, before their clouds do."""
    del clouds
    with Daemons() as made:
        yield made
