"""Texts that take long to make: one for all who ask within a second."""

import asyncio
from datetime import timedelta

import pytest

from homey_tokend.server.rendering import Renderings

HOUR = timedelta(hours=1)


class Maker:
    """Return numbered texts, and wait with them if a test wants it."""

    def __init__(self) -> None:
        self.made = 0
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self) -> bytes:
        self.made += 1
        await self.go.wait()
        return b"%d" % self.made


async def test_one_text_for_all() -> None:
    """A text is made once for all who ask while it is made, and for those who ask soon after."""
    make, renderings = Maker(), Renderings(HOUR)
    make.go.clear()
    asking = [asyncio.create_task(renderings.get("x", make)) for _ in range(100)]
    await asyncio.sleep(0)
    make.go.set()
    answers = {*await asyncio.gather(*asking), await renderings.get("x", make)}

    assert {b"1"} == answers
    assert 1 == make.made


async def test_an_old_text_is_made_again() -> None:
    """A text that is too old is made again, and each name has its own."""
    make, renderings = Maker(), Renderings(timedelta(0))
    answers = [await renderings.get(name, make) for name in "xxy"]

    assert [b"1", b"2", b"3"] == answers


async def test_who_leaves_takes_nothing_from_the_others() -> None:
    """A client that disconnects while it waits does not stop the text for the others."""
    make, renderings = Maker(), Renderings(HOUR)
    make.go.clear()
    leaving = asyncio.create_task(renderings.get("x", make))
    staying = asyncio.create_task(renderings.get("x", make))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    make.go.set()

    assert b"1" == await staying


async def test_a_failure_is_not_kept() -> None:
    """All who wait get the error, and the next text is made as usual."""

    async def fail() -> bytes:
        raise ValueError("a fault")

    renderings = Renderings(timedelta(0))
    with pytest.raises(ValueError, match="a fault"):
        await renderings.get("x", fail)

    assert b"1" == await renderings.get("x", Maker())
