"""The file: its content, its mode, and failures."""

import asyncio
import errno
import json
import os
import shutil
import stat
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from homey_tokend.core.errors import SinkFailed, SinkRejected
from homey_tokend.core.tokens import Delivery
from homey_tokend.runtime.workers import WorkerPool
from homey_tokend.sinks.file import FileSink, Format
from tests.sinks.deliveries import CANARY, URL, delivery

NASTY = """a"b'c$d`e\\f!g#h;i&j*k~l(m)n<o>p|q"""


@pytest.fixture
def worker() -> Iterator[WorkerPool]:
    worker = WorkerPool()
    yield worker
    worker.close()


def a_sink(path: Path, worker: WorkerPool, form: Format = "raw", mode: int = 0o640) -> FileSink:
    return FileSink(path, mode, form, worker)


async def test_raw_is_the_token_and_a_newline(tmp_path: Path, worker: WorkerPool) -> None:
    """``$(cat file)`` gives the token; the mode is as configured."""
    sink = a_sink(tmp_path / "home.token", worker)

    done = await sink.write(delivery())

    assert (tmp_path / "home.token").read_text() == f"{CANARY}\n"
    assert stat.S_IMODE((tmp_path / "home.token").stat().st_mode) == 0o640
    assert done.detail == "mode 0640"
    assert sink.target == f"file:{tmp_path / 'home.token'}"


async def test_json_is_the_token_with_its_metadata(tmp_path: Path, worker: WorkerPool) -> None:
    """The names are those of the socket; times are UTC, rounded down; no expires_in grows old."""
    await a_sink(tmp_path / "token", worker, "json").write(delivery())

    assert json.loads((tmp_path / "token").read_bytes()) == {
        "access_token": CANARY,
        "token_type": "Bearer",
        "expires_at": "2026-01-03T03:04:05Z",
        "issued_at": "2026-01-02T03:04:05Z",
        "generation": 7,
        "homey": "home",
        "url": URL,
    }


async def test_env_has_no_quotes_around_a_usual_token(tmp_path: Path, worker: WorkerPool) -> None:
    """A usual token has no quotes, so that readers without support for quotes (docker) can read it."""
    await a_sink(tmp_path / "token", worker, "env").write(delivery())

    assert (tmp_path / "token").read_text() == (
        f"HOMEY_TOKEN={CANARY}\nHOMEY_URL={URL}\nHOMEY_TOKEN_EXPIRES_AT=2026-01-03T03:04:05Z\n"
    )


async def test_env_is_quoted_for_sh_and_systemd(tmp_path: Path, worker: WorkerPool) -> None:
    """Within double quotes there is a backslash before each of four characters."""
    await a_sink(tmp_path / "token", worker, "env").write(delivery(NASTY))

    first = (tmp_path / "token").read_text().splitlines()[0]

    assert first == 'HOMEY_TOKEN="a\\"b\'c\\$d\\`e\\\\f!g#h;i&j*k~l(m)n<o>p|q"'


@pytest.mark.slow
@pytest.mark.parametrize("token", [CANARY, NASTY, "~root", "%h", "'", '"', "\\"])
@pytest.mark.parametrize("shell", ["sh", "bash"])
async def test_a_real_shell_reads_env_back(
    tmp_path: Path, worker: WorkerPool, token: str, shell: str
) -> None:
    """``. file`` gives the token, whatever printable characters it has."""
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"no {shell} here")
    await a_sink(tmp_path / "token", worker, "env").write(delivery(token))

    done = await asyncio.to_thread(
        subprocess.run,
        [program, "-c", '. "$1"; printf %s "$HOMEY_TOKEN"', shell, str(tmp_path / "token")],
        stdout=subprocess.PIPE,
        check=True,
    )

    assert done.stdout.decode() == token


async def test_no_reader_sees_a_partial_file(tmp_path: Path, worker: WorkerPool) -> None:
    """A reader that has the old file open still reads the complete old token."""
    path = tmp_path / "token"
    sink = a_sink(path, worker)
    await sink.write(delivery("first-token"))

    with path.open() as reader:
        await sink.write(delivery("second-token", generation=8))

        assert reader.read() == "first-token\n"
    assert path.read_text() == "second-token\n"
    assert [one.name for one in tmp_path.iterdir()] == ["token"]


async def test_a_link_is_replaced_by_the_file(tmp_path: Path, worker: WorkerPool) -> None:
    """Links are not followed, not even dangling ones."""
    (tmp_path / "elsewhere").write_text("mine")
    (tmp_path / "one").symlink_to("elsewhere")
    (tmp_path / "two").symlink_to("nowhere")

    await a_sink(tmp_path / "one", worker).write(delivery())
    await a_sink(tmp_path / "two", worker).write(delivery())

    assert (tmp_path / "elsewhere").read_text() == "mine"
    assert not (tmp_path / "one").is_symlink()
    assert not (tmp_path / "two").is_symlink()


