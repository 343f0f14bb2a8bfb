"""Time and chance: the only file of the daemon that reads, awaits or draws them."""

import asyncio
import random
import time
from datetime import UTC, datetime, timedelta
from typing import Self

from homey_tokend.core.ports import Clock

#: From what on is the wall clock "set"? A second or two, as NTP steps it, is left to the
#: token's own margins, until it adds up to this.
JUMP = timedelta(seconds=5)
_JUMP_S = JUMP.total_seconds()
#: How far may two readings of one moment lie apart? More: the machine slept between them.
_SAME_MOMENT_S = 0.5

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

    def random(self) -> float:
        """A number from [0, 1)."""
        return _CHANCE.random()

    async def sleep(self, seconds: float) -> None:
        """Waits by the monotonic clock; a negative or zero wait gives up one loop turn."""
        await asyncio.sleep(max(0.0, seconds))


class SteadyClock:
    """``ports.Clock`` that goes on when the wall clock is set, until that is adopted.

    Instants that are kept were measured with the wall clock as it was. Whoever
    compared them with the new time before they are moved along would take a good
    token for a dead one, or a dead one for good.

    Args:
        clock: The clock that may be set.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since = self._read()

    @classmethod
    def over(cls, clock: Clock) -> Self:
        """A steady clock over another one; itself if it is one."""
        return clock if isinstance(clock, cls) else cls(clock)

    def now(self) -> datetime:
        """The wall clock, without what it was set by since the last ``adopt``."""
        now, elapsed = self._read()
        wall, since = self._since
        # In floats first: each read of the token comes this way, and hardly any clock is set.
        if -_JUMP_S < (now - wall).total_seconds() - (elapsed - since) < _JUMP_S:
            return now
        return now - self._set_by(now, elapsed)

    def adopt(self) -> timedelta:
        """From now on ``now`` is the wall clock again.

        Returns:
            By how much it was set: all instants that are kept must be moved by
            this before anybody else runs. Zero for less than ``JUMP``.
        """
        now, elapsed = self._read()
        set_by = self._set_by(now, elapsed)
        if abs(set_by) < JUMP:
            return timedelta(0)
        self._since = now, elapsed
        return set_by

    def monotonic(self) -> float:
        """As the clock below."""
        return self._clock.monotonic()

    def elapsed(self) -> float:
        """As the clock below."""
        return self._clock.elapsed()

    def random(self) -> float:
        """As the clock below."""
        return self._clock.random()

    async def sleep(self, seconds: float) -> None:
        """As the clock below."""
        await self._clock.sleep(seconds)

    def _set_by(self, now: datetime, elapsed: float) -> timedelta:
        """What the wall clock gained on the seconds that passed: not suspend, but a setting."""
        wall, since = self._since
        return (now - wall) - timedelta(seconds=elapsed - since)

    def _read(self) -> tuple[datetime, float]:
        """Both clocks at one moment."""
        while True:
            before, now, after = self._clock.elapsed(), self._clock.now(), self._clock.elapsed()
            if after - before < _SAME_MOMENT_S:
                return now, after
