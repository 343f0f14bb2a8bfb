"""Servers with the failures of real ones: raw bytes, resets, silence."""

import asyncio
import contextlib
import enum
import socket
import ssl
import struct
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

import trustme

#: Text that no message, log line or traceback may contain.
CANARY = "cAnArY-uSeR-tOkEn"


class Does(enum.Enum):
    """What a server does instead of answering."""

    RESET = "breaks the connection off"
    CLOSE = "closes the connection in silence"
    HANG = "says nothing"


Answer = bytes | Does


def answer(status: int = 200, body: bytes = b"", *headers: str) -> bytes:
    """Return a complete HTTP response."""
    lines = [f"HTTP/1.1 {status} Because", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


class Server(ABC):
    """A server on loopback that stops cleanly, whatever its connections do."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._handlers: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.connections = 0
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in self._handlers:
            task.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(
            *(writer.wait_closed() for writer in self._writers), return_exceptions=True
        )

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        self._writers.add(writer)
        self.connections += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self.serve(reader, writer)
        writer.close()
        self._handlers.discard(task)

    @abstractmethod
    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""


class RawServer(Server):
    """A server that sends its responses in turn, the last one repeatedly, and keeps the requests."""

    def __init__(self, *answers: Answer, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls)
        self._answers = list(answers)
        self.requests: list[bytes] = []

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def head(self, index: int = -1) -> str:
        """Return the head of a request as it was received."""
        return self.requests[index].partition(b"\r\n\r\n")[0].decode()

    def body(self, index: int = -1) -> bytes:
        return self.requests[index].partition(b"\r\n\r\n")[2]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests.append(await read_request(reader))
        done = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if done is Does.HANG:
            await asyncio.sleep(3600)
        if done is Does.RESET:
            reset(writer)
            return
        if isinstance(done, bytes):
            writer.write(done)
            await writer.drain()


def reset(writer: asyncio.StreamWriter) -> None:
    """Reset a connection, so that the peer gets ECONNRESET."""
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return head + await reader.readexactly(int(value))
    return head


class ConnectProxy(Server):
    """A proxy that only knows CONNECT, and may require credentials."""

    def __init__(self, *, refuses: int = 0, authorization: str = "") -> None:
        super().__init__()
        self._refuses = refuses
        self._authorization = f"Proxy-Authorization: {authorization}" if authorization else ""
        self.heads: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        if self._refuses or self._authorization not in head:
            writer.write(answer(self._refuses or 407))
            return
        _, target, _ = head.split(" ", 2)
        port = int(target.rpartition(":")[2])
        # The servers of these tests are on loopback, whatever the name.
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        try:
            await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        finally:
            far_writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while part := await reader.read(65536):
            writer.write(part)
            await writer.drain()
        writer.write_eof()


def server_tls(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def free_port() -> int:
    """Return a free port of loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