def places(folder: Path) -> dict[str, Path]:
    """Paths that no token can be written to."""
    (folder / "file").touch()
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    (folder / "device").symlink_to("/dev/null")
    (folder / "loop").symlink_to("loop")
    return {
        "no-folder": folder / "no" / "token",
        "through-a-file": folder / "file" / "token",
        "folder": folder / "folder",
        "pipe": folder / "pipe",
        "device": folder / "device",
        "loop": folder / "loop",
        "too-long": folder / ("x" * 250),
    }


@pytest.mark.parametrize(
    "place", ["no-folder", "through-a-file", "folder", "pipe", "device", "loop", "too-long"]
)
async def test_a_path_that_a_person_must_change_is_rejected(
    tmp_path: Path, worker: WorkerPool, place: str
) -> None:
    """This applies at the start and at each write; a device is never replaced."""
    path = places(tmp_path)[place]
    before = sorted(tmp_path.iterdir())

    with pytest.raises(SinkRejected) as proved:
        await a_sink(path, worker).probe()
    with pytest.raises(SinkRejected) as written:
        await a_sink(path, worker).write(delivery())

    assert proved.value.message == written.value.message
    assert str(path) in written.value.message
    assert CANARY not in str(written.value) + written.value.remedy
    assert sorted(tmp_path.iterdir()) == before


async def test_probing_changes_no_existing_file(tmp_path: Path, worker: WorkerPool) -> None:
    """It creates a temporary file and removes it, and also removes those of killed processes."""
    path = tmp_path / "token"
    path.write_text("in use")
    (tmp_path / ".token.0123456789abcdef.tmp").write_text(CANARY)
    before = path.stat()

    await a_sink(path, worker).probe()

    assert [one.name for one in tmp_path.iterdir()] == ["token"]
    assert (before.st_mtime_ns, before.st_ino) == (path.stat().st_mtime_ns, path.stat().st_ino)
    assert path.read_text() == "in use"


async def test_probing_creates_no_file(tmp_path: Path, worker: WorkerPool) -> None:
    """A consumer may wait for the file to appear."""
    await a_sink(tmp_path / "token", worker).probe()

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, SinkFailed),
        (errno.EDQUOT, SinkFailed),
        (errno.EIO, SinkFailed),
        (errno.ESTALE, SinkFailed),
        (errno.EMFILE, SinkFailed),
        (errno.EACCES, SinkRejected),
        (errno.EPERM, SinkRejected),
        (errno.EROFS, SinkRejected),
    ],
    ids=["full", "quota", "io", "stale", "handles", "access", "permission", "read-only"],
)
async def test_errors_are_transient_or_rejected(
    tmp_path: Path, worker: WorkerPool, number: int, kind: type[Exception]
) -> None:
    """A full disk may pass; an inaccessible directory needs a person. The old token stays."""
    path = tmp_path / "token"
    path.write_text("old")

    def at(point: str) -> None:
        if point == "written":
            raise OSError(number, "any text", str(path))

    with pytest.raises(kind, match=f"cannot write {path}: {os.strerror(number).lower()}"):
        await FileSink(path, 0o600, "raw", worker, at=at).write(delivery())

    assert path.read_text() == "old"


async def test_a_write_that_hangs_fails_in_time(tmp_path: Path, worker: WorkerPool) -> None:
    """On a dead network file system later tokens do not wait longer, and only the latest is written."""
    gate, opened = threading.Event(), list[str]()

    def at(point: str) -> None:
        if point == "opened":
            opened.append(point)
            hang(gate)

    path = tmp_path / "token"
    sink = FileSink(path, 0o600, "raw", worker, deadline=timedelta(milliseconds=100), at=at)

    for generation in (1, 2, 3):
        with pytest.raises(SinkFailed, match=r"within 0\.1 s"):
            await sink.write(delivery("stuck", generation=generation))
    gate.set()
    patient = FileSink(path, 0o600, "raw", worker, at=at)
    await patient.write(delivery("newest", generation=4))

    assert path.read_text() == "newest\n"
    assert len(opened) == 2


def hang(gate: threading.Event) -> None:
    gate.wait(40)


async def test_an_older_token_never_replaces_a_newer_one(
    tmp_path: Path, worker: WorkerPool
) -> None:
    """The write of a cancelled caller finishes before the next one."""
    gate, reached = threading.Event(), threading.Event()

    def at(point: str) -> None:
        if point == "synced":
            reached.set()
            gate.wait(40)

    sink = FileSink(tmp_path / "token", 0o600, "raw", worker, at=at)
    older = asyncio.create_task(sink.write(delivery("older")))
    await asyncio.to_thread(reached.wait, 5)
    older.cancel()
    newer = asyncio.create_task(sink.write(Delivery("home", delivery("newer").token)))
    await asyncio.sleep(0)
    gate.set()
    await newer

    assert (tmp_path / "token").read_text() == "newer\n"


