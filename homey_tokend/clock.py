"""Time and chance: the only file of the daemon that reads, awaits or draws them."""

import asyncio
import random
import time
from datetime import UTC, datetime

#: The operating system's chance: two daemons started by one image must not draw alike.
_CHANCE = random.SystemRandom()


class SystemClock:
    """The machine's own clocks and chance (``ports.Clock``)."""

    def now(self) -> datetime:
        """The wall clock, as an aware instant in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds of a clock that is never set; it stands still during suspend.

        The event loop's timers go by the same clock.
        """
        return time.monotonic()

    def elapsed(self) -> float:
        """Seconds of a clock that is never set and goes on during suspend (clock_gettime(2)).

        What the wall clock gains on it, somebody has set.
        """
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def draw(self) -> float:
        """A number from [0, 1)."""
        return _CHANCE.random()

    async def sleep(self, seconds: float) -> None:
        """Waits by the monotonic clock; a negative or zero wait gives up one loop turn."""
        await asyncio.sleep(max(0.0, seconds))
