"""An event loop that never waits: when nothing is ready, time jumps to the next deadline."""

import asyncio
import selectors
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from homey_tokend.core.ports import Clock

#: The most turns at one instant; more are a busy loop.
MAX_TURNS = 5000
#: The year has a leap day in it.
BEGIN = datetime(2027, 7, 1, tzinfo=UTC)


class _JumpingSelector(selectors.SelectSelector):
    """Advance the loop's time instead of waiting for a file descriptor."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0
        self.turns_at_once = 0
        #: The turns of the loop until ``call`` is called.
        self.turns = -1
        self.call: Callable[[], object] = lambda: None

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            msg = "deadlock: nothing is scheduled"
            raise RuntimeError(msg)
        self.turns_at_once += 1
        if timeout > 0:
            self.seconds += timeout
            self.turns_at_once = 0
        elif self.turns_at_once > MAX_TURNS:
            msg = "busy loop: time does not advance"
            raise RuntimeError(msg)
        self.turns -= 1
        if self.turns == 0:
            self.call()
        return []


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop whose ``time`` is the sum of its jumps; deterministic, since nothing is real."""

    def __init__(self) -> None:
        self._jumps = _JumpingSelector()
        super().__init__(self._jumps)
        # After half a year in seconds the steps of a float exceed asyncio's nanosecond.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self._jumps.seconds

    def call_after_turns(self, turns: int, call: Callable[[], object]) -> None:
        """Call a function some turns of the loop from now: between any two steps of any task."""
        self._jumps.turns, self._jumps.call = max(turns, 1), call


class YearClock:
    """``ports.Clock`` of a machine that can be suspended and whose wall clock can be wrong.

    ``truth`` is the true time; ``error`` is what the machine's wall clock adds to it.
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
        """Begin another boot; the seconds continue, on which no process may rely."""
        self.boot = f"boot at {self.elapsed()}"

    def boot_id(self) -> str:
        return self.boot

    def random(self) -> float:
        return self._random.random()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class YearSchedule:
    """``ports.Scheduler`` by ``call_later``: late after a suspend until the next heartbeat.

    ``steady`` is the clock of the process, by which the jobs' instants are given.
    """

    def __init__(self, loop: JumpingLoop, clock: Clock) -> None:
        self._loop = loop
        self.steady = clock
        self.jobs: dict[str, tuple[datetime, Callable[[], None]]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def wake_at(self, name: str, at: datetime, wake: Callable[[], None]) -> None:
        self.forget(name)
        self.jobs[name] = (at, wake)
        delay = max(0.0, (at - self.steady.now()).total_seconds())
        self._timers[name] = self._loop.call_later(delay, self._run_job, name)

    def forget(self, name: str) -> None:
        self.jobs.pop(name, None)
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def heartbeat(self) -> None:
        """Reschedule all jobs, as the real scheduler does on each heartbeat."""
        for name, (at, wake) in tuple(self.jobs.items()):
            self.wake_at(name, at, wake)

    def _run_job(self, name: str) -> None:
        at, wake = self.jobs[name]
        if at > self.steady.now():
            self.wake_at(name, at, wake)
            return
        self.forget(name)
        wake()
