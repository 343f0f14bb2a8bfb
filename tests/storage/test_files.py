"""Private files: old or new and never mixed, whoever is killed, cancelled or out of room."""

import asyncio
import errno
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from homey_tokend.core.errors import AlreadyRunning, StateUnusable
from homey_tokend.runtime.workers import WorkerPool
from homey_tokend.storage.atomic import remedy_of, remove_leftovers, sync_folder, write_atomic
from homey_tokend.storage.state_file import STATE_LIMIT, InstanceLock, NoStateFile, StateFile

POINTS = ("opened", "written", "synced", "renamed", "folder_synced")
OLD, NEW = b"old " * 4000, b"new " * 5000

#: Writes a file and stops for ever at one point, holding its temporary file.
_WRITER = """
import sys, time
from pathlib import Path
from homey_tokend.storage.atomic import write_atomic
def at(point):
    if point == sys.argv[2]:
        print(point, flush=True)
        time.sleep(60)
write_atomic(Path(sys.argv[1]), b"new " * 5000, at=at)
"""
#: Writes more than the limit of a file's size allows.
_TOO_LARGE = """
import resource, signal, sys
from pathlib import Path
from homey_tokend.storage.atomic import write_atomic
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write_atomic(Path(sys.argv[1]), b"new " * 5000)
except OSError as error:
    print(error.errno)
"""
#: Takes a lock and keeps it.
_HOLDER = """
import sys, time
from pathlib import Path
from homey_tokend.storage.state_file import InstanceLock
lock = InstanceLock(Path(sys.argv[1]))
lock.acquire()
print("held", flush=True)
time.sleep(60)
"""


#: Takes a lock where nothing can be written: a full disk says ENOSPC, the limit EFBIG.
_FULL = """
import resource, signal, sys
from pathlib import Path
from homey_tokend.core.errors import AlreadyRunning
from homey_tokend.storage.state_file import InstanceLock
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
free = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, free[1]))
lock = InstanceLock(Path(sys.argv[1]))
lock.acquire()
try:
    InstanceLock(Path(sys.argv[1])).acquire()
except AlreadyRunning as error:
    print(error.message)
resource.setrlimit(resource.RLIMIT_FSIZE, free)  # coverage writes at the end
"""


@pytest.fixture
def worker() -> Iterator[WorkerPool]:
    worker = WorkerPool()
    yield worker
    worker.close()


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


def failing(point: str, number: int) -> Callable[[str], None]:
    """A hook that plays a disk which fails at one point."""

    def at(reached: str) -> None:
        if reached == point:
            raise OSError(number, os.strerror(number))

    return at


def started(script: str, *arguments: object) -> subprocess.Popen[bytes]:
    """A Python process of ours, once it has said its first line."""
    process = subprocess.Popen(  # noqa: S603  our own script
        [sys.executable, "-c", script, *map(str, arguments)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


def ended(process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGKILL) -> None:
    process.send_signal(number)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


# --- write_private -----------------------------------------------------------


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666])
def test_the_mode_is_exact_whatever_the_umask(tmp_path: Path, mode: int) -> None:
    """The file gets the mode asked for, no less and no more."""
    before = os.umask(0o077)
    try:
        write_atomic(tmp_path / "token", NEW, mode=mode)
    finally:
        os.umask(before)

    assert mode_of(tmp_path / "token") == mode
    assert (tmp_path / "token").read_bytes() == NEW


def test_the_temporary_file_is_closed_to_others_until_it_is_complete(tmp_path: Path) -> None:
    """With an open umask and an open mode, it is 0600 while it is written."""
    seen: dict[str, list[int]] = {}

    def at(point: str) -> None:
        seen[point] = [mode_of(one) for one in tmp_path.iterdir()]

    before = os.umask(0)
    try:
        write_atomic(tmp_path / "token", NEW, mode=0o644, at=at)
    finally:
        os.umask(before)

    assert tuple(seen) == POINTS
    assert seen["opened"] == [0o600]
    assert seen["written"] == [0o600]
    assert seen["renamed"] == [0o644]


def test_the_group_is_set_where_one_is_given(tmp_path: Path) -> None:
    """A group of ours is taken over before anybody else can read the file."""
    group = os.getgroups()[-1] if os.getgroups() else os.getgid()

    write_atomic(tmp_path / "token", NEW, mode=0o640, group=group)

    assert (tmp_path / "token").stat().st_gid == group


