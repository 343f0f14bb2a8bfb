"""The socket's file: mode and group first, one daemon, no other files touched."""

import asyncio
import errno
import grp
import os
import resource
import shutil
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from homey_tokend.core.errors import AlreadyRunning, CannotServe
from homey_tokend.server.app import Api
from homey_tokend.server.server import Server
from homey_tokend.server.unix_socket import SocketOptions, UnixSocket, raise_file_limit
from tests.support.provider import FakeProvider, token, view


@pytest.fixture
def opened() -> Iterator[list[UnixSocket]]:
    """Listeners that are closed at the end."""
    made: list[UnixSocket] = []
    yield made
    for one in made:
        one.close()


def dead_socket(path: Path) -> int:
    """Leave a stale socket file, and return its inode."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    return path.stat().st_ino


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
@pytest.mark.parametrize("umask", [0o077, 0o000])
def test_mode(opened: list[UnixSocket], socket_path: Path, mode: int, umask: int) -> None:
    """The socket has the requested mode, whatever the umask."""
    before = os.umask(umask)
    try:
        opened.append(UnixSocket.open(SocketOptions(socket_path, mode)))
    finally:
        os.umask(before)

    assert stat.S_IMODE(socket_path.stat().st_mode) == mode
    assert connects(socket_path)


def test_mode_and_group_come_first(
    opened: list[UnixSocket], socket_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the file gets its name it has its mode and listens already."""
    seen = []
    rename = os.rename

    def recording(old: str, new: str, **folders: int) -> None:
        bound = socket_path.with_name(old)
        mode = stat.S_IMODE(bound.stat().st_mode)
        seen.append((mode, connects(bound), socket_path.with_name(new).exists()))
        rename(old, new, **folders)

    monkeypatch.setattr(os, "rename", recording)
    opened.append(UnixSocket.open(SocketOptions(socket_path, 0o640)))

    assert seen == [(0o640, True, False)]
    assert names(socket_path.parent) == ["d.sock", "d.sock.lock"]


def test_group(opened: list[UnixSocket], socket_path: Path) -> None:
    """The group is accepted by name and by number."""
    mine = grp.getgrgid(os.getgid())
    for group in (mine.gr_name, str(mine.gr_gid)):
        opened.append(UnixSocket.open(SocketOptions(socket_path, group=group)))
        opened[-1].withdraw()
        opened.pop().close()
        opened.append(UnixSocket.open(SocketOptions(socket_path, group=group)))

        assert socket_path.stat().st_gid == mine.gr_gid
        opened.pop().close()


def test_unknown_group(socket_path: Path) -> None:
    """A missing group is reported plainly, and nothing is left behind."""
    with pytest.raises(CannotServe, match="there is no group 'no-such-group'") as caught:
        UnixSocket.open(SocketOptions(socket_path, group="no-such-group"))

    assert "groupadd" in caught.value.remedy
    assert names(socket_path.parent) == ["d.sock.lock"]


@pytest.mark.parametrize("group", ["4294967295", "99999999999"])
def test_a_number_beyond_all_groups(socket_path: Path, group: str) -> None:
    """An impossible group number is reported plainly, and not taken for "leave it as it is"."""
    with pytest.raises(CannotServe, match=f"no group has the number {group}"):
        UnixSocket.open(SocketOptions(socket_path, group=group))

    assert names(socket_path.parent) == ["d.sock.lock"]


