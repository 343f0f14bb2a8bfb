"""Threads of our own for work that blocks, and turns on them."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class WorkerPool:
    """Threads of one's own for blocking work.

    The loop's default pool can be stuck in DNS look-ups, and a state write must
    not stand behind them. Work that has begun goes on when its caller is
    cancelled.

    Args:
        count: How many pieces of work run at once.
    """

    def __init__(self, count: int = 2) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="files")

    def begin(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Start ``fn`` and return its future."""
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._pool, lambda: fn(*args, **kwargs))

    async def run(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``fn`` and return what it returns, or raise what it raises."""
        return await self.begin(fn, *args, **kwargs)

    def close(self) -> None:
        """Take no more work and drop what has not begun; does not wait for the rest."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class SerialWorker:
    """Runs work on ``WorkerPool`` one piece after another, in the order of asking.

    Who stops waiting does not stop the work, and the next piece still waits for
    it: so an older content can never land on top of a newer one.
    """

    def __init__(self, threads: WorkerPool) -> None:
        self._threads = threads
        self._turn = asyncio.Lock()

    async def run(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Wait for the turn, then run ``fn``."""
        await self._turn.acquire()
        try:
            mine = self._threads.begin(fn, *args, **kwargs)
        except BaseException:
            self._turn.release()
            raise
        # The turn ends with the work, not with who waits for it.
        mine.add_done_callback(lambda _: self._turn.release())
        return await asyncio.shield(mine)
