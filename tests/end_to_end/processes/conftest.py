"""Pretend clouds, and daemons that none of the tests leaves behind."""

import os
from collections.abc import Iterator

import pytest

from tests.end_to_end.processes.cloud import Clouds
from tests.end_to_end.processes.daemons import Daemons


@pytest.fixture(scope="session", autouse=True)
def _bytecode(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Where no bytecode may be written beside the source, a hundred processes share some aside."""
    with pytest.MonkeyPatch.context() as patch:
        if os.environ.get("PYTHONDONTWRITEBYTECODE"):
            patch.delenv("PYTHONDONTWRITEBYTECODE")
            aside = tmp_path_factory.getbasetemp().parent / "bytecode"
            patch.setenv("PYTHONPYCACHEPREFIX", str(aside))
        yield


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
