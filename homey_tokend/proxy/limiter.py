"""Who may call one Homey now: a few at once, the others in line.

A Homey answers "Too many requests" after a handful of calls (``docs/wire.md`` C),
so it is asked a few things at a time, in the order in which they came.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from homey_tokend.core.ports import Clock
from homey_tokend.server.problems import Problem

#: When to come again where the line is full: the line moves about this fast.
_RETRY_S = 5


@dataclass(frozen=True, slots=True)
class LimiterSettings:
    """How a Homey is spared.

    Args:
        at_once: How many calls are under way at most.
        queued: How many wait at most.
        wait: How long one waits at most.
    """

    at_once: int = 3
    queued: int = 64
    wait: timedelta = timedelta(seconds=30)


class CallLimiter:
    """The line before one Homey; first come, first served.

    Args:
        line: Its bounds.
        clock: Whose ``sleep`` a pause lasts.
    """

    def __init__(self, line: LimiterSettings, clock: Clock) -> None:
        self._line = line
        self._clock = clock
        self._under_way = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._pauses = 0

    @asynccontextmanager
    async def turn(self, homey: str) -> AsyncIterator[None]:
        """Hold a turn, waiting for it in line.

        Args:
            homey: The Homey's name, for the problem.

        Raises:
            Problem: 503 ``busy``, the line is full or did not move in time.
        """
        await self._take(homey)
        try:
            yield
        finally:
            self._under_way -= 1
            self._let_in()

    async def pause(self, seconds: float) -> None:
        """Wait so long; meanwhile nobody else is let in."""
        self._pauses += 1
        try:
            await self._clock.sleep(seconds)
        finally:
            self._pauses -= 1
            self._let_in()

    async def _take(self, homey: str) -> None:
        if self._free() and not self._waiting:
            self._under_way += 1
            return
        if len(self._waiting) >= self._line.queued:
            raise _busy(homey, f"{self._line.queued} calls are waiting already")
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            async with asyncio.timeout(self._line.wait.total_seconds()):
                await place
        except BaseException as error:
            self._leave(place)
            if isinstance(error, TimeoutError):
                waited = f"{self._line.wait.total_seconds():g} s"
                raise _busy(homey, f"no turn came within {waited}") from None
            raise

    def _leave(self, place: "asyncio.Future[None]") -> None:
        """Whoever gives up leaves the line, or the turn that it was just given."""
        if place in self._waiting:
            self._waiting.remove(place)
        elif place.done() and not place.cancelled():
            self._under_way -= 1
            self._let_in()

    def _free(self) -> bool:
        return not self._pauses and self._under_way < self._line.at_once

    def _let_in(self) -> None:
        while self._free() and self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                self._under_way += 1
                place.set_result(None)


def _busy(homey: str, why: str) -> Problem:
    return Problem(
        503,
        "busy",
        f"{homey} is busy: {why}",
        kind="busy",
        retry_after=_RETRY_S,
        more={"homey": homey, "remedy": "Send fewer calls at a time."},
    )
