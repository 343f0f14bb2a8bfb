"""Stopping a real process that serves the API."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = """
import asyncio, signal, sys
from pathlib import Path
from homey_tokend.server.app import Api
from homey_tokend.server.server import Server
from homey_tokend.server.unix_socket import SocketOptions
from tests.support.provider import FakeProvider, token, view

async def main():
    provider = FakeProvider(view("home", token()))
    provider.hang = asyncio.Event()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    server = Server(Api(provider, version="1"))
    await server.start(SocketOptions(Path(sys.argv[1])))
    print("up", flush=True)
    await ended.wait()
    await server.stop()

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_ending(socket_path: Path, number: signal.Signals) -> None:
    """SIGTERM stops it within 5 s whatever hangs, and removes the socket; SIGKILL leaves a stale one."""
    with subprocess.Popen(  # noqa: S603  our own interpreter
        [sys.executable, "-c", PROGRAM, str(socket_path)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env=dict(os.environ),
    ) as child:
        assert child.stdout is not None
        while child.stdout.readline() != b"up\n":
            pass
        with socket.socket(socket.AF_UNIX) as hanging, socket.socket(socket.AF_UNIX) as half:
            hanging.connect(str(socket_path))
            hanging.sendall(b"GET /token?min_ttl=9d HTTP/1.1\r\nHost: x\r\n\r\n")
            half.connect(str(socket_path))
            half.sendall(b"GET /tok")
            begun = time.monotonic()
            child.send_signal(number)
            child.wait(10)
            took = time.monotonic() - begun

    assert took < 5
    assert socket_path.exists() is (number == signal.SIGKILL)
    assert child.returncode == (0 if number == signal.SIGTERM else -signal.SIGKILL)
