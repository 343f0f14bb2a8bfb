"""Simulated clouds, and daemons that no test leaves behind."""

import os
from collections.abc import Iterator

import pytest

from tests.end_to_end.processes.cloud import Clouds
from tests.end_to_end.processes.daemons import Daemons


@pytest.fixture(scope="session", autouse=True)
def _bytecode(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """If no bytecode may be written next to the source, a hundred processes share a directory for it."""
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
    """Start simulated clouds that stop with the test."""
    yield _clouds
    _clouds.stop_all()


@pytest.fixture
def daemons(clouds: Clouds) -> Iterator[Daemons]:
    """Start daemons that stop with the test, before their clouds do."""
    del clouds
    with Daemons() as made:
        yield made
