"""Subscribers of /events: they get events at once, resume, and delay nobody."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from homey_tokend.core.events import Event, RefreshRecovered
from homey_tokend.server.app import Api
from homey_tokend.server.event_buffer import EventBuffer
from homey_tokend.server.monitoring import Monitoring
from homey_tokend.server.server import Server
from homey_tokend.server.unix_socket import SocketOptions
from tests.support.provider import NOW, FakeProvider, token, view

pytestmark = pytest.mark.usefixtures("served")

ASK = b"GET /token?homey=home HTTP/1.1\r\nHost: x\r\n\r\n"


def event(homey: str = "home") -> Event:
    """Return an event."""
    return RefreshRecovered(homey, NOW, 1)


@pytest.fixture
def buffer() -> EventBuffer:
    return EventBuffer("boot")


@pytest.fixture
async def served(buffer: EventBuffer, socket_path: Path) -> AsyncIterator[Server]:
    provider = FakeProvider(view("home", token()), view("cabin", token()))
    api = Api(provider, version="1", monitoring=Monitoring(buffer))
    server = Server(api, idle=timedelta(milliseconds=200), grace=timedelta(minutes=5))
    await server.start(SocketOptions(socket_path))
    yield server
    await server.stop()


class StreamClient:
    """A client that subscribes, and records all it receives."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.head = b""
        self.received = b""

    @classmethod
    async def subscribe(
        cls, path: Path, query: str = "", last: str = "", method: str = "GET"
    ) -> "StreamClient":
        """Subscribe, and wait for the start of the stream."""
        client = cls(*await asyncio.open_unix_connection(str(path)))
        header = f"Last-Event-ID: {last}\r\n" if last else ""
        client.writer.write(f"{method} /events{query} HTTP/1.1\r\nHost: x\r\n{header}\r\n".encode())
        client.head = await client.reader.readuntil(b"\r\n\r\n")
        if client.head.startswith(b"HTTP/1.1 200") and method == "GET":
            await client.until(b"retry:")
        return client

    async def until(self, word: bytes, times: int = 1) -> bytes:
        """Return everything received, once this word was received so often."""
        async with asyncio.timeout(40):
            while self.received.count(word) < times:
                more = await self.reader.read(65536)
                if not more:
                    raise EOFError(self.received)
                self.received += more
        return self.received


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as made:
        yield made


async def subscribe_many(stack: AsyncExitStack, path: Path, count: int) -> list[StreamClient]:
    """Run many subscribers, which leave at the end of the test."""
    made = []
    for _ in range(count):
        client = await StreamClient.subscribe(path)
        stack.callback(client.writer.close)
        made.append(client)
    return made


async def until(true: Callable[[], object]) -> None:
    """Wait until the condition holds."""
    async with asyncio.timeout(40):
        while not true():  # noqa: ASYNC110  there is no event to wait for
            await asyncio.sleep(0.01)


async def test_an_event_is_received(
    socket_path: Path, buffer: EventBuffer, stack: AsyncExitStack
) -> None:
    """A subscriber gets later events, as an event stream that is not cached."""
    buffer.publish(event("cabin"))
    (client,) = await subscribe_many(stack, socket_path, 1)
    buffer.publish(event())
    received = await client.until(b"data:")

    assert b"text/event-stream" in client.head
    assert b"no-store" in client.head
    assert b'id: boot-2\nevent: recovered\ndata: {"homey": "home"' in received
    assert b"cabin" not in received


async def test_many_subscribers(
    socket_path: Path, buffer: EventBuffer, stack: AsyncExitStack
) -> None:
    """An event reaches all subscribers, and a reader of the token is served meanwhile."""
    clients = await subscribe_many(stack, socket_path, 50)
    reader, writer = await asyncio.open_unix_connection(str(socket_path))
    stack.callback(writer.close)
    buffer.publish(event())
    writer.write(ASK)
    answer = await reader.readuntil(b"\n")
    received = await asyncio.gather(*(client.until(b"id: boot-1\n") for client in clients))

    assert answer == b"HTTP/1.1 200 OK\r\n"
    assert 50 == len(received)


async def test_only_the_requested_homeys(socket_path: Path, buffer: EventBuffer) -> None:
    """?homey= selects Homeys; an unknown one is 404."""
    client = await StreamClient.subscribe(socket_path, "?homey=cabin")
    unknown = await StreamClient.subscribe(socket_path, "?homey=cabin&homey=nowhere")
    for homey in ("home", "cabin", "home", "cabin"):
        buffer.publish(event(homey))
    received = await client.until(b"boot-4")
    client.writer.close()
    unknown.writer.close()

    assert b"boot-2" in received
    assert b'"home"' not in received
    assert unknown.head.startswith(b"HTTP/1.1 404 ")


