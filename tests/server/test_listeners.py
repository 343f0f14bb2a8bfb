"""The listeners of a running daemon, and what a reload changes about them."""

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from structlog.testing import capture_logs

from homey_tokend.config import HttpConfig, SocketConfig
from homey_tokend.server.app import Api
from homey_tokend.server.listeners import Listeners
from tests.support.provider import FakeProvider

NO_HTTP = HttpConfig(listen=None)


@pytest.fixture
async def listeners(provider: FakeProvider) -> AsyncIterator[Listeners]:
    made = Listeners(Api(provider, version="1"))
    yield made
    await made.close()


def at(path: Path, mode: int = 0o660) -> SocketConfig:
    return SocketConfig(path=path, mode=mode)


async def answers(path: Path) -> bool:
    """Return whether the daemon is behind this socket."""
    connector = aiohttp.UnixConnector(str(path))
    async with aiohttp.ClientSession("http://localhost", connector=connector) as session:
        try:
            async with session.get("/healthz") as answer:
                return answer.status == 200
        except aiohttp.ClientConnectorError:
            return False


async def health(port: int) -> int:
    async with (
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
        session.get("/healthz") as answer,
    ):
        return answer.status


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def test_an_unchanged_socket_stays(listeners: Listeners, socket_path: Path) -> None:
    """The new configuration keeps the file: no client is rejected meanwhile."""
    await listeners.open(at(socket_path), NO_HTTP)
    before = socket_path.stat().st_ino
    await listeners.change_socket(at(socket_path))

    assert before == socket_path.stat().st_ino
    assert await answers(socket_path)


async def test_other_rights_on_the_same_socket(listeners: Listeners, socket_path: Path) -> None:
    """Mode and group are changed without a new socket."""
    await listeners.open(at(socket_path), NO_HTTP)
    before = socket_path.stat().st_ino
    await listeners.change_socket(at(socket_path, 0o600))
    after = socket_path.stat()

    assert (before, 0o600) == (after.st_ino, stat.S_IMODE(after.st_mode))
    assert await answers(socket_path)


async def test_the_socket_moves(listeners: Listeners, folder: Path) -> None:
    """It answers at the new path before the old one is removed."""
    await listeners.open(at(folder / "a"), NO_HTTP)
    await listeners.change_socket(at(folder / "b"))

    assert await answers(folder / "b")
    assert not (folder / "a").exists()


async def test_the_socket_leaves_a_directory_that_is_read_only(folder: Path) -> None:
    """The old file stays, which the next daemon replaces; everything else is closed."""
    old = folder / "old"
    old.mkdir()
    root = os.geteuid() == 0
    if root:
        for each in (folder, old):
            os.chown(each, 65534, 65534)
        os.seteuid(65534)
    try:
        listeners = Listeners(Api(FakeProvider(), version="1"))
        await listeners.open(at(old / "s"), NO_HTTP)
        old.chmod(0o555)
        await listeners.change_socket(at(folder / "new"))
        served = [await answers(old / "s"), await answers(folder / "new")]
        await listeners.close()
        old.chmod(0o755)
    finally:
        if root:
            os.seteuid(0)

    assert [False, True] == served
    assert (old / "s").is_socket()


async def test_an_unusable_path_keeps_the_old_socket(listeners: Listeners, folder: Path) -> None:
    """A file at the new path is left alone, and reported with a remedy."""
    (folder / "b").write_text("precious", encoding="utf-8")
    await listeners.open(at(folder / "a"), NO_HTTP)
    with capture_logs() as logs:
        await listeners.change_socket(at(folder / "b"))

    assert await answers(folder / "a")
    assert "precious" == (folder / "b").read_text(encoding="utf-8")
    (reported,) = [each for each in logs if each["event"] == "reload.socket_kept"]
    assert "exists and is not a socket" in reported["reason"]
    assert reported["remedy"]


@pytest.mark.parametrize("mode", [0o660, 0o600])
async def test_a_removed_socket_is_restored(listeners: Listeners, folder: Path, mode: int) -> None:
    """A removed file is created again, with the rights of the new configuration."""
    await listeners.open(at(folder / "a"), NO_HTTP)
    (folder / "a").unlink()
    with capture_logs() as logs:
        await listeners.change_socket(at(folder / "a", mode))

    assert mode == stat.S_IMODE((folder / "a").stat().st_mode)
    assert await answers(folder / "a")
    assert "socket.restored" == logs[0]["event"]


async def test_open_connections_stay(listeners: Listeners, folder: Path) -> None:
    """An open connection is served after the socket was restored."""
    await listeners.open(at(folder / "a"), NO_HTTP)
    reader, writer = await asyncio.open_unix_connection(folder / "a")
    (folder / "a").unlink()
    await listeners.change_socket(at(folder / "a"))
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    put_back = await answers(folder / "a")
    await listeners.close()

    assert put_back
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert not (folder / "a").exists()


