"""Threads for blocking work, apart from the event loop's default pool.

That pool can be full of DNS look-ups that hang, and a state write must not wait for them.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class WorkerPool:
    """Run blocking work on threads.

    One thread does its work in the order it was asked for. Work that has begun continues when
    its caller is cancelled; so with one thread an older file never lands on a newer one.

    Args:
        count: How many pieces of work run at once.
    """

    def __init__(self, count: int = 1) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="worker")

    def submit(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Start ``fn``; no event loop is needed."""
        return self._pool.submit(fn, *args, **kwargs)

    async def run(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``fn`` and return what it returns, or raise what it raises."""
        return await asyncio.wrap_future(self.submit(fn, *args, **kwargs))

    def close(self) -> None:
        """Take no more work and drop what has not begun, without waiting for the rest."""
        self._pool.shutdown(wait=False, cancel_futures=True)


async def run_in_thread(fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run ``fn`` on a thread of its own."""
    pool = WorkerPool()
    try:
        return await pool.run(fn, *args, **kwargs)
    finally:
        pool.close()