# --- checking without writing -------------------------------------------------------


async def test_a_file_that_was_written_is_in_place(tmp_path: Path, worker: WorkerPool) -> None:
    """Each format is recognised as written."""
    for form in ("raw", "env", "json"):
        sink = a_sink(tmp_path / "token", worker, form)
        await sink.write(delivery())

        assert await sink.check(delivery())


def spoilt(path: Path, how: str) -> None:
    """What can happen to a file between two tokens."""
    if how == "another mode":
        path.chmod(0o600)
        return
    if how == "another content":
        path.write_text(CANARY + "\n\n")
        return
    path.unlink()
    if how == "the folder gone":
        path.parent.rmdir()
    elif how == "a link":
        (path.parent / "twin").write_text(CANARY + "\n")
        (path.parent / "twin").chmod(0o640)
        path.symlink_to("twin")
    elif how == "a pipe":
        os.mkfifo(path, 0o640)


@pytest.mark.parametrize(
    "how", ["another mode", "another content", "gone", "the folder gone", "a link", "a pipe"]
)
async def test_a_changed_file_is_noticed(tmp_path: Path, worker: WorkerPool, how: str) -> None:
    """It is missing or changed, so it is written again; a pipe does not block."""
    (tmp_path / "run").mkdir()
    path = tmp_path / "run" / "token"
    sink = a_sink(path, worker)
    await sink.write(delivery())
    spoilt(path, how)

    assert not await sink.check(delivery())


async def test_another_format_is_noticed(tmp_path: Path, worker: WorkerPool) -> None:
    """The configuration requires JSON, but the file has the raw token."""
    await a_sink(tmp_path / "token", worker, "raw").write(delivery())

    assert not await a_sink(tmp_path / "token", worker, "json").check(delivery())


async def test_a_mode_of_the_file_system_is_not_drift(tmp_path: Path, worker: WorkerPool) -> None:
    """On FAT or SMB the mount determines the mode, so the file is not written again for ever."""
    path = tmp_path / "token"

    def at(point: str) -> None:
        if point == "renamed":
            path.chmod(0o755)

    done = await FileSink(path, 0o640, "raw", worker, at=at).write(delivery())

    assert await a_sink(path, worker).check(delivery(memory=done.memory))
    assert not await a_sink(path, worker, mode=0o600).check(delivery(memory=done.memory))


@pytest.fixture
def plain_user() -> Iterator[Path]:
    """A directory of another user, as whom the test runs."""
    folder = Path(tempfile.mkdtemp(prefix="ht"))
    root = os.geteuid() == 0
    if root:
        os.chown(folder, 65534, 65534)
        os.seteuid(65534)
    yield folder
    if root:
        os.seteuid(0)
    shutil.rmtree(folder)


async def test_an_unreadable_file_counts_as_in_place(plain_user: Path, worker: WorkerPool) -> None:
    """A mode that does not allow the owner to read may be intended."""
    path = plain_user / "token"
    sink = a_sink(path, worker, mode=0o040)
    await sink.write(delivery())

    with pytest.raises(PermissionError):
        path.read_text()
    assert await sink.check(delivery())
    assert not await a_sink(path, worker, mode=0o044).check(delivery())


async def test_a_file_that_is_removed_after_the_write_has_the_configured_mode(
    tmp_path: Path, worker: WorkerPool
) -> None:
    """A consumer may remove the file at once."""
    path = tmp_path / "token"

    def at(point: str) -> None:
        if point == "renamed":
            path.unlink()

    done = await FileSink(path, 0o640, "raw", worker, at=at).write(delivery())

    assert done.memory == {}


async def test_a_check_that_hangs_fails_in_time(tmp_path: Path, worker: WorkerPool) -> None:
    """On a dead mount the check ends with an error."""
    gate = threading.Event()
    hanging = worker.submit(gate.wait, 40)
    sink = FileSink(tmp_path / "token", 0o600, "raw", worker, deadline=timedelta(milliseconds=50))
    try:
        with pytest.raises(SinkFailed, match=r"cannot read .* within"):
            await sink.check(delivery())
    finally:
        gate.set()
        await asyncio.wrap_future(hanging)


async def test_a_disk_that_fails_during_a_check_is_reported(
    tmp_path: Path, worker: WorkerPool
) -> None:
    """With a loop of symbolic links at the directory the file's state is unknown."""
    (tmp_path / "loop").symlink_to("loop")

    with pytest.raises(SinkRejected, match="cannot read"):
        await a_sink(tmp_path / "loop" / "token", worker).check(delivery())