@pytest.mark.parametrize("point", POINTS)
def test_a_failure_leaves_old_or_new_and_no_temporary_file(tmp_path: Path, point: str) -> None:
    """Until the rename the old content stays; nothing is left beside it."""
    path = tmp_path / "token"
    path.write_bytes(OLD)

    with pytest.raises(OSError, match="No space left"):
        write_atomic(path, NEW, at=failing(point, errno.ENOSPC))

    assert path.read_bytes() == (OLD if POINTS.index(point) < 3 else NEW)
    assert names(tmp_path) == ["token"]


def test_an_interrupt_removes_the_temporary_file_too(tmp_path: Path) -> None:
    """Ctrl-C in the middle is a failure like any other."""

    def at(_point: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "token", NEW, at=at)

    assert names(tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_a_kill_leaves_old_or_new_and_the_next_start_sweeps(tmp_path: Path, point: str) -> None:
    """SIGKILL at every point: never a mixture, and no token lies about afterwards."""
    path = tmp_path / "token"
    path.write_bytes(OLD)
    writer = started(_WRITER, path, point)
    held = names(tmp_path)

    remove_leftovers(path)
    swept_while_alive = names(tmp_path)
    ended(writer)
    remove_leftovers(path)

    assert swept_while_alive[-1] == "token"
    if point in {"opened", "written"}:
        assert swept_while_alive == held
        assert len(held) == 2
    assert path.read_bytes() == (OLD if POINTS.index(point) < 3 else NEW)
    assert names(tmp_path) == ["token"]


@pytest.mark.slow
def test_a_write_beyond_what_fits_is_a_failure(tmp_path: Path) -> None:
    """A real short write (a limit of the file's size) leaves the old file alone."""
    path = tmp_path / "token"
    path.write_bytes(OLD)

    process = started(_TOO_LARGE, path)
    ended(process)

    assert path.read_bytes() == OLD
    assert names(tmp_path) == ["token"]


def test_a_link_in_the_place_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    """What the link pointed to stays as it was."""
    (tmp_path / "elsewhere").write_bytes(OLD)
    (tmp_path / "token").symlink_to("elsewhere")

    write_atomic(tmp_path / "token", NEW)

    assert not (tmp_path / "token").is_symlink()
    assert (tmp_path / "elsewhere").read_bytes() == OLD


def test_a_missing_folder_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    """Nothing is made on the way to a file."""
    with pytest.raises(FileNotFoundError) as caught:
        write_atomic(tmp_path / "no" / "token", NEW)

    assert remedy_of(caught.value) == "Create the folder, for the daemon's user to write in."


def test_a_folder_that_cannot_be_synced_is_no_failure() -> None:
    """EINVAL of fsync (a pipe gives it, as some network file systems do) is let pass."""
    reading, writing = os.pipe()
    try:
        sync_folder(reading)
    finally:
        os.close(reading)
        os.close(writing)


def test_any_other_failure_to_sync_a_folder_is_told() -> None:
    """EBADF is none of those."""
    reading, writing = os.pipe()
    os.close(writing)
    os.close(reading)

    with pytest.raises(OSError, match="Bad file descriptor"):
        sync_folder(reading)


def test_sweeping_touches_only_what_is_ours(tmp_path: Path) -> None:
    """Neither a neighbour's temporary file, nor a name alike, nor what a link points to."""
    kept = [".other.0123456789abcdef.tmp", ".token.0123.tmp", "token", "token.tmp", "victim"]
    for name in [*kept, ".token.0123456789abcdef.tmp"]:
        (tmp_path / name).touch()
    (tmp_path / ".token.aaaaaaaaaaaaaaaa.tmp").symlink_to("victim")

    remove_leftovers(tmp_path / "token")
    remove_leftovers(tmp_path / "no" / "folder")

    assert names(tmp_path) == sorted([*kept, ".token.aaaaaaaaaaaaaaaa.tmp"])


# --- StateFile ---------------------------------------------------------------


async def test_what_is_saved_is_loaded(tmp_path: Path, worker: WorkerPool) -> None:
    """A second store on the same path finds it; before, there is nothing."""
    path = tmp_path / "a" / "b" / "state.json"
    store = StateFile(path, worker)

    assert await store.load() is None
    await store.save(b"{}")

    assert await StateFile(path, worker).load() == b"{}"
    assert mode_of(path) == 0o600
    assert mode_of(path.parent) == 0o700


async def test_saves_behind_one_another_coalesce_and_the_newest_wins(
    tmp_path: Path, worker: WorkerPool
) -> None:
    """Of a hundred saves at once only the first and the newest reach the disk."""
    writes = list[str]()
    gate, reached = threading.Event(), threading.Event()

    def at(point: str) -> None:
        if point == "opened":
            writes.append(point)
            reached.set()
            gate.wait(5)

    store = StateFile(tmp_path / "state", worker, at=at)
    saves = [asyncio.create_task(store.save(b"%d" % number)) for number in range(100)]
    await asyncio.to_thread(reached.wait, 5)
    gate.set()
    await asyncio.gather(*saves)

    assert await store.load() == b"99"
    assert len(writes) <= 2


async def test_a_cancelled_save_never_lands_on_a_newer_one(
    tmp_path: Path, worker: WorkerPool
) -> None:
    """The thread of a cancelled save goes on: the newer save waits for it."""
    gate, reached = threading.Event(), threading.Event()

    def at(point: str) -> None:
        if point == "synced" and not reached.is_set():
            reached.set()
            gate.wait(5)

    store = StateFile(tmp_path / "state", worker, at=at)
    older = asyncio.create_task(store.save(b"older"))
    await asyncio.to_thread(reached.wait, 5)
    older.cancel()
    newer = asyncio.create_task(store.save(b"newer"))
    await asyncio.sleep(0.01)
    gate.set()
    await newer

    assert older.cancelled()
    assert await store.load() == b"newer"


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "Make room"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "ReadWritePaths"),
        (errno.EACCES, "write access"),
        (errno.EIO, "kernel's log"),
        (errno.EBUSY, ""),
    ],
    ids=["full", "quota", "read-only", "closed", "broken", "other"],
)
async def test_a_failed_save_keeps_the_old_state_and_tells_a_remedy(
    tmp_path: Path, worker: WorkerPool, number: int, remedy: str
) -> None:
    """The old blob is still there, the next save may well work."""
    path = tmp_path / "state"
    await StateFile(path, worker).save(b"old")

    with pytest.raises(StateUnusable, match=os.strerror(number).lower()) as caught:
        await StateFile(path, worker, at=failing("written", number)).save(b"new")

    assert remedy in caught.value.remedy
    assert await StateFile(path, worker).load() == b"old"


