"""The calls to one Homey: a few at once, the others in a queue.

A Homey answers "Too many requests" after a handful of calls (``docs/wire.md`` C),
so it is sent a few at a time, in the order in which they came.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from homey_tokend.core.ports import Clock
from homey_tokend.server.problems import Problem

#: When to ask again where the queue is full, in seconds: it moves about this fast.
_RETRY_S = 5


@dataclass(frozen=True, slots=True)
class LimiterSettings:
    """The limits for one Homey.

    Args:
        at_once: How many calls are under way at most.
        queued: How many wait at most.
        wait: How long one waits at most.
    """

    at_once: int = 3
    queued: int = 64
    wait: timedelta = timedelta(seconds=30)


class CallLimiter:
    """The queue of one Homey; first come, first served.

    Args:
        settings: Its limits.
        clock: Sleeps for a pause.
    """

    def __init__(self, settings: LimiterSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._under_way = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._pauses = 0

    @asynccontextmanager
    async def slot(self, homey: str) -> AsyncIterator[None]:
        """Hold one of the slots, after waiting for it in the queue.

        Args:
            homey: The Homey's name, for the problem.

        Raises:
            Problem: 503 ``busy``, the queue is full or did not move in time.
        """
        await self._acquire(homey)
        try:
            yield
        finally:
            self._under_way -= 1
            self._admit_waiting()

    async def pause(self, seconds: float) -> None:
        """Wait for so long; no other call begins meanwhile."""
        self._pauses += 1
        try:
            await self._clock.sleep(seconds)
        finally:
            self._pauses -= 1
            self._admit_waiting()

    async def _acquire(self, homey: str) -> None:
        if self._has_slot() and not self._waiting:
            self._under_way += 1
            return
        if len(self._waiting) >= self._settings.queued:
            raise _busy(homey, f"{self._settings.queued} calls are waiting already")
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            async with asyncio.timeout(self._settings.wait.total_seconds()):
                await place
        except BaseException as error:
            self._give_up(place)
            if isinstance(error, TimeoutError):
                waited = f"{self._settings.wait.total_seconds():g} s"
                raise _busy(homey, f"no call ended within {waited}") from None
            raise

    def _give_up(self, place: "asyncio.Future[None]") -> None:
        """Leave the queue, or return the slot that was just given."""
        if place in self._waiting:
            self._waiting.remove(place)
        elif place.done() and not place.cancelled():
            self._under_way -= 1
            self._admit_waiting()

    def _has_slot(self) -> bool:
        return not self._pauses and self._under_way < self._settings.at_once

    def _admit_waiting(self) -> None:
        while self._has_slot() and self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                self._under_way += 1
                place.set_result(None)


def _busy(homey: str, why: str) -> Problem:
    return Problem(
        503,
        "busy",
        f"{homey} is busy: {why}",
        retry_after=_RETRY_S,
        more={"homey": homey, "remedy": "Send fewer calls at a time."},
    )
