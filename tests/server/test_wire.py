"""Misbehaving clients: garbage, half requests, silence, and disconnecting."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from homey_tokend.server.app import Api
from homey_tokend.server.server import Server
from homey_tokend.server.unix_socket import SocketOptions
from tests.support.provider import CANARY, FakeProvider, token, view

Wire = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Open = Callable[[], Awaitable[Wire]]

ASK = b"GET /token HTTP/1.1\r\nHost: x\r\n\r\n"
BODY = CANARY.encode() + b"\n"


@pytest.fixture
async def dial(server: Server, socket_path: Path) -> AsyncIterator[Open]:
    del server  # it listens
    writers = []

    async def opened() -> Wire:
        reader, writer = await asyncio.open_unix_connection(str(socket_path))
        writers.append(writer)
        return reader, writer

    yield opened
    for writer in writers:
        writer.close()


async def ask(wire: Wire, request: bytes = ASK) -> tuple[bytes, bytes]:
    """Send a request, and return status line and body of the response."""
    reader, writer = wire
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    return head.split(b"\r\n")[0], await reader.readexactly(length)


async def test_one_connection_many_requests(dial: Open) -> None:
    """A connection stays open from one request to the next."""
    wire = await dial()
    answers = [await ask(wire) for _ in range(5)]

    assert answers == [(b"HTTP/1.1 200 OK", BODY)] * 5


async def test_pipelining(dial: Open) -> None:
    """Pipelined requests are answered in order."""
    reader, writer = await dial()
    writer.write(ASK + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + ASK.replace(b"1.1", b"1.0"))
    answers = await reader.read()

    assert answers.count(b"200 OK") == 3
    assert answers.index(BODY) < answers.index(b"ok\n") < answers.rindex(BODY)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200) + b"\r\n\r\n",
        b"HELLO\r\n\r\n",
        b"BREW /token HTTP/1.1\r\n\r\n",
        b"GET /token HTTP/9.9\r\n\r\n",
        b"GET  HTTP/1.1\r\n\r\n",
        b"GET /token HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n",
        b"GET /token HTTP/1.1\r\nX: " + b"a" * 9000 + b"\r\n\r\n",
        b"GET /token HTTP/1.1\r\n" + b"".join(b"X%d: y\r\n" % n for n in range(200)) + b"\r\n",
        b"POST /homeys/home/refresh HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"POST /x HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
async def test_garbage(dial: Open, garbage: bytes) -> None:
    """Garbage is answered 400 and closed, logged by its kind only, and affects nobody."""
    other = await dial()
    reader, writer = await dial()
    with capture_logs() as lines:
        writer.write(garbage)
        answer = await reader.read()

    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
    assert BODY not in answer
    assert {line["event"] for line in lines} <= {"request.malformed"}
    assert all(set(line) == {"event", "error", "log_level"} for line in lines)
    assert await ask(other) == (b"HTTP/1.1 200 OK", BODY)


@pytest.mark.parametrize(
    "half",
    [
        b"",
        b"GET /tok",
        b"GET /token HTTP/1.1\r\nHost: x\r\n",
        b"POST /homeys/home/refresh HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
    ],
)
async def test_half_a_request_is_closed(dial: Open, half: bytes) -> None:
    """A client that stops within a request is closed after the idle time; others are not affected."""
    reader, writer = await dial()
    writer.write(half)
    other = await dial()
    served = await ask(other)
    await reader.read()

    assert served == (b"HTTP/1.1 200 OK", BODY)
    assert reader.at_eof()


async def test_a_slow_half_request_is_closed(dial: Open) -> None:
    """A byte now and then does not keep a half request alive."""
    reader, writer = await dial()
    writer.write(ASK[:10])

    async def drip() -> None:
        for byte in ASK[10:-1]:
            await asyncio.sleep(0.05)
            writer.write(bytes([byte]))

    dripping = asyncio.create_task(drip())
    rest = b""
    with contextlib.suppress(ConnectionResetError):  # a byte arrived that is no longer read
        rest = await reader.read()
    dripping.cancel()

    assert rest == b""
    assert reader.at_eof() or reader.exception() is not None


async def test_half_a_second_request_is_closed(dial: Open) -> None:
    """The idle time starts again after each response, for half requests too."""
    wire = await dial()
    await ask(wire)
    wire[1].write(ASK[:10])
    rest = await wire[0].read()

    assert rest == b""


async def test_idle_connections_delay_nobody(dial: Open) -> None:
    """A hundred silent clients, half of them within a request, delay no other."""
    for number in range(100):
        _, writer = await dial()
        if number % 2:
            writer.write(ASK[:15])
    answer = await ask(await dial())

    assert answer == (b"HTTP/1.1 200 OK", BODY)


async def test_a_client_that_reads_nothing_is_closed(dial: Open, provider: FakeProvider) -> None:
    """A client that sends requests and never reads is closed; others are not affected."""
    provider.views["home"] = view("home", token(value="x" * 400_000))
    _reader, writer = await dial()
    writer.transport.pause_reading()  # type: ignore[attr-defined]  # a stream's transport reads
    with capture_logs() as lines:
        writer.write(ASK * 10)
        other = await ask(await dial())
        async with asyncio.timeout(40):
            await writer.wait_closed() if writer.is_closing() else await _closed(writer)

    assert other[0] == b"HTTP/1.1 200 OK"
    assert "client.disconnected" in {line["event"] for line in lines}


async def test_a_client_that_reads_slowly_is_served(dial: Open, provider: FakeProvider) -> None:
    """A client that reads a response now and then gets all of them, however many wait."""
    provider.views["home"] = view("home", token(value="x" * 400_000))
    reader, writer = await dial()
    writer.write(ASK * 15)
    with capture_logs() as lines:
        for _ in range(15):
            await asyncio.sleep(0.1)
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(400_001)

    assert "client.disconnected" not in {line["event"] for line in lines}


async def _closed(writer: asyncio.StreamWriter) -> None:
    """Write until it fails because the other side has closed."""
    try:
        while not writer.is_closing():
            writer.write(b"\r\n")  # between requests it has no meaning
            await asyncio.sleep(0.02)
    except ConnectionError:
        return


async def test_disconnecting_while_waiting(dial: Open, provider: FakeProvider) -> None:
    """A client that disconnects while it waits for a refresh affects only itself."""
    provider.hang = asyncio.Event()
    _, writer = await dial()
    writer.write(ASK.replace(b"/token", b"/token?min_ttl=2d"))
    await provider.asked_for(1)
    writer.close()
    await writer.wait_closed()
    provider.hang.set()
    answer = await ask(await dial())

    assert answer == (b"HTTP/1.1 200 OK", BODY)


async def test_dots_do_not_change_the_path(dial: Open) -> None:
    """Dots in a path do not avoid a name."""
    answers = [
        await ask(await dial(), ASK.replace(b"/token", path))
        for path in (b"/homeys/..%2ftoken/token", b"/homeys/%00/token", b"/homeys/\xff/token")
    ]

    assert {line for line, _ in answers} <= {b"HTTP/1.1 404 Not Found", b"HTTP/1.0 400 Bad Request"}


async def test_stopping_ends_within_a_moment(provider: FakeProvider, socket_path: Path) -> None:
    """At the end running requests get at most the grace period, and the socket is removed."""
    provider.hang = asyncio.Event()
    server = Server(Api(provider, version="1"), grace=timedelta(milliseconds=200))
    await server.start(SocketOptions(socket_path))
    idle = await asyncio.open_unix_connection(str(socket_path))
    reader, writer = await asyncio.open_unix_connection(str(socket_path))
    writer.write(ASK.replace(b"/token", b"/token?min_ttl=2d"))
    await provider.asked_for(1)
    async with asyncio.timeout(40):
        await server.stop()
        ended = (await reader.read(), await idle[0].read())
    writer.close()
    idle[1].close()

    assert ended == (b"", b"")
    assert not socket_path.exists()


async def test_a_request_in_flight_may_end(provider: FakeProvider, socket_path: Path) -> None:
    """A request that ends within the grace period gets its response."""
    provider.hang = asyncio.Event()
    server = Server(Api(provider, version="1"), idle=timedelta(seconds=5))
    await server.start(SocketOptions(socket_path))
    wire = await asyncio.open_unix_connection(str(socket_path))
    request = asyncio.create_task(ask(wire, ASK.replace(b"/token", b"/token?min_ttl=2d")))
    await provider.asked_for(1)
    stopping = asyncio.create_task(server.stop())
    asyncio.get_running_loop().call_later(0.1, provider.hang.set)
    answer = await request
    await stopping
    wire[1].close()

    assert answer == (b"HTTP/1.1 200 OK", BODY)
