"""Texts that are expensive to render: each is rendered at most once a second for all clients."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta

#: The greatest age of a text.
MAX_AGE = timedelta(seconds=1)


class Renderings:
    """The last text of each name.

    Args:
        max_age: How old a text may be before it is made again.
    """

    def __init__(self, max_age: timedelta = MAX_AGE) -> None:
        self._max_age_s = max_age.total_seconds()
        self._last: dict[str, tuple[float, asyncio.Task[bytes]]] = {}

    async def get(self, name: str, make: Callable[[], Coroutine[None, None, bytes]]) -> bytes:
        """Return the last text of this name, or the next one if that is too old.

        All who ask while it is made wait for the same one.
        """
        now = asyncio.get_running_loop().time()
        last = self._last.get(name)
        if last is None or (last[1].done() and now - last[0] >= self._max_age_s):
            last = self._last[name] = now, asyncio.create_task(make())
        # Shielded: the others still wait for it when one client leaves.
        return await asyncio.shield(last[1])
