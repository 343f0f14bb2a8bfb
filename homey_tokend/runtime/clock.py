"""Time and randomness: the only file of the daemon that reads, awaits or generates them."""

import asyncio
import contextlib
import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from homey_tokend.core.ports import Clock

#: From what on is the wall clock "set"? A second or two, as NTP steps it, is left to the
#: token's own margins, until it adds up to this.
JUMP = timedelta(seconds=5)
#: How far may two readings of one moment lie apart? More: the machine slept between them.
_SAME_MOMENT_S = 0.5

#: The operating system's randomness: two daemons started by one image must not draw alike.
_RANDOM = random.SystemRandom()
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class SystemClock:
    """The machine's own clocks and randomness (``ports.Clock``).

    Args:
        boot_id: Names this boot, where the kernel's own name for it cannot be read.
    """

    def __init__(self, boot_id: str = "") -> None:
        self._boot_id = boot_id

    def now(self) -> datetime:
        """Return the wall clock, as an aware instant in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the seconds of a clock that is never set; it stands still during suspend.

        The event loop's timers go by the same clock.
        """
        return time.monotonic()

    def elapsed(self) -> float:
        """Return the seconds of a clock that is never set and continues during suspend (clock_gettime(2)).

        What the wall clock gains on it, somebody has set.
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
    """The timeline of this process (``ports.Clock``), over a clock that may be set.

    ``now`` is the wall clock at the start plus the seconds since, suspend included. No
    setting moves it, so nothing that is kept need ever be moved. ``offset`` is what the
    wall clock is ahead of it; ``core.timeline`` adds it where an instant leaves.

    Args:
        clock: The machine's clocks.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._start, self._since = self._read()
        self.offset = timedelta(0)

    def now(self) -> datetime:
        """Return the steady time, aware UTC."""
        return self._start + timedelta(seconds=self._clock.elapsed() - self._since)

    def wall(self) -> datetime:
        """Return the wall clock as it is at this moment."""
        return self._clock.now()

    def update(self) -> timedelta:
        """Compare with the wall clock; ``offset`` then includes by how much it was set.

        Returns:
            By how much it was set since the last time; zero for less than ``JUMP``.
        """
        wall, elapsed = self._read()
        set_by = wall - self._start - timedelta(seconds=elapsed - self._since) - self.offset
        if abs(set_by) < JUMP:
            return timedelta(0)
        self.offset += set_by
        return set_by

    def monotonic(self) -> float:
        """See the clock below."""
        return self._clock.monotonic()

    def elapsed(self) -> float:
        """As the clock below."""
        return self._clock.elapsed()

    def boot_id(self) -> str:
        """As the clock below."""
        return self._clock.boot_id()

    def random(self) -> float:
        """As the clock below."""
        return self._clock.random()

    async def sleep(self, seconds: float) -> None:
        """As the clock below."""
        await self._clock.sleep(seconds)

    def _read(self) -> tuple[datetime, float]:
        """Return both clocks at one moment."""
        while True:
            before, now, after = self._clock.elapsed(), self._clock.now(), self._clock.elapsed()
            if after - before < _SAME_MOMENT_S:
                return now, after
