"""The API proxy with endless requests and responses, and malformed header lines."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.api_proxy import (
    LONG_TIMEOUTS,
    Hub,
    ProxySetup,
    ReceivedRequest,
    parse_reply,
    running_proxy,
)
from tests.support.provider import CANARY

POST = b"POST /homeys/home/api/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
async def proxy(socket_path: Path) -> AsyncIterator[ProxySetup]:
    async with running_proxy(socket_path) as made:
        yield made


@pytest.fixture
async def short_timeouts(socket_path: Path) -> AsyncIterator[ProxySetup]:
    """Return a proxy that limits a call to half a second."""
    async with running_proxy(
        socket_path, replace(LONG_TIMEOUTS, total=timedelta(milliseconds=500))
    ) as made:
        yield made


async def send_slowly(proxy: ProxySetup, begin: bytes, drop: bytes) -> bytes:
    """Return all that the proxy sends to a slow caller until it closes."""
    reader, writer = await proxy.send(begin)

    async def drip() -> None:
        with suppress(OSError):
            while True:
                writer.write(drop)
                await writer.drain()
                await asyncio.sleep(0.05)

    dripping = asyncio.create_task(drip())
    raw = await asyncio.wait_for(reader.readuntil(b"}"), 40)
    dripping.cancel()
    await asyncio.gather(dripping, return_exceptions=True)
    writer.close()
    return raw


@pytest.mark.parametrize(
    ("framing", "drop"),
    [(b"Content-Length: 60000\r\n\r\n", b"a"), (CHUNKED, b"1\r\na\r\n")],
)
async def test_a_short_body_without_end(
    short_timeouts: ProxySetup, framing: bytes, drop: bytes
) -> None:
    """A caller that sends a byte now and then gets 408 in the end, and the Homey no request."""
    got = parse_reply(await send_slowly(short_timeouts, POST + framing, drop))

    assert (408, "urn:homey-tokend:problem:body-timeout") == (
        got.status,
        json.loads(got.body)["type"],
    )
    assert "did not end within 0.5 s" in got.body.decode()
    assert [] == short_timeouts.hub.received


async def test_a_long_body_without_end(short_timeouts: ProxySetup) -> None:
    """A body on its way to the Homey ends at the deadline of the call, for both sides."""
    begin = POST + CHUNKED + b"11170\r\n" + b"a" * 70_000 + b"\r\n"
    got = parse_reply(await send_slowly(short_timeouts, begin, b"1\r\na\r\n"))
    await asyncio.wait_for(short_timeouts.hub.left.wait(), 40)

    assert 504 == got.status
    assert CANARY.encode() not in got.raw


async def test_header_lines_without_end(proxy: ProxySetup) -> None:
    """A Homey that sends endless short header lines is cut off after some megabytes."""
    sent = 0

    async def turn(
        _hub: Hub,
        _received: ReceivedRequest,
        _reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while sent < 100_000_000:
            writer.write(b"X: aaaaaaaa\r\n" * 1000)
            await writer.drain()
            sent += 13_000

    proxy.hub.turn = turn
    got = await proxy.ask()

    assert (502, "unreachable") == (got.status, json.loads(got.body)["kind"])
    assert sent < 20_000_000


@pytest.mark.parametrize(
    "line",
    [
        b"X: a\rb",
        b"X: a\nY: b",
        b"X: a\r\n b",
        b"X: \rAuthorization: Bearer mine",
        b"X\r: a",
        b"X: a\0b",
    ],
)
async def test_broken_lines(proxy: ProxySetup, line: bytes) -> None:
    """CR, LF, NUL and folded lines in a header are 400, and the Homey gets no request."""
    got = await proxy.say(POST + line + b"\r\n\r\n")

    assert 400 == got.status
    assert [] == proxy.hub.received
    assert CANARY.encode() not in got.raw