def test_group_not_permitted(socket_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A group the daemon is not in is reported plainly, and nothing is left behind."""

    def denied(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "chown", denied)
    with pytest.raises(CannotServe, match="may not give its socket to the group 4711"):
        UnixSocket.open(SocketOptions(socket_path, group="4711"))

    assert names(socket_path.parent) == ["d.sock.lock"]


def temporary_name(opened: list[UnixSocket], path: Path) -> Path:
    """Return where a socket is bound before it gets its name."""
    found = []
    rename = os.rename

    def recording(old: str, new: str, **folders: int) -> None:
        found.append(path.with_name(old))
        rename(old, new, **folders)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "rename", recording)
        opened.append(UnixSocket.open(SocketOptions(path)))
    opened.pop().close()
    return found[0]


def test_a_dead_socket_is_replaced(opened: list[UnixSocket], socket_path: Path) -> None:
    """Files of a killed daemon, final or temporary, are no obstacle."""
    left = temporary_name(opened, socket_path)
    dead_socket(socket_path)
    dead_socket(left)
    opened.append(UnixSocket.open(SocketOptions(socket_path)))

    assert connects(socket_path)
    assert names(socket_path.parent) == ["d.sock", "d.sock.lock"]


def test_a_live_socket_is_left_alone(socket_path: Path) -> None:
    """A live socket is left alone, with or without a lock, with a full queue or not."""
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(socket_path))
        other.listen(0)
        inode = socket_path.stat().st_ino
        with pytest.raises(AlreadyRunning, match="another daemon is running"):
            UnixSocket.open(SocketOptions(socket_path))

        assert socket_path.stat().st_ino == inode


def test_a_live_socket_with_a_full_queue_is_left_alone(socket_path: Path) -> None:
    """A daemon that is too busy to accept a client is alive."""
    with socket.socket(socket.AF_UNIX) as other, socket.socket(socket.AF_UNIX) as client:
        other.bind(str(socket_path))
        other.listen(0)
        client.connect(str(socket_path))
        with pytest.raises(AlreadyRunning):
            UnixSocket.open(SocketOptions(socket_path))


def test_two_daemons(opened: list[UnixSocket], socket_path: Path) -> None:
    """The second of two daemons is rejected, and the first continues serving."""
    opened.append(UnixSocket.open(SocketOptions(socket_path)))
    with pytest.raises(AlreadyRunning):
        UnixSocket.open(SocketOptions(socket_path))

    assert connects(socket_path)


def test_the_lock_alone_excludes_a_second_daemon(
    opened: list[UnixSocket], socket_path: Path
) -> None:
    """While a daemon is stopping, its socket removed, the next one cannot start yet."""
    opened.append(UnixSocket.open(SocketOptions(socket_path)))
    opened[0].withdraw()
    with pytest.raises(AlreadyRunning):
        UnixSocket.open(SocketOptions(socket_path))
    opened[0].close()
    opened.append(UnixSocket.open(SocketOptions(socket_path)))

    assert connects(socket_path)


def test_other_files_are_never_removed(folder: Path) -> None:
    """A file, a directory, a link or a pipe at the path is left as it is."""
    (folder / "file").write_text("precious")
    (folder / "folder").mkdir()
    (folder / "link").symlink_to("file")
    os.mkfifo(folder / "pipe")
    for name in ("file", "folder", "link", "pipe"):
        with pytest.raises(CannotServe, match="is not a socket"):
            UnixSocket.open(SocketOptions(folder / name))

    assert (folder / "link").read_text() == "precious"
    assert (folder / "folder").is_dir()
    assert (folder / "pipe").is_fifo()


def test_restored_under_a_lock(opened: list[UnixSocket], folder: Path) -> None:
    """If the whole directory was removed, the lock is created again, too."""
    place = SocketOptions(folder / "sub" / "d.sock")
    opened.append(UnixSocket.open(place))
    first = opened[0].sock
    shutil.rmtree(folder / "sub")
    made = opened[0].restore(place)
    first.close()
    with pytest.raises(AlreadyRunning):
        UnixSocket.open(place)

    assert made is opened[0].sock
    assert connects(place.path)
    assert opened[0].restore(place) is None


def test_another_daemon_has_taken_the_path(opened: list[UnixSocket], folder: Path) -> None:
    """If another daemon has the new lock, nothing is taken from it."""
    place = SocketOptions(folder / "sub" / "d.sock")
    opened.append(UnixSocket.open(place))
    shutil.rmtree(folder / "sub")
    opened.append(UnixSocket.open(place))
    inode = place.path.stat().st_ino
    with pytest.raises(AlreadyRunning):
        opened[0].restore(place)
    opened[0].close()

    assert inode == place.path.stat().st_ino
    assert connects(place.path)


@pytest.mark.parametrize("name", ["s", ".s", "_", "sock", "_s"])
def test_short_names(opened: list[UnixSocket], folder: Path, name: str) -> None:
    """A name of one character works, and nothing is left next to the socket."""
    opened.append(UnixSocket.open(SocketOptions(folder / name)))

    assert connects(folder / name)
    assert sorted([name, f"{name}.lock"]) == names(folder)


def test_a_file_aside_is_not_removed(opened: list[UnixSocket], socket_path: Path) -> None:
    """A file that happens to have the temporary name is left alone."""
    aside = temporary_name(opened, socket_path)
    aside.write_text("precious")
    with pytest.raises(CannotServe, match="is not a socket"):
        UnixSocket.open(SocketOptions(socket_path))

    assert aside.read_text() == "precious"


def test_a_socket_of_another_kind(socket_path: Path) -> None:
    """A datagram socket is left alone."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(socket_path))
        with pytest.raises(CannotServe, match="another program"):
            UnixSocket.open(SocketOptions(socket_path))


def test_only_our_own_socket_is_removed(opened: list[UnixSocket], socket_path: Path) -> None:
    """A socket that somebody put in place of ours stays."""
    opened.append(UnixSocket.open(SocketOptions(socket_path)))
    socket_path.rename(socket_path.with_name("moved"))  # its inode lives on, and is not given again
    inode = dead_socket(socket_path)
    opened[0].close()

    assert socket_path.stat().st_ino == inode


def test_the_folder_is_created(opened: list[UnixSocket], folder: Path) -> None:
    """A missing directory is created, accessible to others, whatever the umask."""
    before = os.umask(0o077)
    try:
        opened.append(UnixSocket.open(SocketOptions(folder / "made" / "d.sock")))
    finally:
        os.umask(before)

    assert stat.S_IMODE((folder / "made").stat().st_mode) == 0o755


def test_the_folder_cannot_be_created(folder: Path) -> None:
    """A directory whose parent is missing too is reported, with what to do."""
    with pytest.raises(CannotServe, match="cannot be created or opened") as caught:
        UnixSocket.open(SocketOptions(folder / "a" / "b" / "d.sock"))

    assert "install -d" in caught.value.remedy


def test_the_folder_is_a_file(folder: Path) -> None:
    """It is reported, and not taken for a directory that is missing."""
    (folder / "a").touch()
    with pytest.raises(CannotServe, match="cannot be created or opened: Not a directory"):
        UnixSocket.open(SocketOptions(folder / "a" / "d.sock"))


def test_a_lock_that_cannot_be_made(socket_path: Path) -> None:
    """A lock that cannot be created is reported, with what to do."""
    socket_path.with_name("d.sock.lock").mkdir()
    with pytest.raises(CannotServe, match=r"the lock .* cannot be created"):
        UnixSocket.open(SocketOptions(socket_path))


def test_the_longest_path(opened: list[UnixSocket], folder: Path) -> None:
    """107 bytes fit; 108 are reported plainly."""
    longest = folder / ("x" * (107 - len(os.fsencode(folder)) - 1))
    opened.append(UnixSocket.open(SocketOptions(longest)))

    assert connects(longest)
    with pytest.raises(CannotServe, match="has 108 bytes, 107 are possible"):
        UnixSocket.open(SocketOptions(longest.with_name(longest.name + "x")))


@pytest.mark.parametrize("path", [Path("/"), Path("/tmp/a\0b")])
def test_no_path_for_a_file(path: Path) -> None:
    """A path without a file name is reported plainly."""
    with pytest.raises(CannotServe, match="names no file"):
        UnixSocket.open(SocketOptions(path))


def test_a_rename_that_fails(socket_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure at the last step leaves nothing behind, and is explained."""

    def full(*_: object, **_folders: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(CannotServe, match="No space left"):
        UnixSocket.open(SocketOptions(socket_path))

    assert names(socket_path.parent) == ["d.sock.lock"]


def test_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """The soft limit of open files is raised to the hard one, if the kernel permits."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, hard), hard))
    try:
        raised = raise_file_limit()
        again = raise_file_limit()

        def denied(*_: object) -> None:
            raise ValueError("not allowed to raise maximum limit")

        monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 512))
        monkeypatch.setattr(resource, "setrlimit", denied)
        kept = raise_file_limit()
    finally:
        monkeypatch.undo()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert (raised, again, kept) == (hard, hard, 256)


