"""Many subscribers are woken a few at a time."""

import asyncio

from homey_tokend.server.event_stream import Waker


async def turns(bells: list[asyncio.Event]) -> list[list[int]]:
    """Return which events were set in each turn of the loop, until a turn without any."""
    rung: list[list[int]] = []
    while not rung or rung[-1]:
        before = [bell.is_set() for bell in bells]
        await asyncio.sleep(0)
        after = [bell.is_set() for bell in bells]
        rung.append([number for number in range(len(bells)) if after[number] > before[number]])
    return rung[:-1]


async def test_a_few_in_a_turn() -> None:
    """No turn of the loop wakes more than the few that delay nobody, in order."""
    bells = [asyncio.Event() for _ in range(20)]
    Waker().wake(bells)

    assert [[*range(8)], [*range(8, 16)], [*range(16, 20)]] == await turns(bells)


async def test_rung_again_meanwhile() -> None:
    """A new round starts with the first one, and no turn wakes more."""
    bells = [asyncio.Event() for _ in range(5)]
    waker = Waker(at_once=2)
    waker.wake(bells)
    await asyncio.sleep(0)
    bells[0].clear()
    waker.wake(bells)

    assert [[0], [2, 3], [4]] == await turns(bells)


async def test_nobody() -> None:
    """Without subscribers nothing happens, and the next ones are woken as usual."""
    waker = Waker()
    waker.wake([])
    await asyncio.sleep(0)
    bells = [asyncio.Event()]
    waker.wake(bells)

    assert [[0]] == await turns(bells)
