"""The queue of a Homey: a few calls at once, shared by users, bounded, with pauses."""

import asyncio
from datetime import timedelta

import pytest

from homey_tokend.proxy.limiter import CallLimiter, LimiterSettings
from homey_tokend.server.problems import Problem
from tests.support.clock import FakeClock, settle


class Callers:
    """Each takes a slot and keeps it until it is released; ``served`` has them in order."""

    def __init__(self, limiter: CallLimiter) -> None:
        self.limiter = limiter
        self.served: list[int] = []
        self.ends: dict[int, asyncio.Event] = {}

    def arrive(self, number: int, uid: int = 1000) -> "asyncio.Task[None]":
        self.ends[number] = asyncio.Event()
        return asyncio.create_task(self._stay(number, uid))

    async def _stay(self, number: int, uid: int) -> None:
        async with self.limiter.slot("home", uid):
            self.served.append(number)
            await self.ends[number].wait()

    async def leave(self, number: int) -> None:
        self.ends[number].set()
        await settle()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def test_three_at_once_in_order(clock: FakeClock) -> None:
    """Three of one user run, the others one by one in the order of their arrival."""
    callers = Callers(CallLimiter(LimiterSettings(), clock))
    tasks = [callers.arrive(number) for number in range(6)]
    await settle()
    first = list(callers.served)
    for number in (1, 0, 2, 4, 3, 5):
        await callers.leave(number)
    await asyncio.gather(*tasks)

    assert [0, 1, 2] == first
    assert list(range(6)) == callers.served


async def test_full(clock: FakeClock) -> None:
    """A call that finds the queue full gets 503 at once, with the time to try again."""
    callers = Callers(CallLimiter(LimiterSettings(at_once=1, queued=1), clock))
    tasks = [callers.arrive(1), callers.arrive(2)]
    await settle()
    with pytest.raises(Problem) as caught:
        await callers.arrive(3)
    for number in (1, 2):
        await callers.leave(number)
    await asyncio.gather(*tasks)

    assert (503, "busy", 5) == (caught.value.status, caught.value.name, caught.value.retry_after)


async def test_no_slot_in_time(clock: FakeClock) -> None:
    """A call that waits too long leaves the queue, and the next one is served all the same."""
    callers = Callers(
        CallLimiter(LimiterSettings(at_once=1, wait=timedelta(milliseconds=300)), clock)
    )
    first = callers.arrive(1)
    await settle()
    with pytest.raises(Problem, match="no call ended"):
        await callers.arrive(2)
    third = callers.arrive(3)
    await settle()
    await callers.leave(1)
    await callers.leave(3)
    await asyncio.gather(first, third)

    assert [1, 3] == callers.served


async def test_disconnecting(clock: FakeClock) -> None:
    """A call that leaves the queue, or just as it gets a slot, keeps no slot."""
    callers = Callers(CallLimiter(LimiterSettings(at_once=1), clock))
    tasks = [callers.arrive(number) for number in range(4)]
    await settle()
    tasks[1].cancel()
    await settle()
    callers.ends[0].set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    tasks[2].cancel()
    await settle()
    await callers.leave(3)
    await asyncio.gather(*tasks, return_exceptions=True)
    last = callers.arrive(9)
    await settle()
    await callers.leave(9)
    await last

    assert [0, 9] == [callers.served[0], callers.served[-1]]
    assert 3 in callers.served


async def test_pause(clock: FakeClock) -> None:
    """During a pause no call starts; after it the queue continues."""
    limiter = CallLimiter(LimiterSettings(at_once=3), clock)
    callers = Callers(limiter)
    pause = asyncio.create_task(limiter.pause(3))
    await clock.until_waited_for()
    tasks = [callers.arrive(1), callers.arrive(2)]
    await settle()
    before = list(callers.served)
    await clock.advance(3)
    await pause
    served = list(callers.served)
    for number in (1, 2):
        await callers.leave(number)
    await asyncio.gather(*tasks)

    assert ([], [1, 2]) == (before, served)


async def test_cancelled_with_a_slot(clock: FakeClock) -> None:
    """A call that gets a slot and is cancelled at once passes the slot on."""
    limiter = CallLimiter(LimiterSettings(at_once=1), clock)
    callers = Callers(limiter)
    async with limiter.slot("home", 1000):
        unlucky, next_one = callers.arrive(1), callers.arrive(2)
        await settle()
    unlucky.cancel()
    await settle()
    served = list(callers.served)
    await callers.leave(2)
    await next_one

    assert [2] == served


async def test_the_last_slot(clock: FakeClock) -> None:
    """A user with calls in progress never gets the last slot, another one does, and at once."""
    callers = Callers(CallLimiter(LimiterSettings(), clock))
    tasks = [callers.arrive(number, uid=1) for number in range(10)]
    await settle()
    tasks += [callers.arrive(20, uid=2), callers.arrive(21, uid=2), callers.arrive(30, uid=3)]
    await settle()
    for number in (20, 21, 30):
        await callers.leave(number)
    others = list(callers.served)
    await callers.leave(0)
    served = list(callers.served)
    for end in callers.ends.values():
        end.set()
    await asyncio.gather(*tasks)

    assert [0, 1, 2, 20, 21, 30] == others
    assert [*others, 3] == served


async def test_the_fewest_slots_first(clock: FakeClock) -> None:
    """A free slot is given to the user with the fewest, however long others wait already."""
    callers = Callers(CallLimiter(LimiterSettings(at_once=6), clock))
    tasks = [callers.arrive(number, uid=1) for number in range(9)]
    await settle()
    tasks += [callers.arrive(20, uid=2), callers.arrive(21, uid=2)]
    await settle()
    before = list(callers.served)
    for number in (0, 1):
        await callers.leave(number)
    after = list(callers.served)
    for end in callers.ends.values():
        end.set()
    await asyncio.gather(*tasks)

    assert [0, 1, 2, 3, 4, 20] == before
    assert [*before, 21] == after


async def test_a_queue_that_one_user_fills(clock: FakeClock) -> None:
    """In a full queue the last call of the user with the most makes room for another user's."""
    callers = Callers(CallLimiter(LimiterSettings(at_once=1, queued=4), clock))
    tasks = [callers.arrive(number, uid=1) for number in range(5)]
    await settle()
    tasks += [callers.arrive(20, uid=2), callers.arrive(30, uid=3)]
    await settle()
    turned_away = [number for number, task in enumerate(tasks) if task.done()]
    with pytest.raises(Problem, match="4 calls are waiting already"):
        await callers.arrive(40, uid=1)
    with pytest.raises(Problem, match="4 calls are waiting already"):
        await callers.arrive(21, uid=2)
    for end in callers.ends.values():
        end.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)

    assert [3, 4] == turned_away
    assert [503, 503] == [one.status for one in results if isinstance(one, Problem)]
    assert {0, 1, 2, 20, 30} == set(callers.served)


async def test_leaving_a_queue_while_others_get_slots(clock: FakeClock) -> None:
    """A call that is cancelled as another one ends takes no slot from those behind it."""
    callers = Callers(CallLimiter(LimiterSettings(at_once=2), clock))
    tasks = [callers.arrive(number, uid=number) for number in range(4)]
    await settle()
    tasks[2].cancel()
    callers.ends[0].set()
    await settle()
    served = list(callers.served)
    for end in callers.ends.values():
        end.set()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert [0, 1, 3] == served