async def test_prepared_sockets(socket_path: Path) -> None:
    """A passed socket is served; its file is left to its owner."""
    prepared = socket.socket(socket.AF_UNIX)
    prepared.bind(str(socket_path))
    prepared.listen()
    server = Server(Api(FakeProvider(view("home", token())), version="1"))
    await server.start(prepared=[prepared])
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket_path))) as http,
        http.get("http://localhost/token") as answer,
    ):
        status = answer.status
    await server.stop()

    assert status == 200
    assert socket_path.is_socket()


async def test_accepted_clients_are_served_at_the_end(socket_path: Path) -> None:
    """An accepted client that speaks a moment after the stop is served; a later one waits.

    The socket is one that somebody else holds on to, as systemd does.
    """
    held = socket.socket(socket.AF_UNIX)
    held.bind(str(socket_path))
    held.listen()
    server = Server(Api(FakeProvider(view("home", token())), version="1"))
    await server.start(prepared=[held.dup()])
    reader, writer = await asyncio.open_unix_connection(str(socket_path))
    await asyncio.sleep(0.05)
    ending = asyncio.create_task(server.stop())
    await asyncio.sleep(0.01)
    writer.write(b"GET /token HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    later = socket.socket(socket.AF_UNIX)
    later.setblocking(False)
    later.connect(str(socket_path))
    await ending
    waiting, _ = held.accept()
    for each in (held, later, waiting):
        each.close()
    writer.close()

    assert answer.startswith(b"HTTP/1.1 200 OK")


async def test_health_on_tcp(socket_path: Path) -> None:
    """The TCP port has health and nothing else: no token, no status, no refresh."""
    provider = FakeProvider(view("home", token()))
    server = Server(Api(provider, version="1"))
    await server.start(SocketOptions(socket_path), http=("127.0.0.1", 0))
    found = {}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.http_port}") as http:
        for method, path in (
            ("GET", "/healthz"),
            ("HEAD", "/readyz"),
            ("GET", "/token"),
            ("GET", "/homeys/home/token"),
            ("GET", "/status"),
            ("POST", "/homeys/home/refresh"),
            ("POST", "/healthz"),
        ):
            async with http.request(method, path) as answer:
                found[method, path] = answer.status
        async with http.get("/healthz", headers={"Referer": "http://x"}) as answer:
            from_a_page = answer.status
    await server.stop()

    assert list(found.values()) == [200, 200, 404, 404, 404, 404, 405]
    assert from_a_page == 200
    assert server.http_port is None


