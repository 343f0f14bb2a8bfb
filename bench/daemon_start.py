"""The time until a started daemon serves a held token, compared with its bare imports.

python -m bench.daemon_start [--pairs N]

A daemon gets a token from a simulated cloud and keeps it. Then it is started repeatedly: the time
until the socket answers with that token, compared with a process that only imports the libraries
that the daemon uses. Mark: 1.4 times, median of interleaved pairs.
"""

import argparse
import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.client_start import record, run_seconds
from bench.common import Figure, median, paired, percentile, report
from bench.memory import IMPORTS
from bench.processes import PROGRAM, daemon, folder, get, simulator, status, until

MARK = 1.4
TIMEOUT_S = 30.0


def seconds_until_served(command: Sequence[str], path: Path) -> float:
    """Return the seconds from the start of a process until it serves a token."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not _token(path):
        if time.perf_counter() - begun > TIMEOUT_S:
            sys.exit(f"no token within {TIMEOUT_S:g} s")
        time.sleep(0.002)
    seconds = time.perf_counter() - begun
    process.send_signal(signal.SIGTERM)
    process.wait()
    return seconds


def _token(path: Path) -> bytes:
    with contextlib.suppress(OSError):
        return get(path, "/token")
    return b""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=11)
    args = parser.parse_args()
    bare = [sys.executable, "-c", IMPORTS]
    with folder() as place, simulator() as description:
        with daemon(description, place) as (_, path):
            until(lambda: (status(path) or {}).get("refreshes"), "a token is held")
        ours = [*PROGRAM, "run", "-c", str(place / "config.yaml")]
        seconds_until_served(ours, path)
        run_seconds(bare)
        times: dict[str, list[float]] = {"ours": [], "bare": []}

        def start() -> float:
            times["ours"].append(seconds_until_served(ours, path))
            return times["ours"][-1]

        ratios = paired(args.pairs, start, lambda: record(times["bare"], bare))
    return report(
        [
            Figure("bare imports, median", median(times["bare"]) * 1e3, unit="ms"),
            Figure("held token served, median", median(times["ours"]) * 1e3, unit="ms"),
            Figure("ratio, 90th percentile", percentile(ratios, 90), unit="x"),
            Figure("ratio, median", median(ratios), MARK, "x"),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
