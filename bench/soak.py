"""Whether anything grows over thousands of refreshes.

python -m bench.soak [--refreshes N] [--life S]

Real refreshes, each a sign-in of nine requests, against a simulated cloud in another process.
Measured are memory, open files, tasks and jobs of the daemon, after the first 500 refreshes and at
the end: each figure is the minimum of several readings, since a refresh can run during any of them.
"""

import argparse
import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.common import Figure, report
from bench.processes import daemon, folder, memory_mb, simulator, status, until

ENTRY = (sys.executable, "-m", "bench.soak_entry")
#: A token is renewed at about half of this.
LIFE_S = 0.06
GROWTH_MB = 1.0
READINGS = 40
#: One wake-up. Without one there is none, so that a reading at the start may be less by chance.
JOBS = 1
#: The refreshes after which all memory is expected to be allocated.
WARM_UP = 500


@dataclass(frozen=True)
class Usage:
    """The resources that the daemon uses."""

    memory_mb: float
    files: int
    tasks: int
    jobs: int


class ObservedDaemon:
    """A daemon whose resources can be read."""

    def __init__(self, pid: int, path: Path, counts: Path) -> None:
        self._pid, self._path, self._counts = pid, path, counts

    def refreshes(self) -> int:
        return int((status(self._path) or {"refreshes": 0})["refreshes"])

    def wait_for(self, refreshes: int, timeout_s: float) -> None:
        end = time.monotonic() + timeout_s
        while (done := self.refreshes()) < refreshes:
            if time.monotonic() > end:
                sys.exit(f"{done} refreshes of {refreshes} within {timeout_s:g} s")
            time.sleep(0.2)

    def minimum(self) -> Usage:
        """Return the minimum of each figure over several readings."""
        readings = [self._reading() for _ in range(READINGS)]
        return Usage(*(min(figures) for figures in zip(*readings, strict=True)))

    def _reading(self) -> tuple[float, int, int, int]:
        time.sleep(0.05)
        counts = self._read_counts()
        files = len(list(Path(f"/proc/{self._pid}/fd").iterdir()))
        return memory_mb(self._pid)["Rss"], files, counts["tasks"], counts["jobs"]

    def _read_counts(self) -> dict[str, Any]:
        self._counts.unlink(missing_ok=True)
        os.kill(self._pid, signal.SIGUSR1)
        until(self._counts.exists, "the daemon writes its counts")
        counts: dict[str, Any] = json.loads(self._counts.read_text(encoding="utf-8"))
        return counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--refreshes", type=int, default=2000)
    parser.add_argument("--life", type=float, default=LIFE_S, help="of a token, in seconds")
    args = parser.parse_args()
    with folder() as place, simulator("--session-lifetime", str(args.life)) as description:
        counts = place / "counts.json"
        os.environ["SOAK_COUNTS"] = str(counts)
        refresh = {"lifetime": "1s", "verify_every": "1s"}
        with daemon(description, place, program=ENTRY, refresh=refresh) as (process, path):
            observed = ObservedDaemon(process.pid, path, counts)
            observed.wait_for(2, 60)
            start = observed.minimum()
            began = time.monotonic()
            observed.wait_for(
                min(WARM_UP, args.refreshes // 4), 60 + 4 * args.life * args.refreshes
            )
            first = observed.minimum()
            observed.wait_for(args.refreshes, 60 + 4 * args.life * args.refreshes)
            end, done = observed.minimum(), observed.refreshes()
            seconds = time.monotonic() - began
    return report(
        [
            Figure("refreshes", done, args.refreshes, at_least=True),
            Figure("seconds", seconds, unit="s"),
            Figure("memory after the first of them", first.memory_mb, unit="MB"),
            Figure("growth since then", end.memory_mb - first.memory_mb, GROWTH_MB, "MB"),
            Figure("open files", end.files, start.files),
            Figure("tasks", end.tasks, start.tasks),
            Figure("jobs", end.jobs, JOBS),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
