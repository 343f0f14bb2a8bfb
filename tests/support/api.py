"""The API on a real socket in a directory with a short path."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from homey_tokend.server.app import Api
from homey_tokend.server.server import Server
from homey_tokend.server.unix_socket import SocketOptions
from tests.support.provider import FakeProvider, token, view


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="ht"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def socket_path(folder: Path) -> Path:
    return folder / "d.sock"


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider(view("home", token()))


@pytest.fixture
async def server(provider: FakeProvider, socket_path: Path) -> AsyncIterator[Server]:
    made = Server(Api(provider, version="1.2.3"), idle=timedelta(milliseconds=300))
    await made.start(SocketOptions(socket_path))
    yield made
    await made.stop()


@pytest.fixture
async def http(server: Server, socket_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    del server  # it listens
    async with aiohttp.ClientSession(
        "http://localhost", connector=aiohttp.UnixConnector(str(socket_path))
    ) as session:
        yield session