async def test_resuming(socket_path: Path, buffer: EventBuffer) -> None:
    """A client that reconnects with its last id gets the missed events, in order and once."""
    for _ in range(100):
        buffer.publish(event())
    client = await StreamClient.subscribe(socket_path, last="boot-60")
    received = await client.until(b"boot-100\n")
    buffer.publish(event())
    received = await client.until(b"boot-101\n")
    client.writer.close()

    assert [f"id: boot-{number}".encode() for number in range(61, 102)] == [
        line for line in received.splitlines() if line.startswith(b"id:")
    ]


async def test_resuming_more_than_the_kernel_takes(socket_path: Path, buffer: EventBuffer) -> None:
    """The rest follows as soon as the first part was read, not at the next event or comment."""
    for _ in range(256):
        buffer.publish(event("x" * 2000))
    client = await StreamClient.subscribe(socket_path, last="boot-0")
    async with asyncio.timeout(14):  # before the first comment, which is at 15 s
        received = await client.until(b"boot-256\n")
    client.writer.close()

    assert 256 == received.count(b"event: recovered")


@pytest.mark.parametrize("last", ["other-1", "boot-99", "boot-1", "garbage"])
async def test_reset(socket_path: Path, buffer: EventBuffer, last: str) -> None:
    """A client that missed too many events, or is from another run, gets a reset."""
    for _ in range(300 if last == "boot-1" else 3):
        buffer.publish(event())
    client = await StreamClient.subscribe(socket_path, last=last)
    await client.until(b"event: reset")
    buffer.publish(event())
    received = await client.until(f"id: boot-{buffer.newest}\n".encode())
    client.writer.close()

    assert received.count(b"event: recovered") == 1


async def test_a_silent_connection_is_kept_alive(buffer: EventBuffer, folder: Path) -> None:
    """Without events a comment is sent, and a subscriber outlives the idle time."""
    beat = timedelta(milliseconds=100)
    api = Api(
        FakeProvider(view("home", token())),
        version="1",
        monitoring=Monitoring(buffer, keepalive=beat),
    )
    server = Server(api, idle=timedelta(milliseconds=50), grace=timedelta(milliseconds=100))
    await server.start(SocketOptions(folder / "e.sock"))
    client = await StreamClient.subscribe(folder / "e.sock")
    received = await client.until(b": still here", 2)
    client.writer.close()
    await server.stop()

    assert b"event:" not in received


async def test_a_subscriber_that_does_not_read_is_disconnected(
    socket_path: Path, buffer: EventBuffer, stack: AsyncExitStack
) -> None:
    """A subscriber that reads nothing is disconnected; another one gets everything."""
    deaf, other = await subscribe_many(stack, socket_path, 2)
    deaf.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a stream's transport reads
    big = "x" * 200
    with capture_logs() as lines:
        for _ in range(500):
            buffer.publish(event(big))
            if buffer.newest % 50 == 0:
                await other.until(f"boot-{buffer.newest}\n".encode())
        await until(
            lambda: (
                {"client.disconnected", "subscriber.disconnected"}
                & {line["event"] for line in lines}
            )
        )

    assert 1 == buffer.subscribed
    assert 500 == other.received.count(b"event: recovered")


async def test_disconnecting(socket_path: Path, buffer: EventBuffer, stack: AsyncExitStack) -> None:
    """A subscriber that disconnects is removed at once."""
    for client in await subscribe_many(stack, socket_path, 5):
        client.writer.close()
    await until(lambda: not buffer.subscribed)

    assert 0 == buffer.subscribed


async def test_closed_while_an_event_is_on_its_way(buffer: EventBuffer, folder: Path) -> None:
    """A subscriber whose connection makes room for another just then is no error of the daemon."""
    monitoring = Monitoring(buffer)
    api = Api(FakeProvider(view("home", token())), version="1", monitoring=monitoring)
    server = Server(api)
    await server.start(SocketOptions(folder / "e.sock"))
    client = await StreamClient.subscribe(folder / "e.sock")
    await until(lambda: buffer.subscribed)
    with capture_logs() as lines:
        buffer.publish(event())
        asyncio.get_running_loop().call_soon(monitoring.connections.make_room)
        await until(lambda: not buffer.subscribed)
    client.writer.close()
    await server.stop()

    assert "request.failed" not in [line["event"] for line in lines]


async def test_the_end_of_the_daemon_ends_the_stream(
    served: Server, socket_path: Path, stack: AsyncExitStack
) -> None:
    """At the end a subscriber's stream is finished properly, without waiting for the grace period."""
    (client,) = await subscribe_many(stack, socket_path, 1)
    async with asyncio.timeout(40):
        await served.stop()
        rest = await client.reader.read()

    assert rest.endswith(b"0\r\n\r\n")


async def test_head(socket_path: Path) -> None:
    """HEAD has the headers of GET, and does not subscribe."""
    client = await StreamClient.subscribe(socket_path, method="HEAD")
    client.writer.close()

    assert client.head.startswith(b"HTTP/1.1 200 ")
    assert b"text/event-stream" in client.head
