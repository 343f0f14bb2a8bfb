"""An event loop that never waits: when nothing is ready, time jumps to the next deadline."""

import asyncio
import selectors
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from homey_tokend.core.ports import Clock

#: After how many turns at one instant is it a spin?
STILL_MOST = 5000
#: The year has a leap day in it.
BEGIN = datetime(2027, 7, 1, tzinfo=UTC)


class _NoWaiting(selectors.SelectSelector):
    """Moves the loop's time instead of waiting for a file descriptor."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0
        self.still = 0
        #: How many turns of the loop until somebody is called, and who.
        self.turns = -1
        self.call: Callable[[], object] = lambda: None

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            msg = "nobody has anything to do, for ever"
            raise RuntimeError(msg)
        self.still += 1
        if timeout > 0:
            self.seconds += timeout
            self.still = 0
        elif self.still > STILL_MOST:
            msg = "somebody spins: time stands still"
            raise RuntimeError(msg)
        self.turns -= 1
        if self.turns == 0:
            self.call()
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

    def call_after_turns(self, turns: int, call: Callable[[], object]) -> None:
        """Call it so many turns of the loop from now: between any two steps of any task."""
        self._jumps.turns, self._jumps.call = max(turns, 1), call


class YearClock:
    """``ports.Clock``: a machine that may sleep, and whose wall clock may lie.

    ``truth`` is the time of the world; ``error`` is what our wall clock adds to it.
    """

    def __init__(self, loop: JumpingLoop, random: Random) -> None:
        self._loop = loop
        self._random = random
        self.suspended = 0.0
        #: Which boot of the machine this is.
        self.boot = "boot 1"
        self.error = timedelta(0)
        self._truth = 0.0, BEGIN

    def truth(self) -> datetime:
        elapsed = self.elapsed()
        if elapsed != self._truth[0]:
            self._truth = elapsed, BEGIN + timedelta(seconds=elapsed)
        return self._truth[1]

    def now(self) -> datetime:
        return self.truth() + self.error

    def monotonic(self) -> float:
        return self._loop.time()

    def elapsed(self) -> float:
        return self._loop.time() + self.suspended

    def reboot(self) -> None:
        """Begin another boot; its seconds go on, which no process may rely on."""
        self.boot = f"boot at {self.elapsed()}"

    def boot_id(self) -> str:
        return self.boot

    def random(self) -> float:
        return self._random.random()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class YearSchedule:
    """``ports.Schedule`` by ``call_later``: late after suspend, until a beat.

    ``steady`` is the clock that appointments are made by: that of the process.
    """

    def __init__(self, loop: JumpingLoop, clock: Clock) -> None:
        self._loop = loop
        self.steady = clock
        self.appointments: dict[str, tuple[datetime, Callable[[], None]]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def wake_at(self, name: str, at: datetime, wake: Callable[[], None]) -> None:
        self.forget(name)
        self.appointments[name] = (at, wake)
        delay = max(0.0, (at - self.steady.now()).total_seconds())
        self._timers[name] = self._loop.call_later(delay, self._ring, name)

    def forget(self, name: str) -> None:
        self.appointments.pop(name, None)
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def heartbeat(self) -> None:
        """Reschedule all jobs, as the real scheduler does on each heartbeat."""
        for name, (at, wake) in tuple(self.appointments.items()):
            self.wake_at(name, at, wake)

    def _ring(self, name: str) -> None:
        at, wake = self.appointments[name]
        if at > self.steady.now():
            self.wake_at(name, at, wake)
            return
        self.forget(name)
        wake()
