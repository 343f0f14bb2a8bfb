"""Wakes a crowd without holding up anybody else on the event loop."""

import asyncio
from collections.abc import Iterable

#: How many are woken in one turn of the loop? A listener takes some 30 µs.
AT_ONCE = 8


class Waker:
    """Rings bells, the first ones first, a few in each turn of the loop.

    Args:
        at_once: How many are rung in one turn.
    """

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._left: list[asyncio.Event] = []
        self._ringing = False

    def ring(self, bells: Iterable[asyncio.Event]) -> None:
        """Ring all of these, in place of those that are still to be rung."""
        self._left = list(bells)
        self._left.reverse()
        if not self._ringing:
            self._ringing = True
            asyncio.get_running_loop().call_soon(self._some)

    def _some(self) -> None:
        for _ in range(min(self._at_once, len(self._left))):
            self._left.pop().set()
        self._ringing = bool(self._left)
        if self._ringing:
            asyncio.get_running_loop().call_soon(self._some)
