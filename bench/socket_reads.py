"""The latency of the cached token while a refresh hangs for other clients.

python -m bench.socket_reads [--reads N] [--pairs N] [--socket PATH]

Server and reader are pinned to one core each. Without --socket the API over a fake provider is
measured, and its rate compared with a bare aiohttp handler; with it only a running daemon's
latency. Marks: p99 1 ms, p99.9 5 ms, rate 0.8 of the bare one.
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import web

from bench.common import Figure, median, paired, percentile, pin, report
from homey_tokend.core.secret import Secret
from homey_tokend.core.status import Health, RefreshResult, View
from homey_tokend.core.tokens import Token
from homey_tokend.server.app import Api
from homey_tokend.server.server import Server
from homey_tokend.server.unix_socket import SocketOptions

P99_MS, P999_MS, RATE = 1.0, 5.0, 0.8
HANGING = 50
REQUEST = b"GET /token HTTP/1.1\r\nHost: localhost\r\n\r\n"
REQUEST_MORE = b"GET /token?min_ttl=3d&wait=300 HTTP/1.1\r\nHost: localhost\r\n\r\n"
BODY = "t" * 64


class Provider:
    """Hold one valid token; a request for a longer lifetime waits for ever."""

    def __init__(self) -> None:
        now = datetime.now(UTC)
        held = Token(Secret(BODY), 1, "https://localhost", now, now + timedelta(days=1))
        self.held = View(
            name="home",
            health=Health.OK,
            url=held.url,
            token=held,
            verified_at=now,
            refreshing=True,
            renew_at=now,
            next_at=now,
            next_reason="",
            last_error=None,
            outage_at=None,
            sign_in_blocked_until=None,
            refreshes=1,
        )

    def names(self) -> list[str]:
        return ["home"]

    def view(self, name: str) -> View:
        return {"home": self.held}[name]

    def now(self) -> datetime:
        return datetime.now(UTC)

    def alive(self) -> bool:
        return True

    async def token_for(self, name: str, min_ttl: timedelta, wait: timedelta) -> View:
        del min_ttl
        await asyncio.sleep(wait.total_seconds())
        return self.view(name)

    async def refresh(self, name: str, wait: timedelta) -> RefreshResult:
        await asyncio.sleep(wait.total_seconds())
        return RefreshResult(self.view(name), done=False)

    async def token_rejected(self, name: str, generation: int, wait: timedelta) -> View:
        del generation, wait
        return self.view(name)


async def serve_api(path: Path) -> None:
    await Server(Api(Provider(), version="0")).start(SocketOptions(path))
    await asyncio.Event().wait()


async def serve_bare(path: Path) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(text=BODY + "\n")

    app = web.Application()
    app.router.add_get("/token", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.UnixSite(runner, str(path)).start()
    await asyncio.Event().wait()


def run_server(kind: str, path: Path) -> None:
    pin(1)
    asyncio.run({"api": serve_api, "bare": serve_bare}[kind](path))


@contextlib.contextmanager
def server(kind: str, path: Path) -> Iterator[Path]:
    """Run a server in its own process; yield once it answers."""
    child = multiprocessing.get_context("spawn").Process(target=run_server, args=(kind, path))
    child.start()
    for _ in range(500):
        with contextlib.suppress(OSError), connect_client(path):
            break
        time.sleep(0.02)
    yield path
    child.terminate()
    child.join()


def connect_client(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    try:
        client.connect(str(path))
    except OSError:
        client.close()
        raise
    return client


def reads(path: Path, count: int) -> list[float]:
    """Return the seconds of each of ``count`` reads, one after another on one connection."""
    with connect_client(path) as client:
        return time_reads(client, count)


def time_reads(client: socket.socket, count: int) -> list[float]:
    """Return the same for an open connection."""
    times = []
    for _ in range(count):
        begun = time.perf_counter()
        client.sendall(REQUEST)
        answer = client.recv(65536)
        while not answer.endswith(b"\n") or b"\r\n\r\n" not in answer:
            answer += client.recv(65536)
        times.append(time.perf_counter() - begun)
        if not answer.startswith(b"HTTP/1.1 200"):
            sys.exit(f"unexpected: {answer[:100]!r}")
    return times


def rate(path: Path, count: int) -> float:
    begun = time.perf_counter()
    reads(path, count)
    return count / (time.perf_counter() - begun)


def latency(path: Path, count: int) -> list[Figure]:
    """Measure the cached read while others wait for a refresh that hangs."""
    with contextlib.ExitStack() as waiting:
        for _ in range(HANGING):
            waiting.enter_context(connect_client(path)).sendall(REQUEST_MORE)
        reads(path, 500)
        times = [1e3 * spent for spent in reads(path, count)]
    return [
        Figure(f"p50 of {count} reads, {HANGING} others waiting", median(times), unit="ms"),
        Figure("p99", percentile(times, 99), P99_MS, "ms"),
        Figure("p99.9", percentile(times, 99.9), P999_MS, "ms"),
        Figure("slowest", max(times), unit="ms"),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reads", type=int, default=20_000)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--socket", type=Path, help="a running daemon's socket")
    args = parser.parse_args()
    pin(0)
    if args.socket:
        return report(latency(args.socket, args.reads))
    folder = Path(tempfile.mkdtemp(prefix="ht"))
    with server("api", folder / "a.sock") as api, server("bare", folder / "b.sock") as bare:
        figures = latency(api, args.reads)
        floor = [1e3 * spent for spent in reads(bare, args.reads)]
        rates: list[float] = []

        def ours() -> float:
            rates.append(rate(api, 5000))
            return rates[-1]

        ratios = paired(args.pairs, ours, lambda: rate(bare, 5000))
    shutil.rmtree(folder)
    # These show if the machine is busy.
    figures.append(Figure("p99 of a bare handler, alone", percentile(floor, 99), unit="ms"))
    figures.append(Figure("p99.9 of a bare handler, alone", percentile(floor, 99.9), unit="ms"))
    figures.append(Figure("requests/s, median", median(rates)))
    figures.append(Figure("rate beside a bare handler", median(ratios), RATE, "x", at_least=True))
    return report(figures)


if __name__ == "__main__":
    sys.exit(main())
