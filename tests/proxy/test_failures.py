"""The API proxy when the Homey, the network or the caller misbehaves."""

import asyncio
import json
import struct
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.api_proxy import (
    LONG_TIMEOUTS,
    OK,
    SHORT_TIMEOUTS,
    Hub,
    ProxySetup,
    ReceivedRequest,
    Reply,
    running_proxy,
    with_length,
)
from tests.support.provider import CANARY

GET = b"GET /homeys/home/api/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
POST = b"POST /homeys/home/api/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"


@pytest.fixture
async def proxy(socket_path: Path) -> AsyncIterator[ProxySetup]:
    async with running_proxy(socket_path) as made:
        yield made


@pytest.fixture
async def short_timeouts(socket_path: Path) -> AsyncIterator[ProxySetup]:
    """Return a proxy that tolerates 0.3 s of silence."""
    async with running_proxy(socket_path, SHORT_TIMEOUTS) as made:
        yield made


def problem(got: Reply) -> tuple[int, str]:
    assert CANARY.encode() not in got.raw
    assert "application/problem+json" == got.fields["content-type"]
    return got.status, json.loads(got.body)["type"].rpartition(":")[2]


async def silent(
    _hub: Hub, _received: ReceivedRequest, reader: asyncio.StreamReader, _w: object
) -> None:
    """Read the request and send nothing, until the other side disconnects."""
    if not await reader.read(1):
        raise ConnectionResetError


