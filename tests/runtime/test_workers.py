"""Blocking work runs on its own threads, in order."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from homey_tokend.runtime.workers import WorkerPool, run_in_thread


@pytest.fixture
def worker() -> Iterator[WorkerPool]:
    worker = WorkerPool()
    yield worker
    worker.close()


async def test_work_runs_while_the_default_pool_hangs(worker: WorkerPool) -> None:
    """Hanging look-ups in the loop's own pool delay nothing else."""
    loop, gate = asyncio.get_running_loop(), threading.Event()
    stuck = [loop.run_in_executor(None, gate.wait) for _ in range(64)]

    by_worker = await asyncio.wait_for(worker.run(lambda number: number + 1, 41), 40)
    alone = await asyncio.wait_for(run_in_thread(lambda number: number + 1, 41), 40)
    gate.set()
    await asyncio.gather(*stuck)

    assert (by_worker, alone) == (42, 42)


async def test_one_thread_keeps_the_order_after_a_cancelled_caller(
    worker: WorkerPool,
) -> None:
    """The work of a cancelled caller finishes before the next starts."""
    gate, order = threading.Event(), list[str]()

    def slow() -> None:
        gate.wait(40)
        order.append("first")

    work = [asyncio.create_task(worker.run(slow))]
    work += [asyncio.create_task(worker.run(order.append, name)) for name in ("2", "3", "4")]
    await asyncio.sleep(0.01)
    for left in (work[0], work[2]):
        left.cancel()
        with pytest.raises(asyncio.CancelledError):
            await left
    gate.set()
    await asyncio.gather(work[1], work[3])

    assert order == ["first", "2", "4"]


async def test_an_exception_only_reaches_its_caller(worker: WorkerPool) -> None:
    """It does not affect the next work in the queue."""
    outcomes = await asyncio.gather(
        worker.run(int, "no number"), worker.run(int, "5"), return_exceptions=True
    )

    assert isinstance(outcomes[0], ValueError)
    assert outcomes[1] == 5


async def test_a_closed_pool_takes_no_work(worker: WorkerPool) -> None:
    """A closed worker raises at once."""
    worker.close()

    with pytest.raises(RuntimeError, match="after shutdown"):
        await asyncio.wait_for(worker.run(int, "5"), 40)