async def test_a_save_after_a_failed_one_writes(tmp_path: Path, worker: WorkerPool) -> None:
    """What failed does not count as written."""
    broken = [True]

    def at(_point: str) -> None:
        if broken:
            raise OSError(errno.ENOSPC, "full")

    store = StateFile(tmp_path / "state", worker, at=at)
    with pytest.raises(StateUnusable):
        await store.save(b"same")
    broken.clear()
    await store.save(b"same")

    assert await store.load() == b"same"


async def test_a_state_beyond_the_bound_is_neither_read_nor_written(
    tmp_path: Path, worker: WorkerPool
) -> None:
    """What could not be loaded must not be saved either."""
    store = StateFile(tmp_path / "state", worker)
    with pytest.raises(StateUnusable, match="was not written"):
        await store.save(b" " * (STATE_LIMIT + 1))
    (tmp_path / "state").write_bytes(b" " * (STATE_LIMIT + 1))

    with pytest.raises(StateUnusable, match="no plain file"):
        await store.load()


async def test_a_pipe_in_the_place_of_the_state_does_not_hang(
    tmp_path: Path, worker: WorkerPool
) -> None:
    """It is told, at once."""
    os.mkfifo(tmp_path / "state")

    with pytest.raises(StateUnusable, match="no plain file"):
        await asyncio.wait_for(StateFile(tmp_path / "state", worker).load(), 40)


async def test_a_folder_in_the_place_of_the_state_is_told(
    tmp_path: Path, worker: WorkerPool
) -> None:
    """For loading and for saving alike, with what to do."""
    (tmp_path / "state").mkdir()
    store = StateFile(tmp_path / "state", worker)

    with pytest.raises(StateUnusable, match="cannot read"):
        await store.load()
    with pytest.raises(StateUnusable, match="cannot write") as caught:
        await store.save(b"new")

    assert "name a file" in caught.value.remedy


