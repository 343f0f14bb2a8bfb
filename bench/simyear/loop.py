"""An event loop that never waits: when nothing is ready, time jumps to the next deadline."""

import asyncio
import selectors
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

BEGIN = datetime(2027, 1, 1, tzinfo=UTC)


class _NoWaiting(selectors.SelectSelector):
    """Moves the loop's time instead of waiting for a file descriptor."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            msg = "nobody has anything to do, for ever"
            raise RuntimeError(msg)
        self.seconds += max(0.0, timeout)
        return []


class JumpingLoop(asyncio.SelectorEventLoop):
    """``time`` is what the jumps add up to; deterministic, since nothing real is waited for."""

    def __init__(self) -> None:
        self._jumps = _NoWaiting()
        super().__init__(self._jumps)
        # After half a year of seconds a float steps by more than asyncio's nanosecond.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self._jumps.seconds


class YearClock:
    """``ports.Clock``: a machine that may sleep, and whose wall clock may lie.

    ``truth`` is the time of the world; ``error`` is what our wall clock adds to it.
    """

    def __init__(self, loop: JumpingLoop, chance: Random) -> None:
        self._loop = loop
        self._chance = chance
        self.suspended = 0.0
        self.error = timedelta(0)

    def truth(self) -> datetime:
        return BEGIN + timedelta(seconds=self.elapsed())

    def now(self) -> datetime:
        return self.truth() + self.error

    def monotonic(self) -> float:
        return self._loop.time()

    def elapsed(self) -> float:
        return self._loop.time() + self.suspended

    def draw(self) -> float:
        return self._chance.random()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class YearSchedule:
    """``ports.Schedule`` by ``call_later``: late after suspend or a set clock, until a beat."""

    def __init__(self, loop: JumpingLoop, clock: YearClock) -> None:
        self._loop = loop
        self._clock = clock
        self._appointments: dict[str, tuple[datetime, Callable[[], None]]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def wake_at(self, name: str, at: datetime, wake: Callable[[], None]) -> None:
        self.forget(name)
        self._appointments[name] = (at, wake)
        delay = max(0.0, (at - self._clock.now()).total_seconds())
        self._timers[name] = self._loop.call_later(delay, self._ring, name)

    def forget(self, name: str) -> None:
        self._appointments.pop(name, None)
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def beat(self) -> None:
        """What ``schedule.Timetable`` does on each heartbeat: whoever is late rings now."""
        for name, (at, wake) in tuple(self._appointments.items()):
            self.wake_at(name, at, wake)

    def _ring(self, name: str) -> None:
        at, wake = self._appointments[name]
        if at > self._clock.now():
            self.wake_at(name, at, wake)
            return
        self.forget(name)
        wake()
