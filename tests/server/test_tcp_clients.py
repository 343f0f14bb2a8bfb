"""The clients of the TCP port: few at a time, one response each, and apart from all others."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from aiohttp import web

from homey_tokend.server.acceptor import Acceptor
from homey_tokend.server.app import Api
from homey_tokend.server.connections import Connections
from homey_tokend.server.monitoring import Monitoring
from homey_tokend.server.protocols import ProtocolFactory
from homey_tokend.server.server import IDLE, Server
from homey_tokend.server.unix_socket import SocketOptions
from tests.support.provider import FakeProvider, token, view

ASK = b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"
HALF = b"GET / HTTP/1.1\r\n"


@pytest.fixture
def connections() -> Connections:
    return Connections(3)


@pytest.fixture
async def port(
    provider: FakeProvider, connections: Connections, socket_path: Path
) -> AsyncIterator[int]:
    monitoring = Monitoring(tcp_connections=connections, max_age=timedelta(hours=1))
    server = Server(Api(provider, version="1", monitoring=monitoring))
    await server.start(SocketOptions(socket_path), http=("127.0.0.1", 0))
    assert server.http_port is not None
    yield server.http_port
    await server.stop()


async def ask(port: int, request: bytes) -> bytes:
    """Return all that is answered until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    async with asyncio.timeout(40):
        answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize("path", [b"/metrics", b"/healthz", b"/readyz", b"/", b"/token", b"/x"])
async def test_one_response_for_each_connection(port: int, path: bytes) -> None:
    """A connection is closed after its response, which says so; nobody keeps a place."""
    answer = await ask(port, ASK % path)

    assert b"\r\nConnection: close\r\n" in answer
    assert 1 == answer.count(b"HTTP/1.1 ")


@pytest.mark.parametrize(
    "request_line",
    [b"OPTIONS * HTTP/1.1", b"GET /healthz HTTP/1.1\r\nExpect: x", b"POST / HTTP/1.1"],
)
async def test_one_response_without_a_route(port: int, request_line: bytes) -> None:
    """A request that no route answers ends its connection, too."""
    answer = await ask(port, request_line + b"\r\nHost: localhost\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 4")
    assert b"\r\nConnection: close\r\n" in answer


async def test_pipelined_requests(port: int) -> None:
    """Of many requests sent at once, the first is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(ASK % b"/healthz" * 10)
    answer = b""
    async with asyncio.timeout(40):
        while b"ok\n" not in answer:
            answer += await reader.read(4096)
        with contextlib.suppress(ConnectionResetError):  # there were requests that nobody read
            answer += await reader.read()
    writer.close()

    assert 1 == answer.count(b"HTTP/1.1 200 OK")


async def test_a_full_port_takes_nothing_from_the_socket(
    port: int, connections: Connections, socket_path: Path
) -> None:
    """Beyond the limit the TCP client that was idle longest is closed, and none on the socket."""
    kept = await asyncio.open_unix_connection(str(socket_path))
    half = []
    for _ in range(20):
        half.append(await asyncio.open_connection("127.0.0.1", port))
        half[-1][1].write(HALF)
    answer = await ask(port, ASK % b"/healthz")
    kept[1].write(ASK % b"/token")
    served = await kept[0].readuntil(b"\r\n")
    for _, writer in [kept, *half]:
        writer.close()

    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"HTTP/1.1 200 OK\r\n" == served
    assert 3 >= len(connections)
    assert 18 <= connections.evicted


async def test_all_share_one_rendering(provider: FakeProvider, port: int) -> None:
    """However many ask for metrics or page, the views are read once a second."""
    for path in (b"/metrics", b"/"):
        await ask(port, ASK % path)
    provider.views["cabin"] = view("cabin")
    answers = [await ask(port, ASK % path) for path in (b"/metrics", b"/")]

    assert all(b"home" in answer for answer in answers)
    assert not [answer for answer in answers if b"cabin" in answer]


async def test_a_long_text_is_complete(provider: FakeProvider, port: int) -> None:
    """A page of any length is sent as a whole, with its length."""
    for number in range(500):
        name = f"homey{number}"
        provider.views[name] = view(name, token())
    head, _, body = (await ask(port, ASK % b"/")).partition(b"\r\n\r\n")

    assert b"Content-Length: %d\r\n" % len(body) in head
    assert 64 * 1024 < len(body)
    assert body.endswith(b"</html>\n")


class Counted(socket.socket):
    """A listening socket that notes in which turn of the loop each client is accepted."""

    turn = 0
    accepted: list[int]

    def accept(self) -> tuple[socket.socket, object]:
        client = super().accept()
        self.accepted.append(self.turn)
        return client


async def test_a_few_clients_in_each_turn(folder: Path, connections: Connections) -> None:
    """However many wait, only so many are accepted before the loop serves the others."""

    async def answer(_request: web.BaseRequest) -> web.Response:
        return web.Response()

    listening = Counted(socket.AF_UNIX)
    listening.accepted = []
    listening.bind(str(folder / "c.sock"))
    listening.listen(16)
    waiting = [socket.socket(socket.AF_UNIX) for _ in range(10)]
    for client in waiting:
        client.connect(str(folder / "c.sock"))
    server = web.Server(answer)
    protocols = ProtocolFactory(Monitoring(connections=connections), IDLE)
    acceptor = Acceptor(listening, partial(protocols.unix_protocol, server), connections, at_once=2)
    acceptor.start()
    async with asyncio.timeout(40):
        while len(listening.accepted) < len(waiting):
            await asyncio.sleep(0)
            listening.turn += 1
    acceptor.stop()
    for client in waiting:
        client.close()
    await server.shutdown()
    protocols.close()

    assert 2 == max(listening.accepted.count(turn) for turn in listening.accepted)
