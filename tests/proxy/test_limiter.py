"""The queue of a Homey: a few calls at once, first come first served, bounded, with pauses."""

import asyncio
from datetime import timedelta

import pytest

from homey_tokend.proxy.limiter import CallLimiter, LimiterSettings
from homey_tokend.server.problems import Problem
from tests.support.clock import FakeClock, settle


class Guests:
    """Each takes a slot and keeps it until it is released; ``served`` has them in order."""

    def __init__(self, turns: CallLimiter) -> None:
        self.turns = turns
        self.served: list[int] = []
        self.ends: dict[int, asyncio.Event] = {}

    def come(self, number: int) -> "asyncio.Task[None]":
        self.ends[number] = asyncio.Event()
        return asyncio.create_task(self._stay(number))

    async def _stay(self, number: int) -> None:
        async with self.turns.slot("home"):
            self.served.append(number)
            await self.ends[number].wait()

    async def go(self, number: int) -> None:
        self.ends[number].set()
        await settle()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def test_three_at_once_in_order(clock: FakeClock) -> None:
    """Three run, the others one by one in the order of their arrival."""
    guests = Guests(CallLimiter(LimiterSettings(), clock))
    tasks = [guests.come(number) for number in range(6)]
    await settle()
    first = list(guests.served)
    for number in (1, 0, 2, 4, 3, 5):
        await guests.go(number)
    await asyncio.gather(*tasks)

    assert [0, 1, 2] == first
    assert list(range(6)) == guests.served


async def test_full(clock: FakeClock) -> None:
    """A call that finds the queue full gets 503 at once, with the time to try again."""
    guests = Guests(CallLimiter(LimiterSettings(at_once=1, queued=1), clock))
    tasks = [guests.come(1), guests.come(2)]
    await settle()
    with pytest.raises(Problem) as caught:
        await guests.come(3)
    for number in (1, 2):
        await guests.go(number)
    await asyncio.gather(*tasks)

    assert (503, "busy", 5) == (caught.value.status, caught.value.name, caught.value.retry_after)


async def test_no_turn_in_time(clock: FakeClock) -> None:
    """A call that waits too long leaves the queue, and the next one is served all the same."""
    guests = Guests(
        CallLimiter(LimiterSettings(at_once=1, wait=timedelta(milliseconds=300)), clock)
    )
    first = guests.come(1)
    await settle()
    with pytest.raises(Problem, match="no call ended"):
        await guests.come(2)
    third = guests.come(3)
    await settle()
    await guests.go(1)
    await guests.go(3)
    await asyncio.gather(first, third)

    assert [1, 3] == guests.served


async def test_leaving(clock: FakeClock) -> None:
    """A call that leaves the queue, or just as it gets a slot, keeps no slot."""
    guests = Guests(CallLimiter(LimiterSettings(at_once=1), clock))
    tasks = [guests.come(number) for number in range(4)]
    await settle()
    tasks[1].cancel()
    await settle()
    guests.ends[0].set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    tasks[2].cancel()
    await settle()
    await guests.go(3)
    await asyncio.gather(*tasks, return_exceptions=True)
    last = guests.come(9)
    await settle()
    await guests.go(9)
    await last

    assert [0, 9] == [guests.served[0], guests.served[-1]]
    assert 3 in guests.served


async def test_pause(clock: FakeClock) -> None:
    """During a pause no call starts; after it the queue continues."""
    turns = CallLimiter(LimiterSettings(at_once=2), clock)
    guests = Guests(turns)
    pause = asyncio.create_task(turns.pause(3))
    await clock.until_waited_for()
    tasks = [guests.come(1), guests.come(2)]
    await settle()
    before = list(guests.served)
    await clock.advance(3)
    await pause
    served = list(guests.served)
    for number in (1, 2):
        await guests.go(number)
    await asyncio.gather(*tasks)

    assert ([], [1, 2]) == (before, served)


async def test_leaving_with_a_turn_in_hand(clock: FakeClock) -> None:
    """A call that gets a slot and is cancelled at once passes the slot on."""
    turns = CallLimiter(LimiterSettings(at_once=1), clock)
    guests = Guests(turns)
    async with turns.slot("home"):
        unlucky, next_one = guests.come(1), guests.come(2)
        await settle()
    unlucky.cancel()
    await settle()
    served = list(guests.served)
    await guests.go(2)
    await next_one

    assert [2] == served
