"""1,000 subscribers to /events: the time until all get a renewal, and the cost of stalled ones.

python -m bench.subscribers [--renewals N] [--pairs N]

Two servers that hold a token and publish events, pinned to one core each, with 1,000 subscribers
that read; one of them has 50 more that do not. Marks: the last of 1,000 receives a renewal within 1
s of its publication; every stalled one is disconnected; during events cached reads are at least 0.9
times as fast as without stalled ones, and the server uses less than 8 MiB more.
"""

import argparse
import asyncio
import contextlib
import logging
import multiprocessing
import resource
import select
import selectors
import socket
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import structlog

from bench.api_proxy import memory
from bench.common import Figure, median, paired, percentile, pin, report
from bench.processes import folder
from bench.socket_reads import Provider, connect_client, rate
from homey_tokend.core.events import TokenRenewed
from homey_tokend.server.app import Api
from homey_tokend.server.event_buffer import EventBuffer
from homey_tokend.server.monitoring import Monitoring
from homey_tokend.server.server import Server
from homey_tokend.server.unix_socket import SocketOptions

SUBSCRIBERS, STALLED = 1000, 50
WITHIN_S, RATE, MEMORY_MIB = 1.0, 0.9, 8.0
SUBSCRIBE = b"GET /events HTTP/1.1\r\nHost: h\r\n\r\n"
#: More events than a stalled subscriber may be behind, and than the kernel keeps for it.
MANY = 600


def renewed() -> TokenRenewed:
    """Return a renewal whose fingerprint is the time of its publication."""
    now = datetime.now(UTC)
    sent_at = str(time.perf_counter_ns())
    return TokenRenewed("home", now, 1, sent_at, now, now + timedelta(days=1), verified=True)


async def serve(path: Path, pipe: Connection) -> None:
    """Serve the API; publish a renewal for each message from the pipe."""
    buffer = EventBuffer("bench")
    await Server(Api(Provider(), version="0", monitoring=Monitoring(buffer))).start(
        SocketOptions(path)
    )
    ended = asyncio.Event()

    def on_message() -> None:
        word = pipe.recv()
        if word == "end":
            ended.set()
        else:
            buffer.publish(renewed())

    asyncio.get_running_loop().add_reader(pipe.fileno(), on_message)
    await ended.wait()


def run_server(path: Path, pipe: Connection) -> None:
    pin(1)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    # As the daemon's log is by default, but without the lines on disconnected subscribers.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    asyncio.run(serve(path, pipe))


class ServerProcess:
    """A server in its own process, and its subscribers."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pipe, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        self._child = context.Process(target=run_server, args=(path, theirs))
        self._child.start()
        self.selector = selectors.DefaultSelector()
        self.stalled: list[socket.socket] = []
        for _ in range(500):
            with contextlib.suppress(OSError), connect_client(path):
                break
            time.sleep(0.02)

    @property
    def pid(self) -> int:
        return self._child.pid or 0

    def connect_subscribers(self, stalled: int) -> None:
        """Connect 1,000 subscribers that have read the opening, and some that never read."""
        for _ in range(SUBSCRIBERS):
            client = connect_client(self.path)
            client.sendall(SUBSCRIBE)
            received = b""
            while b"retry:" not in received:
                received += client.recv(65536)
            client.setblocking(False)
            self.selector.register(client, selectors.EVENT_READ)
        for _ in range(stalled):
            client = connect_client(self.path)
            client.sendall(SUBSCRIBE)
            self.stalled.append(client)

    def publish(self) -> None:
        self._pipe.send("renewed")

    def receive(self, count: int, timeout_s: float = 30.0) -> float:
        """Wait until ``count`` subscribers got an event; return the seconds since its publication."""
        left, last = count, 0.0
        published = 0
        end = time.monotonic() + timeout_s
        while left:
            if time.monotonic() > end:
                sys.exit(f"{left} of {count} subscribers received nothing")
            for key, _ in self.selector.select(1):
                data = key.fileobj.recv(65536)  # type: ignore[union-attr]  # they are sockets
                if b"event: token" in data:
                    left -= 1
                    last = time.perf_counter_ns()
                    published = int(data.rpartition(b'"fingerprint": "')[2].partition(b'"')[0])
        return (last - published) / 1e9

    def drain(self) -> None:
        """Read what is available, so that no subscriber falls behind."""
        for key, _ in self.selector.select(0):
            with contextlib.suppress(BlockingIOError):
                key.fileobj.recv(1 << 20)  # type: ignore[union-attr]  # they are sockets

    def count_disconnected(self, timeout_s: float = 90.0) -> int:
        """Return how many stalled subscribers the server closes, within two sweeps of 30 s."""
        poll = select.poll()
        for client in self.stalled:
            poll.register(client, 0)  # POLLHUP is always reported; reading would end the stall
        end = time.monotonic() + timeout_s
        while len(closed := poll.poll(100)) < len(self.stalled) and time.monotonic() < end:
            self.drain()
        return len(closed)

    def end(self) -> None:
        self._pipe.send("end")
        self._child.join(10)


@contextlib.contextmanager
def server_process(path: Path, stalled: int) -> Iterator[ServerProcess]:
    made = ServerProcess(path)
    made.connect_subscribers(stalled)
    yield made
    made.end()


def rate_during_events(server: ServerProcess) -> float:
    """Return the reads per second of the cached token while events are sent to the subscribers."""
    for _ in range(MANY // 10):
        server.publish()
    found = rate(server.path, 2000)
    server.drain()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--renewals", type=int, default=20)
    parser.add_argument("--pairs", type=int, default=10)
    args = parser.parse_args()
    pin(0)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 3 * SUBSCRIBERS:
        sys.exit(f"only {hard} files may be open")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with (
        folder() as path,
        server_process(path / "a.sock", STALLED) as ours,
        server_process(path / "b.sock", 0) as other,
    ):
        lags = []
        for _ in range(args.renewals):
            ours.publish()
            lags.append(ours.receive(SUBSCRIBERS))
        before = memory(ours.pid, "VmRSS")
        ratios = paired(
            args.pairs, lambda: rate_during_events(ours), lambda: rate_during_events(other)
        )
        growth = memory(ours.pid, "VmRSS") - before
        disconnected = ours.count_disconnected()
    return report(
        [
            Figure(f"the last of {SUBSCRIBERS} gets it, median", 1e3 * median(lags), unit="ms"),
            Figure(f"the last of {SUBSCRIBERS} gets it, slowest", max(lags), WITHIN_S, "s"),
            Figure("90th percentile", 1e3 * percentile(lags, 90), unit="ms"),
            Figure(f"disconnected of {STALLED} stalled ones", disconnected, STALLED, at_least=True),
            Figure("cached reads beside stalled ones", median(ratios), RATE, "x", at_least=True),
            Figure("memory for stalled ones and events", growth, MEMORY_MIB, "MiB"),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
