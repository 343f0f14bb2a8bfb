"""500 readers and 200 requests for a longer lifetime at once: one refresh, and fast cached reads.

python -m bench.many_clients [--seconds N]

A real daemon whose token lives a minute, and a simulated cloud that is slow at each step. 500
connections read once a second each; meanwhile 200 others request a longer lifetime than is left.
Marks: one refresh, no failed read, no requester without the new token, p99 5 ms. For comparison a
bare aiohttp handler with the same readers, and 500 reads sent at once to each of the two.
"""

import argparse
import asyncio
import contextlib
import json
import socket
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.common import Figure, median, paired, percentile, pin, report
from bench.hang_reads import STEPS, delivered_generation
from bench.processes import daemon, folder, simulator, status, until
from bench.socket_reads import REQUEST, connect_client, server

READERS, REQUESTERS, P99_MS = 500, 200, 5.0
#: A token lives a minute, may be renewed on request after six seconds, and by itself late.
LIFE_S, AT = 60, 0.9
STEP_S = 0.2
REQUEST_MORE = b"GET /token?min_ttl=58&wait=60 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


@dataclass
class Counts:
    """The readers' results: milliseconds, and the number of responses without a token."""

    times: list[float] = field(default_factory=list)
    failed: int = 0


class Reader(asyncio.Protocol):
    """One connection that reads the cached token on request."""

    def __init__(self) -> None:
        self.counts = Counts()
        self._transport: asyncio.Transport | None = None
        self._answer = b""
        self._begun = 0.0
        self._done: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    async def read(self) -> None:
        assert self._transport is not None
        self._done = asyncio.get_running_loop().create_future()
        self._begun = time.perf_counter()
        self._transport.write(REQUEST)
        await self._done

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if not self._answer.partition(b"\r\n\r\n")[2].endswith(b"\n"):
            return  # only the head, or a part of it
        self.counts.times.append(1e3 * (time.perf_counter() - self._begun))
        self.counts.failed += not self._answer.startswith(b"HTTP/1.1 200")
        self._finish()

    def connection_lost(self, _exc: Exception | None) -> None:
        if self._done is not None and not self._done.done():
            self.counts.failed += 1
            self._finish()

    def _finish(self) -> None:
        self._answer = b""
        if self._done is not None and not self._done.done():
            self._done.set_result(None)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


@contextlib.asynccontextmanager
async def readers(path: Path) -> AsyncIterator[list[Reader]]:
    loop = asyncio.get_running_loop()
    # asyncio mistakes a full queue (unix(7): EAGAIN) for a connection, so connect first.
    made = [
        (await loop.create_unix_connection(Reader, sock=connect_client(path)))[1]
        for _ in range(READERS)
    ]
    yield made
    for reader in made:
        reader.close()


async def read_evenly(path: Path, seconds: int) -> Counts:
    """Let each connection read once a second, evenly distributed."""
    loop = asyncio.get_running_loop()
    async with readers(path) as connections:
        begin = loop.time() + 0.1

        async def turns(number: int, reader: Reader) -> None:
            for second in range(seconds):
                await asyncio.sleep(begin + second + number / READERS - loop.time())
                await reader.read()

        await asyncio.gather(*(turns(*pair) for pair in enumerate(connections)))
    return Counts(
        [spent for reader in connections for spent in reader.counts.times],
        sum(reader.counts.failed for reader in connections),
    )


async def run_load(path: Path, seconds: int) -> tuple[Counts, list[bytes]]:
    """Run the readers and, after a second, the requesters, which are already connected."""
    with contextlib.ExitStack() as stack:
        requesters = [stack.enter_context(connect_client(path)) for _ in range(REQUESTERS)]

        async def request_all() -> None:
            await asyncio.sleep(1)
            for requester in requesters:
                requester.sendall(REQUEST_MORE)

        counts, _ = await asyncio.gather(read_evenly(path, seconds), request_all())
        return counts, [read_answer(requester) for requester in requesters]


def read_answer(requester: socket.socket) -> bytes:
    """Return the response to a requester, which may have been sent long ago."""
    return b"".join(iter(lambda: requester.recv(65536), b""))


async def burst(path: Path) -> float:
    """Return the milliseconds until 500 reads that were sent at once are answered."""
    async with readers(path) as connections:
        begun = time.perf_counter()
        await asyncio.gather(*(reader.read() for reader in connections))
        return 1e3 * (time.perf_counter() - begun)


def generation(path: Path) -> int:
    return int((status(path) or {})["token"]["generation"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=10)
    args = parser.parse_args()
    pin(0)
    faults = [
        {"step": step, "kind": "delay", "seconds": STEP_S, "after": count}
        for step, count in STEPS.items()
    ]
    refresh = {"at": AT, "jitter": 0, "verify_every": 0}
    with folder() as place, server("bare", place / "b.sock") as bare:
        (place / "faults.yaml").write_text(json.dumps(faults), encoding="utf-8")
        words = ("--session-lifetime", str(LIFE_S), "--faults", str(place / "faults.yaml"))
        with (
            simulator(*words, core=0) as description,
            daemon(description, place, core=1, refresh=refresh) as (_, path),
        ):
            until(lambda: delivered_generation(path) == 1, "the first token is delivered")
            time.sleep(LIFE_S / 10 + 0.5)  # newer ones are not renewed on request
            before = generation(path)
            counts, answers = asyncio.run(run_load(path, args.seconds))
            after = generation(path)
            floor = asyncio.run(read_evenly(bare, args.seconds))
            bursts: list[float] = []

            def ours() -> float:
                bursts.append(asyncio.run(burst(path)))
                return bursts[-1]

            ratios = paired(7, ours, lambda: asyncio.run(burst(bare)))
    if after == before:
        sys.exit("nothing was refreshed")
    newest = {answer.rpartition(b"\r\n")[2] for answer in answers}
    without = sum(not answer.startswith(b"HTTP/1.1 200") for answer in answers) + len(newest) - 1
    return report(
        [
            Figure(f"refreshes for {REQUESTERS} requesters", after - before, 1),
            Figure("requesters without the new token", without, 0),
            Figure(f"failed reads of {len(counts.times)}", counts.failed, 0),
            Figure(f"{READERS} readers: p50", median(counts.times), unit="ms"),
            Figure(f"{READERS} readers: p99", percentile(counts.times, 99), P99_MS, "ms"),
            Figure("the same of a bare handler: p50", median(floor.times), unit="ms"),
            Figure("the same of a bare handler: p99", percentile(floor.times, 99), unit="ms"),
            Figure(f"{READERS} reads at once: the last", median(bursts), unit="ms"),
            Figure("the same beside a bare handler", median(ratios), unit="x"),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
