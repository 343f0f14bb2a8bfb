"""Real keepers with a simulator, a clock and a scheduler that the test moves."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from homey_tokend.simulator import Switches
from tests.keeper.harness import Harness, running_home

Begin = Callable[..., Awaitable[Harness]]


@pytest.fixture
async def begin(tmp_path: Path) -> AsyncIterator[Begin]:
    """Return a function that creates a harness: settings and switches of the simulator as keywords."""
    async with AsyncExitStack() as stack:

        async def make(switches: Switches | None = None, **settings: Any) -> Harness:
            return await stack.enter_async_context(running_home(tmp_path, switches, **settings))

        yield make


@pytest.fixture
async def harness(begin: Begin) -> Harness:
    """A harness with one Homey, not started yet."""
    return await begin()
