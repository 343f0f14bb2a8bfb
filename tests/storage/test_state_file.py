"""The state survives kills and full disks, and one daemon at a time writes it."""

import asyncio
import errno
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from homey_tokend.core.errors import AlreadyRunning, StateUnusable
from homey_tokend.runtime.workers import WorkerPool
from homey_tokend.storage.state_file import STATE_LIMIT, InstanceLock, NoStateFile, StateFile
from tests.storage.files import ended, failing, mode_of, names, started

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


async def test_what_is_saved_is_loaded(tmp_path: Path, worker: WorkerPool) -> None:
    """A second store on the same path loads it; before, there is nothing."""
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
    """Of a hundred saves at once only the first and the latest reach the disk."""
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
    """The thread of a cancelled save continues: the newer save waits for it."""
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
        (errno.ENOSPC, "Free space"),
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
    """After a failed save the old blob is still there, and the next save may succeed."""
    path = tmp_path / "state"
    await StateFile(path, worker).save(b"old")

    with pytest.raises(StateUnusable, match=os.strerror(number).lower()) as caught:
        await StateFile(path, worker, at=failing("written", number)).save(b"new")

    assert remedy in caught.value.remedy
    assert await StateFile(path, worker).load() == b"old"


async def test_a_save_after_a_failed_one_writes(tmp_path: Path, worker: WorkerPool) -> None:
    """A failed save does not count as written."""
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
    """A state that could not be loaded is not overwritten."""
    store = StateFile(tmp_path / "state", worker)
    with pytest.raises(StateUnusable, match="was not written"):
        await store.save(b" " * (STATE_LIMIT + 1))
    (tmp_path / "state").write_bytes(b" " * (STATE_LIMIT + 1))

    with pytest.raises(StateUnusable, match="not a regular file"):
        await store.load()


async def test_a_pipe_in_the_place_of_the_state_does_not_hang(
    tmp_path: Path, worker: WorkerPool
) -> None:
    """It is reported at once."""
    os.mkfifo(tmp_path / "state")

    with pytest.raises(StateUnusable, match="not a regular file"):
        await asyncio.wait_for(StateFile(tmp_path / "state", worker).load(), 40)


async def test_a_folder_in_the_place_of_the_state_is_told(
    tmp_path: Path, worker: WorkerPool
) -> None:
    """Errors of loading and saving have a remedy."""
    (tmp_path / "state").mkdir()
    store = StateFile(tmp_path / "state", worker)

    with pytest.raises(StateUnusable, match="cannot read"):
        await store.load()
    with pytest.raises(StateUnusable, match="cannot write") as caught:
        await store.save(b"new")

    assert "use a file" in caught.value.remedy


async def test_loading_sweeps_and_follows_a_link(tmp_path: Path, worker: WorkerPool) -> None:
    """A start finds its state through a link, and cleans up after a killed run."""
    (tmp_path / "elsewhere").write_bytes(b"{}")
    (tmp_path / "state").symlink_to("elsewhere")
    (tmp_path / ".state.0123456789abcdef.tmp").touch()

    blob = await StateFile(tmp_path / "state", worker).load()

    assert blob == b"{}"
    assert names(tmp_path) == ["elsewhere", "state"]


async def test_a_damaged_state_is_set_aside_and_few_are_kept(
    tmp_path: Path, worker: WorkerPool
) -> None:
    """The numbers increase, the latest three stay, nothing else is touched."""
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
    """A path through a file, for example."""
    (tmp_path / "file").touch()

    with pytest.raises(StateUnusable, match="cannot set aside"):
        await StateFile(tmp_path / "file" / "state", worker).set_aside()


async def test_the_null_store_keeps_nothing() -> None:
    """``state.path: null`` keeps nothing."""
    store = NoStateFile()
    await store.save(b"{}")

    assert await store.load() is None
    assert await store.set_aside() == ""


# --- InstanceLock ------------------------------------------------------------


def test_a_lock_is_taken_once_and_again_after_its_release(tmp_path: Path) -> None:
    """The error of the second names the holder; the file is private."""
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
    """The kernel releases the lock."""
    holder = started(_HOLDER, tmp_path / "lock")

    with pytest.raises(AlreadyRunning, match=str(holder.pid)):
        InstanceLock(tmp_path / "lock").acquire()
    ended(holder)
    lock = InstanceLock(tmp_path / "lock")
    lock.acquire()
    lock.release()


def test_a_lock_without_a_number_in_it_is_still_a_lock(tmp_path: Path) -> None:
    """Malformed content of the lock file is not repeated."""
    first = InstanceLock(tmp_path / "lock")
    first.acquire()
    (tmp_path / "lock").write_bytes(b"\x1b[31mgarbage")

    with pytest.raises(AlreadyRunning) as caught:
        InstanceLock(tmp_path / "lock").acquire()
    first.release()

    assert caught.value.message == "another daemon is running"


@pytest.mark.slow
def test_a_lock_is_taken_on_a_full_disk(tmp_path: Path) -> None:
    """On a full disk the daemon starts and serves its token; only its process id is missing."""
    done = subprocess.run(  # noqa: S603  our own script
        [sys.executable, "-c", _FULL, str(tmp_path / "lock")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("another daemon is running\n", "")


def test_a_lock_file_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A directory, a link or a pipe at the path: no lock, and no traceback."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    os.mkfifo(tmp_path / "pipe")

    for name in ("folder", "link", "pipe"):
        with pytest.raises(StateUnusable, match="cannot lock"):
            InstanceLock(tmp_path / name).acquire()


def test_a_lock_that_is_a_second_name_of_a_file_changes_nothing(tmp_path: Path) -> None:
    """Somebody else may put it in the place of the lock, which gets our process id."""
    (tmp_path / "file").write_bytes(b"precious")
    (tmp_path / "lock").hardlink_to(tmp_path / "file")

    with pytest.raises(StateUnusable, match="cannot lock"):
        InstanceLock(tmp_path / "lock").acquire()

    assert (tmp_path / "file").read_bytes() == b"precious"
