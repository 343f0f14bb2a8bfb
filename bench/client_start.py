"""The time of ``homey-tokend token``, compared with ``python -c pass`` of the same venv.

python -m bench.client_start [--pairs N] [--socket PATH]

Without a socket a tiny stand-in for the daemon answers. Mark: 2.0 times, median of
interleaved pairs.
"""

import argparse
import contextlib
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from bench.common import Figure, median, paired, percentile, report

MARK = 2.0
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 65\r\n"
    b"Connection: close\r\n\r\n" + b"t" * 64 + b"\n"
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=51)
    parser.add_argument("--socket", help="a daemon's socket (default: a stand-in)")
    args = parser.parse_args()
    script = Path(sys.executable).with_name("homey-tokend")
    if not script.exists():
        sys.exit(f"{script} is missing: install the package in this venv first")
    with contextlib.nullcontext(args.socket) if args.socket else stand_in() as path:
        ours = [str(script), "token", "--socket", path]
        bare = [sys.executable, "-c", "pass"]
        for command in (ours, bare):
            run_seconds(command)
        times: dict[str, list[float]] = {"ours": [], "bare": []}
        ratios = paired(
            args.pairs, lambda: record(times["ours"], ours), lambda: record(times["bare"], bare)
        )
    return report(
        [
            Figure("python -c pass, median", median(times["bare"]) * 1e3, unit="ms"),
            Figure("homey-tokend token, median", median(times["ours"]) * 1e3, unit="ms"),
            Figure("ratio, 90th percentile", percentile(ratios, 90), unit="x"),
            Figure("ratio, median", median(ratios), MARK, "x"),
        ]
    )


def record(times: list[float], command: list[str]) -> float:
    times.append(run_seconds(command))
    return times[-1]


def run_seconds(command: list[str]) -> float:
    """Return the seconds that a process takes, its output discarded."""
    nowhere = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    begun = time.perf_counter()
    child = os.posix_spawn(command[0], command, os.environ, file_actions=nowhere)
    _, status = os.waitpid(child, 0)
    ended = time.perf_counter()
    if status:
        sys.exit(f"{command} ended with {os.waitstatus_to_exitcode(status)}")
    return ended - begun


@contextlib.contextmanager
def stand_in() -> Iterator[str]:
    """Serve a token to every connection, as a daemon would."""
    folder = tempfile.mkdtemp(prefix="ht")
    path = f"{folder}/d.sock"
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen(16)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listening.accept()
                with client:
                    client.recv(4096)
                    client.sendall(ANSWER)

    threading.Thread(target=serve, daemon=True).start()
    yield path
    listening.close()
    shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
