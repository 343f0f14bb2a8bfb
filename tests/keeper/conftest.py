"""Real keepers with a simulator, a clock and a scheduler that the test moves."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from homey_tokend.simulator import Switches
from tests.keeper.household import Household, inhabited

Begin = Callable[..., Awaitable[Household]]


@pytest.fixture
async def begin(tmp_path: Path) -> AsyncIterator[Begin]:
    """A function that makes a household: settings and switches of the simulator as keywords."""
    async with AsyncExitStack() as stack:

        async def make(switches: Switches | None = None, **settings: Any) -> Household:
            return await stack.enter_async_context(inhabited(tmp_path, switches, **settings))

        yield make


@pytest.fixture
async def household(begin: Begin) -> Household:
    """One Homey, nothing started yet."""
    return await begin()
