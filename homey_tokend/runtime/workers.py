"""Threads for blocking work, separate from the event loop's default thread pool.

Other work in that pool may hang, and a state write must not wait for it.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class WorkerPool:
    """Run blocking work on threads.

    A single thread works in the order of the calls. Work that has started continues if its
    caller is cancelled, so with one thread an older file never replaces a newer one.

    Args:
        count: The number of threads.
    """

    def __init__(self, count: int = 1) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="worker")

    def submit(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Start ``fn``; no event loop is needed."""
        return self._pool.submit(fn, *args, **kwargs)

    async def run(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``fn`` and return its result, or raise its exception."""
        return await asyncio.wrap_future(self.submit(fn, *args, **kwargs))

    def close(self) -> None:
        """Accept no more work and drop what has not started, without waiting for the rest."""
        self._pool.shutdown(wait=False, cancel_futures=True)


async def run_in_thread(fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run ``fn`` on a thread of its own."""
    pool = WorkerPool()
    try:
        return await pool.run(fn, *args, **kwargs)
    finally:
        pool.close()
