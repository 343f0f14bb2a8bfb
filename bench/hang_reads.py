"""The latency of the cached token from a real daemon while its refresh hangs at a step.

python -m bench.hang_reads [--reads N] [--pairs N] [STEP ...]

For each step of the flow: a daemon that holds a token, a simulated cloud that hangs at the step, 50
clients that wait for the refresh, and one that reads the cached token repeatedly on one connection.
Daemon and reader are pinned to one core each. Marks: p99 1 ms, p99.9 10 ms, rate 0.8 of a bare
aiohttp handler with the same response, measured alternately.
"""

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.common import Figure, median, paired, percentile, pin, report
from bench.processes import daemon, folder, simulator, status, until
from bench.socket_reads import connect_client, rate, server, time_reads

P99_MS, P999_MS, RATE = 1.0, 10.0, 0.8
#: The requests of each step that belong to the first token, and do not hang.
STEPS = {
    "login": 1,
    "authorise": 2,
    "consent": 1,
    "token": 1,
    "user": 1,
    "delegation": 1,
    "homey_login": 1,
    "session": 1,
    "variable": 2,
}
WAITING = 50
TURN = 1000
#: A token lives a minute, may be renewed on request after six seconds, and by itself late.
LIFE_S, AT = 60, 0.9
REQUEST_MORE = b"GET /token?min_ttl=58&wait=300 HTTP/1.1\r\nHost: localhost\r\n\r\n"


@contextlib.contextmanager
def hanging_at(step: str) -> Iterator[Path]:
    """Yield the socket of a daemon whose refresh hangs at a step, with clients waiting for it."""
    fault = [{"step": step, "kind": "hang", "after": STEPS[step]}]
    with folder() as place, contextlib.ExitStack() as stack:
        (place / "faults.yaml").write_text(json.dumps(fault), encoding="utf-8")
        words = ("--session-lifetime", str(LIFE_S), "--faults", str(place / "faults.yaml"))
        description = stack.enter_context(simulator(*words, core=0))
        refresh = {"at": AT, "jitter": 0, "timeout": "5m", "verify_every": 0}
        _, path = stack.enter_context(daemon(description, place, core=1, refresh=refresh))
        until(lambda: delivered_generation(path) == 1, "the first token is delivered")
        until(lambda: request_refresh(path) and under_way(path, step), f"a refresh hangs at {step}")
        for _ in range(WAITING):
            stack.enter_context(connect_client(path)).sendall(REQUEST_MORE)
        yield path
        if not under_way(path, step):
            sys.exit(f"no refresh hangs at {step} any more")


def request_refresh(path: Path) -> bool:
    """Request a longer lifetime than is left; a token that is too new is not renewed for it."""
    with connect_client(path) as client:
        client.sendall(REQUEST_MORE.replace(b"wait=300", b"wait=0"))
        return bool(client.recv(65536))


def under_way(path: Path, step: str) -> bool:
    document = status(path) or {}
    if step == "variable":
        return bool(document["token"]["generation"] >= 2 and delivered_generation(path) == 1)
    return bool(document["refreshing"])


def delivered_generation(path: Path) -> int:
    """Return the generation that the sink has."""
    return int((status(path) or {})["sinks"][0]["generation"] or 0)


def measure(step: str, bare: Path, args: argparse.Namespace) -> list[Figure]:
    with hanging_at(step) as path:
        times, alone = read_alternately(path, bare, args.reads)
        ratios = paired(args.pairs, lambda: rate(path, 2000), lambda: rate(bare, 2000))
    return [
        Figure(f"{step}: p50", median(times), unit="ms"),
        Figure(f"{step}: p99", percentile(times, 99), P99_MS, "ms"),
        Figure(f"{step}: p99.9", percentile(times, 99.9), P999_MS, "ms"),
        Figure(f"{step}: slowest", max(times), unit="ms"),
        Figure(f"{step}: bare handler, p99", percentile(alone, 99), unit="ms"),
        Figure(f"{step}: bare handler, p99.9", percentile(alone, 99.9), unit="ms"),
        Figure(f"{step}: rate beside a bare handler", median(ratios), RATE, "x", at_least=True),
    ]


def read_alternately(path: Path, bare: Path, count: int) -> tuple[list[float], list[float]]:
    """Return the milliseconds of reads of both, alternately: other work affects both alike."""
    with connect_client(path) as ours, connect_client(bare) as bare_client:
        time_reads(ours, 500)
        time_reads(bare_client, 500)
        pairs = [
            (time_reads(ours, TURN), time_reads(bare_client, TURN)) for _ in range(count // TURN)
        ]
    return (
        [1e3 * spent for mine, _ in pairs for spent in mine],
        [1e3 * spent for _, other in pairs for spent in other],
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("steps", nargs="*", choices=[*STEPS, []], help="default: all")
    parser.add_argument("--reads", type=int, default=20_000)
    parser.add_argument("--pairs", type=int, default=7)
    args = parser.parse_args()
    pin(0)
    figures: list[Figure] = []
    with folder() as place, server("bare", place / "b.sock") as bare:
        for step in args.steps or STEPS:
            figures += measure(step, bare, args)
    return report(figures)


if __name__ == "__main__":
    sys.exit(main())
