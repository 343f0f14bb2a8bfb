"""The calls to one Homey: a few at once, the others in a queue.

A Homey answers "Too many requests" after a handful of calls (``docs/wire.md`` C),
so only a few are in progress at a time. Slots and queue are shared by users: none of them can
close the Homey for the others, with uploads that do not end for example.
"""

import asyncio
from collections import Counter
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
        at_once: The most calls in progress; the last slot is only for a user without one.
        queued: The most calls in the queue.
        wait: The longest that one waits.
    """

    at_once: int = 4
    queued: int = 64
    wait: timedelta = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """A call in the queue; ``turn`` is done once it has a slot, or is turned away."""

    uid: int
    turn: "asyncio.Future[None]"


class CallLimiter:
    """The slots and the queue of one Homey.

    A free slot is given to the user with the fewest, and among equals in the order of arrival.
    """

    def __init__(self, settings: LimiterSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._running: Counter[int] = Counter()
        self._queue: list[_Waiting] = []
        self._pauses = 0

    @asynccontextmanager
    async def slot(self, homey: str, uid: int) -> AsyncIterator[None]:
        """Hold one of the slots, after waiting for it in the queue.

        Args:
            homey: The Homey's name, for the problem.
            uid: The user who calls.

        Raises:
            Problem: 503 ``busy``, the queue is full or did not move in time.
        """
        if self._may_start(uid):
            self._running[uid] += 1
        else:
            await self._wait_for_slot(homey, uid)
        try:
            yield
        finally:
            self._release(uid)

    async def pause(self, seconds: float) -> None:
        """Wait for so long; no other call begins meanwhile."""
        self._pauses += 1
        try:
            await self._clock.sleep(seconds)
        finally:
            self._pauses -= 1
            self._fill_slots()

    def _may_start(self, uid: int) -> bool:
        free = self._settings.at_once - self._running.total()
        return not self._pauses and (free > 1 or (free == 1 and not self._running[uid]))

    def _release(self, uid: int) -> None:
        self._running[uid] -= 1
        if not self._running[uid]:
            del self._running[uid]
        self._fill_slots()

    def _fill_slots(self) -> None:
        while ready := [one for one in self._queue if self._may_start(one.uid)]:
            first = min(ready, key=lambda one: self._running[one.uid])
            self._queue.remove(first)
            if not first.turn.done():  # else it is about to leave the queue
                self._running[first.uid] += 1
                first.turn.set_result(None)

    async def _wait_for_slot(self, homey: str, uid: int) -> None:
        if len(self._queue) >= self._settings.queued:
            self._make_room(homey, uid)
        longest = self._settings.wait.total_seconds()
        waiting = _Waiting(uid, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        try:
            async with asyncio.timeout(longest):
                await waiting.turn
        except BaseException as error:
            if waiting in self._queue:
                self._queue.remove(waiting)
            elif not waiting.turn.cancelled() and waiting.turn.exception() is None:
                self._release(uid)  # it left just as it got the slot
            if isinstance(error, TimeoutError):
                raise _busy(homey, f"no call ended within {longest:g} s") from None
            raise

    def _make_room(self, homey: str, uid: int) -> None:
        """Turn away the last call of the user who has the most in the queue: this one, or another.

        Raises:
            Problem: It is this one.
        """
        problem = _busy(homey, f"{self._settings.queued} calls are waiting already")
        waiting = Counter(one.uid for one in self._queue)
        most, count = waiting.most_common(1)[0]
        if waiting[uid] + 1 >= count:
            raise problem
        last = next(one for one in reversed(self._queue) if one.uid == most)
        self._queue.remove(last)
        if not last.turn.done():
            last.turn.set_exception(problem)


def _busy(homey: str, why: str) -> Problem:
    return Problem(
        503,
        "busy",
        f"{homey} is busy: {why}",
        retry_after=_RETRY_S,
        more={"homey": homey, "remedy": "Send fewer calls at a time."},
    )
