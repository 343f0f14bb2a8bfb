"""What hostile clients, and thousands of subscribers, cost the others.

python -m bench.hostile_clients [--idle N] [--subscribers N] [--reads N] [--quick]

The API over a fake provider, in a process pinned to one core. Idle connections, half requests,
clients that do not read and garbage are present while one client reads the token. Marks: p99 1 ms,
2 % of a core with idle connections, the stalled ones closed within a minute, an event at 1,000
subscribers within 1 s, a new client at the limit of open files served within 2 s. --quick leaves
out the wait for the stalled ones.
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import resource
import select
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from bench.common import Figure, median, percentile, pin, report
from bench.socket_reads import REQUEST, Provider, connect_client, reads
from homey_tokend.core.events import RefreshRecovered
from homey_tokend.server.app import Api
from homey_tokend.server.connection import MAX_PIPELINED
from homey_tokend.server.connections import Connections, connection_limit
from homey_tokend.server.event_buffer import EventBuffer
from homey_tokend.server.monitoring import Monitoring
from homey_tokend.server.server import Server
from homey_tokend.server.unix_socket import SocketOptions, raise_file_limit

P99_MS, CPU_PERCENT, CLOSED_S, EVENT_S, NEW_S = 1.0, 2.0, 65.0, 1.0, 2.0
HALF_REQUESTS, STALLED = 200, 50
FEW_FILES = 128
HALF = b"GET /token HTTP/1.1\r\nHost: "
GARBAGE = b"\x16\x03\x01\x02\x00" + bytes(50) + b"\r\n\r\n"
SUBSCRIBE = b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def serve(path: Path) -> None:
    buffer = EventBuffer("bench")
    connections = Connections(connection_limit(raise_file_limit()))
    monitoring = Monitoring(buffer, connections=connections)
    api = Api(Provider(), version="0", monitoring=monitoring)
    server = Server(api)
    await server.start(SocketOptions(path))
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(
        signal.SIGUSR1, lambda: buffer.publish(RefreshRecovered("home", datetime.now(UTC), 1))
    )
    await asyncio.Event().wait()


def run_server(path: Path, files: int) -> None:
    pin(1)
    sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115  the server's log is not measured
    if files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    asyncio.run(serve(path))


@contextlib.contextmanager
def server(path: Path, files: int = 0) -> Iterator[int]:
    """Run a server in its own process; yield its process ID."""
    child = multiprocessing.get_context("spawn").Process(target=run_server, args=(path, files))
    child.start()
    for _ in range(500):
        with contextlib.suppress(OSError), connect_client(path):
            break
        time.sleep(0.02)
    assert child.pid is not None
    yield child.pid
    child.terminate()
    child.join()


def cpu_seconds(process: int) -> float:
    """User and system time (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_percent(process: int, seconds: float) -> float:
    before, begun = cpu_seconds(process), time.perf_counter()
    time.sleep(seconds)
    return 100 * (cpu_seconds(process) - before) / (time.perf_counter() - begun)


def connect(
    stack: contextlib.ExitStack, path: Path, count: int, request: bytes
) -> list[socket.socket]:
    """Connect clients that send this and no more."""
    made = []
    for _ in range(count):
        client = stack.enter_context(connect_client(path))
        client.sendall(request)
        made.append(client)
    return made


def connect_stalled(stack: contextlib.ExitStack, path: Path) -> list[socket.socket]:
    """Connect clients that send as many requests as may wait, and read nothing."""
    return connect(stack, path, STALLED, REQUEST * MAX_PIPELINED)


def send_garbage(path: Path, count: int) -> None:
    for _ in range(count):
        with connect_client(path) as client:
            client.sendall(GARBAGE)
            client.recv(4096)


def seconds_until_closed(clients: list[socket.socket]) -> float:
    """Return the seconds until the server has closed all, at most 90; the clients do not read."""
    begun, poll = time.perf_counter(), select.poll()
    there = {client.fileno() for client in clients}
    for number in there:
        poll.register(number, 0)  # POLLHUP is reported in any case (poll(2))
    while there and time.perf_counter() - begun < 90:
        for number, _ in poll.poll(1000):
            poll.unregister(number)
            there.discard(number)
    return time.perf_counter() - begun


def measure_hostile(path: Path, args: argparse.Namespace) -> list[Figure]:
    """Measure how the other clients affect the one that reads."""
    with server(path) as process, contextlib.ExitStack() as stack:
        floor = [1e3 * spent for spent in reads(path, args.reads)]
        connect(stack, path, args.idle, b"")
        time.sleep(1)  # until all of them are in
        quiet = cpu_percent(process, 5)
        stalled = connect(stack, path, HALF_REQUESTS, HALF) + connect_stalled(stack, path)
        begun = time.perf_counter()
        send_garbage(path, 200)
        times = [1e3 * spent for spent in reads(path, args.reads)]
        figures = [
            Figure(f"CPU with {args.idle} idle connections", quiet, CPU_PERCENT, "%"),
            Figure(f"p50 of {args.reads} reads with all of them", median(times), unit="ms"),
            Figure("p99", percentile(times, 99), P99_MS, "ms"),
            Figure("p99.9", percentile(times, 99.9), unit="ms"),
            # These show if the machine is busy.
            Figure("p99 of the same server without them", percentile(floor, 99), unit="ms"),
            Figure("p99.9 of the same server without them", percentile(floor, 99.9), unit="ms"),
        ]
        if not args.quick:
            waited = time.perf_counter() - begun
            closed = waited + seconds_until_closed(stalled)
            figures.append(Figure(f"{len(stalled)} stalled ones are closed", closed, CLOSED_S, "s"))
    return figures


def measure_subscribers(path: Path, count: int, reads_count: int) -> list[Figure]:
    """Measure how long one event takes to reach all, and how that affects a reader."""
    with server(path) as process, contextlib.ExitStack() as stack:
        subscribers = connect(stack, path, count, SUBSCRIBE)
        for subscriber in subscribers:
            while b"retry:" not in subscriber.recv(4096):
                pass
        slowest = max(_received(process, subscribers) for _ in range(3))
        begun = time.perf_counter()
        times = []
        while time.perf_counter() - begun < 2:
            os.kill(process, signal.SIGUSR1)
            times += [1e3 * spent for spent in reads(path, reads_count // 20)]
            for subscriber in subscribers:
                subscriber.recv(1 << 16)
    return [
        Figure(f"one event at {count} subscribers", slowest, EVENT_S, "s"),
        Figure("p99 of reads during events", percentile(times, 99), unit="ms"),
    ]


def _received(process: int, subscribers: list[socket.socket]) -> float:
    begun = time.perf_counter()
    os.kill(process, signal.SIGUSR1)
    for subscriber in subscribers:
        while b"recovered" not in subscriber.recv(4096):
            pass
    return time.perf_counter() - begun


def measure_full(path: Path) -> list[Figure]:
    """Measure how long a new client waits if connections have used up the open files."""
    with server(path, FEW_FILES), contextlib.ExitStack() as stack:
        connect(stack, path, 3 * FEW_FILES, b"")
        slowest = 0.0
        for _ in range(20):
            begun = time.perf_counter()
            reads(path, 1)
            slowest = max(slowest, time.perf_counter() - begun)
    return [Figure(f"a new client beyond {FEW_FILES} open files", slowest, NEW_S, "s")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--idle", type=int, default=700)
    parser.add_argument("--subscribers", type=int, default=1000)
    parser.add_argument("--reads", type=int, default=10_000)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    raise_file_limit()
    pin(0)
    folder = Path(tempfile.mkdtemp(prefix="ht"))
    figures = measure_full(folder / "f.sock")
    figures += measure_subscribers(folder / "l.sock", args.subscribers, args.reads)
    figures += measure_hostile(folder / "h.sock", args)
    shutil.rmtree(folder)
    return report(figures)


if __name__ == "__main__":
    sys.exit(main())