async def test_a_foreign_file_at_the_path_stays(listeners: Listeners, folder: Path) -> None:
    """A file that is not the daemon's own is left alone, and reported with a remedy."""
    await listeners.open(at(folder / "a"), NO_HTTP)
    (folder / "a").unlink()
    (folder / "a").write_text("precious", encoding="utf-8")
    with capture_logs() as logs:
        await listeners.change_socket(at(folder / "a"))

    assert ["reload.socket_kept"] == [each["event"] for each in logs]
    assert "precious" == (folder / "a").read_text(encoding="utf-8")


async def test_a_removed_socket_is_found_missing(listeners: Listeners, folder: Path) -> None:
    """It is created again without a reload; nobody is disconnected."""
    await listeners.open(at(folder / "a"), NO_HTTP)
    reader, writer = await asyncio.open_unix_connection(folder / "a")
    (folder / "a").unlink()
    await listeners.check()
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()

    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert await answers(folder / "a")
    assert not listeners.problem


async def test_what_keeps_the_socket_away_is_logged_once(
    listeners: Listeners, folder: Path
) -> None:
    """A file in its place is left alone; once it is gone the socket is back."""
    await listeners.open(at(folder / "a"), NO_HTTP)
    (folder / "a").unlink()
    (folder / "a").write_text("precious", encoding="utf-8")
    with capture_logs() as logs:
        for _ in range(3):
            await listeners.check()
        problem = listeners.problem
        (folder / "a").unlink()
        await listeners.check()

    assert ["socket.missing", "socket.restored"] == [each["event"] for each in logs]
    assert "exists and is not a socket" in problem
    assert not listeners.problem
    assert await answers(folder / "a")


async def test_a_socket_of_systemd_stays_until_a_restart(
    listeners: Listeners, folder: Path
) -> None:
    """The unit decides; the daemon logs that."""
    held = socket.socket(socket.AF_UNIX)
    held.bind(str(folder / "unit"))
    held.listen()
    held.setblocking(False)
    await listeners.open(at(folder / "a"), NO_HTTP, [held])
    with capture_logs() as logs:
        await listeners.change_socket(at(folder / "b"))

    assert await answers(folder / "unit")
    assert not (folder / "b").exists()
    assert [("reload.restart_required", "socket")] == [
        (each["event"], each["key"]) for each in logs
    ]


async def test_the_tcp_listener_opens_moves_and_closes(
    listeners: Listeners, socket_path: Path
) -> None:
    """The TCP listener follows each reload."""
    first, second = HttpConfig(listen=("127.0.0.1", free_port())), free_port()
    await listeners.open(at(socket_path), first)
    assert first.listen is not None
    assert 200 == await health(first.listen[1])

    await listeners.change_http(HttpConfig(listen=("127.0.0.1", second)))
    assert 200 == await health(second)
    with pytest.raises(aiohttp.ClientConnectorError):
        await health(first.listen[1])

    await listeners.change_http(NO_HTTP)
    with pytest.raises(aiohttp.ClientConnectorError):
        await health(second)
    assert await answers(socket_path)


async def test_a_taken_port_closes_the_tcp_listener_alone(
    listeners: Listeners, socket_path: Path
) -> None:
    """The socket continues; the log has what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        await listeners.open(at(socket_path), NO_HTTP)
        with capture_logs() as logs:
            await listeners.change_http(HttpConfig(listen=("127.0.0.1", port)))

    (reported,) = [each for each in logs if each["event"] == "reload.http_closed"]
    assert reported["reason"].startswith(f"http.listen: 127.0.0.1:{port} cannot be listened on")
    assert reported["remedy"]
    assert await answers(socket_path)


async def test_a_failed_move_is_tried_again(listeners: Listeners, folder: Path) -> None:
    """After the obstacle is removed, a reload with the same configuration succeeds."""
    (folder / "b").write_text("in the way", encoding="utf-8")
    await listeners.open(at(folder / "a"), NO_HTTP)
    await listeners.change_socket(at(folder / "b"))
    (folder / "b").unlink()
    await listeners.change_socket(at(folder / "b"))

    assert await answers(folder / "b")
    assert not (folder / "a").exists()


async def test_a_port_that_was_taken_is_tried_again(
    listeners: Listeners, socket_path: Path
) -> None:
    """Once the port is free, the next reload opens it; a further one leaves it as it is."""
    await listeners.open(at(socket_path), NO_HTTP)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        await listeners.change_http(HttpConfig(listen=("127.0.0.1", port)))
    await listeners.change_http(HttpConfig(listen=("127.0.0.1", port)))
    with socket.create_connection(("127.0.0.1", port)) as kept:
        await listeners.change_http(HttpConfig(listen=("127.0.0.1", port)))
        kept.setblocking(False)
        with pytest.raises(BlockingIOError):
            kept.recv(1)

    assert 200 == await health(port)