@pytest.mark.parametrize(
    "answer",
    [
        b"!",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 40_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 4000 + b"\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_invalid_responses(proxy: ProxySetup, answer: bytes) -> None:
    """Anything but HTTP, or out of bounds, is 502 in plain words."""
    proxy.hub.answers = [answer]

    assert (502, "unreachable") == problem(await proxy.ask())


async def test_headers_without_end(proxy: ProxySetup) -> None:
    """A Homey that sends endless headers is cut off after a few kilobytes."""
    sent = 0

    async def turn(
        _hub: Hub,
        _received: ReceivedRequest,
        _reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nX: ")
        while sent < 100_000_000:
            writer.write(b"a" * 10_000)
            await writer.drain()
            sent += 10_000

    proxy.hub.turn = turn

    assert (502, "unreachable") == problem(await proxy.ask())
    assert sent < 20_000_000


async def test_nobody_listens(proxy: ProxySetup) -> None:
    """A Homey that does not listen is 502 with the address and the cause."""
    proxy.hub.url = "http://127.0.0.1:9/homey/x"
    proxy.hold()
    got = await proxy.ask()

    assert (502, "unreachable") == problem(got)
    assert "home: no connection to 127.0.0.1:9: nothing listens there" in got.body.decode()


async def test_no_first_byte(short_timeouts: ProxySetup) -> None:
    """A Homey that says nothing is 504 after the time-out, and is disconnected."""
    short_timeouts.hub.turn = silent
    got = await short_timeouts.ask()
    await asyncio.wait_for(short_timeouts.hub.left.wait(), 40)

    assert (504, "timeout") == problem(got)


async def test_no_first_byte_of_the_body(short_timeouts: ProxySetup) -> None:
    """A body that never arrives is a problem document as long as nothing was passed on."""
    short_timeouts.hub.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"]

    assert (504, "timeout") == problem(await short_timeouts.ask())


async def test_a_body_that_stops(short_timeouts: ProxySetup) -> None:
    """A body that stops halfway cuts the caller off before its end."""
    short_timeouts.hub.answers = [with_length(b"abcde")[:-2]]
    got = await short_timeouts.ask()

    assert (200, "5", b"abc") == (got.status, got.fields["content-length"], got.body)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
    ],
)
async def test_a_reset_amid_the_body(proxy: ProxySetup, answer: bytes) -> None:
    """A reset in the middle of the body cuts the caller off without a proper end."""

    async def turn(
        _hub: Hub,
        _received: ReceivedRequest,
        _reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        writer.write(answer)
        await writer.drain()
        await asyncio.sleep(0.05)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER: close with a reset
        writer.close()
        raise ConnectionResetError

    proxy.hub.turn = turn
    got = await proxy.ask()

    assert 200 == got.status
    assert b"abc" in got.body
    assert not got.raw.endswith(b"0\r\n\r\n")


async def test_a_call_without_end(socket_path: Path) -> None:
    """A dripping response is cut off at the deadline of the call."""

    async def turn(
        _hub: Hub,
        _received: ReceivedRequest,
        _reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1\r\na\r\n")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with running_proxy(
        socket_path, replace(LONG_TIMEOUTS, total=timedelta(milliseconds=800))
    ) as proxy:
        proxy.hub.turn = turn
        got = await proxy.ask()
        proxy.hub.turn = silent
        late = await proxy.ask()

    assert 200 == got.status
    assert not got.raw.endswith(b"0\r\n\r\n")
    assert (504, "timeout") == problem(late)


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"])
async def test_the_caller_disconnects(proxy: ProxySetup, begun: bytes) -> None:
    """A caller that disconnects ends the call to the Homey, before the response and within it."""
    said = asyncio.Event()

    async def turn(
        hub: Hub,
        received: ReceivedRequest,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        writer.write(begun)
        said.set()
        await silent(hub, received, reader, writer)

    proxy.hub.turn = turn
    _, writer = await proxy.send(GET)
    await asyncio.wait_for(said.wait(), 40)
    writer.close()

    # Long before the proxy's own time-out.
    await asyncio.wait_for(proxy.hub.left.wait(), 10)


async def test_callers_that_disconnect_release_their_slots(proxy: ProxySetup) -> None:
    """Three callers that wait for a refresh and leave do not delay the fourth."""
    proxy.hub.answers = [with_length(b"no", status="401 No")]
    proxy.provider.hang = asyncio.Event()
    callers = [await proxy.send(GET) for _ in range(3)]
    await proxy.provider.asked_for(3)
    for _, writer in callers:
        writer.close()
    proxy.hub.answers = [OK]

    assert 200 == (await proxy.ask()).status


async def test_a_body_that_never_comes(short_timeouts: ProxySetup) -> None:
    """A short body that is announced and not sent is 408; the Homey gets no request."""
    got = await short_timeouts.say(POST + b"Content-Length: 10\r\n\r\nabc")

    assert (408, "body-timeout") == problem(got)
    assert [] == short_timeouts.hub.received


async def test_a_long_body_that_stops(short_timeouts: ProxySetup) -> None:
    """A long body that stops is 408, and the Homey gets half of it."""
    got = await short_timeouts.say(POST + b"Content-Length: 1000000\r\n\r\n" + b"a" * 100_000)

    assert (408, "body-timeout") == problem(got)
    await asyncio.wait_for(short_timeouts.hub.left.wait(), 40)


@pytest.mark.parametrize("before", [b"", b"11170\r\n" + b"a" * 70_000 + b"\r\n"])
async def test_broken_framing(proxy: ProxySetup, before: bytes) -> None:
    """Malformed chunks are 400, at once or while streaming."""
    got = await proxy.say(POST + b"Transfer-Encoding: chunked\r\n\r\n" + before + b"zz\r\n")

    assert 400 == got.status
    assert CANARY.encode() not in got.raw


async def test_a_homey_that_reads_no_body(short_timeouts: ProxySetup) -> None:
    """A Homey that does not read the body is given up after the time-out."""

    async def turn(_h: Hub, _received: ReceivedRequest, _r: object, _w: object) -> None:
        await asyncio.Event().wait()

    short_timeouts.hub.turn, short_timeouts.hub.reads_body = turn, False
    reader, writer = await asyncio.open_unix_connection(short_timeouts.path)
    writer.write(POST + b"Content-Length: 100000000\r\n\r\n")

    async def push() -> None:
        for _ in range(1000):
            writer.write(b"a" * 100_000)
            await writer.drain()

    pushing = asyncio.create_task(push())
    status = await asyncio.wait_for(reader.readline(), 40)
    pushing.cancel()
    await asyncio.gather(pushing, return_exceptions=True)
    writer.close()

    assert status.startswith(b"HTTP/1.1 504 ")


async def test_an_early_answer(proxy: ProxySetup) -> None:
    """A response before the whole body is passed on."""
    proxy.hub.reads_body = False
    proxy.hub.answers = [with_length(b"big", status="413 Big")]
    got = await proxy.say(POST + b"Content-Length: 100000\r\n\r\n" + b"a" * 99_000)

    assert (413, b"big") == (got.status, got.body)


async def test_an_answer_that_begins_early(proxy: ProxySetup) -> None:
    """A Homey may respond in the middle of a long body, and still gets the rest."""

    async def turn(
        _h: Hub,
        received: ReceivedRequest,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        received.body = await reader.readexactly(200_000)
        writer.write(b"ok")

    proxy.hub.turn, proxy.hub.reads_body = turn, False
    reader, writer = await proxy.send(POST + b"Content-Length: 200000\r\n\r\n" + b"a" * 100_000)
    await asyncio.sleep(0.05)
    writer.write(b"a" * 100_000)
    async with asyncio.timeout(40):
        raw = await reader.readuntil(b"\r\n\r\nok")
    writer.close()

    assert raw.startswith(b"HTTP/1.1 200 ")
    assert 200_000 == len(proxy.hub.received[0].body)


async def test_three_at_once(short_timeouts: ProxySetup) -> None:
    """A Homey gets three calls at a time; one without a slot in time is an error."""
    short_timeouts.hub.turn = silent
    asked = [asyncio.create_task(short_timeouts.ask()) for _ in range(5)]
    got = await asyncio.gather(*asked)
    names = sorted(problem(one) for one in got)

    assert {(503, "busy"), (504, "timeout")} >= set(names)
    assert 3 <= len(short_timeouts.hub.received) <= 5
    assert (504, "timeout") in names


async def test_one_homey_does_not_delay_another(proxy: ProxySetup) -> None:
    """While one Homey is busy the cached token, and other Homeys, are served."""
    proxy.hub.turn = silent
    asked = [asyncio.create_task(proxy.ask()) for _ in range(4)]
    await proxy.hub.arrived.wait()
    got = await proxy.ask("/homeys/home")
    waiting = [one for one in asked if not one.done()]
    proxy.hub.turn = None
    await proxy.hub.close()
    await asyncio.gather(*asked)

    assert (200, asked) == (got.status, waiting)


async def test_calls_succeed_after_failures(proxy: ProxySetup) -> None:
    """After every kind of failure the next call succeeds: no slot is lost."""
    proxy.hub.hangs_up = True
    for answer in (b"!", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", b"junk\r\n\r\n"):
        proxy.hub.answers = [answer]
        for _ in range(2):
            await proxy.ask()
    proxy.hub.answers, proxy.hub.hangs_up = [OK], False

    assert [200] * 4 == [(await proxy.ask()).status for _ in range(4)]
