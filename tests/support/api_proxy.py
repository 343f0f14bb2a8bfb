"""For tests of the API proxy: a Homey and a caller that can send any bytes."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from homey_tokend.core.status import View
from homey_tokend.core.tokens import Token
from homey_tokend.proxy.call import ProxyLimits
from homey_tokend.proxy.forwarder import Forwarder, MaySeeToken
from homey_tokend.proxy.limiter import LimiterSettings
from homey_tokend.proxy.upstream import Upstream
from homey_tokend.server.app import Api
from homey_tokend.server.monitoring import Monitoring
from homey_tokend.server.server import Server
from homey_tokend.server.unix_socket import SocketOptions
from tests.support.clock import FakeClock
from tests.support.provider import CANARY, FakeProvider, token, view

#: Reading the authorities blocks for 20 ms; no request here is over TLS.
TLS = ssl.create_default_context()
#: For tests in which nothing may time out, however busy the machine is.
LONG_TIMEOUTS = ProxyLimits(
    connect=timedelta(seconds=20),
    silence=timedelta(seconds=20),
    total=timedelta(seconds=30),
    refresh=timedelta(seconds=20),
    queue=LimiterSettings(wait=timedelta(seconds=20)),
)
#: For tests of time-outs.
SHORT_TIMEOUTS = replace(
    LONG_TIMEOUTS,
    silence=timedelta(milliseconds=300),
    refresh=timedelta(milliseconds=300),
    queue=LimiterSettings(wait=timedelta(milliseconds=300)),
)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class ReceivedRequest:
    """One request as the Homey received it."""

    line: str
    fields: list[tuple[str, str]]
    body: bytes = b""

    @property
    def target(self) -> str:
        return self.line.split(" ")[1]

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key.lower() == name.lower()]


Turn = Callable[
    ["Hub", ReceivedRequest, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]
]


@dataclass
class Hub:
    """A Homey: ``answers`` in turn, the last one repeatedly; or ``turn`` handles the connection."""

    answers: list[bytes] = field(default_factory=lambda: [OK])
    turn: Turn | None = None
    reads_body: bool = True
    hangs_up: bool = False
    received: list[ReceivedRequest] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        with suppress(OSError, asyncio.IncompleteReadError, ValueError):
            while True:
                await self._one(reader, writer)
        self.left.set()
        writer.close()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve in a task that ends with the hub."""
        self.tasks.append(asyncio.create_task(self.serve(reader, writer)))

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for writer in self.writers:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *lines = head.rstrip("\r\n").split("\r\n")
        pairs = [(one.partition(":")[0], one.partition(":")[2].strip()) for one in lines]
        received = ReceivedRequest(line, pairs)
        self.received.append(received)
        self.arrived.set()
        if self.reads_body:
            received.body = await _body(received, reader)
        if self.turn is not None:
            await self.turn(self, received, reader, writer)
            return
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        writer.write(answer)
        await writer.drain()
        if self.hangs_up or b"\r\n\r\n" not in answer:
            raise ConnectionResetError


async def _body(received: ReceivedRequest, reader: asyncio.StreamReader) -> bytes:
    if received.all("Transfer-Encoding"):
        parts = []
        while size := int(await reader.readline(), 16):
            parts.append(await reader.readexactly(size))
            await reader.readline()
        await reader.readline()
        return b"".join(parts)
    (length,) = received.all("Content-Length") or ["0"]
    return await reader.readexactly(int(length))


@dataclass
class Reply:
    """What the caller got: status, fields by lower-case name, body, and whether it was complete."""

    status: int
    fields: dict[str, str]
    body: bytes
    raw: bytes


@dataclass
class ProxySetup:
    """The daemon's socket with one Homey behind it."""

    path: Path
    provider: FakeProvider
    hub: Hub
    clock: FakeClock
    monitoring: Monitoring = field(default_factory=Monitoring)

    def hold(self, held: Token | None = None, **more: object) -> View:
        """Store a token for the Homey in the provider, and return the view."""
        made = view("home", replace(held or token(), url=self.hub.url), **more)
        self.provider.views["home"] = made
        return made

    async def send(self, data: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_unix_connection(self.path)
        writer.write(data)
        await writer.drain()
        return reader, writer

    async def ask(
        self,
        target: str = "/homeys/home/api/x",
        *,
        method: str = "GET",
        fields: str = "",
        body: bytes = b"",
    ) -> Reply:
        """Send one request, and return everything until the daemon closes."""
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        head = f"{method} {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{length}{fields}\r\n"
        return await self.say(head.encode("latin-1") + body)

    async def say(self, data: bytes) -> Reply:
        reader, writer = await self.send(data)
        raw = b""
        async with asyncio.timeout(40):
            while (part := await reader.read(65536)) and not _whole(raw := raw + part):
                pass
        writer.close()
        return parse_reply(raw)


def _whole(raw: bytes) -> bool:
    """Return whether a response is complete: the daemon may linger for the rest of a request's body."""
    head, _, body = raw.partition(b"\r\n\r\n")
    length = head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]
    return bool(length) and len(body) == int(length)


def parse_reply(raw: bytes) -> Reply:
    head, _, body = raw.partition(b"\r\n\r\n")
    line, *lines = head.decode("latin-1").split("\r\n")
    fields = {one.partition(":")[0].lower(): one.partition(":")[2].strip() for one in lines}
    assert CANARY.encode() not in head, "the token is in a header"
    return Reply(int(line.split(" ")[1]), fields, body, raw)


def as_chunks(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)


def with_length(body: bytes, *fields: str, status: str = "200 OK") -> bytes:
    """Return a response with these fields and this body."""
    lines = "".join(f"{one}\r\n" for one in fields)
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode() + body


@asynccontextmanager
async def running_proxy(
    path: Path,
    limits: ProxyLimits = LONG_TIMEOUTS,
    may_see_token: MaySeeToken = lambda _peer, _homey: True,
    environ: Mapping[str, str] | None = None,
) -> AsyncIterator[ProxySetup]:
    """Run an API proxy with a Homey behind it; with an environment it verifies TLS by that."""
    hub, clock = Hub(), FakeClock()
    server = await asyncio.start_server(hub.take, "127.0.0.1", 0)
    hub.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/homey/c0ffee"
    proxy = ProxySetup(path, FakeProvider(), hub, clock)
    proxy.hold()
    upstream = Upstream({}, ssl_context=TLS) if environ is None else Upstream(environ)
    forward = Forwarder(proxy.provider, upstream, clock, limits, may_see_token=may_see_token)
    handler = proxy.monitoring.count_calls(forward.handle, clock)
    api = Server(Api(proxy.provider, version="1", proxy=handler))
    await api.start(SocketOptions(path))
    yield proxy
    await api.stop()
    await upstream.close()
    await hub.close()
    server.close()
