"""As soon as a set clock is detected, readers get the new time."""

import asyncio
from datetime import timedelta

import pytest

from tests.keeper.harness import DAY, HOUR, Harness


@pytest.mark.parametrize("by", [2 * HOUR, -2 * HOUR, 2 * DAY])
async def test_what_is_shown_moves_at_once(harness: Harness, by: timedelta) -> None:
    """A keeper that waits for the disk, or for its turn, withholds and prolongs nothing."""
    await harness.start()
    harness.clock.set_wall(by)
    beat = asyncio.create_task(harness.supervisor.on_heartbeat())
    await asyncio.sleep(0)
    token, now = harness.token(), harness.supervisor.now()
    await beat

    assert 24 * HOUR == token.left(now)
