"""What many clients of the TCP port cost a reader of the token.

python -m bench.tcp_clients [--clients N] [--seconds S] [--path PATH] [--pipelined N]

The API over a fake provider, in a process pinned to one core. Clients ask
for /metrics over TCP as fast as they are answered and reconnect when they are disconnected, in a
process that gives way to the reader. Mark: p99 20 ms. On a busy machine run it with chrt -f 1.
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import selectors
import shutil
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.common import Figure, median, percentile, pin, report
from bench.socket_reads import Provider, connect_client, reads
from homey_tokend.server.app import Api
from homey_tokend.server.server import Server
from homey_tokend.server.unix_socket import SocketOptions, raise_file_limit

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

P99_MS = 20.0
#: The clients' process gives way to the reader, which shares its core.
_NICE = 10
#: Seconds between two reads, in which the clients have the core.
_REST_S = 0.005


async def serve(path: Path, port: int) -> None:
    raise_file_limit()
    api = Api(Provider(), version="0")
    await Server(api).start(SocketOptions(path))
    await Server(api).start(http=("127.0.0.1", port))
    await asyncio.Event().wait()


def run_server(path: Path, port: int) -> None:
    pin(1)
    sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115  the server's log is not measured
    asyncio.run(serve(path, port))


class Hostile:
    """Connections that are kept busy: each asks again once it was answered."""

    def __init__(self, port: int, request: bytes, answered: "Synchronized[int]") -> None:
        self._port = port
        self._request = request
        self._answered = answered
        self._waiting = selectors.DefaultSelector()

    def run(self, count: int) -> None:
        for _ in range(count):
            self._connect()
        while True:
            for key, events in self._waiting.select():
                client = key.fileobj
                assert isinstance(client, socket.socket)
                try:
                    self._continue(client, events)
                except OSError:
                    self._waiting.unregister(client)
                    client.close()
                    self._connect()

    def _connect(self) -> None:
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(("127.0.0.1", self._port))
        self._waiting.register(client, selectors.EVENT_WRITE)

    def _continue(self, client: socket.socket, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            self._waiting.modify(client, selectors.EVENT_READ)
        else:
            answer = client.recv(1 << 20)
            if not answer:
                raise ConnectionError
            self._answered.value += answer.startswith(b"HTTP/1.1 200")
        client.send(self._request)


def run_hostile_clients(
    port: int, count: int, request: bytes, answered: "Synchronized[int]"
) -> None:
    raise_file_limit()
    pin(0)
    # If all of this runs with real-time priority, the clients still do not.
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    os.nice(_NICE)
    Hostile(port, request, answered).run(count)


def scrape(port: int, request: bytes) -> float:
    """Return the seconds until a well-behaved client has its response, with all reconnections."""
    begun = time.perf_counter()
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(request)
            if client.recv(1 << 20).startswith(b"HTTP/1.1 200"):
                return time.perf_counter() - begun


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--path", default="/metrics")
    parser.add_argument("--pipelined", type=int, default=1)
    args = parser.parse_args()
    pin(0)
    folder, port = Path(tempfile.mkdtemp(prefix="ht")), free_port()
    context = multiprocessing.get_context("spawn")
    server = context.Process(target=run_server, args=(folder / "t.sock", port))
    server.start()
    for _ in range(500):
        with contextlib.suppress(OSError), connect_client(folder / "t.sock"):
            break
        time.sleep(0.02)
    floor = [1e3 * spent for spent in reads(folder / "t.sock", 2000)]
    request = f"GET {args.path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * args.pipelined
    answered = context.Value("l", 0)
    hostile = context.Process(
        target=run_hostile_clients, args=(port, args.clients, request, answered)
    )
    hostile.start()
    time.sleep(2)
    times, scrapes, begun, before = [], [], time.perf_counter(), answered.value
    while time.perf_counter() - begun < args.seconds:
        for _ in range(10):
            times += [1e3 * spent for spent in reads(folder / "t.sock", 5)]
            time.sleep(_REST_S)
        scrapes.append(1e3 * scrape(port, request))
    rate = (answered.value - before) / (time.perf_counter() - begun)
    for child in (hostile, server):
        child.terminate()
        child.join()
    shutil.rmtree(folder)
    return report(
        [
            Figure("p99 of reads without them", percentile(floor, 99), unit="ms"),
            Figure(f"{args.path} answered to {args.clients} clients a second", rate),
            Figure(f"p50 of {len(times)} reads meanwhile", median(times), unit="ms"),
            Figure("p99", percentile(times, 99), P99_MS, "ms"),
            Figure("slowest", max(times), unit="ms"),
            Figure(
                f"median of {len(scrapes)} honest scrapes meanwhile", median(scrapes), unit="ms"
            ),
            Figure("slowest of them", max(scrapes), unit="ms"),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
