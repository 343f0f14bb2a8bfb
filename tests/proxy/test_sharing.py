"""Callers who hang up while nothing is read from them: their slots are free again at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from homey_tokend.proxy.limiter import LimiterSettings
from tests.support.api_proxy import (
    LONG_TIMEOUTS,
    Hub,
    ProxySetup,
    ReceivedRequest,
    running_proxy,
    with_length,
)

LONG = b"POST /homeys/home/api/x HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n"
GET = b"GET /homeys/home/api/x HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.fixture
async def proxy(socket_path: Path) -> AsyncIterator[ProxySetup]:
    """Return a proxy with one slot and one place in its queue, and a Homey that takes nothing."""
    limits = replace(
        LONG_TIMEOUTS,
        silence=timedelta(seconds=120),
        total=timedelta(seconds=120),
        queue=LimiterSettings(at_once=1, queued=1, wait=timedelta(seconds=40)),
    )
    async with running_proxy(socket_path, limits) as made:
        made.hub.turn, made.hub.reads_body = takes_nothing, False
        yield made


async def takes_nothing(
    _hub: Hub,
    _received: ReceivedRequest,
    _reader: asyncio.StreamReader,
    _writer: asyncio.StreamWriter,
) -> None:
    await asyncio.Event().wait()


async def pushed(proxy: ProxySetup, begin: bytes, more: bytes) -> asyncio.StreamWriter:
    """Send until the daemon reads no further, so that all buffers are full, or disconnects."""
    _, writer = await asyncio.open_unix_connection(proxy.path)
    writer.write(begin)
    with suppress(TimeoutError, ConnectionError):
        while True:
            writer.write(more)
            async with asyncio.timeout(0.5):
                await writer.drain()
    return writer


@pytest.mark.parametrize(
    ("begin", "more"),
    [(LONG, b"a" * 100_000), (GET, GET * 1000)],
    ids=["a long body", "further requests"],
)
async def test_hanging_up(proxy: ProxySetup, begin: bytes, more: bytes) -> None:
    """A caller who sends more than is taken and hangs up ends the call, and frees its slot."""
    writer = await pushed(proxy, begin, more)
    writer.transport.abort()
    proxy.hub.turn, proxy.hub.reads_body = None, True

    assert 200 == (await proxy.ask()).status


async def test_hanging_up_in_the_queue(proxy: ProxySetup) -> None:
    """A caller who hangs up while its call and its body wait frees its place in the queue."""
    first = await pushed(proxy, LONG, b"a" * 100_000)
    second = await pushed(proxy, LONG, b"a" * 100_000)
    full = await proxy.ask()
    second.transport.abort()
    later = asyncio.create_task(proxy.ask())
    proxy.hub.turn, proxy.hub.reads_body = None, True
    await asyncio.sleep(0.1)
    first.transport.abort()

    assert (503, 200) == (full.status, (await later).status)


async def test_a_caller_who_does_not_read(proxy: ProxySetup) -> None:
    """A long response holds its slot until it is read: so not many of them are in the memory."""
    proxy.hub.turn, proxy.hub.reads_body = None, True
    proxy.hub.answers = [with_length(bytes(150_000))]
    for _ in range(10):  # then the kernel's buffers take all of it, and it comes at once
        await proxy.ask()
    reader, writer = await asyncio.open_unix_connection(proxy.path, limit=1024)
    writer.write(GET)
    await reader.readuntil(b"\r\n\r\n")
    waiting = asyncio.create_task(proxy.ask())
    await asyncio.sleep(0.1)
    refused = await proxy.ask()
    writer.transport.abort()

    assert (503, 200) == (refused.status, (await waiting).status)


def test_slots() -> None:
    """One user can hold three slots of a Homey; one more is for the others."""
    assert 4 == LimiterSettings().at_once
