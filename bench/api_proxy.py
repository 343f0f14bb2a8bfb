"""The cost of the API proxy, compared with a bare aiohttp reverse proxy.

python -m bench.api_proxy [--calls N] [--pairs N]

The proxy is pinned to one core; the Homey, which answers with two kilobytes of JSON, and the
callers, three at a time, to another. Then 100 MB pass through it each way. Marks: 0.7 of the bare
proxy's throughput, and less than 8 MiB of additional memory at the peak.
"""

import argparse
import asyncio
import contextlib
import logging
import multiprocessing
import shutil
import ssl
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import structlog
from aiohttp import web

from bench.common import Figure, median, paired, pin, report
from bench.socket_reads import Provider, connect_client
from homey_tokend.proxy.forwarder import Forwarder
from homey_tokend.proxy.upstream import Upstream
from homey_tokend.runtime.clock import SystemClock
from homey_tokend.runtime.hardening import collect_garbage
from homey_tokend.server.app import Api
from homey_tokend.server.server import Server
from homey_tokend.server.unix_socket import SocketOptions

THROUGHPUT, MEMORY_MIB = 0.7, 8.0
CALLERS = 3
HUGE = 100_000_000
JSON = b'{"id":"' + b"a" * 2000 + b'"}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
SMALL = HEAD % len(JSON) + JSON
PIECE = b"a" * 65536


class Hub(asyncio.Protocol):
    """A Homey that costs next to nothing."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.body = 0
        self.left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        assert self.transport is not None
        if not self.body:
            head, _, data = data.partition(b"\r\n\r\n")
            if b"/huge " in head and head.startswith(b"GET"):
                self.left = HUGE
                self.transport.write(HEAD % HUGE)
                self.resume_writing()
                return
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            self.body = int(length or 0)
        self.body -= len(data)
        if not self.body:
            self.transport.write(SMALL)

    def resume_writing(self) -> None:
        while self.left and self.transport and self.transport.get_write_buffer_size() < 65536:
            piece = PIECE[: self.left]
            self.left -= len(piece)
            self.transport.write(piece)
            if self.transport.get_write_buffer_size() > 0:
                asyncio.get_running_loop().call_later(0.0005, self.resume_writing)
                return


async def serve_hub(_path: Path, port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Hub, "127.0.0.1", port)
    await server.serve_forever()


async def serve_proxy(path: Path, port: int) -> None:
    provider = Provider()
    token = provider.held.token
    assert token is not None
    provider.held = replace(provider.held, token=replace(token, url=f"http://127.0.0.1:{port}"))
    upstream = Upstream({}, ssl_context=ssl.create_default_context())
    forward = Forwarder(provider, upstream, SystemClock())
    await Server(Api(provider, version="0", proxy=forward.handle)).start(SocketOptions(path))
    collect_garbage()  # as the daemon does once it is built
    await asyncio.Event().wait()


async def serve_bare(path: Path, port: int) -> None:
    session = aiohttp.ClientSession(auto_decompress=False)

    async def handler(request: web.Request) -> web.StreamResponse:
        url = f"http://127.0.0.1:{port}{request.path_qs.removeprefix('/homeys/home')}"
        headers = {**request.headers, "Authorization": "Bearer x"}
        data = request.content if request.can_read_body else None
        async with session.request(request.method, url, headers=headers, data=data) as answer:
            response = web.StreamResponse(status=answer.status, headers=answer.headers)
            await response.prepare(request)
            async for piece in answer.content.iter_any():
                await response.write(piece)
            await response.write_eof()
            return response

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.UnixSite(runner, str(path)).start()
    await asyncio.Event().wait()


SERVERS = {"hub": serve_hub, "proxy": serve_proxy, "bare": serve_bare}


def run_server(kind: str, path: Path, port: int) -> None:
    pin(0 if kind == "hub" else 1)
    # As the daemon's log is by default: debug is not written.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    asyncio.run(SERVERS[kind](path, port))


@contextlib.contextmanager
def process(kind: str, path: Path, port: int) -> Iterator[int]:
    """Run one of the servers in its own process; yield its process ID once it answers."""
    child = multiprocessing.get_context("spawn").Process(target=run_server, args=(kind, path, port))
    child.start()
    for _ in range(500):
        with contextlib.suppress(OSError):
            if kind == "hub":
                asyncio.run(_connect(port))
            else:
                connect_client(path).close()
            break
        time.sleep(0.02)
    yield child.pid or 0
    child.terminate()
    child.join()


async def _connect(port: int) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()


async def calls(path: Path, count: int) -> float:
    """Return the calls per second of three concurrent callers, each on one connection."""

    async def caller() -> None:
        reader, writer = await asyncio.open_unix_connection(path)
        for _ in range(count // CALLERS):
            writer.write(b"GET /homeys/home/api/manager/x HTTP/1.1\r\nHost: h\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                sys.exit(f"unexpected: {head!r}")
            await reader.readexactly(len(JSON))
        writer.close()

    begun = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return count / (time.perf_counter() - begun)


def memory_growth(pid: int, path: Path, *, up: bool) -> float:
    """Return the MiB that the proxy's memory grows by at its peak while 100 MB pass."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak counts from here on
    before = memory(pid, "VmRSS")
    with connect_client(path) as client:
        if up:
            lines = f"Host: h\r\nContent-Length: {HUGE}\r\nConnection: close\r\n\r\n"
            client.sendall(f"PUT /homeys/home/api/x HTTP/1.1\r\n{lines}".encode())
            left = HUGE
            while left:
                left -= client.send(PIECE[:left])
        else:
            head = b"GET /homeys/home/api/huge HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
            client.sendall(head)
        size = 0
        while part := client.recv(1 << 20):
            size += len(part)
    if size < (len(JSON) if up else HUGE):
        sys.exit("the answer was cut")
    return memory(pid, "VmHWM") - before


def memory(pid: int, name: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=3000)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--port", type=int, default=18643)
    args = parser.parse_args()
    pin(0)
    folder = Path(tempfile.mkdtemp(prefix="ht"))
    proxy, bare = folder / "a.sock", folder / "b.sock"
    with (
        process("hub", folder, args.port),
        process("proxy", proxy, args.port) as pid,
        process("bare", bare, args.port),
    ):
        for path in (proxy, bare):
            asyncio.run(calls(path, 600))
        rates: list[float] = []

        def ours() -> float:
            rates.append(asyncio.run(calls(proxy, args.calls)))
            return rates[-1]

        ratios = paired(args.pairs, ours, lambda: asyncio.run(calls(bare, args.calls)))
        down, up = memory_growth(pid, proxy, up=False), memory_growth(pid, proxy, up=True)
    shutil.rmtree(folder)
    return report(
        [
            Figure("calls/s through the API proxy, median", median(rates)),
            Figure(
                "throughput beside a bare proxy", median(ratios), THROUGHPUT, "x", at_least=True
            ),
            Figure("memory for an answer of 100 MB", down, MEMORY_MIB, "MiB"),
            Figure("memory for a request of 100 MB", up, MEMORY_MIB, "MiB"),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
