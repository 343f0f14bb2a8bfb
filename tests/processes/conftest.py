"""Pretend clouds, and daemons that none of the tests leaves behind."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes.cloud import Clouds
from tests.processes.daemons import Daemons
from tests.processes.demos import Demo


@pytest.fixture(scope="session", autouse=True)
def whole_demo(request: pytest.FixtureRequest) -> Iterator[Demo | None]:
    """The demo of half a minute, which runs beside the other tests where a test wants it."""
    wanted = any("whole_demo" in item.function.__code__.co_varnames for item in _functions(request))
    if not wanted:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="ht"))
    with Demo(folder, "--for", "30") as demo:
        yield demo
    shutil.rmtree(folder)


def _functions(request: pytest.FixtureRequest) -> list[pytest.Function]:
    return [item for item in request.session.items if isinstance(item, pytest.Function)]


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
