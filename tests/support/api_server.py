"""For tests of the client: the API with a fake provider in a thread, and a server of fixed responses."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

from homey_tokend.server.app import Api
from homey_tokend.server.server import Server
from homey_tokend.server.unix_socket import SocketOptions
from tests.support.provider import FakeProvider


@contextlib.contextmanager
def serve_provider(provider: FakeProvider, path: Path) -> Iterator[None]:
    """Serve the real API on a socket, in a thread with its own loop."""
    started, loop = threading.Event(), asyncio.new_event_loop()
    server = Server(Api(provider, version="1.2.3"))

    def turn() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(server.start(SocketOptions(path)))
        started.set()
        loop.run_forever()
        loop.run_until_complete(server.stop())
        loop.close()

    thread = threading.Thread(target=turn)
    thread.start()
    started.wait(5)
    yield
    loop.call_soon_threadsafe(loop.stop)
    thread.join(40)


@contextlib.contextmanager
def serve_responses(path: Path, answer: bytes, *, hold: bool = False) -> Iterator[list[bytes]]:
    """Send one fixed response to one request; with ``hold`` the connection is kept."""
    requests: list[bytes] = []
    ended = threading.Event()
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen(8)

    def turn() -> None:
        client, _ = listening.accept()
        with client:
            requests.append(_request(client))
            with contextlib.suppress(OSError):
                client.sendall(answer)
            if hold:
                ended.wait(40)

    thread = threading.Thread(target=turn)
    thread.start()
    yield requests
    ended.set()
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as last:
        last.connect(str(path))  # without a client: let the thread end
    thread.join(40)
    listening.close()


def _request(client: socket.socket) -> bytes:
    """Read one request with its body."""
    data = client.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    while data and len(body) < int(length or 0):
        part = client.recv(65536)
        data, body = data + part, body + part
    return data
