"""Time and randomness: the only module of the daemon that reads clocks and random numbers."""

import asyncio
import contextlib
import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from homey_tokend.core.ports import Clock

#: The wall clock counts as set if it differs by this much. Steps of a second or two, as by NTP,
#: are ignored until they add up to it.
JUMP = timedelta(seconds=5)
#: Two readings that are further apart are not of one moment: the machine was suspended between
#: them.
_SAME_MOMENT_S = 0.5

#: From the operating system: two daemons started from one image must not get the same numbers.
_RANDOM = random.SystemRandom()
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class SystemClock:
    """The machine's own clocks and randomness (``ports.Clock``).

    Args:
        boot_id: The id of this boot; by default the kernel's.
    """

    def __init__(self, boot_id: str = "") -> None:
        self._boot_id = boot_id

    def now(self) -> datetime:
        """Return the wall clock, as an aware instant in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the seconds of a clock that nobody sets, and that stops during suspend.

        The event loop's timers use the same clock.
        """
        return time.monotonic()

    def elapsed(self) -> float:
        """Return the seconds of a clock that nobody sets, and that continues during suspend.

        This is CLOCK_BOOTTIME (clock_gettime(2)). If the wall clock changes relative to it, it
        was set.
        """
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def boot_id(self) -> str:
        """Return the id of this boot of the machine (random(4)); empty if it is unknown."""
        if not self._boot_id:
            with contextlib.suppress(OSError, ValueError):
                self._boot_id = _BOOT_ID.read_text(encoding="ascii").strip().replace("-", "")
        return self._boot_id

    def random(self) -> float:
        """Return a random number from [0, 1)."""
        return _RANDOM.random()

    async def sleep(self, seconds: float) -> None:
        """Wait by the monotonic clock; a negative or zero wait yields one turn of the event loop."""
        await asyncio.sleep(max(0.0, seconds))


class SteadyClock:
    """The timeline of this process (``ports.Clock``), independent of the wall clock's settings.

    ``now`` is the wall clock at the start plus the seconds since, including suspend. It does not
    change when the wall clock is set. ``offset`` is how far the wall clock is ahead of it, as of
    the last ``update``; ``core.timeline`` adds it where an instant leaves the process.

    Args:
        clock: The machine's clocks.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._start, self._since = self._read()
        self.offset = timedelta(0)

    def now(self) -> datetime:
        """Return the current instant on the timeline, aware, in UTC."""
        return self._start + timedelta(seconds=self._clock.elapsed() - self._since)

    def wall(self) -> datetime:
        """Return the current wall clock."""
        return self._clock.now()

    def update(self) -> timedelta:
        """Compare with the wall clock, and update ``offset`` if it was set.

        Returns:
            By how much it was set since the last update; zero for less than ``JUMP``.
        """
        wall, elapsed = self._read()
        set_by = wall - self._start - timedelta(seconds=elapsed - self._since) - self.offset
        if abs(set_by) < JUMP:
            return timedelta(0)
        self.offset += set_by
        return set_by

    def monotonic(self) -> float:
        """See ``ports.Clock``."""
        return self._clock.monotonic()

    def elapsed(self) -> float:
        """See ``ports.Clock``."""
        return self._clock.elapsed()

    def boot_id(self) -> str:
        """See ``ports.Clock``."""
        return self._clock.boot_id()

    def random(self) -> float:
        """See ``ports.Clock``."""
        return self._clock.random()

    async def sleep(self, seconds: float) -> None:
        """See ``ports.Clock``."""
        await self._clock.sleep(seconds)

    def _read(self) -> tuple[datetime, float]:
        """Return both clocks at one moment."""
        while True:
            before, now, after = self._clock.elapsed(), self._clock.now(), self._clock.elapsed()
            if after - before < _SAME_MOMENT_S:
                return now, after
