"""The calls to one Homey: a few at once, the others in a queue.

A Homey answers "Too many requests" after a handful of calls (``docs/wire.md`` C),
so it is sent a few at a time, in the order in which they came.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from homey_tokend.core.ports import Clock
from homey_tokend.server.problems import Problem

#: Seconds after which to ask again if the queue is full: it moves about this fast.
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
    """The queue of one Homey; first come, first served."""

    def __init__(self, settings: LimiterSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._slots = asyncio.Semaphore(settings.at_once)
        self._waiting = 0
        self._pauses = 0
        self._unpaused = asyncio.Event()
        self._unpaused.set()

    @asynccontextmanager
    async def slot(self, homey: str) -> AsyncIterator[None]:
        """Hold one of the slots, after waiting for it in the queue.

        Raises:
            Problem: 503 ``busy``, the queue is full or did not move in time.
        """
        if self._slots.locked() or not self._unpaused.is_set():
            await self._wait_for_slot(homey)
        else:
            await self._slots.acquire()
        try:
            yield
        finally:
            self._slots.release()

    async def pause(self, seconds: float) -> None:
        """Wait for so long; no other call begins meanwhile."""
        self._pauses += 1
        self._unpaused.clear()
        try:
            await self._clock.sleep(seconds)
        finally:
            self._pauses -= 1
            if not self._pauses:
                self._unpaused.set()

    async def _wait_for_slot(self, homey: str) -> None:
        if self._waiting >= self._settings.queued:
            raise _busy(homey, f"{self._settings.queued} calls are waiting already")
        longest = self._settings.wait.total_seconds()
        self._waiting += 1
        try:
            async with asyncio.timeout(longest):
                await self._slots.acquire()
                try:
                    await self._unpaused.wait()
                except BaseException:
                    self._slots.release()
                    raise
        except TimeoutError:
            raise _busy(homey, f"no call ended within {longest:g} s") from None
        finally:
            self._waiting -= 1


def _busy(homey: str, why: str) -> Problem:
    return Problem(
        503,
        "busy",
        f"{homey} is busy: {why}",
        retry_after=_RETRY_S,
        more={"homey": homey, "remedy": "Send fewer calls at a time."},
    )
