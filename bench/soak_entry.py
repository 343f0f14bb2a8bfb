"""``homey-tokend run`` that writes its tasks and jobs into SOAK_COUNTS on SIGUSR1."""

import asyncio
import json
import os
import runpy
import signal
from pathlib import Path
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler

COUNTS = Path(os.environ["SOAK_COUNTS"])
_schedulers: list[AsyncIOScheduler] = []
_start = AsyncIOScheduler.start


def _noted_start(self: AsyncIOScheduler, *args: Any, **kwargs: Any) -> None:
    # Noted this way, since nothing in the daemon needs access to its scheduler from outside.
    _schedulers.append(self)
    _start(self, *args, **kwargs)


def _write_counts(*_: object) -> None:
    [scheduler] = _schedulers
    jobs = len(scheduler.get_jobs())
    made = COUNTS.with_suffix(".new")
    made.write_text(json.dumps({"tasks": len(asyncio.all_tasks()), "jobs": jobs}), encoding="utf-8")
    made.rename(COUNTS)


if __name__ == "__main__":
    AsyncIOScheduler.start = _noted_start
    signal.signal(signal.SIGUSR1, _write_counts)
    runpy.run_module("homey_tokend", run_name="__main__")
