"""Blocking work beside the event loop, on a thread of its own."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_T = TypeVar("_T")


async def run_in_thread(act: Callable[[], _T]) -> _T:
    """Do what may block on a thread of its own: the loop's own may be full of look-ups."""
    with_thread = ThreadPoolExecutor(1, thread_name_prefix="socket")
    try:
        return await asyncio.get_running_loop().run_in_executor(with_thread, act)
    finally:
        with_thread.shutdown(wait=False)