async def test_a_taken_port(socket_path: Path) -> None:
    """A taken port is reported plainly, and the socket created before is removed."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = Server(Api(FakeProvider(), version="1"))
        with pytest.raises(CannotServe, match=r"http\.listen: 127\.0\.0\.1"):
            await server.start(SocketOptions(socket_path), http=taken.getsockname())

    assert not socket_path.exists()


async def test_an_impossible_host_name(socket_path: Path) -> None:
    """A host with an empty label is reported plainly, too."""
    server = Server(Api(FakeProvider(), version="1"))
    with pytest.raises(CannotServe, match=r"http\.listen: a\.\.b:9464 .* not a host name"):
        await server.start(SocketOptions(socket_path), http=("a..b", 9464))

    assert not socket_path.exists()


async def test_a_second_server(socket_path: Path) -> None:
    """A second server on the socket is rejected; stopping it takes nothing from the first."""
    first, second = (Server(Api(FakeProvider(), version="1")) for _ in range(2))
    await first.start(SocketOptions(socket_path))
    with pytest.raises(AlreadyRunning):
        await second.start(SocketOptions(socket_path))
    reader, writer = await asyncio.open_unix_connection(str(socket_path))
    writer.write(b"GET /healthz HTTP/1.0\r\n\r\n")
    answer = await reader.read()
    writer.close()
    await first.stop()

    assert answer.endswith(b"ok\n")