async def test_loading_sweeps_and_follows_a_link(tmp_path: Path, worker: WorkerPool) -> None:
    """A start finds its state through a link, and clears up after a killed run."""
    (tmp_path / "elsewhere").write_bytes(b"{}")
    (tmp_path / "state").symlink_to("elsewhere")
    (tmp_path / ".state.0123456789abcdef.tmp").touch()

    blob = await StateFile(tmp_path / "state", worker).load()

    assert blob == b"{}"
    assert names(tmp_path) == ["elsewhere", "state"]


async def test_a_damaged_state_is_set_aside_and_few_are_kept(
    tmp_path: Path, worker: WorkerPool
) -> None:
    """The numbers grow, the newest three stay, nothing else is touched."""
    path = tmp_path / "state"
    (tmp_path / "state.damaged-by-hand").touch()
    store = StateFile(path, worker)

    places = []
    for number in range(1, 6):
        path.write_bytes(b"%d" % number)
        places.append(await store.set_aside())

    assert places[-1] == str(tmp_path / "state.damaged-5")
    assert (tmp_path / "state.damaged-5").read_bytes() == b"5"
    assert names(tmp_path) == [
        "state.damaged-3",
        "state.damaged-4",
        "state.damaged-5",
        "state.damaged-by-hand",
    ]
    assert await store.set_aside() == ""


async def test_a_state_that_cannot_be_set_aside_is_told(tmp_path: Path, worker: WorkerPool) -> None:
    """A path through a file, say."""
    (tmp_path / "file").touch()

    with pytest.raises(StateUnusable, match="cannot set aside"):
        await StateFile(tmp_path / "file" / "state", worker).set_aside()


async def test_the_null_store_keeps_nothing() -> None:
    """``state.path: null``: saved, and gone."""
    store = NoStateFile()
    await store.save(b"{}")

    assert await store.load() is None
    assert await store.set_aside() == ""


# --- InstanceLock -------------------------------------------------------------------


def test_a_lock_is_taken_once_and_again_after_its_release(tmp_path: Path) -> None:
    """The second is told who holds it; the file is private."""
    first, second = InstanceLock(tmp_path / "run" / "lock"), InstanceLock(tmp_path / "run" / "lock")
    first.acquire()

    with pytest.raises(AlreadyRunning, match=f"another daemon is running .process {os.getpid()}"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()
    second.release()

    assert mode_of(tmp_path / "run" / "lock") == 0o600
    assert mode_of(tmp_path / "run") == 0o700


@pytest.mark.slow
def test_a_killed_daemon_leaves_no_stale_lock(tmp_path: Path) -> None:
    """The kernel gives the lock back."""
    holder = started(_HOLDER, tmp_path / "lock")

    with pytest.raises(AlreadyRunning, match=str(holder.pid)):
        InstanceLock(tmp_path / "lock").acquire()
    ended(holder)
    lock = InstanceLock(tmp_path / "lock")
    lock.acquire()
    lock.release()


def test_a_lock_without_a_number_in_it_is_still_a_lock(tmp_path: Path) -> None:
    """Garbage in the file is not repeated."""
    first = InstanceLock(tmp_path / "lock")
    first.acquire()
    (tmp_path / "lock").write_bytes(b"\x1b[31mgarbage")

    with pytest.raises(AlreadyRunning) as caught:
        InstanceLock(tmp_path / "lock").acquire()
    first.release()

    assert caught.value.message == "another daemon is running"


@pytest.mark.slow
def test_a_lock_is_taken_on_a_full_disk(tmp_path: Path) -> None:
    """The daemon starts and serves what it holds; only its number is not told."""
    done = subprocess.run(  # noqa: S603  our own script
        [sys.executable, "-c", _FULL, str(tmp_path / "lock")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("another daemon is running\n", "")


def test_a_lock_file_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A folder, a link or a pipe in the place: no lock, and no traceback."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    os.mkfifo(tmp_path / "pipe")

    for name in ("folder", "link", "pipe"):
        with pytest.raises(StateUnusable, match="cannot lock"):
            InstanceLock(tmp_path / name).acquire()
