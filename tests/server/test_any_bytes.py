"""Any bytes on the socket: a response or a closed connection, and no effect on others."""

import asyncio
from datetime import timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from homey_tokend.server.app import Api
from homey_tokend.server.server import Server
from homey_tokend.server.unix_socket import SocketOptions
from tests.support.provider import CANARY, FakeProvider

ASK = b"GET /token HTTP/1.1\r\nHost: x\r\n\r\n"
#: What requests are made of, rightly and wrongly put together.
PIECES = st.sampled_from(
    [
        b"GET", b"POST", b"PUT", b"OPTIONS", b" ", b"/", b"/token", b"/homeys/home/token", b"/status",
        b"/homeys/home/refresh", b"/homeys/%00/token", b"/events", b"?min_ttl=", b"?wait=0", b"&", b"1e9",
        b"-1", b"%", b"\xff", b" HTTP/1.1", b" HTTP/1.0", b"\r\n", b"\r\n\r\n", b"\n", b"\x00", b":",
        b"Host: x", b"Origin: null", b"Content-Length: 3", b"Content-Length: 99999999999999999999",
        b"Transfer-Encoding: chunked", b"3\r\nabc\r\n0\r\n\r\n", b"ffffffffffffffff\r\n", b"Expect: 100-continue",
        b"Connection: close", b"Upgrade: websocket", b"Accept: application/json", b"If-None-Match: *",
        b"Last-Event-ID: \xf0", b"Authorization: Bearer x", b"Range: bytes=0-", b"{", b'"',
    ]
)  # fmt: skip
BYTES = st.binary(max_size=300) | st.lists(PIECES, max_size=14).map(b"".join)


async def send_and_read(path: Path, data: bytes) -> bytes:
    """Return everything until the server closes, as it does without further input."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(data)
    try:
        async with asyncio.timeout(40):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def test_any_bytes_are_answered_or_closed(provider: FakeProvider, socket_path: Path) -> None:
    """Each response has a status below 500, no bug is logged, and the next client is served."""
    with asyncio.Runner() as runner, capture_logs() as lines:
        server = Server(Api(provider, version="1.2.3"), idle=timedelta(milliseconds=20))
        runner.run(server.start(SocketOptions(socket_path)))

        @settings(deadline=None, max_examples=100)
        @given(data=BYTES)
        def any_bytes(data: bytes) -> None:
            del lines[:]
            answer = runner.run(send_and_read(socket_path, data))

            assert answer == b"" or answer.startswith(b"HTTP/1.")
            assert b" 5" not in answer.partition(b"\r\n")[0]
            assert not [line for line in lines if line["log_level"] in {"error", "critical"}]
            assert CANARY not in repr(lines)
            assert CANARY.encode() in runner.run(send_and_read(socket_path, ASK))

        try:
            any_bytes()
        finally:
            runner.run(server.stop())
