"""Many subscribers are woken a few at a time."""

import asyncio

from homey_tokend.server.event_stream import Waker


async def turns(events: list[asyncio.Event]) -> list[list[int]]:
    """Return which events were set in each turn of the loop, until a turn without any."""
    rung: list[list[int]] = []
    while not rung or rung[-1]:
        before = [event.is_set() for event in events]
        await asyncio.sleep(0)
        after = [event.is_set() for event in events]
        rung.append([number for number in range(len(events)) if after[number] > before[number]])
    return rung[:-1]


async def test_a_few_in_a_turn() -> None:
    """No turn of the loop wakes more than the few that delay nobody, in order."""
    events = [asyncio.Event() for _ in range(20)]
    Waker().wake(events)

    assert [[*range(8)], [*range(8, 16)], [*range(16, 20)]] == await turns(events)


async def test_woken_again_meanwhile() -> None:
    """A new round starts with the first one, and no turn wakes more."""
    events = [asyncio.Event() for _ in range(5)]
    waker = Waker(at_once=2)
    waker.wake(events)
    await asyncio.sleep(0)
    events[0].clear()
    waker.wake(events)

    assert [[0], [2, 3], [4]] == await turns(events)


async def test_nobody() -> None:
    """Without subscribers nothing happens, and the next ones are woken as usual."""
    waker = Waker()
    waker.wake([])
    await asyncio.sleep(0)
    events = [asyncio.Event()]
    waker.wake(events)

    assert [[0]] == await turns(events)
