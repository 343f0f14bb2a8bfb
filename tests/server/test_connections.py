"""The limit of connections, and which one makes room: the one that was idle longest."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from homey_tokend.server.acceptor import Acceptor
from homey_tokend.server.app import Api
from homey_tokend.server.connections import (
    MAX_CONNECTIONS,
    Connections,
    connection_limit,
)
from homey_tokend.server.monitoring import Monitoring
from homey_tokend.server.protocols import ProtocolFactory
from homey_tokend.server.server import IDLE, Server
from homey_tokend.server.unix_socket import SocketOptions
from tests.support.provider import FakeProvider

ASK = b"GET /token HTTP/1.1\r\nHost: x\r\n\r\n"
WAIT = b"GET /token?min_ttl=3d HTTP/1.1\r\nHost: x\r\n\r\n"
Wire = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Dial = Callable[[], Awaitable[Wire]]


@pytest.mark.parametrize(
    ("open_files", "expected"),
    [
        (524_288, MAX_CONNECTIONS),
        (20_000, MAX_CONNECTIONS),
        (1024, 768),
        (128, 64),
        (64, 32),
        (1, 1),
    ],
)
def test_room(open_files: int, expected: int) -> None:
    """Some open files are reserved for the daemon itself, at most half of a low limit."""
    assert expected == connection_limit(open_files)


@pytest.fixture
def connections() -> Connections:
    return Connections(3)


@pytest.fixture
async def dial(
    provider: FakeProvider, connections: Connections, socket_path: Path
) -> AsyncIterator[Dial]:
    server = Server(Api(provider, version="1", monitoring=Monitoring(connections=connections)))
    await server.start(SocketOptions(socket_path))
    writers = []

    async def connect() -> Wire:
        wire = await asyncio.open_unix_connection(str(socket_path))
        writers.append(wire[1])
        return wire

    yield connect
    for writer in writers:
        writer.close()
    await server.stop()


async def ask(wire: Wire) -> bytes:
    """Return the first line of a response."""
    wire[1].write(ASK)
    head = await wire[0].readuntil(b"\r\n\r\n")
    await wire[0].readuntil(b"\n")
    return head.partition(b"\r\n")[0]


async def is_closed(wire: Wire) -> bool:
    """Return whether the server has hung up, or does within a moment."""
    try:
        async with asyncio.timeout(0.2):
            return await wire[0].read(1) == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False


async def test_the_longest_idle_makes_room(dial: Dial, connections: Connections) -> None:
    """A fourth client is served at once; the connection with the oldest request is closed."""
    wires = [await dial() for _ in range(3)]
    for number in (1, 2, 0):
        await ask(wires[number])
    with capture_logs() as lines:
        answer = await ask(await dial())

    assert b"HTTP/1.1 200 OK" == answer
    assert [False, True, False] == [await is_closed(wire) for wire in wires]
    assert [("socket.full", 3)] == [(line["event"], line["limit"]) for line in lines]
    assert 1 == connections.evicted


async def test_bytes_without_a_request_do_not_count(dial: Dial) -> None:
    """A client that sends bytes without a request is closed before one that sent a request."""
    dripping, silent, last = [await dial() for _ in range(3)]
    for wire in (silent, last):
        await ask(wire)
    dripping[1].write(b"GET /to")
    await asyncio.sleep(0.05)
    await ask(await dial())

    assert [True, False, False] == [await is_closed(wire) for wire in (dripping, silent, last)]


async def test_a_connection_with_a_request_stays(dial: Dial, provider: FakeProvider) -> None:
    """A running request is not idle, however long it takes."""
    provider.hang = asyncio.Event()
    waiting, idle, other = [await dial() for _ in range(3)]
    waiting[1].write(WAIT)
    await provider.asked_for(1)
    for wire in (idle, other):
        await ask(wire)
    await ask(await dial())
    provider.hang.set()
    served = await waiting[0].readuntil(b"\r\n")

    assert b"HTTP/1.1 200 OK\r\n" == served
    assert await is_closed(idle)


async def test_if_all_are_busy_the_longest_makes_room(dial: Dial, provider: FakeProvider) -> None:
    """Many waiting requests do not keep a new client out."""
    provider.hang = asyncio.Event()
    wires = [await dial() for _ in range(3)]
    for number, wire in enumerate(wires, 1):
        wire[1].write(WAIT)
        await provider.asked_for(number)
    answer = await ask(await dial())

    assert b"HTTP/1.1 200 OK" == answer
    assert [True, False, False] == [await is_closed(wire) for wire in wires]


async def test_closed_connections_make_room(dial: Dial, connections: Connections) -> None:
    """Closed connections leave nothing behind, idle or served."""
    for _ in range(10):
        wire = await dial()
        await ask(wire)
        wire[1].close()
        await wire[1].wait_closed()
    async with asyncio.timeout(40):
        while len(connections):  # noqa: ASYNC110  there is no event to wait for
            await asyncio.sleep(0.01)

    assert 0 == connections.evicted


class Exhausted(socket.socket):
    """A listening socket that has no file for its next client."""

    failures = 1

    def accept(self) -> tuple[socket.socket, object]:
        if self.failures:
            self.failures -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


async def test_no_file_left(dial: Dial, connections: Connections, folder: Path) -> None:
    """At EMFILE idle connections are closed, and the waiting client is served after a moment."""
    idle = [await dial() for _ in range(2)]
    for wire in idle:
        await ask(wire)

    async def answer(_request: web.BaseRequest) -> web.Response:
        return web.Response(text="\n")

    listening = Exhausted(socket.AF_UNIX)
    listening.bind(str(folder / "e.sock"))
    listening.listen()
    server = web.Server(answer)
    protocols = ProtocolFactory(Monitoring(connections=connections), IDLE)
    taking = Acceptor(listening, partial(protocols.unix_protocol, server), connections, pause=0.02)
    taking.start()
    late = await asyncio.open_unix_connection(str(folder / "e.sock"))
    async with asyncio.timeout(40):
        served = await ask(late)
    hung_up = [await is_closed(wire) for wire in idle]
    taking.stop()
    late[1].close()
    await server.shutdown()
    protocols.close()

    assert b"HTTP/1.1 200 OK" == served
    assert [True, True] == hung_up
