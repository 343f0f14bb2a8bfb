"""What one connection may hold in the daemon, whatever it sends and however little it reads."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from homey_tokend.core.status import View
from homey_tokend.server.access import AccessControl, AccessRules, AllowList
from homey_tokend.server.app import Api
from homey_tokend.server.connection import MAX_PIPELINED, MAX_WAITING
from homey_tokend.server.monitoring import Monitoring
from homey_tokend.server.server import Server
from homey_tokend.server.unix_socket import SocketOptions
from tests.support.provider import FakeProvider, token, view

Wire = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Dial = Callable[[], Awaitable[Wire]]

ASK = b"GET /token HTTP/1.1\r\nHost: x\r\n\r\n"
WAIT = b"GET /token?min_ttl=3d HTTP/1.1\r\nHost: x\r\n\r\n"


class Counting(FakeProvider):
    """Counts how often a token is looked up."""

    looked_up = 0

    def view(self, name: str) -> View:
        self.looked_up += 1
        return super().view(name)


@pytest.fixture
def provider() -> Counting:
    return Counting(view("home", token()))


@pytest.fixture
def access() -> AccessControl:
    return AccessControl(always=())


@pytest.fixture
async def dial(
    provider: FakeProvider, access: AccessControl, socket_path: Path
) -> AsyncIterator[Dial]:
    async def forward(_request: web.Request) -> web.StreamResponse:
        raise AssertionError

    monitoring = Monitoring(access=access)
    api = Api(provider, version="1", proxy=forward, monitoring=monitoring)
    server = Server(api)
    await server.start(SocketOptions(socket_path))
    writers = []

    async def dialled() -> Wire:
        wire = await asyncio.open_unix_connection(str(socket_path))
        writers.append(wire[1])
        return wire

    yield dialled
    for writer in writers:
        writer.close()
    await server.stop()


async def all_of(wire: Wire, request: bytes = b"") -> bytes:
    """Return all that comes until the server closes the connection."""
    wire[1].write(request)
    answer = b""
    try:
        async with asyncio.timeout(40):
            while part := await wire[0].read(1 << 16):
                answer += part
    except ConnectionError:  # there was more than the server reads
        pass
    return answer


async def test_a_head_without_end(dial: Dial) -> None:
    """A head that is longer than the bound ends the connection, at once."""
    head = ASK[:-2] + b"".join(b"X%d: " % n + b"x" * 8000 + b"\r\n" for n in range(60))

    assert b"" == await all_of(await dial(), head)


async def test_a_head_within_the_bound(dial: Dial) -> None:
    """A long head is served."""
    head = ASK[:-2] + b"".join(b"X%d: " % n + b"x" * 8000 + b"\r\n" for n in range(5))
    assert MAX_WAITING > len(head)
    wire = await dial()
    wire[1].write(head + b"Connection: close\r\n\r\n")

    assert (await all_of(wire)).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    "further", [ASK * (MAX_PIPELINED + 1), b"GET /x HTTP/1.1\r\nX: " + b"x" * 70_000]
)
async def test_too_much_behind_a_request(
    dial: Dial, provider: FakeProvider, further: bytes
) -> None:
    """Behind a request that waits, no more than a few further ones are kept."""
    provider.hang = asyncio.Event()
    wire = await dial()
    wire[1].write(WAIT)
    await provider.asked_for(1)
    answer = await all_of(wire, further)
    other = await dial()
    other[1].write(ASK)

    assert b"" == answer
    assert (await other[0].readline()).startswith(b"HTTP/1.1 200 OK")


async def test_a_client_that_does_not_read_is_not_served(dial: Dial, provider: Counting) -> None:
    """While responses wait to be read, no further ones are made."""
    provider.views["home"] = view("home", token(value="x" * 15_000))
    reader, writer = await dial()
    writer.transport.pause_reading()  # type: ignore[attr-defined]  # a stream's transport reads
    writer.write(ASK * 15)
    other = await dial()
    for _ in range(20):  # each of them takes longer than one turn of the loop
        other[1].write(ASK.replace(b"/token", b"/healthz"))
        await other[0].readuntil(b"ok\n")
    looked_up = provider.looked_up
    writer.transport.resume_reading()  # type: ignore[attr-defined]  # as above
    for _ in range(15):
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(15_001)

    assert 8 >= looked_up


async def test_a_body_that_nobody_wants(dial: Dial) -> None:
    """A body of any length does not cost the client the response."""
    wire = await dial()
    wire[1].write(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n")
    for _ in range(30):
        wire[1].write(bytes(100_000))
        await asyncio.sleep(0)
    wire[1].write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = await all_of(wire)

    assert answer.startswith(b"HTTP/1.1 404 Not Found")
    assert answer.endswith(b"ok\n")


# --- a user that is not allowed ---


@pytest.mark.parametrize(
    ("sent", "remedy"),
    [
        (ASK, b"to socket.allow, and"),
        (ASK * 400, b"to socket.allow, and"),
        (b"\x16\x03\x01 no HTTP", b"to socket.allow, and"),
        (b"G", b"to socket.allow, and"),
        (b"PUT /homeys/home/api/x HTTP/1.1\r\n", b"to socket.allow_api ("),
    ],
)
async def test_one_refusal(
    dial: Dial, access: AccessControl, provider: Counting, sent: bytes, remedy: bytes
) -> None:
    """Whatever a rejected user sends, and as often as it likes: one 403, and the connection ends."""
    access.rules = AccessRules(AllowList(anybody=False), AllowList(anybody=False))
    with capture_logs() as lines:
        answer = await all_of(await dial(), sent)
    head, _, body = answer.partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert 1 == answer.count(b"HTTP/1.1")
    assert b"\r\nConnection: close" in head
    assert b"\r\nContent-Length: %d\r\n" % len(body) in head
    assert remedy in body
    assert ["client.denied"] == [line["event"] for line in lines]
    assert [1] == list(access.denials_by_user.values())
    assert 0 == provider.looked_up


async def test_a_refusal_of_head(dial: Dial, access: AccessControl) -> None:
    """HEAD is answered without a body."""
    access.rules = AccessRules(AllowList(anybody=False), AllowList(anybody=False))
    answer = await all_of(await dial(), ASK.replace(b"GET", b"HEAD"))

    assert answer.startswith(b"HTTP/1.1 403 ")
    assert answer.endswith(b"\r\n\r\n")


async def test_admitted_between_connecting_and_asking(dial: Dial, access: AccessControl) -> None:
    """A user that a reload admits meanwhile is disconnected, and may try again."""
    access.rules = AccessRules(AllowList(anybody=False), AllowList(anybody=False))
    wire = await dial()
    await asyncio.sleep(0.05)
    access.rules = AccessRules()

    assert b"" == await all_of(wire, ASK)
    assert b"200 OK" in await all_of(await dial(), ASK.replace(b"1.1", b"1.0"))


async def test_a_refusal_of_one_route(dial: Dial, access: AccessControl) -> None:
    """A user that may only call is refused the token, and that connection ends, too."""
    access.rules = AccessRules(AllowList(anybody=False), AllowList())
    answer = await all_of(await dial(), ASK * 10)

    assert 1 == answer.count(b"HTTP/1.1 403 Forbidden")
    assert b"\r\nConnection: close\r\n" in answer
