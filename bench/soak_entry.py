"""``homey-tokend run`` that writes its tasks and jobs into SOAK_COUNTS on SIGUSR1."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from homey_tokend import daemon
from homey_tokend.cli import main
from homey_tokend.runtime.scheduler import JobScheduler

COUNTS = Path(os.environ["SOAK_COUNTS"])


class Counted(JobScheduler):
    def start(self) -> None:
        super().start()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._tell)

    def _tell(self) -> None:
        counts = {"tasks": len(asyncio.all_tasks()), "jobs": len(self._scheduler.get_jobs())}
        made = COUNTS.with_suffix(".new")
        made.write_text(json.dumps(counts), encoding="utf-8")
        made.rename(COUNTS)


if __name__ == "__main__":
    vars(daemon).update(JobScheduler=Counted)
    sys.exit(main.main())
