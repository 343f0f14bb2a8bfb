"""A clock that only a test moves."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

#: The default time of a fake clock.
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

#: The turns of the loop in which every task that was woken can act: a chain of awaits needs one turn
#: for each link, and none of ours has twenty.
_TURNS = 20


async def settle(turns: int = _TURNS) -> None:
    """Run the loop until every task that can continue has done so."""
    for _ in range(turns):
        await asyncio.sleep(0)


class FakeClock:
    """``ports.Clock`` for tests: time moves by ``advance`` only, chance is scripted.

    Args:
        now: The wall clock's first instant.
        draws: What ``draw`` gives, in turn; 0.5 once they are used up.
        instant: ``sleep`` moves both clocks itself and returns at once; else it
            waits until ``advance`` reaches its end.
    """

    def __init__(
        self, now: datetime = NOON, *, draws: Iterable[float] = (), instant: bool = False
    ) -> None:
        self.at = now
        self.seconds = 1000.0
        self.suspended = 0.0
        #: Which boot of the machine this is.
        self.boot = "boot 1"
        self.instant = instant
        self.draws = list(draws)
        #: Every requested sleep in seconds, in order.
        self.slept: list[float] = []
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.seconds

    def elapsed(self) -> float:
        return self.seconds + self.suspended

    def boot_id(self) -> str:
        return self.boot

    def random(self) -> float:
        return self.draws.pop(0) if self.draws else 0.5

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if self.instant or seconds <= 0:
            self.move(max(0.0, seconds))
            await asyncio.sleep(0)
            return
        sleeper = (self.seconds + seconds, asyncio.get_running_loop().create_future())
        self._sleepers.append(sleeper)
        try:
            await sleeper[1]
        finally:
            self._sleepers.remove(sleeper)

    @property
    def waiting(self) -> int:
        """Return how many are sleeping."""
        return len(self._sleepers)

    async def until_waited_for(self, sleepers: int = 1) -> None:
        """Wait until this many tasks sleep: the code under test has begun to wait.

        Raises:
            TimeoutError: They have not begun to wait within two seconds.
        """
        async with asyncio.timeout(40):
            while self.waiting < sleepers:
                await settle(1)

    async def advance(self, by: timedelta | float) -> None:
        """Move both clocks, waking each sleeper at its own instant and letting it act."""
        seconds = by.total_seconds() if isinstance(by, timedelta) else by
        goal = self.seconds + seconds
        while due := [end for end, ring in self._sleepers if end <= goal and not ring.done()]:
            self.move(max(0.0, min(due) - self.seconds))
            for end, ring in self._sleepers:
                if end <= self.seconds and not ring.done():
                    ring.set_result(None)
            await settle()
        self.move(goal - self.seconds)
        await settle()

    def set_wall(self, by: timedelta) -> None:
        """Set the wall clock forwards or backwards; nobody is woken."""
        self.at += by

    def suspend(self, by: timedelta) -> None:
        """Suspend the machine: the wall clock continues, the monotonic one does not."""
        self.at += by
        self.suspended += by.total_seconds()

    def move(self, seconds: float) -> None:
        """Move both clocks; nobody is woken."""
        self.seconds += seconds
        self.at += timedelta(seconds=seconds)
